"""check_rfc9420.py ROOT: docs/mls/RFC9420.md is held to the code. Each function that the table names is
defined in its file, which names the section in a comment; each test exists; duties exist; and every
section of the RFC that has a MUST for implementations has a row."""
import pathlib
import re
import sys

# Sections with the word MUST in them, those of definitions and registries left out.
SECTIONS = """2.1.1 2.1.2 5.1.2 5.3 5.3.1 5.3.3 6 6.1 6.2 6.3.1 6.3.2 7.1 7.2 7.3 7.5 7.6 7.8 7.9.2 8.4 9.1
9.2 10 10.1 11 11.1 11.2 11.3 12.1 12.1.4 12.1.8 12.2 12.3 12.4 12.4.1 12.4.2 12.4.3 12.4.3.1 12.4.3.2
12.4.3.3 13.2 13.4 13.5 14 15.2 16.7 17.1""".split()

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
CODE = re.compile(r"`([a-z0-9_/]+\.c): ([a-z0-9_]+)`")
TEST = re.compile(r"`([a-z0-9_]+): ([a-z0-9_]+)`")


def names_section(text, section):
    pattern = re.compile(rf"(?<![\d.]){re.escape(section)}(?![\d])(?!\.\d)")
    return any(pattern.search(comment) for comment in COMMENT.findall(text))


def rows(page):
    """The first table: cells of each row."""
    for line in page.split("\n## ", 1)[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"[\d.]+", cells[0]):
            yield cells


def check_row(root, duties, section, where, tests):
    if not where:
        yield f"{section}: nowhere checked"
    for name, function in CODE.findall(where):
        path = root / "src" / name
        text = path.read_text() if path.exists() else ""
        if not re.search(rf"^[a-z].*\b{function}\(", text, re.MULTILINE):
            yield f"{section}: {function} is not in {name}"
        elif not names_section(text, section):
            yield f"{section}: no comment of {name} names it"
    for number in re.findall(r"DUTIES (\d+)", where):
        if not re.search(rf"^{number}\. ", duties, re.MULTILINE):
            yield f"{section}: there is no duty {number}"
    found = TEST.findall(tests)
    if not found and "DUTIES" not in where:
        yield f"{section}: no test"
    for name, test in found:
        path = root / "tests" / "unit" / f"test_{name}.c"
        if not path.exists() or not re.search(rf"\b{test}\b", path.read_text()):
            yield f"{section}: there is no test {name}: {test}"


def main():
    root = pathlib.Path(sys.argv[1])
    page = (root / "docs/mls/RFC9420.md").read_text()
    duties = (root / "docs/mls/DUTIES.md").read_text()
    wrong, seen = [], []
    for section, _, where, tests in rows(page):
        seen.append(section)
        wrong += check_row(root, duties, section, where, tests)
    wrong += [f"{section}: not in the table" for section in SECTIONS if section not in seen]
    wrong += [f"{section}: twice in the table" for section in set(seen) if seen.count(section) > 1]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
