"""Fails when a source file is longer than 900 lines: split it by concept."""
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
names = subprocess.run(["git", "ls-files", "*.c", "*.h", "*.py", "dev"], cwd=root, check=True,
                       capture_output=True, text=True).stdout.split()
long = [(name, lines) for name in names
        if (lines := len((root / name).read_text().splitlines())) > 900]
for name, lines in long:
    print(f"{name}: {lines} lines")
sys.exit(1 if long else 0)
