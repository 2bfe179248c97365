#!/usr/bin/env python3
"""Writes the seeds of fuzz_core_backup, from BACKUP.md and PROTOCOL.md, not from our writers.

usage: fuzz/seeds_backup.py [corpus folder]
"""
import hashlib
import pathlib
import sys

from seeds_wire import ID32, RELAY, number, vector

ID16 = bytes(16)


def record(kind, body):
    return number(kind, 1) + number(len(body), 4) + body


def own(kind, body):
    return number(kind, 1) + vector(body)


def message(seq, text, state=1, flags=0):
    return own(5, number(seq, 8) + ID32 + number(seq, 8) + number(0, 4) + number(1, 4) +
               number(state, 1) + number(flags, 1) + ID32 + ID32 + number(1000, 8) + number(0, 8) + number(0, 4) +
               number(0, 8) + vector(b"client") + vector(ID32) + vector(b"") + vector(b"") + vector(text) +
               vector(ID32 + vector(ID32) + vector(b"!") + number(5, 8)))


KEY = ID32
ACCOUNT = hashlib.sha256(KEY).digest()
CONTACT = own(1, ID32 + b"\x03" + vector(b"Bob") + vector(RELAY) + vector(b""))
ROOM = own(4, ID32 + b"\x02\x02" + vector(b"Kitchen") + vector(RELAY) + b"\0" + bytes(32) + number(5, 8) +
           number(6, 8))
RECEIPTS = own(56, ID32 + number(2, 8) + number(0, 4) + vector(ID32 + b"\x02" + number(9, 8)))
INFO = record(1, number(1000, 8) + number(2, 8) + number(1, 4))
SEEDS = {
    "empty": b"\x01\0",
    "info": b"\x01" + INFO + b"\0",
    "account": b"\x01" + INFO + record(2, ACCOUNT + KEY + vector(b"") + vector(b"Alice") + vector(RELAY) +
                                       vector(b"") + number(7, 8)) + b"\0",
    "past": b"\x01" + INFO + record(4, CONTACT + own(3, ID16 + vector(b"Laptop"))) +
            record(5, ROOM + message(1, b"hello", flags=2) + message(2, b"mine", 2, 1) + RECEIPTS) + b"\0",
    "past1": b"\x03" + INFO + record(4, b"\3" + ID16 + vector(b"Laptop")) + b"\0",
    "setting": b"\x01" + record(3, vector(b"receipts-off") + number(1, 8)) + b"\0",
    "file": b"\0sottobak\0\x02\x01\0" + number(1, 4) + number(8, 4) + bytes(72),
}


def main(folder):
    out = pathlib.Path(folder) / "core_backup"
    out.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (out / name).write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "corpus")
