"""Files on their way: how far they are, taken back, once more; and what is deleted at the relay with the message."""
import contextlib
import os
import pathlib
import pty
import signal
import subprocess
import time

from linking import Device, begin
from rpc import Daemon
from world import World, eventually, main

MB = 1000 * 1000


@contextlib.contextmanager
def pair(**options):
    """Two people who write to one another."""
    with World("Ada", "Ben", **options) as (world, a, b):
        a.register()
        b.register()
        world.befriend(a, b)
        yield world, a, b


def make_file(world, name, size):
    path = pathlib.Path(world.directory) / name
    path.write_bytes(os.urandom(min(size, 1 << 20)) * (size // (1 << 20) + 1))
    os.truncate(path, size)
    return path


def blobs(world):
    """The relay's blobs and their sizes."""
    folder = pathlib.Path(world.directory) / "relay" / "blobs"
    found = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found[path] = path.stat().st_size
    return found


def files(person, who):
    return [m for m in person.history(who) if m["kind"] == "file"]


def owed(person):
    """What of this device's blobs is not deleted yet, and what the outbox and the uploads hold."""
    return person.sql("SELECT (SELECT count(*) FROM blob), (SELECT count(*) FROM upload),"
                      " (SELECT count(*) FROM message_blob), (SELECT count(*) FROM outgoing)")[0]


def test_cancelled_before():
    """a file that waits is taken back: nothing is left of it, and nothing arrives"""
    with pair() as (world, a, b):
        path = make_file(world, "plan.pdf", 300000)
        world.stop_relay()
        a.run("send", "Ben", "--file", str(path), "--id", "plan")
        assert [m["status"] for m in files(a, "Ben")] == ["waiting"]
        assert a.run("cancel", "Ben", "nothing").error == "not_found"
        done = a.ok("cancel", "Ben", "plan")
        assert done.of("done")[0]["what"] == "cancelled", done
        assert files(a, "Ben") == [] and owed(a)[1:] == (0, 0, 0)
        assert a.run("cancel", "Ben", "plan").error == "not_found"
        world.start_relay()
        a.ok("sync")
        b.ok("sync")
        assert files(b, "Ada") == [] and not blobs(world)
        assert owed(a) == (0, 0, 0, 0)
        # The id is free again, and texts and what was sent are not taken back so.
        a.ok("send", "Ben", "--file", str(path), "--id", "plan")
        a.ok("send", "Ben", "--id", "text", "a text")
        assert a.run("cancel", "Ben", "plan").error == "cannot_change"
        assert a.run("cancel", "Ben", "text").error == "cannot_change"
        b.ok("sync")
        assert len(files(b, "Ada")) == 1


def test_cancelled_midway():
    """one of which the relay has a part is taken back; the part goes there too, also later"""
    with pair() as (world, a, b):
        path = make_file(world, "film.mkv", 24 * MB)
        for away in (False, True):
            process = a.start("send", "Ben", "--file", str(path), "--id", "film")
            eventually(lambda: sum(blobs(world).values()) > MB or process.poll() is not None, "a part of the file")
            process.send_signal(signal.SIGKILL)
            a.finish(process)
            if [m["status"] for m in files(a, "Ben")] != ["waiting"]:
                continue  # it was quicker than the kill
            if away:
                world.stop_relay()
            a.ok("cancel", "Ben", "film")
            if away:
                assert owed(a) == (1, 0, 0, 0)
                world.start_relay()
                a.ok("sync")
            assert not blobs(world) and owed(a) == (0, 0, 0, 0) and files(a, "Ben") == []
        b.ok("sync")
        assert files(b, "Ada") == []


def test_cancel_killed():
    """taking back is whole or not at all, killed at any moment"""
    with pair() as (world, a, b):
        path = make_file(world, "film.mkv", 4 * MB)
        before, kept = len(files(b, "Ada")), 0
        for round in range(12):
            world.stop_relay()
            a.run("send", "Ben", "--file", str(path), "--id", "film-%d" % round)
            world.start_relay()
            a.killed(0.003 * round if round < 11 else None, "cancel", "Ben", "film-%d" % round)
            a.ok("sync")
            there = [m for m in files(a, "Ben") if m.get("clientId") == "film-%d" % round]
            assert [m["status"] for m in there] in ([], ["sent"]), there
            kept += len(there)
            assert owed(a) == (kept, 0, kept, 0) and len(blobs(world)) == kept
        b.ok("sync")
        assert len(files(b, "Ada")) == before + kept
        assert kept < 12


def rate_is_kept(notes, took):
    """Four a second of each transfer, and its beginning and end."""
    assert len(notes) <= 4 * took + 3, (len(notes), took)


def owed_files(rpc, room):
    return [m["clientId"] for m in rpc("message.list", conversation=room)["messages"] if m["kind"] == "file"]


def test_daemon_sending():
    """a daemon tells how far a file is, and takes it back while it is sent; other calls do not wait"""
    with pair() as (world, a, b):
        path = make_file(world, "film.mkv", 150 * MB)
        daemon = Daemon(a)
        rpc = daemon.rpc()
        room = rpc("conversation.find", name="Ben")["conversation"]
        rpc("events.subscribe")
        began = time.monotonic()
        asked = rpc.ask("message.sendFile", {"conversation": room, "path": str(path), "clientId": "film"})
        assert rpc("message.send", conversation=room, text="meanwhile")["status"] == "waiting"
        assert "result" in rpc.answer(asked)

        def sending(note):
            return note["method"] == "transfer" and note["params"]["kind"] == "sending" and note["params"]["done"] > 0

        seen = rpc.events(sending)
        reading = [n["params"] for n in seen if n["method"] == "transfer" and n["params"]["kind"] == "reading"]
        assert reading[-1]["done"] == reading[-1]["of"] == 150 * MB
        assert all(n["clientId"] == "film" and n["conversation"] == room for n in reading)
        rate_is_kept(reading, time.monotonic() - began)
        rpc("file.cancel", conversation=room, clientId="film")
        assert rpc.fails("file.cancel", conversation=room, clientId="film") == "not_found"
        assert not [m for m in rpc("message.list", conversation=room)["messages"] if m["kind"] == "file"]
        eventually(lambda: not blobs(world), "the part's end at the relay")
        # While it is still being read.
        asked = rpc.ask("message.sendFile", {"conversation": room, "path": str(path), "clientId": "again"})
        rpc.events(lambda n: n["method"] == "transfer" and n["params"]["kind"] == "reading")
        rpc("file.cancel", conversation=room, clientId="again")
        assert rpc.answer(asked)["error"]["data"]["code"] == "cancelled"
        assert not [m for m in rpc("message.list", conversation=room)["messages"] if m["kind"] == "file"]
        # A voice note likewise.
        spoken = make_file(world, "note.m4a", 150 * MB)
        with open(spoken, "r+b") as file:
            file.write(b"\0\0\0\x20ftypM4A ")
        asked = rpc.ask("message.sendVoice", {"conversation": room, "path": str(spoken), "clientId": "spoken"})
        rpc.events(lambda n: n["method"] == "transfer" and n["params"].get("clientId") == "spoken")
        rpc("file.cancel", conversation=room, clientId="spoken")
        assert rpc.answer(asked)["error"]["data"]["code"] == "cancelled"
        # An album, by its own id or by that of the file that is read: those before it go too.
        world.stop_relay()
        small = make_file(world, "small.raw", 1000)
        for which in ("sea", "sea.1"):
            asked = rpc.ask("message.sendAlbum", {"conversation": room, "paths": [str(small), str(path)], "clientId": "sea"})
            rpc.events(lambda n: n["method"] == "transfer" and n["params"].get("clientId") == "sea.1" and n["params"]["kind"] == "reading")
            rpc("file.cancel", conversation=room, clientId=which)
            assert rpc.answer(asked)["error"]["data"]["code"] == "cancelled"
            assert owed_files(rpc, room) == []
            assert rpc.fails("file.cancel", conversation=room, clientId=which) == "not_found"
        # One that is queued goes whole, or one file of it; a file that is called like one of its own stays.
        rpc("message.sendAlbum", conversation=room, paths=[str(small)] * 3, clientId="queued")
        rpc("message.sendFile", conversation=room, path=str(small), clientId="other.0")
        rpc("file.cancel", conversation=room, clientId="queued.1")
        assert owed_files(rpc, room) == ["queued.0", "queued.2", "other.0"]
        assert rpc.fails("file.cancel", conversation=room, clientId="other") == "not_found"
        rpc("file.cancel", conversation=room, clientId="queued")
        assert owed_files(rpc, room) == ["other.0"]
        rpc("file.cancel", conversation=room, clientId="other.0")
        world.start_relay()
        assert rpc.fails("file.cancel", conversation=room) == "usage"
        assert rpc.fails("file.cancel") == "usage"
        assert rpc.fails("file.cancel", message=1, conversation=room, clientId="x") == "usage"
        rpc.close()
        daemon.stop()
        b.ok("sync")
        assert files(b, "Ada") == [] and [t for _, t in b.texts("Ada")] == ["meanwhile"]


def high_water(pid):
    """Peak of resident memory in KiB."""
    with open("/proc/%d/status" % pid) as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM")))


def test_daemon_fetching():
    """a large file is fetched in flat memory and told of; cancelled, nothing of it is left; others do not wait"""
    with pair() as (world, a, b):
        path = make_file(world, "film.mkv", 150 * MB)
        a.ok("send", "Ben", "--file", str(path))
        b.ok("sync")
        message = files(b, "Ada")[0]["id"]
        folder = pathlib.Path(world.directory) / "downloads"
        folder.mkdir()
        daemon = Daemon(b)
        rpc = daemon.rpc()
        room = rpc("conversation.find", name="Ada")["conversation"]
        rpc("events.subscribe")
        before = high_water(daemon.process.pid)
        asked = rpc.ask("message.saveFile", {"message": message, "to": str(folder)})
        rpc.events(lambda n: n["method"] == "transfer" and n["params"]["done"] > MB)
        assert rpc("message.send", conversation=room, text="meanwhile")["status"] == "waiting"
        rpc("file.cancel", message=message)
        assert rpc.answer(asked)["error"]["data"]["code"] == "cancelled"
        assert list(folder.iterdir()) == []
        assert rpc.fails("file.cancel", message=message) == "not_found"
        # Once more, whole.
        rpc.notes.clear()
        began = time.monotonic()
        asked = rpc.ask("message.saveFile", {"message": message, "to": str(folder)})
        assert "result" in rpc.answer(asked)
        took = time.monotonic() - began
        notes = [n["params"] for n in rpc.notes if n["method"] == "transfer"]
        rate_is_kept(notes, took)
        assert all(n["kind"] == "fetching" and n["id"] == message and n["of"] == 150 * MB for n in notes)
        assert [n["done"] for n in notes] == sorted(n["done"] for n in notes)
        assert high_water(daemon.process.pid) - before < 48 * 1024
        assert (folder / "film.mkv").read_bytes() == path.read_bytes()
        rpc.close()
        daemon.stop()


def on_terminal(person, *args):
    """What a person sees who runs it in a terminal."""
    reader, writer = pty.openpty()
    command = [a for a in person.argv(*args) if a != "--json"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer)
    os.close(writer)
    seen = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while True:
            seen += os.read(reader, 65536)
    os.close(reader)
    assert process.wait() == 0, seen
    return seen.decode()


def test_bars():
    """a terminal shows a bar, a pipe none"""
    with pair() as (world, a, b):
        path = make_file(world, "film.mkv", 20 * MB)
        seen = on_terminal(a, "send", "Ben", "--file", str(path))
        assert "Reading [" in seen and "Sending [" in seen and " of 20.0 MB" in seen
        assert seen.rstrip().endswith("Sent."), seen[-200:]
        b.ok("sync")
        message = str(files(b, "Ada")[0]["id"])
        seen = on_terminal(b, "save", message, "--to", os.path.join(world.directory, "one.mkv"))
        assert "Fetching [" in seen and "one.mkv" in seen
        argv = [x for x in b.argv("save", message, "--to", os.path.join(world.directory, "two.mkv")) if x != "--json"]
        done = subprocess.run(argv, capture_output=True)
        assert done.returncode == 0 and b"\r" not in done.stdout + done.stderr and done.stderr == b"", done


def test_deleted():
    """with a message that is taken back its file goes at the relay; one that was sent on stays until the last"""
    with World("Ada", "Ben", "Cleo") as (world, a, b, c):
        for person in (a, b, c):
            person.register()
        world.befriend(a, b)
        world.befriend(a, c)
        path = make_file(world, "photo.raw", 300000)
        a.ok("send", "Ben", "--file", str(path))
        first = files(a, "Ben")[0]["id"]
        a.ok("forward", str(first), "Cleo")
        assert len(blobs(world)) == 1
        a.ok("delete", str(first))
        assert len(blobs(world)) == 1  # Cleo's message speaks of it
        c.ok("sync")
        target = os.path.join(world.directory, "cleo.raw")
        assert c.ok("save", str(files(c, "Ada")[0]["id"]), "--to", target)
        # The relay is away when the last one is taken back: it is owed until it is there again.
        second = files(a, "Cleo")[0]["id"]
        world.stop_relay()
        assert a.run("delete", str(second)).code == 3
        world.start_relay()
        for round in range(6):
            a.killed(0.01 * round, "sync")
        a.ok("sync")
        eventually(lambda: a.ok("sync") and not blobs(world), "the blob's end")
        assert owed(a) == (0, 0, 0, 0)


def test_deleted_elsewhere():
    """whichever device takes a file back, or has it from another one's past, deletes it at the relay"""
    with World("Ada", "Ben") as (world, a, b):
        a.register()
        b.register()
        world.befriend(a, b)
        a.ok("send", "Ben", "--file", str(make_file(world, "old.raw", 30000)))
        laptop = Device(world, "Ada", 2)
        process, text = begin(laptop)
        a.ok("device", "add", text)
        assert laptop.finish(process).code == 0
        for device in (a, laptop, a, laptop):
            device.ok("sync")
        a.ok("send", "Ben", "--file", str(make_file(world, "new.raw", 30000)))
        a.ok("sync")
        laptop.ok("sync")
        for name, left in (("old.raw", 1), ("new.raw", 0)):
            assert len(blobs(world)) == left + 1
            (one,) = [m for m in files(laptop, "Ben") if m["fileName"] == name]
            laptop.ok("delete", str(one["id"]))
            laptop.ok("sync")
            eventually(lambda: laptop.ok("sync") and len(blobs(world)) == left, "the blob's end")
        assert owed(laptop)[0] == 0


def test_forwarded_of_others():
    """somebody else's file that is sent on is one's own: it stays when they take theirs back, at whichever relay"""
    with World("Ada", "Ben", "Cleo") as (world, a, b, c), World() as other:
        a.register()
        b.register()
        c.register(relay=other[0].address)
        world.befriend(a, b)
        world.befriend(b, c)  # at Cleo's relay
        path = make_file(world, "photo.raw", 3 * MB)
        a.ok("send", "Ben", "--file", str(path))
        b.ok("sync")
        (theirs,) = files(b, "Ada")
        b.ok("group", "create", "Kitchen", "Cleo")  # at Ben's
        c.ok("sync")
        for number, to in enumerate(("Cleo", "Kitchen")):
            for round in range(4):
                b.killed(0.02 + 0.05 * round, "forward", str(theirs["id"]), to, "--id", "copy-%d" % number)
            b.ok("forward", str(theirs["id"]), to, "--id", "copy-%d" % number)
        b.ok("sync")
        assert sorted(len(blobs(w)) for w in (world, other[0])) == [1, 2]
        a.ok("delete", str(files(a, "Ben")[0]["id"]))
        eventually(lambda: a.ok("sync") and len(blobs(world)) == 1, "the first blob's end")
        c.ok("sync")
        for number, of in enumerate(("Ben", "Kitchen")):
            target = os.path.join(world.directory, "cleo-%d.raw" % number)
            c.ok("save", str(files(c, of)[0]["id"]), "--to", target)
            assert pathlib.Path(target).read_bytes() == path.read_bytes()
        # What is gone before it was copied is said to be; once more is no use, and does no harm.
        a.ok("send", "Ben", "--file", str(make_file(world, "gone.raw", 3000)))
        b.ok("sync")
        gone = files(b, "Ada")[-1]["id"]
        a.ok("delete", str(files(a, "Ben")[-1]["id"]))
        eventually(lambda: a.ok("sync") and len(blobs(world)) == 1, "the blob's end")
        assert b.run("forward", str(gone), "Cleo", "--id", "gone").error == "file_gone"
        assert b.run("retry", "Cleo", "gone").error == "file_gone"
        assert files(b, "Cleo")[-1]["status"] == "failed"
        b.ok("send", "Cleo", "afterwards")
        c.ok("sync")
        assert [t for _, t in c.texts("Ben")] == ["afterwards"]
        # One's own copy goes as any file does.
        b.ok("delete", str(files(b, "Cleo")[0]["id"]))
        b.ok("delete", str(files(b, "Kitchen")[0]["id"]))
        eventually(lambda: b.ok("sync") and not blobs(world) and not blobs(other[0]), "the copies' end")


def test_expired():
    """the file of a message that disappears goes later, for those who read later"""
    with pair() as (world, a, b):
        a.ok("timer", "Ben", "1s")
        path = make_file(world, "photo.raw", 300000)
        a.ok("send", "Ben", "--file", str(path))
        eventually(lambda: not files(a, "Ben"), "the message's end here")
        assert len(blobs(world)) == 1
        left = a.sql("SELECT delete_s - %d FROM blob" % int(time.time()))[0][0]
        assert 6 * 86400 < left <= 7 * 86400, left
        b.ok("sync")
        assert b.ok("save", str(files(b, "Ada")[0]["id"]), "--to", os.path.join(world.directory, "late.raw"))
        a.sql("UPDATE blob SET delete_s = 1")
        a.ok("sync")
        assert not blobs(world) and owed(a) == (0, 0, 0, 0)


def test_retry():
    """a file that failed is sent once more, as it is now, under the same id"""
    with pair() as (world, a, b):
        path = make_file(world, "draft.txt", 200000)
        world.stop_relay()
        a.run("send", "Ben", "--file", str(path), "--id", "draft", "Look at this")
        path.write_bytes(b"another text")
        world.start_relay()
        assert a.run("sync").error == "file_changed"
        assert [m["status"] for m in files(a, "Ben")] == ["failed"]
        path.rename(path.with_suffix(".away"))
        assert a.run("retry", "Ben", "draft").error == "no_file"
        path.with_suffix(".away").rename(path)
        sent = a.ok("retry", "Ben", "draft").of("sending")[0]
        assert sent["status"] == "sent" and sent["clientId"] == "draft"
        assert a.ok("retry", "Ben", "draft").of("sending")[0]["status"] == "sent"
        b.ok("sync")
        message, = files(b, "Ada")
        assert (message["fileName"], message["fileSize"], message["text"]) == ("draft.txt", 12, "Look at this")
        target = pathlib.Path(world.directory) / "got.txt"
        b.ok("save", str(message["id"]), "--to", str(target))
        assert target.read_bytes() == b"another text" and len(blobs(world)) == 1
        assert owed(a) == (1, 0, 1, 0)
        # One that failed can be taken back too.
        world.stop_relay()
        a.run("send", "Ben", "--file", str(path), "--id", "second")
        path.unlink()
        world.start_relay()
        a.run("sync")
        a.ok("cancel", "Ben", "second")
        assert len(files(a, "Ben")) == 1 and owed(a) == (1, 0, 1, 0)


main([test_cancelled_before, test_cancelled_midway, test_cancel_killed, test_daemon_sending, test_daemon_fetching,
      test_bars, test_deleted, test_deleted_elsewhere, test_forwarded_of_others, test_expired, test_retry])
