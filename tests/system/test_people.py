"""People: what one calls them, their pictures, blocking them, comparing keys, and what is shown of their
devices."""

import hashlib
import os
import zlib

from linking import link
from world import Person, World, main, sync, texts


def contact(person, name):
    (one,) = [c for c in person.ok("contacts").of("contact") if c["name"] == name]
    return one


def request(person):
    (one,) = person.ok("requests").of("request")
    return one


class Friends(World):
    """A world whose people are registered; the first knows all others."""

    def __enter__(self):
        entered = super().__enter__()
        for person in self.people:
            person.register()
        for other in self.people[1:]:
            self.befriend(self.people[0], other)
        return entered


def test_names():
    """a name of one's own for a contact is seen on one's own devices alone"""
    with Friends("Alice", "Bob") as (world, alice, bob):
        laptop = link(alice)
        alice.ok("contact", "name", "Bob", "Robert")
        sync(alice, laptop)
        for one in (alice, laptop):
            assert contact(one, "Robert")["profileName"] == "Bob"
            assert one.conversation("Robert")["kind"] == "person"
        alice.ok("send", "Robert", "hello")
        bob.ok("sync")
        bob.ok("name", "Bobby")  # what they call themselves changes, what one calls them does not
        sync(alice, laptop)
        assert contact(laptop, "Robert")["profileName"] == "Bobby"
        assert alice.run("send", "Bobby", "hello").error == "not_found"
        tablet = link(alice, 3)  # a new device learns it
        assert contact(tablet, "Robert")["profileName"] == "Bobby"
        laptop.ok("contact", "name", "Robert")
        sync(laptop, alice)
        assert contact(alice, "Bobby")["profileName"] == "Bobby"
        assert alice.run("contact", "name", "Bobby", "two\nlines").error == "bad_name"


def png(side, color, *more):
    """A picture of one color, with chunks that tell more than it shows."""
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    size = side.to_bytes(4, "big")
    rows = b"".join(b"\0" + bytes(color) * side for _ in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + size + b"\x08\2\0\0\0") +
            b"".join(chunk(b"tEXt", b"Comment\0" + text) for text in more) +
            chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b""))


def test_pictures():
    """a picture goes to one's contacts alone, on all devices, without what it tells beside"""
    with Friends("Alice", "Bob", "Carol", "Dave") as (world, alice, bob, carol, dave):
        place = os.path.join(world.directory, "me.png")

        def write(data):
            with open(place, "wb") as file:
                file.write(data)

        def saved(person, *args):
            path = os.path.join(world.directory, "saved-%d" % saved.count)
            saved.count += 1
            person.ok(*args, "--save", path)
            with open(path, "rb") as file:
                return file.read()
        saved.count = 0

        alice.ok("contact", "delete", "Dave")
        alice.ok("block", "Carol")
        laptop = link(alice)
        plain = png(64, (200, 10, 10))
        write(png(64, (200, 10, 10), b"taken at home"))
        alice.ok("picture", place)
        assert saved(alice, "picture") == plain
        mine = hashlib.sha256(plain).hexdigest()
        sync(laptop, bob, carol, dave)
        assert laptop.ok("status").of("status")[0]["picture"] == mine
        assert contact(bob, "Alice")["picture"] == mine
        assert saved(bob, "contact", "picture", "Alice") == plain
        for other in (carol, dave):  # blocked, and no contact any more
            assert "picture" not in contact(other, "Alice")
        # Who is let in again gets it; so does a new conversation, and a device that is linked.
        alice.ok("unblock", "Carol")
        sync(alice, carol)
        assert contact(carol, "Alice")["picture"] == mine
        erin = Person(world, "Erin")
        erin.register()
        world.befriend(alice, erin)
        erin.ok("sync")
        assert contact(erin, "Alice")["picture"] == mine
        tablet = link(bob)
        assert contact(tablet, "Alice")["picture"] == mine
        # Another name brings no second one; another picture and none do.
        entries = bob.conversation("Alice")["seq"]
        laptop.ok("name", "Alicia")
        bob.ok("sync")
        assert bob.conversation("Alicia")["seq"] == entries + 1
        other = png(80, (1, 2, 3))
        write(other)
        laptop.ok("picture", place)
        sync(bob, tablet, alice)
        for one in (bob, tablet):
            assert saved(one, "contact", "picture", "Alicia") == other
        assert saved(alice, "picture") == other
        alice.ok("picture", "--remove")
        sync(bob, laptop)
        assert "picture" not in contact(bob, "Alicia")
        assert bob.run("contact", "picture", "Alicia", "--save", place + "2").error == "not_found"
        assert "picture" not in laptop.ok("status").of("status")[0]
        for bad in (b"no picture", png(2049, (0, 0, 0)), png(400, (0, 0, 0)), b"GIF89a" + plain):
            write(bad)  # nonsense, too wide, too large, of another type
            result = alice.run("picture", place)
            assert (result.code, result.error) == (2, "bad_picture"), result
        assert alice.run("picture", place + "x").error == "no_file"
        assert not [m for m in bob.history("Alicia") if m["kind"] in ("newer", "unreadable")]


