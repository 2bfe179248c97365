"""Several devices of one account: linking, history, groups, removal, and who may not."""

import base64
import json
import os

from linking import Device, begin
from world import Person, World, eventually, main, sync, texts


def link(world, old, name=None, number=2, *more):
    """Links another device of that person."""
    new = Device(world, old.name, number)
    process, text = begin(new, "--device", name or "Device %d" % number)
    added = old.ok("device", "add", text, *more)
    done = new.finish(process)
    assert done.code == 0, done
    assert done.of("account")[0]["account"] == old.ok("status").of("status")[0]["account"]
    assert done.of("fingerprint")[0]["digits"] == old.ok("fingerprint").of("fingerprint")[0]["digits"]
    assert added.of("device")[0]["name"] == (name or "Device %d" % number), added
    return new


def devices(person):
    return {d["name"]: d for d in person.ok("devices").of("device")}


def members(person, title):
    return sorted((m["name"], m["device"]) for m in person.ok("group", "members", title).of("member"))


def agree(people, title):
    states = {(c["epoch"], c["epochAuthenticator"]) for c in (p.conversation(title) for p in people)}
    assert len(states) == 1, states


def pair():
    return World("Alice", "Bob")


def two(world):
    alice, bob = world.people[:2]
    alice.register()
    bob.register()
    world.befriend(alice, bob)


def off(person):
    return dict(person.sql("SELECT name, value FROM number WHERE name IN ('receipts-off', 'typing-off')"))


def test_link():
    """a device is linked in one step on each side, gets the history, and both talk as one person"""
    with pair() as (world, alice, bob):
        two(world)
        for i in range(5):
            alice.ok("send", "Bob", "a%d" % i)
            bob.ok("sync")
            bob.ok("send", "Alice", "b%d" % i)
        alice.ok("sync")
        laptop = link(world, alice, "Laptop")
        assert texts(laptop, "Bob") == texts(alice, "Bob") and len(texts(laptop, "Bob")) == 10
        own = [(m["own"], m["text"]) for m in laptop.history("Bob") if m["kind"] == "text"]
        assert own == [(m["own"], m["text"]) for m in alice.history("Bob") if m["kind"] == "text"]
        assert [c["name"] for c in laptop.ok("contacts").of("contact")] == ["Bob"]
        assert laptop.fingerprint("Bob") == alice.fingerprint("Bob") == bob.fingerprint("Alice")
        assert laptop.conversation("Bob")["state"] == "active"
        # What is said on one is one's own on the other, in one order.
        laptop.ok("send", "Bob", "from the laptop")
        alice.ok("send", "Bob", "from the first")
        sync(bob, alice, laptop)
        bob.ok("send", "Alice", "to both")
        sync(alice, laptop)
        assert texts(alice, "Bob") == texts(laptop, "Bob") == texts(bob, "Alice")
        assert texts(bob, "Alice")[-3:] == ["from the laptop", "from the first", "to both"]
        last = [m for m in alice.history("Bob") if m.get("text") == "from the laptop"][0]
        assert last["own"] and last["status"] in ("sent", "delivered", "read"), last
        assert {m["name"] for m in bob.history("Alice") if m["kind"] == "text" and not m["own"]} == {"Alice"}
        # The other one sees that there is another device; one's own are no news in a conversation.
        for person, who, lines in ((alice, "Bob", ["joined"]), (laptop, "Bob", ["joined"]),
                                   (bob, "Alice", ["added", "deviceAdded"])):
            told = [k for k in person.kinds(who) if k != "text"]
            assert told == lines, (person.profile, told)
        assert len(members(bob, "Alice")) == 3
        assert set(devices(alice)) == set(devices(laptop)) and "Laptop" in devices(alice)
        # Listening does not tell the past again.
        heard = [m["text"] for m in laptop.ok("listen", "--once").of("message") if m["kind"] == "text"]
        assert heard == ["from the laptop", "from the first", "to both"], heard


