"""check_install.py BUILD SOURCE.c...: installs into a fresh folder, then builds each program far
from the tree with nothing but pkg-config: shared and static, as C and as C++, and runs it."""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

C = ["-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
HEADER_AS_CXX = ["-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                 "-fsyntax-only"]


def run(command, **more):
    print("+", shlex.join(map(str, command)), flush=True)
    return subprocess.run(command, check=True, text=True, **more)


def pkg_config(root, *options):
    """Flags as an installed program gets them; the sysroot stands for the destdir."""
    folder = next(root.rglob("sotto-mls.pc")).parent
    system = run(["pkg-config", "--variable", "pc_path", "pkg-config"], capture_output=True).stdout
    # lib, lib64 (Meson without dpkg-architecture), or lib and a machine's name below it
    prefix = folder.parent.parent if folder.parent.name.startswith("lib") else folder.parents[2]
    env = dict(os.environ, PKG_CONFIG_LIBDIR=f"{folder}:{system.strip()}")
    return shlex.split(run(["pkg-config", f"--define-variable=prefix={prefix}", *options,
                            "sotto-mls"], env=env, capture_output=True).stdout)


def build_and_run(work, sources, root):
    cc = os.environ.get("CC", "cc")
    library = next(root.rglob("libsotto-mls.so")).parent
    flags = pkg_config(root, "--cflags")
    shared = pkg_config(root, "--libs")
    static = pkg_config(root, "--static", "--libs")
    # The linker takes the archive where only -lsotto-mls is to be static.
    static = ["-l:libsotto-mls.a" if flag == "-lsotto-mls" else flag for flag in static]
    for source in sources:
        name = pathlib.Path(source).stem
        copy = shutil.copy(source, work)
        run([cc, *C, *flags, copy, "-o", work / f"{name}-shared", *shared])
        run([work / f"{name}-shared"], env=dict(os.environ, LD_LIBRARY_PATH=str(library)))
        run([cc, *C, *flags, copy, "-o", work / f"{name}-static", *static])
        run([work / f"{name}-static"])
    needed = run(["readelf", "-d", work / f"{name}-static"], capture_output=True).stdout
    assert "libsotto" not in needed, "the static program needs the shared library"
    needed = run(["readelf", "-d", work / f"{name}-shared"], capture_output=True).stdout
    assert "[libsotto-mls.so.0]" in needed, "the shared program does not name the soversion"
    check_cxx(work, flags, shared, library)


def check_cxx(work, flags, shared, library):
    """The headers, each alone, and a C++ program that calls the library."""
    cxx = os.environ.get("CXX", "g++")
    if shutil.which(cxx) is None:
        print(f"SKIP C++: {cxx} is not here")
        return
    include = next(pathlib.Path(f[2:]) for f in flags if f.startswith("-I"))
    for header in sorted((include / "sotto").glob("*.h")):
        run([cxx, *HEADER_AS_CXX, *flags, header])
    program = work / "program.cpp"
    program.write_text('#include <sotto/mls.h>\n#include <cstdio>\nint main()\n{\n'
                       '    sotto_mls *mls = nullptr;\n'
                       '    if (sotto_mls_new(sotto_env_system(), nullptr, &mls) != SOTTO_OK)\n'
                       '        return 1;\n'
                       '    std::puts(sotto_mls_suite_name(SOTTO_MLS_DEFAULT_SUITE));\n'
                       '    sotto_mls_free(mls);\n    return 0;\n}\n')
    run([cxx, "-Wall", "-Wextra", "-Wpedantic", "-Werror", *flags, program, "-o", work / "program",
         *shared])
    run([work / "program"], env=dict(os.environ, LD_LIBRARY_PATH=str(library)))


def main():
    build, *sources = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        root = work / "root"
        run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root])
        build_and_run(work, sources, root)


if __name__ == "__main__":
    main()
