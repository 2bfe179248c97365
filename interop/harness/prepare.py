"""Builds the peers that this machine can build; says why it cannot where it cannot."""

import os
import re
import shutil
import subprocess

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")


SOURCE = re.compile(r'^source = .*$', re.MULTILINE)


class Unavailable(Exception):
    pass


def version_of(program):
    """(major, minor) of a program, or None where it is not installed."""
    if shutil.which(program) is None:
        return None
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


def need(program, least, package):
    found = version_of(program)
    wanted = ".".join(map(str, least))
    if found is None:
        raise Unavailable(f"{package} needs {program} {wanted} or newer, and there is none")
    if found < least:
        raise Unavailable(f"{package} needs {program} {wanted} or newer; here is {found[0]}.{found[1]}")


def run(command, folder, package):
    command = ["nice", "-n", "10", *command]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unavailable(f"{package} does not build here: {last}")


def cargo(name, least, package):
    need("cargo", least, package)
    folder = os.path.join(FOLDER, name)
    lock(folder, package)
    run(["cargo", "build", "--release", "--locked", "--quiet", "--bin", f"interop-{name}"], folder, package)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(folder, "target"))
    return [os.path.join(target, "release", f"interop-{name}")]


def lock(folder, package):
    """Cargo.lock from Cargo.lock.in, whose versions and checksums are committed without the name of a
    registry: cargo itself says, in a lock file that it makes, which one is in use here."""
    path = os.path.join(folder, "Cargo.lock")
    with open(path + ".in", encoding="utf-8") as file:
        locked = file.read()
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if re.sub(SOURCE, 'source = "REGISTRY"', file.read()) == locked:
                return
        os.remove(path)
    run(["cargo", "generate-lockfile", "--quiet"], folder, package)
    with open(path, encoding="utf-8") as file:
        source = re.search(SOURCE, file.read())[0]
    with open(path, "w", encoding="utf-8") as file:
        file.write(locked.replace('source = "REGISTRY"', source))


def openmls():
    return cargo("openmls", (1, 91), "OpenMLS 0.9.2")


def mls_rs():
    return cargo("mls-rs", (1, 82), "mls-rs 0.57.0")


def ts_mls():
    need("node", (20, 0), "ts-mls 1.6.4")
    need("npm", (9, 0), "ts-mls 1.6.4")
    folder = os.path.join(FOLDER, "ts-mls")
    stamp = os.path.join(folder, "node_modules", ".package-lock.json")
    lock = os.path.join(folder, "package-lock.json")
    if not os.path.exists(stamp) or os.path.getmtime(stamp) < os.path.getmtime(lock):
        run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], folder, "ts-mls 1.6.4")
    return ["node", os.path.join(folder, "peer.mjs")]


# label -> what makes its command, further arguments
PEERS = {
    "mls-rs": (mls_rs, []),
    "openmls": (openmls, []),
    "openmls/hpke-pq": (openmls, ["--hpke-pq"]),
    "ts-mls": (ts_mls, []),
    "ts-mls/hpke-pq": (ts_mls, ["--hpke-pq"]),
}
