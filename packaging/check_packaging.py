"""check_packaging.py VERSION BUILD DEBIAN MAP DOCKERFILE: what is written twice for the packages agrees: the version,
what is installed, what is exported, what is needed to build."""
import fnmatch
import json
import pathlib
import re
import subprocess
import sys


def words(text):
    return set(re.findall(r"[a-z][a-z0-9.+-]+", text))


def unpackaged(build, debian):
    """What Meson installs and no package takes."""
    taken = [line.split()[0] for names in debian.glob("*.install") for line in names.read_text().splitlines()]
    options = {option["name"]: option["value"] for option in json.loads(subprocess.run(
        ["meson", "introspect", "--buildoptions", build], check=True, capture_output=True, text=True).stdout)}
    installed = json.loads(subprocess.run(["meson", "introspect", "--installed", build], check=True,
                                          capture_output=True, text=True).stdout).values()
    # The libraries' folder has the machine's name in it on Debian; a build elsewhere may have another.
    libraries = str(pathlib.PurePath(options["prefix"], options["libdir"]))
    names = ["usr/" + str(pathlib.PurePath(name.replace(libraries, options["prefix"] + "/lib/machine"))
                          .relative_to(options["prefix"])) for name in installed]
    return [name for name in names
            if not any(fnmatch.fnmatch(name, pattern) or name.startswith(pattern + "/") for pattern in taken)]


def main():
    version, build, debian, symbol_map, dockerfile = sys.argv[1:]
    debian = pathlib.Path(debian)
    bad = []
    newest = (debian / "changelog").read_text().split("\n", 1)[0]
    if not newest.startswith(f"sotto ({version}) "):
        bad.append(f"debian/changelog begins with {newest!r}, the version is {version}")
    exported = re.sub(r"#.*", "", pathlib.Path(symbol_map).read_text()).split("local:")[0]
    exported = set(re.findall(r"^\s*(\w+);", exported, re.M))
    listed = set(re.findall(r"^ (sotto_\w+)@", (debian / "libsotto-mls0.symbols").read_text(), re.M))
    bad += [f"{name}: in symbols.map or in debian/libsotto-mls0.symbols, not in both"
            for name in sorted(exported ^ listed)]
    bad += [f"{name}: is installed, and in no debian/*.install" for name in unpackaged(build, debian)]
    control = (debian / "control").read_text()
    needed = words(re.search(r"^Build-Depends:((?:.*\n)(?: .*\n)*)", control, re.M)[1])
    # The package's own tools; the relay alone needs no QR codes, and no keyring.
    needed -= {"debhelper-compat", "dh-sequence-installsysusers", "libqrencode-dev", "libsecret-1-dev"}
    image = words(re.search(r"AS build\nRUN (.*?)\nCOPY", pathlib.Path(dockerfile).read_text(), re.S)[1])
    bad += [f"{name}: in debian/control's Build-Depends, not in the Dockerfile" for name in sorted(needed - image)]
    print("\n".join(bad) or f"{len(listed)} symbols and {len(needed)} packages agree")
    return 1 if bad or not listed or not needed else 0


if __name__ == "__main__":
    sys.exit(main())
