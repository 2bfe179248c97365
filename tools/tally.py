"""Adds up what the test runs printed: Meson's JSON logs and TAP files in one folder.

The last line is `N passed, N failed` (`, N skipped`); the exit status follows it."""
import json
import pathlib
import re
import sys

LINE = re.compile(r"^\s*(not )?ok\b(.*)$")


def count_tap(text, origin, totals, notes):
    seen = 0
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        seen += 1
        what = match.group(2).strip(" -")
        if re.search(r"#\s*skip", what, re.I):
            totals["skipped"] += 1
            notes.append(f"skipped: {origin}: {what}")
        elif match.group(1):
            totals["failed"] += 1
            notes.append(f"FAILED: {origin}: {what}")
        else:
            totals["passed"] += 1
    return seen


def main(folder):
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    notes = []
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.suffix == ".tap":
            if not count_tap(path.read_text(), path.stem, totals, notes):
                totals["failed"] += 1
                notes.append(f"FAILED: {path.stem}: nothing ran")
            continue
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            origin = f"{path.stem}: {entry['name']}"
            failed_before = totals["failed"]
            seen = count_tap(entry.get("stdout") or "", origin, totals, notes)
            result = entry["result"]
            if result == "SKIP":
                if not seen:
                    totals["skipped"] += 1
                    notes.append(f"skipped: {origin}")
            elif result != "OK" and totals["failed"] == failed_before:
                totals["failed"] += 1  # crashed, timed out or leaked behind its last line
                notes.append(f"FAILED: {origin}: {result}")
            elif not seen:
                totals["passed"] += 1
    for note in notes:
        print(note)
    line = f"{totals['passed']} passed, {totals['failed']} failed"
    if totals["skipped"]:
        line += f", {totals['skipped']} skipped"
    print(line)
    return 1 if totals["failed"] or not totals["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
