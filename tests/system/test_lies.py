"""What a lying relay gets: the client finds out, says so in plain words, and never crashes or skips."""

import os

from fake_relay import DOUBLE, token_chain
from lying import Lying
from world import main


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
    said = [(m["text"], m["status"]) for m in history if m["kind"] == "text"]
    # What was to be sent into it says that it was not.
    assert said == [(text, "received") for text in texts] + [("are you there?", "failed")], said
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


def read_then_lied_to(lie):
    """Bob has read all and made the last commit; the relay lies."""
    world = Lying("Alice", "Bob")
    with world as (_, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        bob.ok("group", "update", "Alice")
        world.fake.do(lambda relay: lie(*relay.rooms.values()))
        for text in "are you there?", "still?":
            result = bob.run("send", "Alice", text)
            assert (result.code, result.error) == (7, "forked"), result
        assert bob.conversation("Alice")["state"] == "forked"


def test_gate_of_another_history():
    """a relay that takes nothing any more from who made the last commit shows others another one: a
    fork"""
    def other_gate(room):
        room.write_gate = bytes(32)
    read_then_lied_to(other_gate)


def test_epoch_of_another_history():
    """so does one that is in another epoch at the end of what was read: a fork, not waited for"""
    def other_epoch(room):
        room.epoch += 1
    read_then_lied_to(other_epoch)


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


def keys(world, **chains):
    """What the relay says of its issuing keys from now on, on the account and the room connection."""
    def lie(relay):
        relay.tokens_a_day = 100
        relay.chains = {1: chains["account"], 2: chains["room"]}
    world.fake.do(lie)


def caught(person, what):
    """The person's sync says so; all else went on."""
    result = person.run("sync")
    assert (result.code, result.error) == (7, "token_keys"), result
    assert what in result.out, result
    status = person.ok("status").of("status")[0]
    assert status["tokens"] == 0, status
    return status


def test_token_key_of_ones_own():
    """a token key that is shown to one person alone is found out, and no token is taken"""
    world = Lying("Alice", "Bob")
    with world as (_, alice, bob):
        keys(world, account=token_chain(1, DOUBLE), room=token_chain(1))
        alice.register()
        assert caught(alice, "than it shows to others")["tokenKey"] == 0
        assert world.fake.do(lambda relay: relay.issued) == 0
        # Everything else goes on.
        world.fake.do(lambda relay: setattr(relay, "tokens_a_day", 0))
        bob.register()
        alice.ok("accept", bob.ok("invite").of("invitation")[0]["link"])
        alice.ok("send", "Bob", "all the same")
        bob.run("sync")
        assert bob.texts("Alice")[-1][1] == "all the same"


def test_token_key_chain_cut():
    """whoever was shown another chain before is not led into this one"""
    world = Lying("Alice")
    with world as (_, alice):
        keys(world, account=token_chain(1), room=token_chain(1))
        world.fake.do(lambda relay: setattr(relay, "tokens_a_day", 0))
        alice.register()
        world.fake.do(lambda relay: setattr(relay, "tokens_a_day", 1))
        alice.run("sync")  # sees the chain, on both connections; the tokens themselves are refused
        assert alice.ok("status").of("status")[0]["tokenKey"] == 1
        # Another first key, then its successor, on both connections.
        keys(world, account=token_chain(2, DOUBLE), room=token_chain(2, DOUBLE))
        assert caught(alice, "than before")["tokenKey"] == 1
        # No keys any more behind the one seen: back in time.
        keys(world, account=token_chain(3)[2:], room=token_chain(3)[2:])
        caught(alice, "than before")
        # The one that goes on from what was seen is taken.
        keys(world, account=token_chain(2), room=token_chain(2))
        alice.run("sync")
        assert alice.ok("status").of("status")[0]["tokenKey"] == 2


def test_tokens_under_another_key():
    """tokens that were made with another key than the one announced are thrown away"""
    world = Lying("Alice")
    with world as (_, alice):
        keys(world, account=token_chain(1), room=token_chain(1))
        alice.register()
        assert caught(alice, "than it uses for its tokens")["tokenKey"] == 1
        assert world.fake.do(lambda relay: relay.issued) > 0


if __name__ == "__main__":
    main([test_token_key_of_ones_own, test_token_key_chain_cut, test_tokens_under_another_key, test_rewound, test_commit_altered, test_gate_of_another_history, test_epoch_of_another_history,
          test_commit_hidden, test_gap, test_message_altered,
          test_replayed, test_swapped, test_own_changed])
