"""Being found by a username or a number at the relay, and a relay that lies about it."""

import os
import sqlite3

from lying import Lying
from world import World, main


def rows(world, query):
    path = os.path.join(world.directory, "relay", "relay.db")
    with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as database:
        return database.execute(query).fetchall()


def spent(world):
    return rows(world, "SELECT count(*) FROM token_spent")[0][0]


def account(person):
    return person.ok("status").of("status")[0]["account"]


def found(person, label):
    (one,) = person.ok("find", label).of("found")
    return one


def contact(person, name):
    (one,) = [c for c in person.ok("contacts").of("contact") if c["name"] == name]
    return one


def asks_and_is_let_in(world, alice, bob, label):
    """Alice adds Bob, who sees who it is and what she says, and accepts."""
    conversation = alice.ok("add", label, "--text", "It is me,\nAlice").of("conversation")[0]
    assert conversation["state"] == "active", conversation
    bob.ok("sync")
    (request,) = bob.ok("requests").of("request")
    assert (request["name"], request["greeting"]) == ("Alice", "It is me, Alice"), request
    assert bob.ok("conversations").of("conversation") == []
    bob.ok("accept", str(request["request"]))
    assert [t for _, t in bob.texts("Alice")] == ["It is me,\nAlice"]
    bob.ok("send", "Alice", "hello")
    alice.ok("sync")
    assert [t for _, t in alice.texts("Bob")] == ["It is me,\nAlice", "hello"]
    one = contact(alice, "Bob")
    assert one["foundBy"] == label.lower() and not one["verified"], one
    assert contact(bob, "Alice")["contact"]


def test_username():
    """a username finds its account, which is asked; each look costs a token, whatever it finds"""
    for options in (["--permissions", "token"], []):
        with World("Alice", "Bob", "Carol", options=options) as (world, alice, bob, carol):
            for person in world.people:
                person.register()
            (labels,) = bob.ok("username", "Bob_1").of("labels")
            assert (labels["username"], labels["findable"]) == ("bob_1", False), labels
            assert carol.run("username", "bob_1").error == "username_taken"
            before = spent(world)
            assert found(alice, "@bob_1")["account"] == account(bob)
            missing = alice.run("find", "@bob_2")
            assert (missing.code, missing.error) == (5, "not_found"), missing
            assert spent(world) - before == 2
            assert alice.sql("SELECT count(*) FROM token WHERE owner IS NOT NULL") == [(0,)]
            for wrong in ("bob_1", "@bob__1", "@", "+1", "@Bob!"):
                assert alice.run("find", wrong).error == "bad_name", wrong
            asks_and_is_let_in(world, alice, bob, "@Bob_1")
            assert bob.run("add", "@bob_1").error == "own_link"
            again = alice.ok("add", "@bob_1").of("conversation")[0]  # leads to the same conversation
            assert len(alice.ok("conversations").of("conversation")) == 1, again
            bob.ok("username", "--remove")
            assert alice.run("find", "@bob_1").error == "not_found"


def test_number():
    """a number finds who has proved it and wants to be found by it"""
    with World("Alice", "Bob", options=["--registration", "phone"]) as (world, alice, bob):
        for person, number in ((alice, "+4915550001111"), (bob, "+4915550002222")):
            person.run("register", "--relay", world.address, "--name", person.name, "--phone", number)
            person.register(None, "--phone", number, "--code", world.last_code())
        assert alice.run("find", "+4915550002222").error == "not_found"
        (labels,) = bob.ok("findable", "on").of("labels")
        assert labels == {"type": "labels", "phone": "+4915550002222", "findable": True}
        asks_and_is_let_in(world, alice, bob, "+4915550002222")
        assert found(alice, "+49 1555 000-2222")["name"] == "Bob"
        bob.ok("findable", "off")
        assert alice.run("find", "+4915550002222").error == "not_found"
    with World("Carol") as (world, carol):
        carol.register()
        assert carol.run("findable", "on").error == "phone_needed"


def test_tokens_are_fetched():
    """a client without a token fetches some to ask with; a relay that issues none is asked without"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        bob.ok("username", "bob")
        alice.sql("DELETE FROM token")
        assert found(alice, "@bob")["account"] == account(bob)
        assert spent(world) == 1
    with World("Alice", "Bob", options=["--tokens-a-day", "0"]) as (world, alice, bob):
        alice.register()
        bob.register()
        bob.ok("username", "bob")
        assert found(alice, "@bob")["account"] == account(bob)
        assert spent(world) == 0


def test_blocked():
    """whom one has blocked is not added, and who has blocked one hears nothing"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        bob.ok("username", "bob")
        assert not found(alice, "@bob")["contact"]
        alice.ok("block", account(bob)[:12])
        result = alice.run("add", "@bob")
        assert (result.code, result.error) == (2, "blocked"), result
        alice.ok("unblock", account(bob)[:12])
        bob.ok("sync")
        alice.ok("add", "@bob")
        bob.ok("sync")
        bob.ok("decline", "1", "--block")
        alice.ok("contact", "delete", account(bob)[:12])
        alice.ok("group", "create", "Please", account(bob)[:12])
        bob.ok("sync")
        assert bob.ok("requests").of("request") == []


def test_lies():
    """a relay that names another account for a name, or none of anybody's, is noticed"""
    with Lying("Alice", "Bob", "Mallory") as (world, alice, bob, mallory):
        for person in world.people:
            person.register()
        accounts = {p.name: bytes.fromhex(account(p)) for p in world.people}
        world.fake.do(lambda relay: relay.labels.update({b"bob": relay.accounts[accounts["Bob"]]}))
        assert found(alice, "@bob")["account"] == accounts["Bob"].hex()
        world.fake.do(lambda relay: relay.labels.update({b"bob": relay.accounts[accounts["Mallory"]]}))
        one = found(alice, "@bob")
        assert one["changed"] and not one["verified"], one
        assert (one["account"], one["before"]) == (accounts["Mallory"].hex(), accounts["Bob"].hex())
        result = alice.run("add", "@bob")
        assert (result.code, result.error) == (7, "changed"), result
        assert alice.ok("contacts").of("contact") == []
        assert found(alice, "@bob")["changed"]  # looking makes it no better
        alice.ok("add", "@bob", "--changed")
        assert not found(alice, "@bob")["changed"]
        # What led to oneself leads elsewhere.
        world.fake.do(lambda relay: relay.labels.update({b"mine": relay.accounts[accounts["Alice"]]}))
        assert not found(alice, "@mine")["changed"]
        world.fake.do(lambda relay: relay.labels.update({b"mine": relay.accounts[accounts["Mallory"]]}))
        one = found(alice, "@mine")
        assert one["changed"] and one["before"] == accounts["Alice"].hex(), one
        # Keys that no account has signed, and a list that contradicts what is known.
        for broken in (b"nonsense", None):
            def lie(relay):
                true = relay.accounts[accounts["Bob"]]
                relay.labels[b"bobby"] = broken or true[:60] + bytes([true[60] ^ 1]) + true[61:]
            world.fake.do(lie)
            result = alice.run("find", "@bobby")
            assert (result.code, result.error) == (7, "bad_identity"), result


if __name__ == "__main__":
    main([test_username, test_number, test_tokens_are_fetched, test_blocked, test_lies])
