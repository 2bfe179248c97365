"""Fails when a public header (include/sotto) does not document a function: it has a comment of its own, or that of its
run names it; the comment names each argument whose name its library's first header does not explain; of the core,
it says whether the call is local or reaches a relay; and codes it names are codes."""
import pathlib
import re
import sys

# Arguments that the first comment of the header explains for all functions.
EXPLAINED = {"sotto.h": {"core", "conversation", "who", "each", "ctx", "problem"},
             "mls.h": {"mls", "group", "identity", "ctx", "env"}}
ENGINE = {"mls.h", "mls_provider.h", "mls_x509.h"}
SHARED = {"bytes.h", "env.h", "error.h", "api.h"}
FUNCTION = re.compile(r"^(?:SOTTO_API )?(?!typedef|static)[a-z][\w ]*?[ *](sotto_\w+)\((.*?)\);", re.M | re.S)


def codes(include):
    table = re.findall(r"^\s*X\((\w+), ", (include / "problem.h").read_text() + (include / "error.h").read_text(), re.M)
    enums = set()
    for path in include.glob("*.h"):
        for name in re.findall(r"\bSOTTO_([A-Z0-9_]+)\b", path.read_text()):
            parts = name.split("_")
            enums |= {"_".join(parts[n:]) for n in range(len(parts))}
    return set(table) | enums


def arguments(text):
    """The names of parameters, those of a function pointer's own left out."""
    text = re.sub(r"\(\*(\w+)\)\([^()]*\)", r"\1", text)
    names = [re.search(r"(\w+)(?:\[[^\]]*\])?$", one.strip()) for one in text.split(",")]
    return [match.group(1) for match in names if match and match.group(1) != "void"]


def functions(source):
    """Name, arguments and comment of each; the comment of a run is each one's in it that has none."""
    comment, alone, end = "", False, 0
    for match in re.finditer(r"/\*.*?\*/|" + FUNCTION.pattern + r"|\n[ \t]*\n", source, re.M | re.S):
        text = match.group(0)
        if text.startswith("/*"):
            line = source[source.rfind("\n", 0, match.start()) + 1:match.start()]
            if not line.strip():  # else it stands behind something
                comment, alone = text, True
        elif match.group(1) is None:
            comment, alone = "", False
        else:
            trailing = re.match(r"[ \t]*/\*.*?\*/", source[match.end():], re.S)
            yield match.group(1), arguments(match.group(2)), comment + (trailing.group(0) if trailing else ""), \
                alone or bool(trailing), text
            alone = False
        end = match.end()


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    include = root / "include" / "sotto"
    known, bad, count = codes(include), [], 0
    for path in sorted(include.glob("*.h")):
        source = path.read_text()
        explained = EXPLAINED["mls.h" if path.name in ENGINE else "sotto.h"] if path.name not in SHARED else set()
        for name, names, comment, alone, text in functions(source):
            count += 1
            where = f"include/sotto/{path.name}: {name}"
            if not comment or not (alone or re.search(rf"\b{name}\b", comment)):
                bad.append(f"{where} has no comment")
                continue
            missing = [one for one in names if one not in explained and not re.search(rf"\b{one}\b", comment)]
            if missing:
                bad.append(f"{where} does not say what {', '.join(missing)} is")
            if path.name not in ENGINE | SHARED and text.startswith("sotto_error") and \
                    not re.search(r"\b[Ll]ocal\b|\bNetwork\b", comment):
                bad.append(f"{where} does not say whether it is local or reaches a relay")
        for comment in re.findall(r"/\*.*?\*/", source, re.S):
            for word in re.findall(r"(?<![\w.-])[A-Z]+_[A-Z_]+\b(?![\w.(-])", comment):
                if word.removeprefix("SOTTO_") not in known:
                    bad.append(f"include/sotto/{path.name}: there is no {word}")
    print("\n".join(bad))
    print(f"{count} functions, {len(bad)} not documented")
    return 1 if bad or count < 200 else 0


sys.exit(main())
