"""check_symbols.py INCLUDE SHARED STATIC: what the headers declare, what the shared library exports and what
the static one defines must be the same."""
import pathlib
import subprocess
import sys

import api


def defined(library, *options):
    listing = subprocess.run(["nm", "--defined-only", *options, library], check=True, text=True,
                             capture_output=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return {row[2].split("@")[0] for row in rows if len(row) == 3 and row[1] != "A"}


def main():
    include, shared, static = map(pathlib.Path, sys.argv[1:])
    listed, bad = api.functions(include), []
    for who, names in (("the shared library exports", defined(shared, "-D")),
                       ("the static library defines", defined(static, "-g"))):
        bad += [f"{name}: {who} {'it, the headers do not declare it' if name in names else 'it not'}"
                for name in sorted(names ^ listed)]
    print("\n".join(bad))
    print(f"{len(listed)} functions, {len(bad)} differences")
    return 1 if bad or not listed else 0


sys.exit(main())
