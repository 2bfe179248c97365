"""The recovery phrase: shown when asked, and enough to come back with, whatever else is lost."""

import signal

from linking import Device, begin
from world import World, main, sync, texts


def phrase(person):
    return person.ok("phrase").of("recoveryPhrase")[0]["phrase"]


def account(person):
    return person.ok("status").of("status")[0]["account"]


def recover(world, words, name, number, *more):
    device = Device(world, name, number)
    device.ok("recover", "--relay", world.address, *more, text=words)
    return device


def two(world):
    alice, bob = world.people[:2]
    alice.register()
    bob.register()
    world.befriend(alice, bob)
    alice.ok("send", "Bob", "before")
    sync(bob)


def devices(person):
    return person.ok("devices").of("device")


def test_beside():
    """with the phrase a new device comes in beside the others: they learn of it, add it, give it the past"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        words = phrase(alice)
        assert len(words.split()) == 24 and phrase(alice) == words and phrase(bob) != words
        # In any case, four letters of each, over several lines.
        short = "\n".join(w[:4].upper() for w in words.split())
        again = recover(world, short, "Alice", 2, "--name", "Alice")
        assert account(again) == account(alice)
        assert again.ok("fingerprint").lines == alice.ok("fingerprint").lines
        sync(alice, again, alice, again, bob, again)
        assert len(devices(alice)) == len(devices(again)) == 2
        assert texts(again, "Bob") == ["before"]
        again.ok("send", "Bob", "recovered")
        alice.ok("send", "Bob", "and the old one")
        sync(bob, alice, again)
        for person, who in ((alice, "Bob"), (again, "Bob"), (bob, "Alice")):
            assert texts(person, who) == ["before", "recovered", "and the old one"], person.profile
        assert {m["name"] for m in bob.history("Alice") if m["kind"] == "text"} == {"Alice"}
        # The same once more changes nothing; other profiles are not taken over.
        again.ok("recover", "--relay", world.address, text=words)
        assert len(devices(again)) == 2
        assert bob.run("recover", "--relay", world.address, text=words).error == "already_registered"
        # What is linked from it later is a device like any other.
        assert phrase(again) == words


def test_alone():
    """where all is lost, a contact who hears of the new device takes it into what they share; the old is out"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        two(world)
        carol.register()
        world.befriend(bob, carol)
        bob.ok("group", "create", "Kitchen", "Alice", "Carol")
        sync(alice, carol, bob)
        carol.ok("send", "Kitchen", "all three")
        sync(alice, bob)
        words = phrase(alice)
        again = recover(world, words, "Alice", 2, "--name", "Alice", "--alone")
        assert len(devices(again)) == 1 and not again.rooms()
        assert alice.run("sync").error == "sign_in_failed"
        # The old one may go on in the rooms until the others hear of it: with the next invitation.
        again.ok("accept", bob.ok("invite").of("invitation")[0]["link"])
        again.ok("sync")
        sync(bob, again, bob, again, carol, again)
        kitchen = again.conversation("Kitchen")
        assert kitchen["state"] == "active" and kitchen["members"] == 3, kitchen
        again.ok("send", "Kitchen", "back again")
        sync(bob, carol)
        assert texts(bob, "Kitchen")[-1] == texts(carol, "Kitchen")[-1] == "back again"
        assert carol.ok("group", "members", "Kitchen").of("member")
        names = sorted(m["name"] for m in carol.ok("group", "members", "Kitchen").of("member"))
        assert names == ["Alice", "Bob", "Carol"], names
        # The thief with the old device reads nothing of it.
        alice.run("sync")
        assert "back again" not in texts(alice, "Kitchen")


