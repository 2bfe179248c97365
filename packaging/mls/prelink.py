"""Makes a static library: prelink.py [--keep LIST] OUTPUT WORK_DIR ARCHIVE... -- CC [ARG...]

Links the archives into one relocatable object and makes every symbol local that is not marked
SOTTO_API, or not in the list, so that the library is self-contained and its internal names cannot
clash."""
import pathlib
import subprocess
import sys


def tool(cc, name):
    """The binutils program that belongs to this (perhaps cross) compiler."""
    answer = subprocess.run([*cc, f"-print-prog-name={name}"], check=True, text=True,
                            capture_output=True).stdout.strip()
    return answer or name


def main():
    split = sys.argv.index("--")
    arguments, cc = sys.argv[1:split], sys.argv[split + 1:]
    localize = ["--localize-hidden"]
    if arguments[0] == "--keep":
        localize = [f"--keep-global-symbols={arguments[1]}"]
        arguments = arguments[2:]
    output, work, *archives = arguments
    pathlib.Path(work).mkdir(parents=True, exist_ok=True)
    whole = pathlib.Path(work) / (pathlib.Path(output).stem.removeprefix("lib") + ".o")
    subprocess.run([*cc, "-r", "-nostdlib", "-o", whole, "-Wl,--whole-archive", *archives,
                    "-Wl,--no-whole-archive"], check=True)
    subprocess.run([tool(cc, "objcopy"), *localize, whole], check=True)
    pathlib.Path(output).unlink(missing_ok=True)
    subprocess.run([tool(cc, "ar"), "rcsD", output, whole], check=True)


if __name__ == "__main__":
    main()