def test_linked_before_joining():
    """a device that was linked before the other one came into a conversation gets what was said there until then"""
    with pair() as (world, alice, bob):
        alice.register()
        bob.register()
        alice.ok("username", "alice")
        bob.ok("add", "@alice", "--text", "It is me")
        alice.ok("sync")
        laptop = link(world, alice, "Laptop")
        (request,) = alice.ok("requests").of("request")
        alice.ok("accept", str(request["request"]))
        sync(alice, laptop, alice, laptop)
        assert texts(laptop, "Bob") == ["It is me"], texts(laptop, "Bob")
        assert laptop.kinds("Bob")[0] == "joined", laptop.kinds("Bob")
        bob.ok("sync")
        bob.ok("send", "Alice", "to both")
        sync(alice, laptop)
        assert texts(alice, "Bob") == texts(laptop, "Bob") == ["It is me", "to both"]


def test_groups():
    """groups of people with several devices: everybody's devices are in, whoever adds whom and when"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        for person in world.people:
            person.register()
        world.befriend(alice, bob)
        world.befriend(alice, carol)
        laptop, tablet = link(world, alice), link(world, bob)
        # Carol knows nothing of the new devices yet; who makes the group adds all of them.
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        everybody = [alice, laptop, bob, tablet, carol]
        sync(*everybody, *everybody)
        agree(everybody, "Kitchen")
        assert len(members(carol, "Kitchen")) == 5
        tablet.ok("send", "Kitchen", "from the tablet")
        laptop.ok("send", "Kitchen", "from the laptop")
        sync(*everybody)
        for one in everybody:
            assert texts(one, "Kitchen") == ["from the tablet", "from the laptop"], one.profile
        # Another device while the group lives; and a stranger to it is told nothing by the others.
        phone = link(world, carol, "Phone")
        everybody.append(phone)
        sync(*everybody, *everybody)
        agree(everybody, "Kitchen")
        assert texts(phone, "Kitchen") == texts(carol, "Kitchen")
        phone.ok("send", "Kitchen", "from the phone")
        sync(*everybody)
        assert all(texts(one, "Kitchen")[-1] == "from the phone" for one in everybody)
        # A person leaves with all devices, is added with all of them again, and removed with all.
        tablet.ok("group", "leave", "Kitchen")
        sync(*everybody, *everybody)
        assert len(members(alice, "Kitchen")) == 4
        assert {d.conversation("Kitchen")["state"] for d in (bob, tablet)} == {"left"}
        assert laptop.kinds("Kitchen").count("left") == 1
        laptop.ok("group", "add", "Kitchen", "Bob")
        sync(*everybody, *everybody)
        agree(everybody, "Kitchen")
        assert carol.kinds("Kitchen").count("added") == phone.kinds("Kitchen").count("added"), carol.kinds("Kitchen")
        alice.ok("group", "role", "Kitchen", "Carol", "owner")
        carol.ok("sync")
        carol.ok("group", "remove", "Kitchen", "Alice")
        sync(*everybody, *everybody)
        assert {d.conversation("Kitchen")["state"] for d in (alice, laptop)} == {"removed"}
        assert bob.kinds("Kitchen").count("removed") == 1
        # A conversation that begins on one device is on the other.
        dave = Person(world, "Dave")
        dave.register()
        dave.ok("accept", laptop.ok("invite").of("invitation")[0]["link"])
        sync(laptop, dave, laptop, alice, dave)
        alice.ok("send", "Dave", "hello from the first")
        sync(dave, laptop)
        assert texts(dave, "Alice") == texts(laptop, "Dave") == ["hello from the first"]
        assert "Dave" in [c["name"] for c in alice.ok("contacts").of("contact")]


def test_in_step():
    """what was read, the name, contacts and devices' names are the same on all devices"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        two(world)
        carol.register()
        alice.ok("typing", "off")
        laptop = link(world, alice, "Laptop")
        bob.ok("send", "Alice", "one")
        bob.ok("send", "Alice", "two")
        sync(alice, laptop)
        assert alice.conversation("Bob")["unread"] == laptop.conversation("Bob")["unread"] == 2
        laptop.ok("listen", "--once")
        sync(laptop, alice)
        assert alice.conversation("Bob")["unread"] == laptop.conversation("Bob")["unread"] == 0
        alice.ok("device", "rename", "Laptop", "Old laptop")
        laptop.ok("sync")
        assert set(devices(laptop)) == set(devices(alice)) and "Old laptop" in devices(laptop)
        laptop.ok("name", "Alice A.")
        sync(laptop, alice, bob)
        assert alice.ok("status").of("status")[0]["name"] == "Alice A."
        assert bob.conversation("Alice A.")["state"] == "active"
        assert off(laptop) == {"typing-off": 1}, off(laptop)  # as it was before it was linked
        laptop.ok("receipts", "off")
        laptop.ok("typing", "on")
        sync(laptop, alice)
        assert off(alice) == off(laptop) == {"receipts-off": 1, "typing-off": 0}, off(alice)
        world.befriend(laptop, carol)
        sync(laptop, alice)
        assert sorted(c["name"] for c in alice.ok("contacts").of("contact")) == ["Bob", "Carol"]
        # The room among the devices is nobody's conversation.
        assert sorted(alice.rooms()) == sorted(laptop.rooms()) == ["Bob", "Carol"]
        assert alice.ok("status").of("status")[0]["conversations"] == 2


