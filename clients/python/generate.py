"""Writes the client's generated code into a folder: python generate.py FOLDER.

The validation rules (buf.validate) are left out, so that users of the client need not install them; with --rules they
stay, and their own module comes along, for tests/rules.py.
"""

import pathlib
import sys
import tempfile

import grpc_tools
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
FILES = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "leadpipeline").rglob("*.proto"))


def run_protoc(*arguments):
    """Runs the protoc that comes with grpcio-tools."""
    if protoc.main(["protoc", *arguments]) != 0:
        sys.exit("protoc failed")


def without_rules(descriptors):
    """Drops buf.validate: to a program that doesn't know it, its options are unknown fields."""
    for file in descriptors.file:
        file.DiscardUnknownFields()
        if "buf/validate/validate.proto" in file.dependency:
            file.dependency.remove("buf/validate/validate.proto")
    kept = [file for file in descriptors.file if not file.name.startswith("buf/validate/")]
    return FileDescriptorSet(file=kept)


def generate(folder, rules=False):
    """Generates messages, their type stubs and the service, as packages with the names that the protos have."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "descriptors.binpb"
        run_protoc(
            f"-I{PROTO}",
            f"-I{PROTO / 'vendor'}",
            f"-I{pathlib.Path(grpc_tools.__file__).parent / '_proto'}",
            "--include_imports",
            "--include_source_info",
            f"--descriptor_set_out={path}",
            *FILES,
        )
        descriptors = FileDescriptorSet.FromString(path.read_bytes())
        if not rules:
            descriptors = without_rules(descriptors)
        path.write_bytes(descriptors.SerializeToString())
        run_protoc(
            f"--descriptor_set_in={path}",
            f"--python_out={folder}",
            f"--pyi_out={folder}",
            f"--grpc_python_out={folder}",
            *FILES,
            *(["buf/validate/validate.proto"] if rules else []),
        )
    for package in (folder / "leadpipeline", folder / "leadpipeline" / "v1"):
        (package / "__init__.py").touch()
    # Only the service's file has a service in it; of the others nothing but an import would be left.
    for path in folder.rglob("*_pb2_grpc.py"):
        if "\nclass " not in path.read_text():
            path.unlink()


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--rules"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    generate(arguments[0], rules="--rules" in sys.argv)
