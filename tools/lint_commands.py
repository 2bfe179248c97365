"""lint_commands.py FROM TO: a compile_commands.json with one command for each file, the product's where
there is one. clang-tidy checks a file once for each of its commands; several are compiled for tests too,
or for more than one kind of processor."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    commands = json.load(file)
commands.sort(key=lambda entry: entry["output"].startswith("tests/"))
first = {}
for entry in commands:
    first.setdefault(entry["file"], entry)
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(list(first.values()), file)
