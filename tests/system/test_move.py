"""Moving to another relay: the same account, the same conversations, and nothing left at the old one."""

import glob
import os

from linking import Device, begin, link
from rpc import Daemon
from world import Person, World, eventually, main, sync, texts


class Two:
    """Two relays, one of them of the world; people at the first."""

    def __init__(self, *names, config=None):
        self.world = World(*names)
        self.other = World(config=config)

    def __enter__(self):
        self.world.start_relay()
        self.other.start_relay()
        return (self.world, self.other, *self.world.people)

    def __exit__(self, *reason):
        self.world.close()
        self.other.close()


def account(person):
    return person.ok("status").of("status")[0]


def relay_has(world, what):
    whole = b""
    for path in glob.glob(os.path.join(world.directory, "relay", "**"), recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                whole += b"\0" * 8 + file.read()
    return what in whole


def friends(world, *people):
    for person in people:
        person.register()
    for other in people[1:]:
        world.befriend(people[0], other)


def test_move():
    """the account is the same at the other relay; contacts follow, conversations go on, the old relay has nothing"""
    with Two("Alice", "Bob", "Carol") as (world, other, alice, bob, carol):
        friends(world, alice, bob, carol)
        world.befriend(bob, carol)
        alice.ok("group", "create", "Kitchen", "Bob")
        sync(bob, alice)
        before, number = account(alice), alice.fingerprint("Bob")
        assert relay_has(world, bytes.fromhex(before["account"]))
        moved = alice.ok("account", "move", "--relay", other.address).of("account")[0]
        assert moved["account"] == before["account"] and moved["relay"] == other.address
        assert "movingFrom" not in moved, moved
        assert account(alice)["relay"] == other.address
        assert not relay_has(world, bytes.fromhex(before["account"]))
        assert relay_has(other, bytes.fromhex(before["account"]))
        # Everybody goes on in the same conversations, and knows where to ask.
        alice.ok("send", "Bob", "from elsewhere")
        sync(bob, carol)
        bob.ok("send", "Kitchen", "and back")
        sync(alice)
        assert texts(bob, "Alice") == ["from elsewhere"] and texts(alice, "Kitchen") == ["and back"]
        assert bob.fingerprint("Alice") == number
        relays = {c["name"]: c["relay"] for c in bob.ok("contacts").of("contact")}
        assert relays["Alice"] == other.address and relays["Carol"] == world.address, relays
        # New conversations: from either side, each at its own relay.
        carol.ok("group", "create", "Garden", "Alice", "Bob")
        sync(carol, alice, bob)
        assert alice.conversation("Garden")["state"] == "active"
        carol.ok("send", "Garden", "welcome")
        sync(alice)
        assert texts(alice, "Garden") == ["welcome"]
        link_ = alice.ok("invite").of("invitation")[0]["link"]
        dave = Person(world, "Dave")
        dave.register()
        dave.ok("accept", link_)
        sync(dave, alice)
        assert alice.conversation("Dave")["state"] == "active"
        # There again changes nothing; a recovery finds the account where it is.
        again = alice.ok("account", "move", "--relay", other.address).of("account")[0]
        assert again["relay"] == other.address
        words = alice.ok("phrase").of("recoveryPhrase")[0]["phrase"]
        assert Device(world, "Alice", 3).run("recover", "--relay", world.address, text=words).error == "no_account"


def test_devices():
    """one's other devices follow when they connect; only then the old relay is left"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        friends(world, alice, bob)
        laptop, tablet = link(alice), link(alice, 3, "--limited")
        id_ = bytes.fromhex(account(alice)["account"])
        moved = alice.ok("account", "move", "--relay", other.address).of("account")[0]
        assert moved["movingFrom"] == world.address, moved
        assert relay_has(world, id_)
        assert tablet.run("account", "move", "--relay", other.address).error == "limited_device"
        # Somebody who has not heard of it yet still reaches them at the old one.
        sync(laptop)
        assert account(laptop)["relay"] == other.address
        sync(alice)
        assert relay_has(world, id_) and account(alice)["movingFrom"] == world.address
        sync(tablet)
        sync(alice)
        assert "movingFrom" not in account(alice), account(alice)
        assert not relay_has(world, id_)
        sync(alice, laptop, tablet, bob)
        bob.ok("send", "Alice", "to all three")
        sync(alice, laptop, tablet)
        for device in (alice, laptop, tablet):
            assert texts(device, "Bob") == ["to all three"], device.profile
        # All three are there: they get new conversations.
        bob.ok("group", "create", "Kitchen", "Alice")
        sync(bob, alice, laptop, tablet)
        for device in (alice, laptop, tablet):
            assert device.conversation("Kitchen")["members"] == 4, device.profile


def test_late():
    """an invitation that was on its way to the old relay is fetched before that is left"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        friends(world, alice, bob)
        laptop = link(alice)
        alice.ok("account", "move", "--relay", other.address)
        bob.ok("group", "create", "Late", "Alice")  # Bob has not read anything yet
        bob.run("sync")
        sync(laptop, alice)
        sync(alice, laptop, bob, alice, laptop)
        assert "movingFrom" not in account(alice)
        for device in (alice, laptop):
            assert device.conversation("Late")["state"] == "active", device.profile


def test_posted_after():
    """what is posted to a device at the old relay after it has followed is fetched there all the same"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        friends(world, alice, bob)
        laptop = link(alice)
        alice.ok("account", "move", "--relay", other.address)
        sync(laptop)
        assert account(laptop)["relay"] == other.address
        posted = lambda: bob.sql("SELECT count(*) FROM outgoing WHERE kind = 5")
        bob.ok("group", "create", "Late", "Alice")  # Bob has not read anything yet
        assert posted() == [(0,)], posted()
        sync(alice)
        assert account(alice)["movingFrom"] == world.address  # something waits for the laptop
        sync(laptop, laptop, alice, alice)
        for device in (alice, laptop):
            assert device.conversation("Late")["state"] == "active", device.profile
        assert "movingFrom" not in account(alice)
        sync(laptop)
        assert laptop.sql("SELECT count(*) FROM value WHERE name = 'account.left'") == [(0,)]
        assert not relay_has(world, bytes.fromhex(account(alice)["account"]))


def test_moved_on():
    """an account that moves on from another device before the first relay is left: its devices look at both"""
    with Two("Alice", "Bob") as (world, other, alice, bob), World() as third:
        third = third[0] if isinstance(third, tuple) else third
        friends(world, alice, bob)
        laptop, tablet = link(alice), link(alice, 3)
        alice.ok("account", "move", "--relay", other.address)
        sync(laptop, tablet)
        laptop.ok("account", "move", "--relay", third.address)
        sync(tablet)
        assert account(tablet)["relay"] == third.address
        bob.ok("group", "create", "Late", "Alice")  # Bob has not read anything yet
        sync(tablet)
        assert tablet.conversation("Late")["state"] == "active"
        # All of it ends.
        for _ in range(3):
            sync(alice, laptop, tablet)
        id_ = bytes.fromhex(account(alice)["account"])
        for device in (alice, laptop, tablet):
            assert account(device)["relay"] == third.address and "movingFrom" not in account(device), device.profile
            assert device.sql("SELECT count(*) FROM value WHERE name = 'account.left'") == [(0,)], device.profile
        assert not relay_has(world, id_) and not relay_has(other, id_) and relay_has(third, id_)


def added_while_moving(world, other, alice, bob):
    """Bob has a group with Alice, whose Welcome lies nowhere, and has not read where she moved."""
    alice.register()
    bob.register(relay=other.address)
    world.befriend(bob, alice)
    world.stop_relay()
    world.options = ("--rate-limit", "on", "--rate-requests", "2")  # a list of devices, a KeyPackage, no Welcome
    world.start_relay()
    assert bob.run("group", "create", "Late", "Alice").error == "rate_limited"
    assert bob.conversation("Late")["members"] == 2
    assert "(rate_limited)" in missing(bob)["trouble"] and "members" in bob.conversation("Late")["trouble"]
    world.stop_relay()
    world.options = ()
    world.start_relay()
    alice.ok("account", "move", "--relay", other.address)
    assert "movingFrom" not in account(alice)


def missing(person):
    """Who of the group is not in yet."""
    (one,) = [m for m in person.ok("group", "members", "Late").of("member") if m.get("waits")]
    return one


def test_welcome_given_up():
    """of whoever cannot be let in any more it is said until they are removed or in, with what to do, which helps"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        added_while_moving(world, other, alice, bob)
        bob.sql("UPDATE outgoing SET not_before_s = 0, created_s = created_s - 31 * 86400")
        bob.ok("send", "Late", "hello")
        assert bob.sql("SELECT count(*) FROM outgoing WHERE kind = 5") == [(0,)]
        for _ in range(2):
            assert missing(bob)["name"] == "Alice" and "Remove them and add them again" in missing(bob)["trouble"]
            assert "members" in bob.conversation("Late")["trouble"]
            sync(bob)
        bob.ok("group", "remove", "Late", "Alice")
        assert bob.conversation("Late").get("trouble", "") == ""
        bob.ok("group", "add", "Late", "Alice")
        sync(alice)
        assert alice.conversation("Late")["state"] == "active"
        assert [m for m in bob.ok("group", "members", "Late").of("member") if "waits" in m or "trouble" in m] == []


def test_welcome_follows():
    """who is added while they move gets the Welcome where they are, though nobody was at the place that it was for"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        added_while_moving(world, other, alice, bob)
        owed = lambda: bob.sql("SELECT relay FROM outgoing WHERE kind = 5")
        assert owed() == [(world.address,)], owed()
        # Bob writes there, and has not read what Alice says of herself in their conversation.
        bob.sql("UPDATE outgoing SET not_before_s = 0")
        bob.ok("send", "Late", "hello")
        assert bob.sql("SELECT error FROM outgoing WHERE kind = 5") == [("no_account",)]
        assert owed() == [(world.address,)]
        assert "30 days" in missing(bob)["trouble"]
        sync(bob)
        assert owed() == []
        assert bob.conversation("Late").get("trouble", "") == ""
        sync(alice)
        assert alice.conversation("Late")["state"] == "active"
        bob.ok("send", "Late", "there you are")
        sync(alice)
        assert texts(alice, "Late")[-1:] == ["there you are"]


def test_linked_meanwhile():
    """a device that is linked between two tries is in the list that the account moves with"""
    with Two("Alice", "Bob", config="registration = phone\n") as (world, other, alice, bob):
        friends(world, alice, bob)
        asked = alice.run("account", "move", "--relay", other.address, "--phone", "+4930123456")
        assert asked.error == "code_needed", asked
        laptop = link(alice)
        moved = alice.ok("account", "move", "--relay", other.address, "--phone", "+4930123456",
                         "--code", other.last_code()).of("account")[0]
        assert moved["movingFrom"] == world.address, moved
        assert len(alice.ok("devices").of("device")) == 2
        sync(laptop, alice, bob)
        assert "movingFrom" not in account(alice) and account(laptop)["relay"] == other.address
        assert not [c for c in bob.ok("contacts").of("contact") if c.get("identityConflict")]
        assert not relay_has(world, bytes.fromhex(account(alice)["account"]))


def test_linked_after():
    """a device that is linked at the new relay has nothing to follow, and does not hold up the end of the move"""
    with Two("Alice") as (world, other, alice):
        alice.register()
        laptop = link(alice)
        assert alice.ok("account", "move", "--relay", other.address).of("account")[0]["movingFrom"]
        tablet = Device(other, "Alice", 3)
        process, text = begin(tablet)
        alice.ok("device", "add", text)
        assert tablet.finish(process).code == 0
        sync(laptop, alice, tablet, alice)
        assert "movingFrom" not in account(alice), account(alice)
        assert not relay_has(world, bytes.fromhex(account(alice)["account"]))


def test_same_relay():
    """a relay is the same under another of its addresses: the account stays, and no move is left over"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        friends(world, alice, bob)
        bare = world.address.split("#")[0]
        alice.run("account", "move", "--relay", bare)
        assert account(alice)["relay"] == world.address and "movingFrom" not in account(alice)
        named = world.address.replace("127.0.0.1", "localhost")
        alice.ok("account", "move", "--relay", named)
        sync(alice)
        assert account(alice)["relay"] == named and "movingFrom" not in account(alice), account(alice)
        assert relay_has(world, bytes.fromhex(account(alice)["account"]))
        alice.ok("send", "Bob", "still here")
        sync(bob)
        assert texts(bob, "Alice") == ["still here"]


def test_deleted_meanwhile():
    """an account that is deleted while it moves is gone from both relays"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        friends(world, alice, bob)
        link(alice)  # does not follow
        id_ = bytes.fromhex(account(alice)["account"])
        assert alice.ok("account", "move", "--relay", other.address).of("account")[0]["movingFrom"]
        assert relay_has(world, id_) and relay_has(other, id_)
        world.stop_relay()
        assert alice.run("account", "delete", "--yes").code == 3
        world.start_relay()
        alice.ok("account", "delete", "--yes")
        assert not relay_has(world, id_) and not relay_has(other, id_)


def test_code():
    """a relay that wants a phone number: the code is asked for, and until it is given nothing has changed"""
    with Two("Alice", "Bob", config="registration = phone\n") as (world, other, alice, bob):
        friends(world, alice, bob)
        assert alice.run("account", "move", "--relay", other.address).error == "phone_needed"
        asked = alice.run("account", "move", "--relay", other.address, "--phone", "+4930123456")
        assert asked.error == "code_needed" and asked.code == 6, asked
        assert account(alice)["relay"] == world.address
        alice.ok("send", "Bob", "still here")
        sync(bob)
        wrong = alice.run("account", "move", "--relay", other.address, "--phone", "+4930123456", "--code", "000000")
        assert wrong.error == "wrong_code", wrong
        alice.ok("account", "move", "--relay", other.address, "--phone", "+4930123456", "--code", other.last_code())
        assert account(alice)["relay"] == other.address
        alice.ok("send", "Bob", "and there")
        sync(bob)
        assert texts(bob, "Alice") == ["still here", "and there"]


def test_dead():
    """a relay that is gone for good is left too: its conversations wait, the account lives on"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        friends(world, alice, bob)
        world.stop_relay()
        moved = alice.ok("account", "move", "--relay", other.address).of("account")[0]
        assert moved["relay"] == other.address and moved["movingFrom"]
        world.start_relay()
        sync(alice, bob)
        assert "movingFrom" not in account(alice)
        bob.ok("send", "Alice", "there you are")
        sync(alice)
        assert texts(alice, "Bob") == ["there you are"]


def test_killed():
    """killed at any moment, the same command ends it: one account, at one relay, everybody in the know"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        friends(world, alice, bob)
        laptop = link(alice)
        here, there = world, other
        id_ = bytes.fromhex(account(alice)["account"])
        for round_ in range(4):
            for step in range(10):
                result = alice.killed(0.03 + 0.02 * round_ + 0.04 * step, "account", "move", "--relay", there.address)
                assert result.code in (None, 0), result
                if result.code == 0:
                    break
            alice.ok("account", "move", "--relay", there.address)
            sync(laptop, alice, laptop, bob)
            assert account(alice)["relay"] == account(laptop)["relay"] == there.address
            assert "movingFrom" not in account(alice), account(alice)
            assert not relay_has(here, id_) and relay_has(there, id_)
            assert [c["relay"] for c in bob.ok("contacts").of("contact")] == [there.address]
            alice.ok("send", "Bob", "round %d" % round_)
            here, there = there, here
        sync(bob, laptop)
        assert texts(bob, "Alice") == texts(laptop, "Bob") == ["round %d" % n for n in range(4)]


def test_daemons():
    """through daemons everybody follows at once, and the old relay is left by itself"""
    with Two("Alice", "Bob") as (world, other, alice, bob):
        friends(world, alice, bob)
        laptop = link(alice)
        daemons = [Daemon(person) for person in (alice, laptop, bob)]
        a, l, b = (daemon.rpc() for daemon in daemons)
        id_ = bytes.fromhex(a("account.get")["account"])
        assert a("account.move", relay=other.address)["relay"] == other.address
        eventually(lambda: l("account.get")["relay"] == other.address, "the laptop's following")
        eventually(lambda: b("contact.list")["contacts"][0]["relay"] == other.address, "Bob's knowing")
        eventually(lambda: "movingFrom" not in a("account.get"), "the end of it")
        # Not at once: where another thread of the relay reads, its log is emptied when that is done.
        eventually(lambda: not relay_has(world, id_), "the old relay has nothing of the account")
        room = b("conversation.find", name="Alice")["conversation"]
        b("message.send", conversation=room, text="hello there")
        for one in (a, l):
            eventually(lambda: [m["text"] for m in one("message.list", conversation=room)["messages"]
                                if m["kind"] == "text"] == ["hello there"], "the message")
        b("group.create", title="Kitchen", members=["Alice"])
        for one in (a, l):
            eventually(lambda: [c["state"] for c in one("conversation.list")["conversations"]
                                if c["title"] == "Kitchen"] == ["active"], "the group")
        for daemon in daemons:
            assert daemon.stop().code == 0


main([test_move, test_devices, test_late, test_posted_after, test_moved_on, test_welcome_given_up, test_welcome_follows, test_linked_meanwhile, test_linked_after,
      test_same_relay, test_deleted_meanwhile, test_code, test_dead, test_killed, test_daemons])
