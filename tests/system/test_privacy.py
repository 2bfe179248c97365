"""What whoever seizes a relay gets: a day of mixed use, then its files, log, metrics and memory are
searched for what must not be there: plaintext, and any two things that must not be joined."""
import base64
import http.client
import os
import pathlib
import re
import sqlite3
import time

from world import SOTTOD, World, eventually, free_port, main

COLUMNS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "COLUMNS.md"
PHONE = "+491555012345"
USERNAME = "keeper-of-the-lighthouse"
NEAR = 256  # bytes: what one struct, one row or one line of a log would join
TEXTS = ["Meet me at the old bridge", "Die Quelle heißt Katharina", "証拠は二番目の引き出しに", "LIST\n1. bread\n2. fuse"]
TITLE = "Harbour committee"
FILE_NAME, FILE = "Fahrplan der Fähre.txt", "".join("%05d leaves at dawn\n" % n for n in range(20000))
NAMES = ["Aurelia", "Bartholomew", "Cassandra", "Desmond"]


# A sanitizer's stacks and heap put things side by side that are not so in the program that people run.
SANITIZED = b"__asan_init" in pathlib.Path(SOTTOD).read_bytes()


def reviewed():
    """The list of columns: {side: {table: [columns]}}."""
    sides, side = {}, None
    for line in COLUMNS.read_text().splitlines():
        if line.startswith("## "):
            side = line[3:].strip()
        found = re.match(r"\| `(\w+)\.(\w+)` \| (.+) \| (.+) \|$", line)
        if found:
            table, column, why, until = found.groups()
            assert len(why) > 8 and until, "no reason: " + line
            sides.setdefault(side, {}).setdefault(table, []).append(column)
    return sides


def open_database(world):
    return sqlite3.connect("file:%s?mode=ro" % (folder(world) / "relay.db"), uri=True)


def folder(world):
    return pathlib.Path(world.directory) / "relay"


