"""The profile at rest: encrypted always, locked with a passphrase where one is set; plain ones of
older versions are encrypted when they are opened."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess

from terminal import need_terminal, on_terminal
from world import World, main

MARK = "Rumpelstilzchen"


def files_of(person):
    return {name: open(os.path.join(person.profile, name), "rb").read() for name in os.listdir(person.profile)}


def assert_nothing_plain(person, *marks):
    found = files_of(person)
    assert "profile.db" in found and "keys" in found, list(found)
    for name, data in found.items():
        for mark in (b"SQLite format", b"CREATE TABLE", *[m.encode() for m in marks]):
            assert mark not in data, "%s holds %r" % (name, mark)


def write(world, name, text):
    path = os.path.join(world.directory, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path


def with_file(person, path, *args, text=None):
    """Runs a command with SOTTO_PASSPHRASE_FILE."""
    os.environ["SOTTO_PASSPHRASE_FILE"] = path
    try:
        return person.run(*args, text=text)
    finally:
        del os.environ["SOTTO_PASSPHRASE_FILE"]


def test_at_rest():
    """no file of a profile holds anything in the clear, while it is used and after"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        listener = bob.start("listen")
        for number in range(20):
            alice.ok("send", "Bob", "%s %d" % (MARK, number))
        for _ in range(20):
            while json.loads(listener.stdout.readline()).get("text", "")[:len(MARK)] != MARK:
                pass
        address = world.address.split("#")[0]
        assert_nothing_plain(bob, MARK, "Alice", address)
        listener.send_signal(signal.SIGKILL)  # leaves the log
        bob.finish(listener)
        assert "profile.db-wal" in files_of(bob)
        assert_nothing_plain(bob, MARK, "Alice", address)
        assert_nothing_plain(alice, MARK, "Alice", address)
        assert len(bob.texts("Alice")) == 20
        for name in files_of(bob):
            assert os.stat(os.path.join(bob.profile, name)).st_mode & 0o777 == 0o600, name
        assert bob.ok("status").of("status")[0]["passphrase"] is False