def test_requests_in_step():
    """who asks to join is shown on all devices, and any of them answers for all"""
    with World("Alice", "Bob", "Carol", "Dave") as (world, alice, bob, carol, dave):
        two(world)
        carol.register()
        dave.register()
        laptop = link(world, alice, "Laptop")
        alice.ok("group", "create", "Kitchen", "Bob")
        sync(alice, laptop, alice, laptop)
        invitation = alice.ok("group", "link", "Kitchen", "--uses", "2").of("invitation")[0]["link"]
        carol.ok("group", "ask", invitation)
        dave.ok("group", "ask", invitation)
        sync(alice)
        asking = lambda device: device.ok("group", "requests").of("joinRequest")
        assert [r["name"] for r in asking(alice)] == ["Carol", "Dave"], asking(alice)
        assert asking(laptop) == []
        tablet = link(world, alice, "Tablet", 3)
        sync(laptop, alice, tablet)
        for device in (laptop, tablet):
            assert [(r["name"], r["title"]) for r in asking(device)] == [("Carol", "Kitchen"), ("Dave", "Kitchen")], device.profile
        before = [r["request"] for r in asking(alice)]
        sync(alice)  # what it told itself gives nobody another number
        assert [r["request"] for r in asking(alice)] == before
        laptop.ok("group", "approve", str(asking(laptop)[0]["request"]))
        tablet.ok("group", "refuse", str([r for r in asking(tablet) if r["name"] == "Dave"][0]["request"]))
        sync(laptop, tablet, alice, laptop, tablet, carol)
        for device in (alice, laptop, tablet):
            assert asking(device) == [], device.profile
        carol.ok("send", "Kitchen", "thank you")
        sync(alice)
        assert sorted({m["name"] for m in alice.ok("group", "members", "Kitchen").of("member")}) == ["Alice", "Bob", "Carol"]


def test_links_in_step():
    """links to join are listed and revoked on all devices, later ones and a backup's too; before the group is known there"""
    with World("Alice", "Bob", "Carol", "Dave") as (world, alice, bob, carol, dave):
        two(world)
        carol.register()
        dave.register()
        laptop = link(world, alice, "Laptop")
        alice.ok("group", "create", "Kitchen", "Bob")
        make = lambda: alice.ok("group", "link", "Kitchen", "--uses", "2").of("invitation")[0]["link"]
        first, second = make(), make()
        carol.ok("group", "ask", first)
        sync(alice)
        sync(laptop, alice, laptop)  # which hears of the links and of Carol, and is added to the group, in whatever order
        links = lambda device: [(l["conversation"], l["uses"], l["used"]) for l in device.ok("group", "links").of("joinLink")]
        assert [l[1:] for l in links(alice)] == [(2, 1), (2, 0)], links(alice)
        assert links(laptop) == links(alice)
        assert [(r["name"], r["title"]) for r in laptop.ok("group", "requests").of("joinRequest")] == [("Carol", "Kitchen")]
        tablet = link(world, alice, "Tablet", 3)
        sync(tablet, alice, tablet)
        assert links(tablet) == links(alice)
        backup = os.path.join(world.directory, "links")
        with open(backup + ".key", "w") as out:
            out.write(tablet.ok("backup", backup, "--key", "--account-key").of("backup")[0]["key"] + "\n")
        # Revoked at the relay by a device that did not make it, whether or not the one that did is there.
        laptop.ok("group", "unlink", str(laptop.ok("group", "links").of("joinLink")[0]["link"]))
        assert dave.run("group", "ask", first).error == "not_member"
        sync(laptop, alice, tablet, laptop)
        for device in (alice, laptop, tablet):
            assert [l[1:] for l in links(device)] == [(2, 0)], (device.profile, links(device))
        sync(alice, laptop, tablet)  # what was said before it does not bring it back
        assert [len(links(d)) for d in (alice, laptop, tablet)] == [1, 1, 1]
        dave.ok("group", "ask", second)  # the other one is good
        sync(alice, laptop, alice, laptop, tablet)
        assert [l[2] for d in (alice, laptop, tablet) for l in links(d)] == [1, 1, 1]
        restored = Device(world, "Alice", 4)
        restored.ok("restore", backup, "--passphrase-file", backup + ".key")
        assert [l[1:] for l in links(restored)] == [(2, 1), (2, 0)], links(restored)


