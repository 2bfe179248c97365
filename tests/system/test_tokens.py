"""Anonymous tokens, with the real relay: fetched ahead of need, spent unseen, each once."""

import os
import shutil
import signal
import sqlite3
import time

from world import Person, World, eventually, main


def relay_rows(world, query):
    path = os.path.join(world.directory, "relay", "relay.db")
    with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as database:
        return database.execute(query).fetchall()


def relay_change(world, statement, *values):
    """While the relay is stopped."""
    with sqlite3.connect(os.path.join(world.directory, "relay", "relay.db")) as database:
        database.execute(statement, values)
    database.close()


def tokens(person):
    return person.ok("status").of("status")[0]["tokens"]


def spent(world):
    return relay_rows(world, "SELECT count(*) FROM token_spent")[0][0]


def test_demanded():
    """a relay that takes nothing without tokens serves its people as ever"""
    with World("Alice", "Bob", "Carol", options=["--permissions", "token"]) as (world, alice, bob, carol):
        for person in (alice, bob, carol):
            person.register()
        assert tokens(alice) >= 32
        world.befriend(bob, alice)
        world.befriend(carol, alice)
        before, stock = spent(world), tokens(alice)
        assert before == 2  # two rooms; the invitations paid for the rest
        alice.ok("group", "create", "Three", "Bob", "Carol")
        assert spent(world) - before == 5 and stock - tokens(alice) == 5  # a room, two taken, two posted
        for person in (bob, carol):
            person.ok("sync")
        alice.ok("send", "Three", "hello")
        assert bob.ok("sync").code == 0 and bob.texts("Three")[-1][1] == "hello"
        assert alice.sql("SELECT count(*) FROM token WHERE owner IS NOT NULL") == [(0,)]
        shown = {one.ok("status").of("status")[0]["tokenKeyHash"] for one in (alice, bob, carol)}
        assert len(shown) == 1  # what people can compare


def test_files_are_paid():
    """a file costs a token for each 64 MiB, once, also where sending was broken off"""
    with World("Alice", "Bob", options=["--permissions", "token"]) as (world, alice, bob):
        for person in (alice, bob):
            person.register()
        world.befriend(alice, bob)
        path = os.path.join(world.directory, "film")
        with open(path, "wb") as file:
            file.truncate(65 << 20)
        before, stock = spent(world), tokens(alice)
        alice.killed(0.3, "send", "Bob", "--file", path)
        alice.ok("sync")
        if not any(m["kind"] == "file" for m in alice.history("Bob")):  # killed before it was queued
            alice.ok("send", "Bob", "--file", path)
        assert spent(world) - before == 2
        assert alice.sql("SELECT count(*) FROM token WHERE owner IS NOT NULL") == [(0,)]
        (message,) = [m for m in bob.ok("listen", "--once").of("message") if m["kind"] == "file"]
        bob.ok("save", str(message["id"]), "--to", path + ".copy")
        assert os.path.getsize(path + ".copy") == 65 << 20
        # With none left, some are fetched; a relay that gives none is heard.
        alice.sql("DELETE FROM token")
        alice.ok("send", "Bob", "--file", path)
        assert spent(world) - before == 4


def test_fetched_when_needed():
    """a client without tokens fetches some when the relay demands one, and says so where it cannot"""
    with World("Alice", "Bob", options=["--permissions", "token", "--tokens-a-day", "64"]) as (world, alice, bob):
        alice.register()
        alice.sql("DELETE FROM token")
        result = alice.run("group", "create", "One")  # 64 were issued today
        assert (result.code, result.error) == (4, "token_needed"), result
        assert "sotto sync fetches them" in result.out, result
        world.stop_relay()
        relay_change(world, "UPDATE token_issues SET count=0")
        world.start_relay()
        alice.ok("send", "One", "now")  # which looks at this conversation alone, and needs a token
        assert relay_rows(world, "SELECT count(*) FROM rooms") == [(1,)] and spent(world) == 1
        assert tokens(alice) > 0


