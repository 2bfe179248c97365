"""What libsotto's headers declare. api.py headers INCLUDE: their names, one a line, without those that are
libsotto-mls's alone. api.py map|list INCLUDE OUTPUT: a linker's version script, or a list, of their functions."""
import pathlib
import re
import sys

# Declared by these, which both libraries install; the engine's own functions are libsotto-mls's alone.
SHARED = ("bytes.h", "env.h", "error.h")


def headers(include):
    """Those that sotto.h includes, and itself."""
    text = (include / "sotto.h").read_text()
    return ["sotto.h", *re.findall(r'^#include "sotto/(\w+\.h)"', text, re.M)]


def functions(include):
    names = set()
    for header in [*SHARED, *headers(include)]:
        source = re.sub(r"/\*.*?\*/", "", (include / header).read_text(), flags=re.S)
        source = re.sub(r"^#.*(?:\\\n.*)*", "", source, flags=re.M)
        source = re.sub(r"static inline [^{;]*\{.*?\n\}", "", source, flags=re.S)
        # Pointers to functions have their name in parentheses, types of them stand behind typedef.
        source = re.sub(r"typedef [^;{]*;", "", source)
        names |= set(re.findall(r"^(?:SOTTO_API )?[a-z](?:[\w ]|\*)*?\b(sotto_\w+)\(", source, re.M))
    return names


def main():
    what, include, *output = sys.argv[1:]
    include = pathlib.Path(include)
    if what == "headers":
        print("\n".join(headers(include)))
        return
    names = sorted(functions(include))
    text = "\n".join(names) + "\n" if what == "list" else \
        "SOTTO_0 {\nglobal:\n" + "".join("    %s;\n" % n for n in names) + "local:\n    *;\n};\n"
    pathlib.Path(output[0]).write_text(text)


if __name__ == "__main__":
    main()
