"""Watches a running server do what the contract says, from the outside: python witness.py HOST:PORT.

It leaves its leads behind, under agents of its own: give it a server that may keep them.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# Each module registers its checks; they run in this order, and the last one looks back at all of them.
import describing  # noqa: F401, I001
import deciding  # noqa: F401
import promising  # noqa: F401
import working  # noqa: F401
import reading  # noqa: F401
from outside import address_from_arguments, run
from subject import Pipeline

if __name__ == "__main__":
    sys.exit(run(Pipeline(address_from_arguments(__doc__))))