def test_locked():
    """with a passphrase every command needs it; without it the error says what to do"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        one, two, wrong = (write(world, *row) for row in
                           (("one", "correct horse\n"), ("two", "battery staple"), ("wrong", "correct hors\n")))
        result = alice.run("passphrase", "change", "--new-file", one)
        assert (result.code, result.error) == (2, "usage"), result
        old_key = files_of(alice)["keys"]
        assert alice.ok("passphrase", "set", "--new-file", one).of("done")[0]["what"] == "passphrase_set"
        for args in (["status"], ["send", "Bob", "hello"], ["passphrase", "remove"],
                     ["passphrase", "change", "--new-file", two]):
            result = alice.run(*args)
            assert (result.code, result.error) == (6, "locked"), result
            result = with_file(alice, wrong, *args)
            assert (result.code, result.error) == (6, "wrong_passphrase"), result
        assert "SOTTO_PASSPHRASE_FILE" in alice.run("status").out
        with_file(alice, one, "send", "Bob", "hello")
        bob.ok("sync")
        assert bob.texts("Alice")[-1][1] == "hello"
        status = with_file(alice, one, "status").of("status")[0]
        assert status["passphrase"] is True and status["registered"] is True
        result = with_file(alice, one, "passphrase", "set", "--new-file", two)
        assert (result.code, result.error) == (2, "usage"), result
        # Changing it leaves the database alone.
        before = files_of(alice)["profile.db"]
        assert with_file(alice, one, "passphrase", "change", "--new-file", two).code == 0
        assert files_of(alice)["profile.db"] == before
        assert with_file(alice, one, "status").error == "wrong_passphrase"
        assert with_file(alice, two, "status").code == 0
        for bad in ("", "\n", "x" * 1025 + "\n"):
            result = with_file(alice, two, "passphrase", "change", "--new-file", write(world, "bad", bad))
            assert (result.code, result.error) == (2, "no_file"), result
        result = with_file(alice, os.path.join(world.directory, "nothing"), "status")
        assert (result.code, result.error) == (2, "no_file") and "nothing" in result.out, result
        # Given by a file descriptor.
        ends = os.pipe()
        os.write(ends[1], b"battery staple\n")
        os.close(ends[1])
        done = subprocess.run(alice.argv("status"), pass_fds=[ends[0]], capture_output=True,
                              env=dict(os.environ, SOTTO_PASSPHRASE_FILE="/dev/fd/%d" % ends[0]))
        os.close(ends[0])
        assert done.returncode == 0, done
        # An older key file of the same profile is what the help says it is.
        keys = os.path.join(alice.profile, "keys")
        sealed = files_of(alice)["keys"]
        with open(keys, "wb") as file:
            file.write(old_key)
        alice.ok("status")
        with open(keys, "wb") as file:
            file.write(sealed)
        assert with_file(alice, two, "passphrase", "remove").code == 0
        alice.ok("send", "Bob", "open again")
        assert_nothing_plain(alice, "open again")


def test_terminal():
    """a terminal asks for it, shows nothing of it, and asks again when it was wrong"""
    need_terminal()
    with World("Alice") as (world, alice):
        alice.register()
        shown, code = on_terminal(alice, ["passphrase", "set"], ["sesame\n", "sesame\n"])
        assert code == 0 and "sesame" not in shown and shown.count("assphrase: ") == 1, shown
        shown, code = on_terminal(alice, ["status"], ["sesame\n"])
        assert code == 0 and "Alice" in shown and "sesame" not in shown, shown
        shown, code = on_terminal(alice, ["status"], ["simsala\n", "sesame\n"])
        assert code == 0 and "That was not it" in shown, shown
        shown, code = on_terminal(alice, ["status"], ["a\n", "b\n", "c\n"])
        assert code == 6 and "not the passphrase" in shown, shown
        shown, code = on_terminal(alice, ["status"], ["\x03"])  # Ctrl-C
        assert code == -signal.SIGINT, (shown, code)
        shown, code = on_terminal(alice, ["status"], ["ses\x1a", "sesame\n"])  # Ctrl-Z, and back
        assert code == 0 and "Alice" in shown, shown
        shown, code = on_terminal(alice, ["status"], ["\x04"])  # its end
        assert code == 6 and "locked" in shown, shown
        shown, code = on_terminal(alice, ["passphrase", "change"], ["sesame\n", "one\n", "two\n"])
        assert code == 2 and "not the same" in shown, shown
        shown, code = on_terminal(alice, ["passphrase", "change"], ["sesame\n", "one\n", "one\n"])
        assert code == 0, shown
        shown, code = on_terminal(alice, ["passphrase", "remove"], ["one\n"])
        assert code == 0 and "Removed" in shown, shown
        alice.ok("status")


def test_killed():
    """a passphrase that is changed again and again while it is killed is one of the two"""
    with World("Alice") as (world, alice):
        alice.register()
        paths = [write(world, "p%d" % n, "word %d\n" % n) for n in range(2)]
        alice.ok("passphrase", "set", "--new-file", paths[0])
        now = 0
        for round in range(8):
            os.environ["SOTTO_PASSPHRASE_FILE"] = paths[now]
            alice.killed(0.03 * round, "passphrase", "change", "--new-file", paths[1 - now])
            del os.environ["SOTTO_PASSPHRASE_FILE"]
            opens = [with_file(alice, path, "status").code == 0 for path in paths]
            assert sorted(opens) == [False, True], (round, opens)
            now = opens.index(True)


def plain_copy(person):
    """Turns the profile into what an older version would have left: its tables in plain SQLite, no key."""
    path = os.path.join(person.profile, "plain")
    with sqlite3.connect(path) as database:
        database.executescript(person.schema(3))
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in tables:
            columns = ",".join(row[1] for row in database.execute('PRAGMA table_info("%s")' % name))
            columns = columns or "name,seq"  # of sqlite_sequence
            database.execute('DELETE FROM "%s"' % name)
            for row in person.sql('SELECT %s FROM "%s"' % (columns, name)):
                values = [bytes.fromhex(v["blob"]) if isinstance(v, dict) else v for v in row]
                database.execute('INSERT INTO "%s" VALUES (%s)' % (name, ",".join("?" * len(values))), values)
        # What later versions count there.
        database.execute("DELETE FROM number WHERE name = 'rooms' OR name LIKE 'search.%'")
        database.execute("DELETE FROM sqlite_sequence WHERE name NOT IN (%s)" % ",".join("?" * len(tables)), tables)
    database.execute("PRAGMA journal_mode = WAL")
    database.close()
    for name in os.listdir(person.profile):
        if name != "plain":
            os.unlink(os.path.join(person.profile, name))
    os.rename(path, os.path.join(person.profile, "profile.db"))


def test_older():
    """a profile of an older version is encrypted when it is opened, and goes on where it was"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        alice.ok("send", "Bob", MARK)
        bob.ok("sync")
        bob.ok("send", "Alice", MARK + " too")
        history, fingerprint = bob.history("Alice"), bob.fingerprint("Alice")
        plain_copy(bob)
        assert MARK.encode() in files_of(bob)["profile.db"]
        assert bob.fingerprint("Alice") == fingerprint
        assert_nothing_plain(bob, MARK)
        assert set(files_of(bob)) == {"keys", "profile.db", "profile.lock"}
        assert bob.history("Alice") == history
        bob.ok("send", "Alice", "still here")
        alice.ok("sync")
        assert alice.texts("Bob")[-1][1] == "still here"
        # Killed at any moment, it is one or the other.
        for round in range(8):
            plain_copy(bob)
            bob.killed(0.008 * round, "status")
            assert bob.history("Alice")[:len(history)] == history
            assert_nothing_plain(bob, MARK)


def test_damage():
    """damage is said to be damage, with what to do, and nothing of it is shown"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        alice.ok("send", "Bob", "hello")
        database, keys = (os.path.join(alice.profile, name) for name in ("profile.db", "keys"))
        good = files_of(alice)
        size, found = len(good["profile.db"]), 0
        for page in range(0, size // 4096, 3):
            with open(database, "r+b") as file:
                file.seek(page * 4096 + 17)
                file.write(bytes([good["profile.db"][page * 4096 + 17] ^ 1]))
            result = alice.run("history", "Bob")
            assert result.error == "storage_damaged" and result.code == 1 or result.code == 0, result
            if result.code:
                found += 1
                assert "copy the directory" in result.out.lower(), result
            with open(database, "wb") as file:
                file.write(good["profile.db"])
        assert found > 2, found
        with open(keys, "r+b") as file:
            file.write(b"S")
        assert alice.run("status").error == "storage_damaged"
        os.unlink(keys)
        result = alice.run("status")
        assert result.error == "storage_damaged" and "key file is missing" in result.out, result
        shutil.copy(os.path.join(bob.profile, "keys"), keys)
        assert alice.run("status").error == "storage_damaged"
        with open(keys, "wb") as file:
            file.write(good["keys"])
        alice.ok("status")


main([test_at_rest, test_locked, test_terminal, test_killed, test_older, test_damage])