def memory_of(pid):
    """Every readable byte of a process, region by region: what a core dump would hold."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(x, 16) for x in span.split("-"))
            if "r" not in rights or "[v" in line or end - start > 1 << 32:  # a sanitizer's shadow
                continue
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except OSError:
                continue


def ways_to_write(value):
    """A value as it may stand in a file: raw, hex, base64 in its three positions."""
    if isinstance(value, str):
        value = value.encode()
    plain = base64.b64encode(value).rstrip(b"=")
    return {value, value.hex().encode(), value.hex().upper().encode(), plain[:-1],
            plain[:-1].replace(b"+", b"-").replace(b"/", b"_")}


def places(needle, haystack):
    at = haystack.find(needle)
    while at >= 0:
        yield at
        at = haystack.find(needle, at + 1)


def joined(haystacks, left, right, near=NEAR):
    """Pairs of a left and a right value that stand near one another."""
    found = set()
    for haystack in haystacks:
        for one in left:
            for at in places(one, haystack):
                window = haystack[max(0, at - near):at + len(one) + near]
                found.update((one.hex()[:16], other.hex()[:16]) for other in right if other in window)
    return found


class Seized:
    """All that the relay has at one moment, and what a test needs to know to search it."""

    def __init__(self, world):
        self.files = {str(path.relative_to(folder(world))): path.read_bytes()
                      for path in folder(world).rglob("*") if path.is_file() and path.stat().st_size}
        self.memory = list(memory_of(world.relay.pid))
        self.log = world.log().encode()
        page = http.client.HTTPConnection("127.0.0.1", world.metrics)
        page.request("GET", "/metrics")
        self.metrics = page.getresponse().read()
        page.close()
        db = open_database(world)
        self.rows = {table: [dict(zip([c[0] for c in rows.description], row)) for row in rows]
                     for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'"
                                                " AND name NOT LIKE 'sqlite_%'").fetchall()
                     for rows in [db.execute("SELECT * FROM " + table)]}
        db.close()
        self.accounts = [row["account_id"] for row in self.rows["accounts"]]
        self.devices = [row["device_id"] for row in self.rows["devices"]]
        self.persons = self.accounts + self.devices + [r["sign_in_hash"] for r in self.rows["devices"]] + \
            [PHONE.encode(), USERNAME.encode()]
        self.rooms = [row["room_id"] for row in self.rows["rooms"]]
        self.blobs = [row["hash"] for row in self.rows["blobs"]]
        self.envelopes = [(row["device"], row["sealed"]) for row in self.rows["envelopes"]]

    def everything(self):
        yield from ((name, [data]) for name, data in self.files.items())
        yield "log", [self.log]
        yield "metrics", [self.metrics]
        yield "memory", self.memory

    def where_pairs_count(self):
        yield from ((where, chunks) for where, chunks in self.everything() if where != "memory" or not SANITIZED)


def live_a_day(world, people):
    """Registers, invites, groups, messages, files, absences, removals."""
    a, b, c, d = people
    asked = a.run("register", "--relay", world.address, "--name", a.name, "--phone", PHONE)
    assert asked.error == "code_needed", asked
    a.register(None, "--phone", PHONE, "--code", world.last_code())
    for person in (b, c, d):
        person.register()
    for person in (b, c, d):
        world.befriend(a, person)
    world.befriend(b, c)
    a.ok("username", USERNAME)
    a.ok("findable", "on")
    d.ok("add", "@" + USERNAME)  # there is a conversation already
    c.ok("find", PHONE)
    a.ok("group", "create", TITLE, b.name, c.name, d.name)
    for person in (b, c, d):
        person.ok("sync")
        person.let_in()
        person.ok("sync")
    for n, text in enumerate(TEXTS * 3):
        people[n % 3].ok("send", TITLE, "-", text=text)
        a.ok("send", b.name, "-", text=text)
    for person in people:
        person.ok("listen", "--once")
    path = pathlib.Path(world.directory) / FILE_NAME
    path.write_text(FILE)
    b.ok("send", TITLE, "--file", str(path))
    (message,) = [m for m in a.ok("listen", "--once").of("message") if m["kind"] == "file"]
    a.ok("save", str(message["id"]), "--to", str(path) + " (received)")
    assert pathlib.Path(str(path) + " (received)").read_text() == FILE
    a.ok("group", "remove", TITLE, d.name)
    b.ok("listen", "--once")
    b.ok("send", TITLE, "-", text=TEXTS[0])
    d.ok("listen", "--once")
    # Those who are away: what is meant for them lies in their inboxes.
    a.ok("group", "create", "Second " + TITLE, b.name, c.name)
    d.ok("accept", c.ok("invite").of("invitation")[0]["link"])


_seized = []


def seized():
    """One day, seized twice: while people are connected, and after they have gone."""
    if _seized:
        return _seized
    metrics = free_port()
    with World(*NAMES, options=["--allow-core", "--metrics", "127.0.0.1:%d" % metrics]) as (world, *people):
        world.metrics = metrics
        live_a_day(world, people)
        listening = [person.start("listen") for person in people[:2]]
        eventually(lambda: len(os.listdir("/proc/%d/fd" % world.relay.pid)) > 12, "connections")
        people[0].ok("send", people[1].name, "-", text=TEXTS[1])
        _seized.append(Seized(world))
        for process in listening:
            process.kill()
            process.wait()
        time.sleep(0.5)
        _seized.append(Seized(world))
        people[0].ok("send", people[1].name, "-", text=TEXTS[2])
    return _seized


# ---- The tests --------------------------------------------------------------------------------------


def test_columns():
    """the database has the columns that were reviewed, each with its reason, and no other"""
    listed = {table: columns for tables in reviewed().values() for table, columns in tables.items()}
    with World() as (world,):
        db = open_database(world)
        real = {table: [row[1] for row in db.execute("PRAGMA table_info(%s)" % table)]
                for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view', 'trigger')"
                                           " AND name NOT LIKE 'sqlite_%'")}
        db.close()
    assert sorted(real) == sorted(listed), sorted(set(real) ^ set(listed))
    for table, columns in real.items():
        assert sorted(columns) == sorted(listed[table]), (table, sorted(set(columns) ^ set(listed[table])))


def test_the_search_works():
    """control: what the relay must hold is found, also next to what it belongs to"""
    for one in seized():
        assert any(PHONE.encode() in data for data in one.files.values())
        assert any(USERNAME.encode() in data for data in one.files.values())
        assert joined(one.files.values(), [PHONE.encode()], one.accounts)  # one row
        assert joined(one.memory, one.accounts, one.devices)               # one manifest
        assert len(one.accounts) == 4 and len(one.rooms) >= 5 and len(one.envelopes) >= 2 and one.blobs


def test_plaintext():
    """no text, name, title or file name, written in any way, in files, log or memory"""
    for one in seized():
        for where, chunks in one.everything():
            for word in TEXTS + NAMES + [TITLE, FILE_NAME, FILE[4000:4040], FILE[-40:]]:
                for needle in ways_to_write(word) | {word.encode("utf-16-le")}:
                    assert not any(needle in chunk for chunk in chunks), "%r in %s" % (word, where)


def test_sides():
    """no value of one side of the database stands on another: no identifier, no time"""
    sides = reviewed()
    for one in seized():
        values = {}
        for side, tables in sides.items():
            rows = [value for table in tables for row in one.rows[table] for value in row.values()]
            values[side] = rows
        for side, rows in values.items():
            other = b"\0".join(v if isinstance(v, bytes) else str(v).encode()
                               for name, more in values.items() if name != side for v in more)
            for value in rows:
                if isinstance(value, (bytes, str)) and len(value) >= 8 and len(set(value)) > 1:  # not zeros
                    for needle in ways_to_write(value):
                        assert needle not in other, "%s: %r stands on another side too" % (side, needle[:32])
            if side not in ("People", "The relay itself"):
                times = [v for v in rows if isinstance(v, int) and abs(v - time.time()) < 10 * 86400]
                assert not times, "%s: times to the second: %s" % (side, times)


def test_account_and_room():
    """no account, device, sign-in key, phone number or username stands near a room, in files, log or memory"""
    for one in seized():
        for where, chunks in one.where_pairs_count():
            pairs = joined(chunks, one.rooms, one.persons)
            assert not pairs, "%s: %s" % (where, sorted(pairs)[:3])


def test_account_room_and_blob():
    """no account, and no room, stands near a blob, in files, log or memory"""
    for one in seized():
        for where, chunks in one.where_pairs_count():
            pairs = joined(chunks, one.blobs + [b.hex().encode() for b in one.blobs], one.persons + one.rooms)
            assert not pairs, "%s: %s" % (where, sorted(pairs)[:3])


def test_sender_and_envelope():
    """nobody but its receiver stands near an envelope, in files, log or memory"""
    for one in seized():
        receiver_of = {row["key"]: (row["device_id"], row["account"]) for row in one.rows["devices"]}
        account_of = {row["key"]: row["account_id"] for row in one.rows["accounts"]}
        for device, sealed in one.envelopes:
            own = {receiver_of[device][0], account_of[receiver_of[device][1]]}
            others = [p for p in one.accounts + one.devices if p not in own]
            # Its beginning and its end: the middle is as large as a page.
            for where, chunks in one.where_pairs_count():
                pairs = joined(chunks, [sealed[:32], sealed[-32:]], others)
                assert not pairs, "%s: %s" % (where, sorted(pairs)[:3])


def test_log():
    """log and metrics hold no identifier, phone number or address of a client"""
    for one in seized():
        assert b"sottod_connections" in one.metrics
        events = one.log[one.log.index(b" serving"):] + one.metrics
        for value in one.persons + one.rooms + one.blobs + [sealed[:16] for _, sealed in one.envelopes]:
            for needle in ways_to_write(value):
                assert needle not in events, needle
        assert b"127.0.0.1" not in events
        runs = [run for run in re.findall(rb"[0-9a-zA-Z+/_-]{20,}", events) if re.search(rb"\d", run)]
        assert not runs, runs


main([test_columns, test_the_search_works, test_plaintext, test_sides, test_account_and_room,
      test_account_room_and_blob, test_sender_and_envelope, test_log])
