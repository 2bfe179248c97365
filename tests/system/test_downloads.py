"""Files of contacts that are fetched as they come: kept encrypted, saved without a relay, gone with their messages."""
import contextlib
import os
import pathlib
import stat

from rpc import Daemon
from world import World, eventually, main

SECRET = b"a plan that nobody else may read "


@contextlib.contextmanager
def pair(*others):
    with World("Ada", "Ben", *others) as (world, a, b, *rest):
        for person in (a, b, *rest):
            person.register()
        world.befriend(a, b)
        yield world, a, b, *rest


def make(world, name, size):
    path = pathlib.Path(world.directory) / name
    path.write_bytes((SECRET * (size // len(SECRET) + 1))[:size])
    return path


def kept(person):
    folder = pathlib.Path(person.profile) / "files"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def files(person, who):
    return [m for m in person.history(who) if m["kind"] == "file"]


def saved(world, person, message, name):
    target = pathlib.Path(world.directory) / name
    person.ok("save", str(message["id"]), "--to", str(target))
    return target.read_bytes()


def test_fetched():
    """what is small enough is fetched, and saved without the relay; what is not, is not"""
    with pair() as (world, a, b):
        small, large = make(world, "small", 300_000), make(world, "large", 1_100_000)
        a.ok("send", "Ben", "--file", str(small))
        a.ok("send", "Ben", "--file", str(large))
        assert b.ok("status").of("status")[0]["downloads"] == 1 << 20
        b.ok("sync")
        first, second = files(b, "Ada")
        assert first["fetched"] is True and "fetched" not in second
        assert [stat.S_IMODE(path.stat().st_mode) for path in kept(b)] == [0o600]
        assert SECRET not in kept(b)[0].read_bytes() and kept(b)[0].stat().st_size >= 300_000
        # What was off, or too large, when it came stays so.
        b.ok("downloads", "2M")
        b.ok("sync")
        assert len(kept(b)) == 1
        a.ok("send", "Ben", "--file", str(large))
        b.ok("downloads", "off")
        b.ok("sync")
        assert len(kept(b)) == 1
        b.ok("downloads", "all")
        assert "downloads" not in b.ok("status").of("status")[0]
        a.ok("send", "Ben", "--file", str(large))
        # Other commands do not wait for it.
        b.ok("send", "Ada", "hello")
        assert len(kept(b)) == 1
        b.ok("sync")
        assert len(kept(b)) == 2
        assert b.run("downloads", "much").code == 2
        world.stop_relay()
        assert saved(world, b, first, "first") == small.read_bytes()
        assert saved(world, b, files(b, "Ada")[-1], "last") == large.read_bytes()
        assert b.run("save", str(second["id"]), "--to", os.path.join(world.directory, "second")).code == 3


def test_damaged():
    """what was damaged, cut or removed on the disk is fetched anew when it is saved"""
    with pair() as (world, a, b):
        source = make(world, "small", 300_000)
        for n in range(3):
            a.ok("send", "Ben", "--file", str(source))
        b.ok("sync")
        assert len(kept(b)) == 3
        with open(kept(b)[0], "r+b") as file:
            file.seek(200_000)
            file.write(b"x" * 10)
        os.truncate(kept(b)[1], 1000)
        kept(b)[2].unlink()
        for n, message in enumerate(files(b, "Ada")):
            assert saved(world, b, message, "got%d" % n) == source.read_bytes()


def test_gone():
    """what is deleted, erased, or of a deleted account leaves nothing; of who is no contact nothing is fetched"""
    with pair("Cem") as (world, a, b, c):
        source = make(world, "small", 10_000)
        world.befriend(a, c)
        a.ok("group", "create", "All", "Ben", "Cem")
        for person in (a, b, c, a):
            person.ok("sync")
        c.ok("send", "All", "--file", str(source))
        a.ok("send", "All", "--file", str(source))
        a.ok("send", "Ben", "--file", str(source))
        a.ok("send", "Ben", "--file", str(source))
        b.ok("sync")
        assert [("fetched" in m, m["name"]) for m in files(b, "All")] == [(False, "Cem"), (True, "Ada")]
        assert len(kept(b)) == 3
        a.ok("delete", str(files(a, "Ben")[0]["id"]))
        b.ok("sync")
        assert len(kept(b)) == 2
        b.ok("erase", "Ada")
        assert len(kept(b)) == 1
        b.ok("block", "Ada")
        a.ok("send", "All", "--file", str(source))
        b.ok("sync")
        assert len(kept(b)) == 1
        b.ok("account", "delete", "--yes")
        assert not os.path.exists(b.profile)


def test_daemon():
    """a daemon fetches while it serves, says when it has done so, and goes on after a break"""
    with pair() as (world, a, b):
        daemon = Daemon(b)
        rpc = daemon.rpc()
        rpc("events.subscribe")
        source = make(world, "small", 300_000)
        a.ok("send", "Ben", "--file", str(source))
        done = rpc.events(lambda n: n["method"] == "event" and n["params"]["type"] == "messageChanged"
                          and n["params"]["message"].get("fetched"))[-1]["params"]["message"]
        assert rpc("message.list", conversation=done["conversation"])["messages"][-1]["fetched"] is True
        assert rpc("account.setDownloads", most=0)["downloads"] == 0
        a.ok("send", "Ben", "--file", str(source))
        eventually(lambda: len(files(b, "Ada")) == 2, "another one")
        assert "downloads" not in rpc("account.setDownloads")
        a.ok("send", "Ben", "--file", str(make(world, "large", 5_000_000)))
        eventually(lambda: len([m for m in files(b, "Ada") if m.get("fetched")]) == 2, "the large one")
        assert len(kept(b)) == 2
        assert daemon.stop().code == 0


main([test_fetched, test_damaged, test_gone, test_daemon])
