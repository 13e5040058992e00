//! Generates the code of the contract: messages and client once, and the server with a pre-encoded watch response.

use prost::Message;
use std::path::PathBuf;

const FILES: [&str; 1] = ["leadpipeline/v1/lead_pipeline.proto"];
const INCLUDES: [&str; 2] = ["proto", "proto/vendor"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=migrations");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(INCLUDES)?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    // For reflection, with the comments, and with the validation rules.
    std::fs::write(out.join("descriptors.binpb"), compiler.encode_file_descriptor_set())?;

    let files = prost_types::FileDescriptorSet::decode(compiler.encode_file_descriptor_set().as_slice())?;

    let messages = out.join("messages");
    std::fs::create_dir_all(&messages)?;
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".google.rpc", "::tonic_types::pb")
        // Options, which the service doesn't look at: nothing is generated for them.
        .extern_path(".buf.validate", "()")
        .out_dir(messages)
        .compile_fds(files.clone())?;

    let server = out.join("server");
    std::fs::create_dir_all(&server)?;
    tonic_prost_build::configure()
        .build_client(false)
        .codec_path("crate::grpc::codec::PipelineCodec")
        .extern_path(".leadpipeline.v1.WatchStageChangesResponse", "crate::grpc::EncodedResponse")
        .extern_path(".leadpipeline.v1", "crate::proto")
        .extern_path(".google.rpc", "::tonic_types::pb")
        .extern_path(".buf.validate", "()")
        .out_dir(server)
        .compile_fds(files)?;
    Ok(())
}
