"""Invitations and requests."""

from linking import link as linked
from world import World, eventually, main


def test_used():
    """an invitation for one lets one in; the next is told that it was used, and keeps nothing of it"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        for person in world.people:
            person.register()
        link = alice.ok("invite").of("invitation")[0]["link"]
        bob.ok("accept", link)
        late = carol.run("accept", link)
        assert (late.code, late.error) == (4, "invitation_used"), late
        assert carol.ok("conversations").of("conversation") == []
        again = bob.ok("accept", link)  # harmless: it leads to the same conversation
        assert len(bob.ok("conversations").of("conversation")) == 1, again
        alice.ok("sync")
        assert [c["name"] for c in alice.ok("contacts").of("contact")] == ["Bob"]


def test_used_meanwhile():
    """what was written before an invitation turns out to be used stays there, as failed"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        for person in world.people:
            person.register()
        link = alice.ok("invite").of("invitation")[0]["link"]
        world.stop_relay()
        assert carol.run("accept", link).code == 3
        to = carol.ok("conversations").of("conversation")[0]["conversation"]
        sent = carol.run("send", to, "--id", "w1", "kept")
        assert sent.of("sending")[0]["status"] == "waiting", sent
        world.start_relay()
        bob.ok("accept", link)

        def ended():
            late = carol.run("sync")
            return late.code == 4 and late

        late = eventually(ended, "the invitation is found to be used")
        assert late.error == "invitation_used", late
        written = [(m["text"], m["status"]) for m in carol.history(to) if m["kind"] == "text"]
        assert written == [("kept", "failed")], written
        over = carol.run("send", to, "more")
        assert (over.code, over.error) == (4, "not_member"), over
        carol.ok("sync")
        link = alice.ok("invite").of("invitation")[0]["link"]
        carol.ok("accept", link)  # a conversation of its own
        alice.ok("sync")
        carol.ok("erase", to)
        assert len(carol.ok("conversations").of("conversation")) == 1


def test_inviter_gone():
    """what a device invited to that was removed since is over, and nobody is accused of lying"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        laptop = linked(alice, name="Laptop")
        link = laptop.ok("invite").of("invitation")[0]["link"]
        alice.ok("device", "revoke", "Laptop")
        late = bob.run("accept", link)
        assert late.error == "invitation_unknown" and "no longer the person's" in late.out, late
        assert bob.ok("conversations").of("conversation") == []
        bob.ok("sync")


def test_several_uses():
    """an invitation for two lets two in"""
    with World("Alice", "Bob", "Carol", "Dave") as (world, alice, bob, carol, dave):
        for person in world.people:
            person.register()
        link = alice.ok("invite", "--uses", "2").of("invitation")[0]["link"]
        bob.ok("accept", link)
        carol.ok("accept", link)
        assert dave.run("accept", link).error == "invitation_used"
        alice.ok("sync")
        assert sorted(c["name"] for c in alice.ok("contacts").of("contact")) == ["Bob", "Carol"]


def test_bad_links():
    """one's own link, half a link, nonsense and an expired link are each refused in words"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        link = alice.ok("invite", "--expires", "8").of("invitation")[0]["link"]
        assert alice.run("accept", link).error == "own_link"
        assert bob.run("accept", link[:-9]).error == "bad_link"
        assert bob.run("accept", "sotto://invite/").error == "bad_link"
        assert bob.run("accept", "hello").error == "not_found"
        eventually(lambda: bob.run("accept", link).error in ("invitation_expired", "invitation_unknown")
                   or None, "the link expires")


def test_killed_accept():
    """accepting can be killed at any moment and done again: one conversation, one use"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        link = alice.ok("invite").of("invitation")[0]["link"]
        for i in range(12):
            bob.killed(0.01 + i * 0.005, "accept", link)
        bob.ok("accept", link)
        assert len(bob.ok("conversations").of("conversation")) == 1
        alice.ok("sync")
        bob.ok("send", "Alice", "made it")
        alice.ok("sync")
        assert [t for _, t in alice.texts("Bob")] == ["made it"]


def test_requests():
    """a stranger's group waits as a request until it is accepted, or is declined"""
    with World("Alice", "Bob", "Mallory") as (world, alice, bob, mallory):
        for person in world.people:
            person.register()
        world.befriend(alice, bob)
        world.befriend(bob, mallory)
        # Mallory meets Alice in Bob's group only: they are no contacts.
        bob.ok("group", "create", "Party", "Alice", "Mallory")
        alice.ok("sync")
        mallory.ok("sync")
        alice.ok("send", "Party", "hi")
        mallory.ok("sync")
        stranger = alice.ok("status").lines[0]["account"]
        mallory.ok("group", "create", "Scheme", stranger[:12])
        mallory.ok("group", "create", "Scheme 2", stranger[:12])
        alice.ok("sync")
        requests = alice.ok("requests").of("request")
        assert len(requests) == 2, requests
        assert [c["title"] for c in alice.ok("conversations").of("conversation")
                if c["title"].startswith("Scheme")] == []
        alice.ok("decline", str(requests[0]["request"]))
        alice.ok("accept", str(requests[1]["request"]))
        assert alice.ok("requests").of("request") == []
        alice.ok("send", "Scheme 2", "who are you?")
        mallory.ok("sync")
        assert [t for _, t in mallory.texts("Scheme 2")] == ["who are you?"]


main([test_used, test_used_meanwhile, test_inviter_gone, test_several_uses, test_bad_links, test_killed_accept, test_requests])
