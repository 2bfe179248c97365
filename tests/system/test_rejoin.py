"""Devices that were away for longer than the relay keeps messages: they say what is missing, come back
by themselves and go on; whoever was removed does not."""

import os
import signal
import sqlite3

from linking import Device, begin, link
from world import World, eventually, main, texts


def forgets(world):
    """A month passes at the relay: all entries are too old, and it erases them."""
    world.stop_relay(signal.SIGTERM)
    path = os.path.join(world.directory, "relay", "relay.db")
    db = sqlite3.connect(path)
    db.execute("UPDATE entries SET day = day - 40")
    db.commit()
    db.close()
    world.start_relay()

    def erased():
        with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as look:
            return look.execute("SELECT count(*) FROM entries").fetchone()[0] == 0
    eventually(erased, "the relay erases what is old")


def three(world, alice, bob, carol):
    for one in (alice, bob, carol):
        one.register()
    world.befriend(alice, bob)
    world.befriend(alice, carol)
    world.befriend(bob, carol)
    alice.ok("group", "create", "Club", "Bob", "Carol")
    for one in (bob, carol, alice):
        one.ok("sync")
    for one in (bob, carol):
        one.let_in()
        one.ok("sync")


def same(title, *people):
    found = {p.conversation(title)["epochAuthenticator"] for p in people}
    assert len(found) == 1, found


def test_back_again():
    """who was away for too long says so, asks, is let in, and nothing that it wrote is lost"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        bob.ok("send", "Alice", "seen")
        alice.ok("sync")
        for i in range(3):
            alice.ok("send", "Bob", "lost %d" % i)
        forgets(world)
        alice.ok("send", "Bob", "lost too")
        bob.ok("sync")
        state = bob.conversation("Alice")
        assert state["state"] == "rejoining" and "let it in again" in state["trouble"], state
        waiting = bob.run("send", "Alice", "kept")
        assert (waiting.code, waiting.error) == (3, "rejoining"), waiting
        assert waiting.of("sending")[0]["status"] == "waiting", waiting
        assert bob.conversation("Alice")["waiting"] >= 1
        alice.ok("sync")
        bob.ok("sync")
        assert bob.conversation("Alice")["state"] == "active", bob.conversation("Alice")
        alice.ok("sync")
        assert texts(alice, "Bob") == ["seen", "lost 0", "lost 1", "lost 2", "lost too", "kept"]
        alice.ok("send", "Bob", "welcome back")
        bob.ok("sync")
        history = bob.history("Alice")
        assert [m.get("text", m["kind"]) for m in history][-4:] == ["seen", "missing", "kept", "welcome back"], history
        line = [m for m in history if m["kind"] == "missing"][0]
        assert 0 < line["since"] <= line["time"], line
        # Nobody came or went: the others see no line.
        assert alice.kinds("Bob") == ["added", "text", "text", "text", "text", "text", "text", "text"] or \
            not {"removed", "left", "missing"} & set(alice.kinds("Bob")), alice.kinds("Bob")
        assert alice.kinds("Bob").count("added") <= 1
        same_one = alice.conversation("Bob")["epochAuthenticator"]
        assert same_one == bob.conversation("Alice")["epochAuthenticator"]
        assert len(bob.ok("conversations").of("conversation")) == 1


def test_removed_stay_out():
    """of two who were away, the member comes back though the read gate was closed meanwhile; the
    one who was removed does not"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        three(world, alice, bob, carol)
        alice.ok("group", "remove", "Club", "Carol")
        forgets(world)
        for one in (bob, carol):
            asked = one.run("sync")
            assert asked.error in (None, "refused", "not_found"), asked
        epoch = alice.conversation("Club")["epoch"]
        alice.ok("sync")
        assert alice.conversation("Club")["epoch"] == epoch + 1, "one is let in again"
        bob.ok("sync")
        alice.ok("send", "Club", "only for members")
        bob.ok("sync")
        carol.run("sync")
        assert texts(bob, "Club") == ["only for members"]
        assert texts(carol, "Club") == []
        same("Club", alice, bob)
        names = {m["name"] for m in alice.ok("group", "members", "Club").of("member")}
        assert names == {"Alice", "Bob"}, names
        # Asked again and again: still nothing.
        carol.run("sync")
        alice.ok("sync")
        assert alice.conversation("Club")["epoch"] == epoch + 1


