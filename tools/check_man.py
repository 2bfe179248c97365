"""check_man.py PAGE.. -- PROGRAM_OR_HEADER..: groff must lay the pages out without a warning, and they
must name what there is: each program's commands and options as its --help prints them, and no other
options but those of its commands; each function that a header marks SOTTO_API, and no other."""
import pathlib
import re
import shutil
import subprocess
import sys

SKIP = 77
ALWAYS = ("help", "version")


def laid_out(page):
    """Warnings are printed; groff's exit code does not tell."""
    run = subprocess.run(["groff", "-mdoc", "-Tutf8", "-ww", "-rLL=100n", page], text=True,
                         capture_output=True, check=False)
    return run.stderr.strip()


def options_in(text):
    return set(re.findall(r"^  --([a-z][a-z-]+)", text, re.M))


def help_of(*command):
    return subprocess.run([*command, "--help"], check=True, text=True, capture_output=True).stdout


def check_program(program, page):
    wanted = help_of(program)
    text = page.read_text()
    named = set(re.findall(r"\bFl -([a-z][a-z-]+)", text)) | set(ALWAYS)
    there = options_in(wanted) | set(ALWAYS)
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+(?![a-z|]))?)\b.*  [A-Z]", wanted, re.M)
    of_commands = set().union(*(options_in(help_of(program, *name.split())) for name in commands))
    bad = [f"--{name}" for name in sorted(there - named | named - there - of_commands)]
    bad += [name for name in commands if not re.search(rf"^\.(It )?Cm {name}\b", text, re.M)]
    return bad


def functions(header):
    source = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    marked = set(re.findall(r"\bSOTTO_API\b(?:(?!sotto_\w+\()[^;])*?\b(sotto_\w+)\(", source))
    return marked


def main():
    split = sys.argv.index("--")
    pages = {pathlib.Path(name).stem: pathlib.Path(name) for name in sys.argv[1:split]}
    bad, known = [], set()
    for name in map(pathlib.Path, sys.argv[split + 1:]):
        if name.suffix == ".h":
            known |= functions(name)
        else:
            bad += [f"{name.stem}: {what}" for what in check_program(name, pages[name.stem])]
    named = set(re.findall(r"\.Fn (sotto_\w+)", pages["sotto-mls"].read_text()))
    bad += sorted(named ^ known)
    for what in bad:
        print(f"{what}: in the page and not there, or there and not in the page")
    if shutil.which("groff") is None:
        print("groff is not here: the pages' layout was not checked")
        return 1 if bad else SKIP
    warnings = [laid_out(page) for page in pages.values()]
    print("\n".join(filter(None, warnings)))
    return 1 if bad or any(warnings) else 0


if __name__ == "__main__":
    sys.exit(main())