def test_history():
    """a long history with edits, reactions and files comes whole, killed at any moment, once"""
    with pair() as (world, alice, bob):
        two(world)
        for i in range(3):
            for k in range(40):
                alice.ok("send", "Bob", "%d.%d %s" % (i, k, "x" * 9000)) if k % 8 == 0 else None
            bob.ok("sync")
            bob.ok("send", "Alice", "answer %d" % i)
        path = os.path.join(world.directory, "file")
        with open(path, "wb") as file:
            file.write(os.urandom(50000))
        alice.ok("send", "Bob", "--file", path, "a file")
        alice.ok("sync")
        new = Device(world, "Alice", 2)
        process, text = begin(new)
        # The new device is killed again and again, and the old one too.
        process.kill()
        new.finish(process)
        process, again = begin(new)
        assert again == text
        added = alice.killed(0.15, "device", "add", text)
        process.kill()
        new.finish(process)
        for delay in (0.1, 0.3, 0.5):
            process = new.start("link", "--relay", world.address)
            added = alice.killed(delay, "device", "add", text)
            process.kill()
            new.finish(process)
            if new.ok("status").of("status")[0]["registered"]:
                break
        if not new.ok("status").of("status")[0]["registered"]:
            process = new.start("link", "--relay", world.address)
            alice.ok("device", "add", text)
            assert new.finish(process).code == 0
        else:
            alice.ok("device", "add", text)
        for delay in (0.1, 0.2, 0.4):
            alice.killed(delay, "sync")
            new.killed(delay, "sync")

        def complete():
            sync(new, alice, new)
            return "Bob" in new.rooms() and texts(new, "Bob") == texts(alice, "Bob")
        eventually(complete, "the whole history")
        shown = [(m["kind"], m.get("text"), m["own"], m["seq"]) for m in alice.history("Bob")]
        assert shown == [(m["kind"], m.get("text"), m["own"], m["seq"]) for m in new.history("Bob")]
        status = new.ok("status").of("status")[0]
        assert status["history"] == status["historyOf"] == len(shown), (status, len(shown))
        # The file can be fetched from there.
        message = [m for m in new.history("Bob") if m["kind"] == "file"][0]
        saved = new.ok("save", str(message["id"]), "--to", os.path.join(world.directory, "saved"))
        assert open(saved.of("saved")[0]["path"], "rb").read() == open(path, "rb").read()