def test_many_answer():
    """several members answer at once: one history comes of it"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        three(world, alice, bob, carol)
        alice.ok("send", "Club", "gone")
        for one in (carol, alice, carol):  # and what they say of having received it
            one.ok("sync")
        forgets(world)
        alice.ok("send", "Club", "behind")
        bob.run("sync")
        answering = [p.start("sync") for p in (alice, carol)]
        for one in answering:
            one.communicate()
            assert one.returncode == 0
        bob.ok("sync")
        for one in (alice, carol, bob):
            one.ok("sync")
        bob.ok("send", "Club", "here I am")
        for one in (alice, carol):
            one.ok("sync")
            assert texts(one, "Club")[-1] == "here I am"
            assert not {"removed", "left"} & set(one.kinds("Club")), one.kinds("Club")
        same("Club", alice, bob, carol)
        assert bob.kinds("Club").count("missing") == 1, bob.kinds("Club")


def test_own_device():
    """one's own other device lets one in, and gives what is missing"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        laptop = Device(world, "Bob", 2)
        process, text = begin(laptop)
        bob.ok("device", "add", text)
        assert laptop.finish(process).code == 0
        for one in (laptop, bob, laptop, alice, bob, laptop):
            one.ok("sync")
        bob.ok("send", "Alice", "from the first")
        for one in (laptop, alice):
            one.ok("sync")
        alice.ok("send", "Bob", "read by the laptop alone")
        laptop.ok("listen", "--once")  # and what it tells the other device of that
        alice.ok("sync")
        forgets(world)
        laptop.ok("send", "Alice", "from the second")
        bob.run("sync")
        assert bob.conversation("Alice")["state"] == "rejoining", bob.conversation("Alice")

        def back():
            for one in (laptop, bob, laptop, alice):
                one.run("sync")
            return texts(bob, "Alice") == texts(laptop, "Alice")
        eventually(back, "the device is back, and has what it missed from the other one")
        assert texts(bob, "Alice") == ["from the first", "read by the laptop alone", "from the second"]
        assert bob.conversation("Alice")["state"] == "active"
        bob.ok("send", "Alice", "all is well")
        for one in (alice, laptop):
            one.ok("sync")
            assert "all is well" in [t for _, t in one.texts("Bob" if one is alice else "Alice")]
        assert len(alice.ok("group", "members", "Bob").of("member")) == 3


def test_linked_meanwhile():
    """a device that is linked while the older one asks to be let in misses nothing of what comes of it"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        bob.ok("send", "Alice", "--id", "seen", "seen")
        alice.ok("sync")
        alice.ok("send", "Bob", "lost")
        forgets(world)
        bob.run("send", "Alice", "--id", "kept", "kept")
        assert bob.conversation("Alice")["state"] == "rejoining", bob.conversation("Alice")
        laptop = link(bob)
        for one in (laptop, bob, laptop):
            one.run("sync")
        assert texts(laptop, "Alice") == ["seen"]
        assert laptop.ok("status").of("status")[0]["history"] > 0
        alice.ok("sync")  # lets him in
        seen = [m for m in alice.history("Bob") if m.get("text") == "seen"][0]
        alice.ok("react", str(seen["id"]), "+1")
        bob.ok("sync")

        def whole():
            for one in (bob, laptop, alice):
                one.run("sync")
            return texts(laptop, "Alice") == texts(bob, "Alice")
        eventually(whole, "the laptop has what was sent before it was in")
        assert texts(bob, "Alice") == ["seen", "kept"]
        for one in (bob, laptop):
            seen = [m for m in one.history("Alice") if m.get("text") == "seen"][0]
            assert [r["reaction"] for r in seen["reactions"]] == ["+1"], seen


def test_killed():
    """asking and answering, killed at any moment, come to the same end"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        alice.ok("send", "Bob", "lost")
        forgets(world)
        bob.run("send", "Alice", "--id", "k", "kept")
        for i in range(12):
            bob.killed(0.02 + i * 0.012, "sync")
            alice.killed(0.02 + i * 0.012, "sync")
        for one in (bob, alice, bob, alice, bob):
            one.ok("sync")
        assert bob.conversation("Alice")["state"] == "active", bob.conversation("Alice")
        alice.ok("send", "Bob", "still here?")
        for one in (bob, alice):
            one.ok("sync")
        same_one = alice.conversation("Bob")["epochAuthenticator"]
        assert same_one == bob.conversation("Alice")["epochAuthenticator"]
        assert texts(alice, "Bob") == ["lost", "kept", "still here?"]
        assert texts(bob, "Alice") == ["kept", "still here?"]
        assert bob.kinds("Alice").count("missing") == 1, bob.kinds("Alice")


main([test_back_again, test_removed_stay_out, test_many_answer, test_own_device, test_linked_meanwhile, test_killed])
