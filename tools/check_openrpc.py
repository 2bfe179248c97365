"""check_openrpc.py DOCUMENT PAGE SOTTO: the document is what the program prints, each schema in it is a
JSON Schema, and the page names each method. `sotto daemon --openrpc > docs/openrpc.json` renews it."""
import json
import pathlib
import re
import subprocess
import sys

import jsonschema


def main(document, page, sotto):
    stored = json.loads(pathlib.Path(document).read_text())
    printed = json.loads(subprocess.run([sotto, "daemon", "--openrpc"], check=True, text=True,
                                        capture_output=True).stdout)
    bad = [] if stored == printed else [document + " is not what `sotto daemon --openrpc` prints"]
    for schema in stored["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)
    for method in stored["methods"]:
        for param in method["params"]:
            jsonschema.Draft7Validator.check_schema(param["schema"])
    named = set(re.findall(r"`([a-z]+(?:\.[a-zA-Z]+)?)`", pathlib.Path(page).read_text()))
    bad += [f"{page} does not name {method['name']}" for method in stored["methods"]
            if method["name"] not in named]
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main(*sys.argv[1:]))
