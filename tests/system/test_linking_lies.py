"""What a relay that lies gets while a device is linked: nothing of the account, and no device of its own."""

from linking import Device, begin
from lying import Lying
from world import eventually, main, texts

LARGE = 40000  # the package is larger than this, the keys are smaller


def devices(person):
    return [d["device"] for d in person.ok("devices").of("device")]


class Linking(Lying):
    """Alice knows Bob, and links a device; the relay's blobs pass through `lie` as they are read."""

    def __enter__(self):
        found = super().__enter__()
        alice, bob = self.people
        alice.register()
        bob.register()
        self.befriend(alice, bob)
        alice.ok("send", "Bob", "from the first")
        bob.ok("sync")
        return found

    def lies(self, lie):
        """lie(size, bytes): what is given out in place of a finished blob."""
        def install(relay):
            def finish(c, q, r):
                position = r.pos
                blob = relay.blob(c, q, r)
                if blob is not None:
                    blob["bytes"] = lie(r.data[position:position + 32], blob["size"], blob["bytes"])
                    blob["finished"] = True
                    c.send(0x8304, q)
            relay.on_0304 = finish
        self.fake.do(install)


def test_honest():
    """the relay of these tests, telling the truth, links a device"""
    with Linking("Alice", "Bob") as (world, alice, bob):
        new = Device(world, "Alice", 2)
        process, text = begin(new)
        alice.ok("device", "add", text)
        assert new.finish(process).code == 0
        assert len(devices(alice)) == 2
        new.ok("sync"), alice.ok("sync"), new.ok("sync")
        new.ok("send", "Bob", "from the second")
        bob.ok("sync")
        assert texts(bob, "Alice") == ["from the first", "from the second"]


def test_keys_swapped():
    """keys of the relay's own in place of the new device's let nobody in"""
    with Linking("Alice", "Bob") as (world, alice, bob):
        kept = []

        def lie(name, size, data):
            kept.append(data)
            return data[:-1] + bytes([data[-1] ^ 1]) if size < LARGE else data
        world.lies(lie)
        new = Device(world, "Alice", 2)
        process, text = begin(new)
        refused = alice.run("device", "add", text)
        assert refused.code == 7 and refused.error == "bad_identity", refused
        process.kill()
        new.finish(process)
        assert kept and len(devices(alice)) == 1
        # Those of another device's link are not taken for this one's.
        world.lies(lambda name, size, data: kept[0] if size < LARGE else data)
        other = Device(world, "Alice", 3)
        process, text = begin(other)
        refused = alice.run("device", "add", text)
        assert refused.code == 7 and refused.error == "bad_identity", refused
        process.kill()
        other.finish(process)
        assert len(devices(alice)) == 1
        assert world.fake.do(lambda relay: len(relay.accounts)) == 2


def test_package_swapped():
    """a package that was altered, or is that of an earlier link, makes no device of anybody's account"""
    with Linking("Alice", "Bob") as (world, alice, bob):
        kept = []

        def alter(name, size, data):
            if size < LARGE:
                return data
            kept.append(data)
            return data[:100] + bytes([data[100] ^ 1]) + data[101:]
        world.lies(alter)
        for number, lie in ((2, alter), (3, lambda name, size, data: data if size < LARGE else kept[0])):
            world.lies(lie)
            new = Device(world, "Alice", number)
            process, text = begin(new)
            adding = alice.start("device", "add", text)
            said = new.finish(process)
            assert said.code == 7, said
            adding.terminate()  # it would wait for the new device to be in the conversations
            alice.finish(adding)
            assert not new.ok("status").of("status")[0]["registered"]
        # What the relay has tells it nothing: neither the account's key nor the name is in it.
        everything = b"".join(kept)
        assert b"Alice" not in everything and b"from the first" not in everything


def test_manifest_withheld():
    """a relay that takes a new list of devices and keeps the old one separates nobody"""
    with Linking("Alice", "Bob") as (world, alice, bob):
        world.fake.do(lambda relay: setattr(relay, "refuses_manifests", True))
        new = Device(world, "Alice", 2)
        process, text = begin(new)
        alice.ok("device", "add", text)
        assert new.finish(process).code == 0
        alice.ok("send", "Bob", "still us")

        def whole():
            for one in (new, alice, bob, new):
                one.run("sync")
            return texts(new, "Bob") == texts(alice, "Bob")
        # Who is told by whom does not go through the relay's list: all of them know of the device.
        eventually(whole, "the new device has the history")
        new.ok("send", "Bob", "both of us")
        bob.ok("sync")
        assert texts(bob, "Alice")[-2:] == ["still us", "both of us"]
        members = bob.ok("group", "members", "Alice").of("member")
        assert sorted(m["name"] for m in members) == ["Alice", "Alice", "Bob"], members


main([test_honest, test_keys_swapped, test_package_swapped, test_manifest_withheld])