def test_delete():
    """a contact that was deleted has to ask anew, and the conversation stays"""
    with Friends("Alice", "Bob") as (world, alice, bob):
        laptop = link(alice)
        alice.ok("contact", "delete", "Bob")
        sync(alice, laptop)
        for one in (alice, laptop):
            assert one.ok("contacts").of("contact") == []
            assert one.conversation("Bob")["state"] == "active"
        assert alice.run("contact", "delete", "Bob").error == "not_found"
        bob.ok("group", "create", "Kitchen", "Alice")
        alice.ok("sync")
        assert request(alice)["name"] == "Bob"


def test_block():
    """what a blocked person writes is dropped, on all devices, and they are told nothing"""
    with Friends("Alice", "Bob") as (world, alice, bob):
        laptop = link(alice)
        bob.ok("send", "Alice", "before")
        sync(alice, laptop)  # which owes a receipt
        alice.ok("block", "Bob")
        assert [c["name"] for c in alice.ok("blocked").of("contact")] == ["Bob"]
        sync(laptop, bob)
        assert [c["name"] for c in laptop.ok("blocked").of("contact")] == ["Bob"]
        bob.ok("send", "Alice", "while blocked")
        bob.ok("group", "create", "Kitchen", "Alice")
        sync(bob, alice, laptop)
        for one in (alice, laptop):
            assert texts(one, "Bob") == ["before"], one.history("Bob")
            assert one.conversation("Bob")["blocked"] and one.conversation("Bob")["unread"] <= 1
            assert one.ok("requests").of("request") == []
            result = one.run("send", "Bob", "anything")
            assert (result.code, result.error) == (2, "blocked"), result
        alice.ok("history", "Bob")
        alice.ok("name", "Alicia")  # goes to everybody else
        alice.ok("sync")
        bob.ok("sync")
        assert bob.conversation("Alice")
        assert [m["status"] for m in bob.history("Alice") if m["kind"] == "text"][-1] == "sent"
        laptop.ok("unblock", "Bob")
        sync(laptop, alice)
        assert alice.ok("blocked").of("contact") == []
        bob.ok("send", "Alice", "after")
        sync(alice, laptop)
        for one in (alice, laptop):
            assert texts(one, "Bob") == ["before", "after"], one.history("Bob")
        alice.ok("send", "Bob", "hello again")


