"""check_symbols.py MAP SHARED STATIC HEADER...: what the headers mark SOTTO_API, what the map
lists, what the shared library exports and what the static one defines must be the same."""
import pathlib
import re
import subprocess
import sys


def defined(library, *options):
    """Global names that a library defines, without the version's own entry."""
    listing = subprocess.run(["nm", "--defined-only", *options, library], check=True, text=True,
                             capture_output=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return {row[2].split("@")[0] for row in rows if len(row) == 3 and row[1] != "A"}


def main():
    symbol_map, shared, static, *headers = sys.argv[1:]
    text = re.sub(r"#.*", "", pathlib.Path(symbol_map).read_text())
    listed = set(re.findall(r"^\s*(\w+);", text.split("local:")[0], re.M))
    source = re.sub(r"/\*.*?\*/", "", "".join(pathlib.Path(h).read_text() for h in headers),
                    flags=re.S)
    found = {
        "the headers mark": set(re.findall(r"\bSOTTO_API\b(?:(?!sotto_\w+\()[^;])*?\b(sotto_\w+)\(", source)),
        "the shared library exports": defined(shared, "-D"),
        "the static library defines": defined(static, "-g"),
    }
    bad = 0
    for who, names in found.items():
        for name in sorted(names ^ listed):
            print(f"{name}: {who} {'it, the map does not list it' if name in names else 'it not'}")
            bad += 1
    print(f"{len(listed)} symbols listed, {bad} differences")
    return 1 if bad or not listed else 0


if __name__ == "__main__":
    sys.exit(main())
