#!/usr/bin/env python3
"""Measures the messenger's core through `sotto daemon`, with real programs on loopback: docs/BENCH.md.

    core.py SOTTO SOTTOD CORE_FILL [--quick] [--large]

One JSON object a line: op, the number of conversations and messages in the profile, ms (median) or a
rate, its floor of the same run where there is one, and the ratio to it."""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))
PROGRAMS, OPTIONS = sys.argv[1:4], sys.argv[4:]
from rpc import Daemon  # noqa: E402
from world import World, eventually  # noqa: E402

QUICK, LARGE = "--quick" in OPTIONS, "--large" in OPTIONS
ROOMS = 10 if QUICK else 200
MESSAGES = 1000 if QUICK else 1000000 if LARGE else 100000
ROUNDS = 20 if QUICK else 200
BACKLOG = 200 if QUICK else 5000


def show(op, **fields):
    line = {"op": op, "rooms": ROOMS, "messages": MESSAGES, **fields}
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}), flush=True)


def timed(action, rounds):
    taken = []
    for number in range(rounds):
        begun = time.perf_counter()
        action(number)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def fdatasync_ms(folder):
    """What it takes this disk to keep 8 KiB that were appended to a file."""
    with open(os.path.join(folder, "synced"), "wb", buffering=0) as file:
        def once(_):
            file.write(os.urandom(8192))
            os.fdatasync(file.fileno())
        return timed(once, ROUNDS)


def kib(process, what):
    for line in open("/proc/%d/status" % process.pid):
        if line.startswith(what + ":"):
            return int(line.split()[1])


def starts(alice):
    """From the program's start to its first answer, which lists the conversations."""
    times, memory = [], []
    for _ in range(3 if QUICK else 7):
        begun = time.perf_counter()
        daemon = Daemon(alice)
        rpc = daemon.rpc(quick=True)
        rpc("conversation.list", limit=50)
        times.append((time.perf_counter() - begun) * 1000)
        memory.append(kib(daemon.process, "VmRSS"))
        rpc.close()
        daemon.stop()
    show("start", ms=statistics.median(times), rss_kib=int(statistics.median(memory)))


def sends(world, a, b, room):
    floor = fdatasync_ms(world.directory)
    send = timed(lambda n: a("message.send", conversation=room, text="message %d" % n), ROUNDS)
    show("send_durable", ms=send, floor_ms=floor, ratio=send / floor)
    a("sync")
    b("sync")
    b("events.subscribe")

    def round_trip(number):
        text = "round trip %d" % number
        a("message.send", conversation=room, text=text)
        b.events(lambda n: n["params"].get("message", {}).get("text") == text)
    # To be durable in the outbox, encrypted, with the ratchet's advance; at the relay; and where it is read.
    trip = timed(round_trip, ROUNDS)
    show("round_trip", ms=trip, floor_ms=3 * floor, ratio=trip / (3 * floor))
    b("events.unsubscribe")


def backlog(alice, bob, daemon, a, room):
    """Bob is away while Alice writes; then he catches up."""
    begun = time.perf_counter()
    for number in range(BACKLOG):
        a.ask("message.send", {"conversation": room, "text": "backlog %d" % number})
    a.answer(a.number)
    eventually(lambda: a("status.get")["waiting"] == 0, "an empty outbox")
    show("send_rate", count=BACKLOG, per_s=BACKLOG / (time.perf_counter() - begun))
    begun = time.perf_counter()
    bob.ok("sync")
    show("catch_up", count=BACKLOG, per_s=BACKLOG / (time.perf_counter() - begun))


def searches(a):
    for name, words in (("frequent", "tomorrow thanks"), ("rare", "w4711"), ("prefix", "w12"), ("none", "nowhere")):
        ms = timed(lambda _: a("message.search", words=words, limit=50), max(5, ROUNDS // 10))
        show("search_" + name, ms=ms)


def main():
    with World("Alice", "Bob", disk=True) as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        daemons = Daemon(alice), Daemon(bob)
        a, b = (daemon.rpc(quick=True) for daemon in daemons)
        for number in range(ROOMS - 1):
            a("group.create", title="Group %d" % number, members=["Bob"])
        eventually(lambda: b("status.get")["conversations"] == ROOMS, "Bob in all conversations")
        room = a("conversation.find", name="Bob")["conversation"]
        sends(world, a, b, room)
        daemons[1].stop()
        backlog(alice, bob, daemons[0], a, room)
        daemons[0].stop()
        subprocess.run([PROGRAMS[2], alice.profile, str(MESSAGES)], check=True)
        starts(alice)
        daemon = Daemon(alice)
        searches(daemon.rpc(quick=True))
        daemon.stop()


main()
