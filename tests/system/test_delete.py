"""Deleting an account: what is left of it, anywhere, afterwards. Nothing."""

import glob
import os

from linking import link
from rpc import Daemon
from world import Person, World, main, sync, texts


def left(person):
    """What is in the profile's folder."""
    # (A daemon leaves the empty file that it locks.)
    return sorted(set(os.listdir(person.profile)) - {"daemon.sock.lock"}) if os.path.exists(person.profile) else []


def relay_bytes(world):
    """All that the relay has on disk."""
    whole = b""
    for path in glob.glob(os.path.join(world.directory, "relay", "**"), recursive=True):
        if os.path.isfile(path) and not path.endswith("/address"):  # its own
            with open(path, "rb") as file:
                whole += b"\0" * 8 + file.read()
    return whole


def secrets_of(person):
    """What the relay knows of an account: ids, keys, the manifest whole and in pieces."""
    (manifest,) = [bytes.fromhex(v[0]["blob"]) for v in person.sql("SELECT manifest FROM profile")]
    packages = [bytes.fromhex(v[0]["blob"]) for v in
                person.sql("SELECT package FROM key_package WHERE uploaded = 1")]
    account = person.ok("status").of("status")[0]
    known = {"account": bytes.fromhex(account["account"]), "device": bytes.fromhex(account["device"]),
             "account key": manifest[2:34], "manifest": manifest[-64:], "inbox key": manifest[120:1000]}
    for number, package in enumerate(packages):
        known["package %d" % number] = package[-64:]
    return known


def test_all():
    """of an account with devices, conversations, files and a phone number nothing is left at the relay or here"""
    phone = "+4930123456"
    with World("Alice", "Bob", config="registration = phone\n") as (world, alice, bob):
        for person, number in ((alice, phone), (bob, "+4930654321")):
            person.run("register", "--relay", world.address, "--name", person.name, "--phone", number)
            person.ok("register", "--relay", world.address, "--phone", number, "--code", world.last_code())
        world.befriend(alice, bob)
        alice.ok("group", "create", "Kitchen", "Bob")
        laptop = link(alice)
        sync(bob, alice, laptop)
        path = os.path.join(world.directory, "file.bin")
        with open(path, "wb") as file:
            file.write(os.urandom(100000))
        alice.ok("send", "Bob", "--file", path, "look")
        alice.ok("send", "Bob", "the last words")
        alice.ok("invite")
        sync(bob, laptop)
        blobs = os.path.join(world.directory, "relay", "blobs")
        assert sum(len(files) for _, _, files in os.walk(blobs)) >= 1
        known = secrets_of(alice)
        known["other device"] = bytes.fromhex(laptop.ok("status").of("status")[0]["device"])
        known["phone"] = phone.encode()
        before = relay_bytes(world)
        missed = [what for what, value in known.items() if value not in before]
        assert {"account", "device", "account key", "manifest", "inbox key", "phone",
                "other device"}.isdisjoint(missed), missed
        refused = alice.run("account", "delete")
        assert refused.error == "usage" and alice.ok("status").of("status")[0]["registered"]

        assert alice.ok("account", "delete", "--yes").of("done")[0]["what"] == "account_deleted"
        assert left(alice) == [], left(alice)
        after = relay_bytes(world)
        found = [what for what, value in known.items() if value in after]
        assert found == [], found
        assert sum(len(files) for _, _, files in os.walk(blobs)) == 0  # the file as well
        assert b"127.0.0.1" in after  # Bob's, who stays
        assert phone not in world.log() and known["account"].hex() not in world.log()

        # Those who stay see it, and go on without.
        sync(bob)
        assert texts(bob, "Alice")[-1] == "the last words"
        assert bob.kinds("Alice")[-2:] == ["accountDeleted", "left"], bob.kinds("Alice")
        assert "accountDeleted" in bob.kinds("Kitchen") and bob.conversation("Kitchen")["members"] == 1
        assert bob.ok("contacts").of("contact") == []
        # The other device hears of it, and is as empty.
        told = laptop.run("sync")
        assert told.error == "account_deleted" and told.code == 4, told
        assert left(laptop) == [], left(laptop)
        assert laptop.ok("status").of("status")[0]["registered"] is False
        # The number is free for an account of somebody else's.
        again = Person(world, "Anna")
        again.run("register", "--relay", world.address, "--name", "Anna", "--phone", phone)
        again.ok("register", "--relay", world.address, "--phone", phone, "--code", world.last_code())


