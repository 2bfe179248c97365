"""check_tutorial.py TEXT.md CODE.c: each ```c piece of the text stands in the program, line by line
and in one piece, so that what people copy is what was compiled and run."""
import pathlib
import re
import sys


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def main():
    text, code = (pathlib.Path(name) for name in sys.argv[1:])
    program = lines(code.read_text())
    pieces = re.findall(r"^```c\n(.*?)^```", text.read_text(), re.M | re.S)
    bad = 0
    for piece in map(lines, pieces):
        places = range(len(program) - len(piece) + 1)
        if not any(program[at:at + len(piece)] == piece for at in places):
            print(f"{text.name}: not in {code.name}: {piece[0]} ...")
            bad += 1
    print(f"{len(pieces)} pieces, {bad} that the program does not have")
    return 1 if bad or not pieces else 0


if __name__ == "__main__":
    sys.exit(main())
