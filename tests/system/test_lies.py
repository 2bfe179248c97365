"""What a lying relay gets: the client finds out, says so in plain words, and never crashes or skips."""

import os
import signal

from fake_relay import Threaded
from world import World, main


class Lying(World):
    """A world whose relay is in this process. Its certificate is one that sottod made."""

    def start_relay(self):
        super().start_relay()
        pin = self.address.split("#")[1]
        self.stop_relay(signal.SIGTERM)
        data = os.path.join(self.directory, "relay")
        pems = [os.path.join(where, name) for where, _, names in os.walk(data) for name in names
                if name.endswith(".pem")]
        key = [p for p in pems if "PRIVATE KEY" in open(p).read()][0]
        certificate = [p for p in pems if "BEGIN CERTIFICATE" in open(p).read()][0]
        self.fake = Threaded(certificate, key)
        self.address = "127.0.0.1:%d#%s" % (self.fake.port, pin)

    def __exit__(self, *reason):
        self.fake.stop()
        super().__exit__(*reason)


def lied_to(lie, after=("four",)):
    """Bob has read one and two; three and what is in `after` are written; the relay lies; Bob
    syncs. Gives what Bob's sync said, and Bob."""
    world = Lying("Alice", "Bob")
    with world as (_, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        alice.ok("send", "Bob", "one")
        alice.ok("send", "Bob", "two")
        bob.ok("sync")
        alice.ok("send", "Bob", "three")
        for text in after:
            alice.ok("send", "Bob", text)
        if "commit" in lie.__name__:
            alice.ok("group", "update", "Bob")
            alice.ok("send", "Bob", "behind the commit")
        world.fake.do(lambda relay: lie(*relay.rooms.values()))
        result = bob.run("send", "Alice", "are you there?")
        again = bob.run("send", "Alice", "still?")
        state = bob.conversation("Alice")
        return result, again, state, bob.ok("history", "Alice").of("message")


def renumber(room):
    for seq, entry in enumerate(room.entries, 1):
        entry["seq"] = seq


def assert_forked(outcome, texts):
    result, again, state, history = outcome
    assert (result.code, result.error) == (7, "forked"), result
    assert (again.code, again.error) == (7, "forked"), again
    assert state["state"] == "forked" and len(state["trouble"]) > 20, state
    assert [m["text"] for m in history if m["kind"] == "text" and m["status"] != "waiting"] == texts, history
    assert [m["kind"] for m in history].count("forked") == 1, history


def test_rewound():
    """entries taken back are a fork"""
    def rewind(room):
        del room.entries[-4:]
    assert_forked(lied_to(rewind), ["one", "two"])


def test_commit_altered():
    """a commit with one bit changed is a fork, and nothing behind it is read"""
    def alter_commit(room):
        commit = [e for e in room.entries if e["kind"] == 2][-1]
        commit["bytes"] = commit["bytes"][:-1] + bytes([commit["bytes"][-1] ^ 1])
    assert_forked(lied_to(alter_commit), ["one", "two", "three", "four"])


def test_commit_hidden():
    """a commit that is left out is a fork"""
    def hide_commit(room):
        room.entries = [e for e in room.entries if not (e["kind"] == 2 and e["epoch"] > 0)]
        renumber(room)
    assert_forked(lied_to(hide_commit), ["one", "two", "three", "four"])


def test_gap():
    """a number left out is a fork"""
    def skip(room):
        for entry in room.entries[-1:]:
            entry["seq"] += 1
        room.entries.insert(-1, room.entries[-2])
        room.entries[-2] = dict(room.entries[-2], seq=room.entries[-3]["seq"] + 1,
                                epoch=room.entries[-3]["epoch"] + 1)
    result, again, state, history = lied_to(skip)
    assert (result.code, result.error) == (7, "forked"), result
    assert state["state"] == "forked", state


def test_message_altered():
    """one altered message is shown as unreadable, and the conversation goes on"""
    def alter(room):
        entry = room.entries[-2]
        entry["bytes"] = entry["bytes"][:-1] + bytes([entry["bytes"][-1] ^ 1])
    result, again, state, history = lied_to(alter)
    assert result.code == 0 and again.code == 0, (result, again)
    assert state["state"] == "active"
    kinds = [(m["kind"], m.get("text")) for m in history][-4:]
    assert kinds == [("unreadable", None), ("text", "four"), ("text", "are you there?"),
                     ("text", "still?")], kinds


def test_replayed():
    """the same message given twice is read once"""
    def replay(room):
        room.entries.append(dict(room.entries[-1], append_id=os.urandom(16)))
        renumber(room)
    result, again, state, history = lied_to(replay)
    assert result.code == 0, result
    assert [m["text"] for m in history if m["kind"] == "text"].count("four") == 1
    assert [m["kind"] for m in history].count("unreadable") == 1


def test_swapped():
    """two messages in another order are read in that order, for that is the log"""
    def swap(room):
        room.entries[-1], room.entries[-2] = room.entries[-2], room.entries[-1]
        renumber(room)
    result, again, state, history = lied_to(swap)
    assert result.code == 0, result
    assert [m["text"] for m in history if m["kind"] == "text"][:4] == ["one", "two", "four", "three"]


def test_own_changed():
    """an own message that comes back changed is a fork"""
    world = Lying("Alice", "Bob")
    with world as (_, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)

        def change_on_append(relay):
            push = relay.push

            def lie(connection, request, entries):
                push(connection, request, [dict(e, bytes=e["bytes"][:-1] + b"\0\0") for e in entries])
            relay.push = lie
        world.fake.do(change_on_append)
        result = alice.run("send", "Bob", "mine")
        assert (result.code, result.error) == (7, "forked"), result


main([test_rewound, test_commit_altered, test_commit_hidden, test_gap, test_message_altered,
      test_replayed, test_swapped, test_own_changed])