def test_strangers():
    """where tokens are demanded, somebody of another relay hears what to do: ask for an invitation"""
    with World("Alice", options=["--permissions", "token"]) as (world, alice), World("Bob") as (other, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)  # an invitation lets one in from anywhere
        alice.ok("send", "Bob", "welcome")
        bob.ok("sync")
        assert bob.texts("Alice")[-1][1] == "welcome"
        result = bob.run("group", "create", "Two", "Alice")
        result = result if result.code else bob.run("sync")
        assert result.error == "token_needed" and "invitation" in result.out, result


def test_room_grows():
    """a room that is full grows by the tokens of those who write in it"""
    with World("Alice", "Bob", options=["--room-mib", "1"]) as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        text = "x" * 300000
        before = spent(world)
        for number in range(8):
            (alice, bob)[number % 2].ok("send", ("Bob", "Alice")[number % 2], "-",
                                         text="%d %s" % (number, text))
        alice.ok("sync")
        bob.ok("sync")
        assert [t[:2] for _, t in bob.texts("Alice")] == ["%d " % n for n in range(8)]
        size = relay_rows(world, "SELECT size FROM rooms")[0][0]
        assert size % (1 << 20) == 0 and size >> 20 == 1 + spent(world) - before > 2, size
        # Without tokens it stays full, nothing is lost, and the person hears why.
        for person in (alice, bob):
            person.sql("DELETE FROM token")
        world.stop_relay()
        relay_change(world, "UPDATE token_issues SET count=1000000")
        world.start_relay()
        failed = None
        for number in range(4):
            result = alice.run("send", "Bob", "-", text="late %d %s" % (number, text))
            failed = failed or (result if result.code else None)
        assert failed.error == "room_full" and "token" in failed.out, failed
        world.stop_relay()
        relay_change(world, "UPDATE token_issues SET count=0")
        world.start_relay()
        alice.ok("sync")
        bob.ok("sync")
        assert [t[:6] for _, t in bob.texts("Alice")][-4:] == ["late %d" % n for n in range(4)]


def test_double_spending():
    """many copies of a profile spend the same tokens while the relay is killed: each pays once"""
    with World("Alice") as (world, alice):
        alice.register()
        copies = []
        for number in range(6):
            copy = Person(world, "Alice-%d" % number)
            shutil.copytree(alice.profile, copy.profile)
            copies.append(copy)
        running = [copy.start("group", "create", "Group") for copy in copies]
        world.stop_relay(signal.SIGKILL)
        world.start_relay()
        for copy, process in zip(copies, running):
            copy.finish(process)
            copy.ok("sync")
        rooms = relay_rows(world, "SELECT count(*) FROM rooms WHERE size=16*1048576")[0][0]
        assert rooms == len(copies) == spent(world), (rooms, spent(world))
        # What a copy spent, the original cannot: it takes another, and never notices.
        world.stop_relay(signal.SIGKILL)
        world.start_relay()
        alice.ok("group", "create", "Mine")
        alice.ok("sync")
        assert spent(world) == len(copies) + 1


def test_rotation():
    """a new key issues from its day on; tokens of the one before are good for as long again"""
    with World("Alice") as (world, alice):
        world.stop_relay()
        replaced = int(time.time()) + 6  # she has to be there before, on a machine with much to do too
        relay_change(world, "UPDATE token_keys SET replaced=?", replaced)
        world.start_relay()
        alice.register()
        assert alice.ok("status").of("status")[0]["tokenKey"] == 1
        eventually(lambda: time.time() > replaced, "the key's last second")
        world.stop_relay()
        world.start_relay()  # it looks at its start, and every half hour
        assert relay_rows(world, "SELECT max(number) FROM token_keys") == [(2,)]
        alice.sql("DELETE FROM token WHERE nonce NOT IN (SELECT nonce FROM token LIMIT 3)")
        alice.ok("sync")
        status = alice.ok("status").of("status")[0]
        assert status["tokenKey"] == 2 and status["tokens"] > 3, status
        for number in range(4):
            alice.ok("group", "create", "Group %d" % number)
        alice.ok("sync")
        assert relay_rows(world, "SELECT key, count(*) FROM token_spent GROUP BY key") == [(1, 3), (2, 1)]


main([test_demanded, test_files_are_paid, test_fetched_when_needed, test_strangers, test_room_grows, test_double_spending,
      test_rotation])