def test_last_row():
    """where nobody else is at the relay, not even an address is left"""
    with World("Alice") as (world, alice):
        alice.register()
        assert b"127.0.0.1" in relay_bytes(world)
        alice.ok("account", "delete", "--yes")
        assert b"127.0.0.1" not in relay_bytes(world)


def test_killed():
    """killed at any moment, the same command ends it; before that nothing else is done with the account"""
    with World("Alice", "Bob") as (world, alice, bob):
        bob.register()
        for round_ in range(8):
            alice.register()
            world.befriend(alice, bob)
            alice.ok("group", "create", "G", "Bob")
            sync(alice, bob)
            account = alice.ok("status").of("status")[0]["account"]
            for step in range(40):
                result = alice.killed(0.01 + 0.02 * round_ + 0.01 * step, "account", "delete", "--yes")
                if result.code == 0:
                    break
                assert result.code is None, result
                state = alice.run("send", "Bob", "not any more")
                assert state.code != 0 or "waiting" in state.out or state.of("sending"), state
                if state.error == "not_registered":
                    break
            else:
                alice.ok("account", "delete", "--yes")
            if left(alice):  # killed between the wiping and the files: any command ends that
                assert alice.ok("status").of("status")[0]["registered"] is False
            assert bytes.fromhex(account) not in relay_bytes(world)
            sync(bob)
            assert bob.ok("contacts").of("contact") == []
            # What it takes to see that the next round is another account.
            for name in left(alice):
                os.unlink(os.path.join(alice.profile, name))


def test_killed_resumes():
    """a relay that is away: the deletion waits for it, and goes on where it was"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        world.stop_relay()
        first = alice.run("account", "delete", "--yes")
        assert first.code == 3, first
        assert alice.run("send", "Bob", "x").error == "account_deleted"
        assert alice.run("sync").error == "account_deleted"
        world.start_relay()
        # A daemon goes on with it by itself.
        daemon = Daemon(alice)
        out, err = daemon.process.communicate(timeout=60)
        assert "account_deleted" in out, (out, err)
        assert left(alice) == [], left(alice)
        sync(bob)
        assert "accountDeleted" in bob.kinds("Alice")


def test_daemon_goes_on():
    """a relay that is away when a daemon is asked to delete the account: it does so when the relay is back"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        daemon = Daemon(alice)
        rpc = daemon.rpc()
        account = rpc("account.get")["account"]
        world.stop_relay()
        assert rpc.fails("account.delete", confirm=account) in ("unreachable", "timeout")
        assert rpc.fails("conversation.list") == "account_deleted"
        world.start_relay()
        out, err = daemon.process.communicate(timeout=60)
        assert "account_deleted" in out, (out, err)
        assert left(alice) == [], left(alice)
        assert bytes.fromhex(account) not in relay_bytes(world)


def test_daemon():
    """over JSON-RPC: confirmed by the account's id, answered, told, and then the daemon ends"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        laptop = link(alice)
        daemon, other = Daemon(alice), Daemon(laptop)
        rpc, far = daemon.rpc(), other.rpc()
        account = rpc("account.get")["account"]
        assert rpc.fails("account.delete", confirm="0" * 64) == "usage"
        rpc("events.subscribe")
        far("events.subscribe")
        rpc("account.delete", confirm=account)
        for one, process, person in ((rpc, daemon, alice), (far, other, laptop)):
            process.process.communicate(timeout=60)
            assert process.process.returncode == 4, process.process.returncode
            assert left(person) == [], (person.profile, left(person))
            try:
                one.events(lambda n: n["method"] == "event" and n["params"]["type"] == "account"
                           and not n["params"]["account"]["registered"])
            except EOFError:
                pass  # the end itself says it


def test_limited():
    """a device without the account's key cannot delete the account"""
    with World("Alice") as (world, alice):
        alice.register()
        limited = link(alice, 2, "--limited")
        assert limited.run("account", "delete", "--yes").error == "limited_device"
        sync(alice, limited)


def test_force():
    """a conversation at a relay that is gone does not keep the account from going, when that is said"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        other = World()
        other.start_relay()
        try:
            bob.ok("register", "--relay", other.address, "--name", "Bob")
            alice.ok("accept", bob.ok("invite").of("invitation")[0]["link"])
            sync(alice, bob)
            bob.ok("group", "create", "Far", "Alice")
            bob.run("sync")
            alice.ok("sync")
            other.stop_relay()
            if alice.run("account", "delete", "--yes").code == 0:
                return  # it has no conversation there
            assert alice.ok("account", "delete", "--yes", "--force")
            assert left(alice) == []
        finally:
            other.close()


main([test_all, test_last_row, test_killed, test_killed_resumes, test_daemon_goes_on, test_daemon, test_limited, test_force])