def test_alone_as_owner():
    """the only owner of a group comes back alone into it by members who may neither add nor remove anybody"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        two(world)
        carol.register()
        world.befriend(alice, carol)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        alice.ok("group", "policy", "Kitchen", "add", "admin")
        sync(bob, carol, alice)
        again = recover(world, phrase(alice), "Alice", 2, "--name", "Alice", "--alone")
        again.ok("accept", bob.ok("invite").of("invitation")[0]["link"])
        again.ok("sync")
        sync(bob, again, bob, again, carol, again)
        kitchen = again.conversation("Kitchen")
        assert kitchen["state"] == "active" and kitchen["members"] == 3, kitchen
        assert again.ok("group", "settings", "Kitchen").of("conversation")[0]["settings"]["role"] == "owner"
        again.ok("send", "Kitchen", "back again")
        sync(bob, carol)
        assert texts(bob, "Kitchen")[-1] == texts(carol, "Kitchen")[-1] == "back again"
        alice.run("sync")
        assert "back again" not in texts(alice, "Kitchen")


def test_anew():
    """a relay that knows nothing of the account takes it anew when that is said, under the same identity"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        words, number = phrase(alice), alice.fingerprint("Bob")
        other = World()
        other.start_relay()
        try:
            again = Device(world, "Alice", 2)
            refused = again.run("recover", "--relay", other.address, text=words)
            assert refused.error == "no_account" and refused.code == 4, refused
            again.ok("recover", "--relay", other.address, "--name", "Alice", "--anew", text=words)
            assert account(again) == account(alice)
            again.ok("accept", bob.ok("invite").of("invitation")[0]["link"])
            again.ok("sync")
            sync(bob, again)
            bob.ok("send", "Alice", "it is you")
            sync(again)
            assert texts(again, "Bob")[-1] == "it is you"
            assert again.fingerprint("Bob") == number
            assert [c["relay"] for c in bob.ok("contacts").of("contact")] == [other.address]
        finally:
            other.close()


def test_wrong():
    """a phrase that is not one is refused before anything happens, without a word of it being repeated"""
    with World("Alice") as (world, alice):
        alice.register()
        words = phrase(alice).split()
        fresh = Device(world, "Alice", 2)
        swapped = [words[1], words[0], *words[2:]]
        if swapped == words:
            swapped = [words[2], words[1], words[0], *words[3:]]
        for bad, told in ((words[:23], "24 words"), (["sottoxyz", *words[1:]], "Word 1 "),
                          ([*words[:5], words[5] + "x", *words[6:]], "Word 6 "), ([], "needed"),
                          (["abandon"] * 24, "belong")):
            result = fresh.run("recover", "--relay", world.address, text=" ".join(bad))
            assert result.error in ("bad_phrase", "usage") and result.code == 2, result
            assert told in result.out, (told, result)
            assert not any(w in result.out.split() for w in words if len(w) > 5), result
        result = fresh.run("recover", "--relay", world.address, text=" ".join(swapped))
        assert result.error in ("bad_phrase", "no_account"), result  # the checksum has eight bits
        assert fresh.run("recover", text=" ".join(words)).error == "relay_needed"
        assert fresh.run("status").of("status")[0]["registered"] is False


def test_limited():
    """a device without the account's key has no phrase"""
    with World("Alice") as (world, alice):
        alice.register()
        new = Device(world, "Alice", 2)
        process, text = begin(new)
        alice.ok("device", "add", text, "--limited")
        assert new.finish(process).code == 0
        assert new.run("phrase").error == "limited_device"


def test_killed():
    """killed at any moment, the same command goes on, and there is one new device, not several"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        words = phrase(alice)
        again = Device(world, "Alice", 2)
        for round_ in range(12):
            process = again.start_with(words, "recover", "--relay", world.address, "--name", "Alice")
            try:
                process.wait(timeout=0.02 + 0.03 * round_)
            except Exception:  # it is at work: it dies now
                process.send_signal(signal.SIGKILL)
            process.communicate()
        again.ok("recover", "--relay", world.address, text=words)
        assert len(devices(again)) == 2, devices(again)
        sync(alice, again, alice, again)
        again.ok("send", "Bob", "whole")
        sync(bob)
        assert texts(bob, "Alice") == ["before", "whole"]


main([test_beside, test_alone, test_alone_as_owner, test_anew, test_wrong, test_limited, test_killed])