def test_revoke():
    """a device that is revoked reads nothing from then on, in any room, and says so"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        for person in world.people:
            person.register()
        world.befriend(alice, bob)
        world.befriend(alice, carol)
        laptop = link(world, alice, "Laptop")
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        sync(bob, carol, laptop, alice, bob, carol)
        assert len(members(bob, "Kitchen")) == 4
        alice.ok("device", "revoke", "Laptop")
        assert list(devices(alice)) == [""], devices(alice)
        alice.ok("send", "Kitchen", "not for the laptop")
        alice.ok("send", "Bob", "nor this")
        sync(bob, carol)
        assert len(members(bob, "Kitchen")) == 3 and len(members(bob, "Alice")) == 2
        assert "removed" not in bob.kinds("Kitchen")
        refused = laptop.run("sync")
        assert (refused.code, refused.error) == (4, "sign_in_failed") and "removed this one" in refused.out, refused
        assert "not for the laptop" not in json.dumps(laptop.history("Kitchen"))
        assert "nor this" not in json.dumps(laptop.history("Bob"))
        room = laptop.conversation("Kitchen")
        assert room["state"] == "removed" and "removed from your account" in room["trouble"], room
        refused = laptop.run("send", "Kitchen", "hello?")
        assert (refused.code, refused.error) == (4, "not_member") and "your account" in refused.out, refused
        assert laptop.run("invite").code == 4
        # Nobody gives out its keys any more, and its name is free.
        assert alice.run("device", "revoke", "Laptop").error == "not_found"


def test_removed_by_others():
    """a device is removed by whichever member learns first that it was revoked"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        for person in world.people:
            person.register()
        world.befriend(alice, bob)
        world.befriend(alice, carol)
        world.befriend(bob, carol)
        laptop = link(world, alice, "Laptop")
        bob.ok("group", "create", "Kitchen", "Alice", "Carol")
        sync(alice, laptop, carol, alice, bob, carol)
        assert len(members(bob, "Kitchen")) == 4
        # The old device is killed in the midst of it, as soon as the list of devices has changed.
        killed = None
        for delay in (0.05, 0.1, 0.15, 0.2, 0.3):
            killed = alice.killed(delay, "device", "revoke", "Laptop")
            if "Laptop" not in devices(alice) or killed.code == 0:
                break
        if killed.code is None and "Laptop" in devices(alice):
            alice.ok("device", "revoke", "Laptop")
        # Bob is told in one conversation, and removes it from all that he shares with it.
        alice.ok("send", "Bob", "hello")
        racing = [bob.start("sync"), carol.start("sync"), alice.start("sync")]
        for process in racing:
            out, err = process.communicate()
            assert process.returncode == 0, (out, err)
        sync(alice, bob, carol, alice, bob, carol)
        for person in (alice, bob, carol):
            assert len(members(person, "Kitchen")) == 3, members(person, "Kitchen")
        agree([alice, bob, carol], "Kitchen")
        bob.ok("send", "Kitchen", "among us")
        laptop.run("sync")
        assert "among us" not in json.dumps(laptop.history("Kitchen"))


def altered(text, at, value=None):
    """The link with one byte of what it holds changed, counted from its end: 8 bytes of expiry, 32 of the
    keys' hash, 16 of the device's id, 32 of the secret."""
    head, body = "sotto://link/", text[len("sotto://link/"):]
    data = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    data[-at] = data[-at] ^ 1 if value is None else value
    return head + base64.urlsafe_b64encode(bytes(data)).decode().rstrip("=")


def test_refused():
    """links that are altered, used, of another relay or of another account's device are refused"""
    with pair() as (world, alice, bob):
        two(world)
        new = Device(world, "Alice", 2)
        process, text = begin(new, "--device", "Laptop")
        for bad in ("sotto://link/", "sotto://link/AAAA", text[:-8], text.replace("link", "invite")):
            assert alice.run("device", "add", bad).error == "bad_link", bad
        assert new.run("device", "add", text).error == "not_registered"
        # Keys that are not those of the link, as if the relay had put others there; and one that is over.
        for at in (20, 50):
            assert alice.run("device", "add", altered(text, at)).error == "bad_identity"
        old = text
        for at in range(1, 9):
            old = altered(old, at, 0)
        assert alice.run("device", "add", old).error == "invitation_expired"
        assert len(devices(alice)) == 1
        assert alice.run("link", "--relay", world.address).error == "already_registered"
        added = alice.ok("device", "add", text).of("device")[0]
        assert new.finish(process).code == 0
        # One use: not for somebody else, and harmless for oneself.
        assert bob.run("device", "add", text).error == "invitation_used"
        assert alice.ok("device", "add", text).of("device")[0] == added
        assert len(devices(alice)) == 2 and len(devices(bob)) == 1
        # Another relay.
        other = Device(world, "Alice", 3)
        process, text = begin(other)
        process.kill()
        other.finish(process)
        with World("Eve") as (elsewhere, eve):
            eve.register()
            refused = eve.run("device", "add", text)
            assert refused.error == "bad_link" and "another relay" in refused.out, refused
        # A limited device may not let others in, or remove them.
        limited = link(world, alice, "Kiosk", 4, "--limited")
        limited.ok("send", "Bob", "from the kiosk")
        bob.ok("sync")
        assert texts(bob, "Alice") == ["from the kiosk"]
        assert limited.run("device", "add", text).error == "limited_device"
        assert limited.run("device", "revoke", devices(alice)["Kiosk"]["device"]).error == "limited_device"


main([test_link, test_linked_before_joining, test_groups, test_in_step, test_requests_in_step, test_links_in_step, test_history,
      test_revoke, test_removed_by_others, test_refused])
