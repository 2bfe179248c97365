#!/usr/bin/env python3
"""Runs bench_mls with the other implementations that build here: --peers. Others of its options are
handed on: --quick, --large, --suite N, --n N."""

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(FOLDER), "interop"))
from harness import prepare  # noqa: E402

PEERS = {"openmls": prepare.openmls, "mls-rs": prepare.mls_rs}


def peers():
    """Options that name each peer's program."""
    for name, make in PEERS.items():
        try:
            program = make("bench", "release")[0]
        except (prepare.Unavailable, prepare.Broken) as reason:
            print(f"bench_mls: {name} is skipped: {reason}", file=sys.stderr)
            continue
        yield from ("--peer", name, program)


def main():
    program, options = sys.argv[1], sys.argv[2:]
    if "--peers" in options:
        options = [option for option in options if option != "--peers"] + list(peers())
    os.execv(program, [program, *options])


main()