def test_block_in_groups():
    """in a group what a blocked person writes is kept and marked, not unread, and owes no receipt"""
    with Friends("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        sync(bob, carol)
        alice.ok("block", "Bob")
        bob.ok("send", "Kitchen", "loud")
        carol.ok("send", "Kitchen", "quiet")
        alice.ok("sync")
        assert alice.conversation("Kitchen")["unread"] == 1
        marked = {m["text"]: m.get("blocked", False) for m in alice.history("Kitchen") if m["kind"] == "text"}
        assert marked == {"loud": True, "quiet": False}
        members = {m["name"]: m["blocked"] for m in alice.ok("group", "members", "Kitchen").of("member")}
        assert members == {"Alice": False, "Bob": True, "Carol": False}
        alice.ok("sync")
        sync(bob, carol)
        (loud,) = [m for m in bob.history("Kitchen") if m.get("text") == "loud"]
        got = [r["name"] for r in bob.ok("info", str(loud["id"])).of("receipt")]
        assert got == ["Carol"], got


def test_requests():
    """a request is accepted, refused or blocked once, on all devices"""
    with Friends("Alice", "Bob") as (world, alice, bob):
        laptop = link(alice)
        sync(alice, bob)
        alice.ok("contact", "delete", "Bob")
        sync(alice, laptop)

        def asks(title):
            bob.ok("group", "create", title, "Alice")
            bob.ok("sync")
            sync(alice, laptop)
            for one in (alice, laptop):
                assert len(one.ok("requests").of("request")) == 1, title
            return str(request(alice)["request"])

        alice.ok("decline", asks("One"))
        sync(alice, laptop)
        assert laptop.ok("requests").of("request") == []
        alice.ok("accept", asks("Two"))
        sync(alice, laptop)  # the laptop joins with its own Welcome
        assert laptop.ok("requests").of("request") == [] and contact(laptop, "Bob")
        bob.ok("send", "Two", "to both")
        sync(alice, laptop)
        assert texts(alice, "Two") == texts(laptop, "Two") == ["to both"]
        assert [c["title"] for c in alice.ok("conversations").of("conversation")].count("One") == 0
        alice.ok("contact", "delete", "Bob")
        sync(alice, laptop)
        alice.ok("decline", asks("Three"), "--block")
        sync(alice, laptop)
        for one in (alice, laptop):
            assert [c["name"] for c in one.ok("blocked").of("contact")] == ["Bob"]
            assert one.ok("requests").of("request") == []


def test_verified():
    """keys are verified by a link at once, by comparing, and by scanning; a wrong code is refused"""
    with Friends("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        assert contact(bob, "Alice")["verifiedBy"] == "link"  # whose link it was
        assert bob.conversation("Alice")["verified"]
        assert not contact(alice, "Bob")["verified"]  # whoever took the link
        laptop = link(alice)
        alice.ok("verify", "Bob")
        sync(alice, laptop)
        for one in (alice, laptop):
            assert contact(one, "Bob")["verifiedBy"] == "compared"
        assert laptop.ok("fingerprint", "Bob").of("fingerprint")[0]["verified"]
        alice.ok("verify", "Bob", "--undo")
        sync(alice, laptop)
        assert not contact(laptop, "Bob")["verified"]

        def code(person, *who):
            return person.ok("fingerprint", *who).of("fingerprint")[0]["link"]

        alice.ok("verify", code(bob, "Alice"))
        assert contact(alice, "Bob")["verifiedBy"] == "compared"
        bob.ok("verify", code(alice), "Alice")  # made for anybody
        assert contact(bob, "Alice")["verifiedBy"] == "compared"
        for who, args, error in ((alice, (code(bob, "Alice"), "Carol"), "bad_identity"),  # somebody else's
                                 (carol, (code(alice, "Bob"),), "bad_identity"),          # for somebody else
                                 (bob, (code(carol),), "not_found"),                      # nobody's known
                                 (alice, (code(alice),), "own_link"),
                                 (alice, (code(bob)[:-3],), "bad_link")):
            result = who.run("verify", *args)
            assert result.error == error and (error != "bad_identity" or result.code == 7), result
        assert not contact(alice, "Carol")["verified"]


def test_devices_are_shown():
    """another device of the other person, and one less, are told in the conversation; verified stays"""
    with Friends("Alice", "Bob") as (world, alice, bob):
        alice.ok("verify", "Bob")
        laptop = link(bob)
        sync(bob, laptop, alice)
        assert alice.kinds("Bob")[-1] == "deviceAdded"
        line = alice.history("Bob")[-1]
        assert line["subjectName"] == "Bob" and line["name"] == "Bob"
        assert contact(alice, "Bob")["verified"]
        assert "deviceAdded" not in bob.kinds("Alice") + laptop.kinds("Alice")  # one's own
        bob.ok("device", "revoke", "Device 2")
        sync(bob, alice, bob, alice)
        assert alice.kinds("Bob")[-1] == "deviceRemoved", alice.kinds("Bob")
        assert contact(alice, "Bob")["verified"]


main([test_names, test_pictures, test_delete, test_block, test_block_in_groups, test_requests, test_verified,
      test_devices_are_shown])
