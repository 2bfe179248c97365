"""Builds the peers that this machine can build; says why it cannot where it cannot. What is missing
here, a program or a registry that answers, is Unavailable; what does not compile is Broken."""

import os
import re
import shutil
import subprocess

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")


SOURCE = re.compile(r'^source = .*$', re.MULTILINE)


FETCH_S = 120  # until a registry counts as one that does not answer
BUILD_S = 1800
# Few tries, all short: a machine without registries shall be told soon.
NETWORK = {"CARGO_NET_RETRY": "1", "CARGO_HTTP_TIMEOUT": "20",
           "npm_config_fetch_retries": "1", "npm_config_fetch_timeout": "20000"}


class Unavailable(Exception):
    pass


class Broken(Exception):
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


def run(command, folder, package, seconds, error):
    command = ["nice", "-n", "10", *command]
    try:
        done = subprocess.run(command, cwd=folder, env={**NETWORK, **os.environ}, capture_output=True,
                              text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise error(f"{package}: {' '.join(command[3:5])} takes more than {seconds} s") from None
    if done.returncode != 0:
        # What failed stands first, why last.
        said = [line.strip() for line in done.stderr.splitlines() if line.strip() and "log of this run" not in line]
        reason = ": ".join(dict.fromkeys(said[:1] + said[-1:])) or "no message"
        raise error(f"{package}: {' '.join(command[3:5])}: {reason}")


def fetch(command, folder, package):
    """What asks a registry, and nothing else."""
    run(command, folder, package, FETCH_S, Unavailable)


def cargo(folder, least, package, program, profile):
    need("cargo", least, package)
    folder = os.path.join(FOLDER, folder)
    lock(folder, package)
    fetch(["cargo", "fetch", "--locked", "--quiet"], folder, package)
    run(["cargo", "build", "--profile", profile, "--locked", "--offline", "--quiet", "--bin", program],
        folder, package, BUILD_S, Broken)
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(folder, "target"))
    return [os.path.join(target, profile, program)]


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
    fetch(["cargo", "generate-lockfile", "--quiet"], folder, package)
    with open(path, encoding="utf-8") as file:
        source = re.search(SOURCE, file.read())[0]
    with open(path, "w", encoding="utf-8") as file:
        file.write(locked.replace('source = "REGISTRY"', source))


def openmls(program="interop-openmls", profile="quick"):
    return cargo("openmls", (1, 91), "OpenMLS 0.9.2", program, profile)


def mls_rs(program="interop-mls-rs", profile="quick"):
    return cargo("mls-rs", (1, 82), "mls-rs 0.57.0", program, profile)


def ts_mls():
    need("node", (20, 0), "ts-mls 1.6.4")
    need("npm", (9, 0), "ts-mls 1.6.4")
    folder = os.path.join(FOLDER, "ts-mls")
    stamp = os.path.join(folder, "node_modules", ".package-lock.json")
    lock = os.path.join(folder, "package-lock.json")
    if not os.path.exists(stamp) or os.path.getmtime(stamp) < os.path.getmtime(lock):
        fetch(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], folder, "ts-mls 1.6.4")
    return ["node", os.path.join(folder, "peer.mjs")]


# label -> what makes its command, further arguments
PEERS = {
    "mls-rs": (mls_rs, []),
    "openmls": (openmls, []),
    "openmls/hpke-pq": (openmls, ["--hpke-pq"]),
    "ts-mls": (ts_mls, []),
    "ts-mls/hpke-pq": (ts_mls, ["--hpke-pq"]),
}
