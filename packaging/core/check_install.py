"""check_install.py BUILD EXAMPLE.c SOTTOD: installs into a fresh folder, builds the example far from the tree
with nothing but pkg-config, shared and static, and lets two of them talk over a real relay."""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

C = ["-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
CXX = ["-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
PATIENCE = 120


def run(command, **more):
    print("+", shlex.join(map(str, command)), flush=True)
    return subprocess.run(command, check=True, text=True, timeout=PATIENCE, **more)


def pkg_config(root, *options):
    folder = next(root.rglob("sotto.pc")).parent
    system = run(["pkg-config", "--variable", "pc_path", "pkg-config"], capture_output=True).stdout
    prefix = folder.parent.parent if folder.parent.name.startswith("lib") else folder.parents[2]
    env = dict(os.environ, PKG_CONFIG_LIBDIR=f"{folder}:{system.strip()}")
    return shlex.split(run(["pkg-config", f"--define-variable=prefix={prefix}", *options, "sotto"], env=env,
                           capture_output=True).stdout)


def build(work, source, root):
    """The example, twice: {name: its path}."""
    cc = os.environ.get("CC", "cc")
    flags, shared, static = (pkg_config(root, *o) for o in (["--cflags"], ["--libs"], ["--static", "--libs"]))
    static = ["-l:libsotto.a" if flag == "-lsotto" else flag for flag in static]
    copy = shutil.copy(source, work)
    run([cc, *C, *flags, copy, "-o", work / "shared", *shared])
    run([cc, *C, *flags, copy, "-o", work / "static", *static])
    needed = {name: run(["readelf", "-d", work / name], capture_output=True).stdout for name in ("shared", "static")}
    assert "[libsotto.so.0]" in needed["shared"], "the shared program does not name the soversion"
    assert "libsotto" not in needed["static"], "the static program needs the shared library"
    cxx = os.environ.get("CXX", "g++")
    if shutil.which(cxx) is None:
        print(f"SKIP C++: {cxx} is not here")
    else:
        run([cxx, *CXX, *flags, next(root.rglob("sotto.h"))])


def start_relay(work, sottod):
    told, tell = os.pipe()
    relay = subprocess.Popen([sottod, "--data", work / "relay", "--listen", "127.0.0.1:0", "--ready-fd", str(tell)],
                             pass_fds=[tell], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(tell)
    with os.fdopen(told) as file:
        return relay, file.readline().strip()


def talk(work, address, env):
    alice = subprocess.Popen([work / "shared", work / "alice", address, "Alice"], env=env, text=True,
                             stdout=subprocess.PIPE)
    try:
        link = alice.stdout.readline().strip()
        assert link.startswith("sotto://invite/"), link
        run([work / "static", work / "bob", address, "Bob", link, "Hello from a program"])
        said, _ = alice.communicate(timeout=PATIENCE)
    finally:
        alice.kill()
    assert said == "Bob: Hello from a program\n" and alice.returncode == 0, (said, alice.returncode)


def main():
    folder, source, sottod = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        root = work / "root"
        run(["meson", "install", "-C", folder, "--no-rebuild", "--quiet", "--destdir", root])
        build(work, source, root)
        library = next(root.rglob("libsotto.so")).parent
        relay, address = start_relay(work, sottod)
        try:
            talk(work, address, dict(os.environ, LD_LIBRARY_PATH=str(library)))
        finally:
            relay.kill()
            relay.wait()


main()
