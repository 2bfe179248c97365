#!/usr/bin/env python3
"""Live interoperability of Sotto with other MLS implementations; interop/README.md says how."""

import argparse
import os
import random
import shlex
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import prepare, scripted  # noqa: E402
from harness.known import role_fault  # noqa: E402
from harness.operations import Finding, Session  # noqa: E402
from harness.peer import Peer, PeerError  # noqa: E402
from harness.report import Report  # noqa: E402

SOTTO = "sotto"


class Tap:
    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def ok(self, name):
        self.counts["passed"] += 1
        print(f"ok - {name}", flush=True)

    def skip(self, name, reason):
        self.counts["skipped"] += 1
        print(f"ok - {name} # SKIP {reason}", flush=True)

    def fail(self, name, reason):
        self.counts["failed"] += 1
        print(f"not ok - {name}\n  # {reason}", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", help="repeats a run's random choices")
    parser.add_argument("--ops", type=int, default=200, help="random operations per suite (200)")
    parser.add_argument("--suites", default="1,2,3,77", help="suites by number (1,2,3,77)")
    parser.add_argument("--peer", action="append", default=[], metavar="COMMAND",
                        help="a further implementation that speaks the protocol")
    parser.add_argument("--only", help="only these implementations, by label: sotto,openmls,...")
    parser.add_argument("--roles", help="only these roles of phase 1")
    parser.add_argument("--ours", action="store_true",
                        help="pairs of others in phase 1 only where the rest of the run asks for them")
    parser.add_argument("--prepare", action="store_true", help="build the implementations, run nothing")
    parser.add_argument("--sotto", default=os.path.join("build", "interop", "peers", "sotto", "sotto-interop"),
                        help="where sotto-interop is")
    return parser.parse_args()


def prepare_all():
    """Whatever cannot be prepared is said by the run itself."""
    for make in dict.fromkeys(make for make, _ in prepare.PEERS.values()):
        try:
            make()
        except (prepare.Unavailable, prepare.Broken) as reason:
            print(f"# {reason}", file=sys.stderr)
    return 0


def gather(options, tap):
    """The implementations that run here, Sotto first. Those that do not are said and skipped."""
    wanted = options.only.split(",") if options.only else None
    found = []
    commands = {}
    if wanted is None or SOTTO in wanted:
        found.append(Peer(SOTTO, [options.sotto]))
    for label, (make, more) in prepare.PEERS.items():
        if wanted is not None and label not in wanted:
            continue
        try:
            if make not in commands:
                print(f"# preparing {label}", flush=True)
                commands[make] = make()
            found.append(Peer(label, commands[make] + more))
        except prepare.Unavailable as reason:
            tap.skip(label, reason)
        except prepare.Broken as reason:
            tap.fail(label, reason)
    for number, command in enumerate(options.peer, 1):
        found.append(Peer(f"peer {number}", shlex.split(command)))
    started = []
    for peer in found:
        try:
            name = peer.call("name")["name"]
            if peer.label.startswith("peer "):
                known = [other.label for other in started]
                peer.label = name if name not in known else f"{name}/{peer.label}"
            peer.describe()
            print(f"# {peer.label}: {name}, suites {', '.join(map(str, peer.suites))}")
            started.append(peer)
        except (PeerError, OSError) as error:
            tap.fail(f"{peer.label} starts", error)
    return started


def pairs(peers, ours):
    """Of those that shall be played whatever the rest of the run asks for."""
    labels = {peer.label for peer in peers}
    return [(a, b) for a in peers for b in peers
            if not ours or SOTTO in (a.label, b.label) or SOTTO not in labels]


def scripted_phase(suite, peers, roles, ours, report):
    for role in roles:
        for a, b in pairs(peers, ours):
            report.outcome(suite, a.label, role, b.label)
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)


def tell(suite, peers, roles, ours, report, tap):
    """One line for each scenario. What others cannot do among themselves is not Sotto's failure."""
    for role in roles:
        for a, b in pairs(peers, ours):
            outcome = report.outcome(suite, a.label, role, b.label)
            name = f"suite {suite}: {a.label} as {role} with {b.label}"
            if outcome.verdict == "ok":
                tap.ok(name)
            elif outcome.verdict == "cannot":
                tap.skip(name, f"cannot: {outcome.reason}")
            elif outcome.verdict == "differs":
                tap.skip(name, outcome.reason)
            else:
                failed(name, suite, role, a, b, outcome, peers, report, tap)


def failed(name, suite, role, a, b, outcome, peers, report, tap):
    if SOTTO in (a.label, b.label):
        guilty = role_fault(role, (a.label, b.label))
        if guilty is not None:
            tap.skip(name, f"a known fault of {guilty}: {outcome.reason}")
            return
        guilty = report.blame(suite, role, a.label, b.label, [peer.label for peer in peers])
        if guilty in (None, SOTTO):
            tap.fail(name, outcome.reason)
        else:
            tap.skip(name, f"{guilty} fails so with others too: {outcome.reason}")
        return
    tap.skip(name, f"failed without Sotto: {outcome.reason}")


def operations_phase(suite, peers, seed, operations, report, tap):
    """A mixed group for each way of deriving keys; an implementation does there what phase 1 showed."""
    for way in sorted({peer.derivation.get(suite, "") for peer in peers}):
        alike = [peer for peer in peers if peer.derivation.get(suite, "") == way]
        labels = [peer.label for peer in alike]
        if len(alike) < 2 or (SOTTO not in labels and SOTTO in [peer.label for peer in peers]):
            continue
        name = f"suite {suite}: {operations} random operations by {', '.join(labels)}"
        session = Session(suite, alike, seed, lambda peer, role, partners: report.can(
            suite, peer.label, role, partners), SOTTO)
        try:
            session.run(operations)
            done = ", ".join(f"{what} {count}" for what, count in sorted(session.counts.items()))
            report.sessions.setdefault(suite, []).append(f"{', '.join(labels)}: ok ({done})")
            tap.ok(name)
        except Finding as finding:
            report.sessions.setdefault(suite, []).append(f"{', '.join(labels)}: FAILED: {finding}")
            tap.fail(name, f"seed {seed}: {finding}")
        for label, count in session.faults.items():
            session.notes.append((label, f"met its known fault {count} times"))
        for label, note in session.notes:
            report.sessions.setdefault(suite, []).append(f"{label} {note}")
            tap.skip(f"suite {suite}: random operations with {label}", f"{label} {note}")


def main():
    options = arguments()
    if options.prepare:
        return prepare_all()
    seed = options.seed or str(random.SystemRandom().getrandbits(32))
    print(f"# seed {seed}")
    tap = Tap()
    suites = [int(suite, 0) for suite in options.suites.split(",")]
    roles = options.roles.split(",") if options.roles else list(scripted.ROLES)
    peers = gather(options, tap)
    by_label = {peer.label: peer for peer in peers}
    report = Report(lambda suite, a, role, b: scripted.play(role, suite, by_label[a], by_label[b], seed))
    for suite in suites:
        here = [peer for peer in peers if suite in peer.suites]
        scripted_phase(suite, here, roles, options.ours, report)
        tell(suite, here, roles, options.ours, report, tap)
        if options.ops > 0:
            operations_phase(suite, here, seed, options.ops, report, tap)
    for peer in peers:
        said = peer.stop()
        if peer.exit_status != 0:
            tap.fail(f"{peer.label} ends", said)
    report.print(suites, peers)
    counts = tap.counts
    print(f"\n# seed {seed}")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
