"""Files: sent and saved, broken off on either side, changed, forged, expired; and what of them a relay
holds."""
import atexit
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import signal
import threading
import time

from world import World, main

CHUNK = 128 * 1024 - 40  # of plaintext, PROTOCOL.md section 6


def make_file(world, name, size, folder="files"):
    """Bytes that compress to nothing and repeat nowhere, the same each time."""
    path = pathlib.Path(world.directory) / folder / name
    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        block, left = hashlib.sha512(name.encode()).digest(), size
        while left > 0:
            chunk = hashlib.shake_256(block + left.to_bytes(8, "big")).digest(min(left, 1 << 20))
            file.write(chunk)
            left -= len(chunk)
    return path


_shared = []


@contextlib.contextmanager
def shared():
    """The same two people for every test that leaves the relay alone; a new folder for downloads."""
    if not _shared:
        stack = contextlib.ExitStack()
        _shared.append((stack, stack.enter_context(pair())))
        atexit.register(stack.close)
    world, a, b = _shared[0][1]
    shutil.rmtree(downloads(world))
    yield world, a, b


def size_of(path):
    """0 for a file that is gone by now."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def blobs(world):
    folder = pathlib.Path(world.directory) / "relay" / "blobs"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def received(person, who):
    return [m for m in person.history(who) if m["kind"] == "file" and not m["own"]]


def save(person, message, to):
    return person.run("save", str(message["id"]), "--to", str(to))


@contextlib.contextmanager
def pair(**options):
    """Two people who write to one another."""
    with World("Ada", "Ben", **options) as (world, a, b):
        a.register()
        b.register()
        world.befriend(a, b)
        for person in (a, b):  # what is saved here comes from the relay; test_downloads.py has the other way
            person.ok("downloads", "off")
        yield world, a, b


def downloads(world):
    folder = pathlib.Path(world.directory) / "downloads"
    folder.mkdir(exist_ok=True)
    return folder


def test_send_and_save():
    """a file arrives with its name, size and what was said about it, whatever its size"""
    with shared() as (world, a, b):
        before = blobs(world)
        for size in (0, 1, 255, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 1234567):
            path = make_file(world, "holiday %d.jpg" % size, size)
            sent = a.ok("send", "Ben", "--file", str(path), "Look", "at", "this").of("sending")[0]
            assert sent["status"] == "sent"
            b.ok("sync")
            message = received(b, "Ada")[-1]
            assert (message["fileName"], message["fileSize"], message["text"]) == \
                (path.name, size, "Look at this")
            done = save(b, message, downloads(world))
            assert done.code == 0, done
            saved = pathlib.Path(done.of("saved")[0]["path"])
            assert saved == downloads(world) / path.name
            assert saved.read_bytes() == path.read_bytes()
            assert saved.stat().st_mode & 0o777 == 0o600
        # The sender's own history shows and saves it too.
        own = [m for m in a.history("Ben") if m["kind"] == "file"][-8:]
        assert all(m["status"] in ("sent", "delivered") and m["own"] for m in own)
        assert save(a, own[-1], downloads(world) / "again").code == 0
        assert (downloads(world) / "again").read_bytes() == path.read_bytes()
        # Nothing that is there is overwritten, and a part that is left behind is none.
        again = save(b, message, downloads(world))
        assert again.code == 2 and again.error == "exists", again
        assert not [p for p in downloads(world).iterdir() if p.name.startswith(".")]
        # The sizes at the relay are padded: a class of sizes looks alike.
        sizes = [p.stat().st_size for p in blobs(world) if p not in before]
        assert len(sizes) == 8 and sizes.count(256 + 40) == 3, sizes


def test_same_id():
    """sending again with the same id sends once, also when the file is gone by then"""
    with shared() as (world, a, b):
        files, there = len(received(b, "Ada")), len(blobs(world))
        path = make_file(world, "once.bin", 5000)
        a.ok("send", "Ben", "--file", str(path), "--id", "report-1")
        path.unlink()
        again = a.ok("send", "Ben", "--file", str(path), "--id", "report-1").of("sending")[0]
        assert again["status"] == "sent"
        b.ok("sync")
        assert len(received(b, "Ada")) == files + 1 and len(blobs(world)) == there + 1


def test_refusals():
    """what cannot be sent or saved is said, with the reason"""
    with shared() as (world, a, b):
        for path in ("/nonexistent", world.directory, "/dev/zero"):
            result = a.run("send", "Ben", "--file", path)
            assert result.code == 2 and result.error == "no_file", result
        assert a.run("save", "1").error == "not_found"
        assert a.run("save", "99999").error == "not_found"
        assert a.run("save", "x").code == 2
        path = make_file(world, "small", 10)
        a.ok("send", "Ben", "--file", str(path))
        b.ok("sync")
        result = save(b, received(b, "Ada")[-1], world.directory + "/nowhere/at/all")
        assert result.code == 1 and result.error == "storage", result


def test_offline():
    """a file waits in the outbox while the relay is away; what was written after it may go first"""
    with shared() as (world, a, b):
        path = make_file(world, "later.bin", 300000)
        world.stop_relay()
        result = a.run("send", "Ben", "--file", str(path), "--id", "later")
        assert result.code == 3 and result.of("sending")[0]["status"] == "waiting", result
        waiting = [m for m in a.history("Ben") if m["kind"] == "file"][-1]
        assert waiting["status"] == "waiting" and waiting["fileName"] == "later.bin"
        world.start_relay()
        a.ok("sync")
        b.ok("sync")
        assert save(b, received(b, "Ada")[-1], downloads(world)).code == 0
        assert (downloads(world) / "later.bin").read_bytes() == path.read_bytes()


def test_changed():
    """a file that changes before it was sent is not sent, and the person is told"""
    with shared() as (world, a, b):
        files = len(received(b, "Ada"))
        path = make_file(world, "draft.txt", 300000)
        world.stop_relay()
        a.run("send", "Ben", "--file", str(path), "--id", "draft")
        path.write_bytes(b"another text")
        world.start_relay()
        result = a.run("sync")
        assert result.error == "file_changed", result
        assert [m["status"] for m in a.history("Ben") if m["kind"] == "file"][-1] == "failed"
        a.ok("sync")
        b.ok("sync")
        assert len(received(b, "Ada")) == files


def stored_bytes(world):
    return sum(size_of(p) for p in blobs(world))


def test_sender_killed():
    """an upload that is killed, many times, goes on where it was; the file arrives whole, once"""
    with shared() as (world, a, b):
        path = make_file(world, "large.bin", 12 * 1024 * 1024)
        kills, files, there = 0, len(received(b, "Ada")), len(blobs(world))
        for round in range(40):
            before = stored_bytes(world)
            process = a.start("send", "Ben", "--file", str(path), "--id", "large")
            while process.poll() is None and stored_bytes(world) < before + (round % 4) * 700000 + 1:
                time.sleep(0.001)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            result = a.finish(process)
            assert stored_bytes(world) >= before, "the upload began anew"
            if result.code == 0:
                break
        assert kills >= 3, kills
        a.ok("sync")
        b.ok("sync")
        assert len(received(b, "Ada")) == files + 1 and len(blobs(world)) == there + 1
        assert save(b, received(b, "Ada")[-1], downloads(world)).code == 0
        assert (downloads(world) / "large.bin").read_bytes() == path.read_bytes()


def test_receiver_killed():
    """a download that is killed, many times, goes on where it was"""
    with shared() as (world, a, b):
        path = make_file(world, "large.bin", 12 * 1024 * 1024)
        a.ok("send", "Ben", "--file", str(path))
        b.ok("sync")
        message, kills = received(b, "Ada")[-1], 0
        folder = downloads(world)

        def there():
            return sum(size_of(p) for p in folder.glob(".sotto-*.part"))

        for round in range(40):
            before = there()
            process = b.start("save", str(message["id"]), "--to", str(folder))
            while process.poll() is None and there() < before + (round % 4) * 700000 + 1:
                time.sleep(0.001)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            if b.finish(process).code == 0:
                break
            assert there() >= before - CHUNK, "the download began anew"
        else:
            assert save(b, message, folder).code == 0
        assert kills >= 3, kills
        assert [p.name for p in folder.iterdir()] == ["large.bin"]
        assert (folder / "large.bin").read_bytes() == path.read_bytes()


def test_relay_killed():
    """the relay is killed in the midst of uploads and downloads; nothing acknowledged is lost"""
    with shared() as (world, a, b):
        sent, files, there = [], len(received(b, "Ada")), len(blobs(world))
        for round in range(4):
            path = make_file(world, "file %d" % round, 6 * 1024 * 1024 + round)
            before = stored_bytes(world)
            process = a.start("send", "Ben", "--file", str(path), "--id", "file-%d" % round)
            while process.poll() is None and stored_bytes(world) < before + round * 1000000 + 1:
                time.sleep(0.001)
            world.stop_relay(signal.SIGKILL)
            assert a.finish(process).code in (0, 3)
            world.start_relay()
            a.ok("sync")
            sent.append(path)
            # What was acknowledged before is there after every kill.
            b.ok("sync")
            message = received(b, "Ada")[files + round]
            process = b.start("save", str(message["id"]), "--to", str(downloads(world)))
            time.sleep(0.01 * round)
            world.stop_relay(signal.SIGKILL)
            b.finish(process)
            world.start_relay()
            result = save(b, message, downloads(world))
            assert result.code == 0 or result.error == "exists", result
        for path in sent:
            assert (downloads(world) / path.name).read_bytes() == path.read_bytes()
        assert len(blobs(world)) == there + 4


def test_two_at_once():
    """two commands that upload the same file send it once"""
    with shared() as (world, a, b):
        files = len(received(b, "Ada"))
        path = make_file(world, "shared.bin", 4 * 1024 * 1024)
        world.stop_relay()
        a.run("send", "Ben", "--file", str(path), "--id", "shared")
        world.start_relay()
        threads = [threading.Thread(target=a.run, args=("sync",)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        a.ok("sync")
        b.ok("sync")
        assert len(received(b, "Ada")) == files + 1
        assert save(b, received(b, "Ada")[-1], downloads(world)).code == 0
        assert (downloads(world) / "shared.bin").read_bytes() == path.read_bytes()


def damage(path, how):
    data = bytearray(path.read_bytes())
    sealed = 128 * 1024
    if how == "flip":
        data[len(data) // 2] ^= 1
    elif how == "tag":
        data[-1] ^= 0x80
    elif how == "reorder":
        data[:sealed], data[sealed:2 * sealed] = data[sealed:2 * sealed], data[:sealed]
    elif how == "repeat":
        data[sealed:2 * sealed] = data[:sealed]
    path.write_bytes(data)


def test_forged():
    """a relay that flips a bit, swaps or repeats chunks, or gives another file is found out"""
    with shared() as (world, a, b):
        before = blobs(world)
        path = make_file(world, "contract.pdf", 400000)
        a.ok("send", "Ben", "--file", str(path))
        b.ok("sync")
        message = received(b, "Ada")[-1]
        blob = [p for p in blobs(world) if p not in before][0]
        good = blob.read_bytes()
        for how in ("flip", "tag", "reorder", "repeat"):
            damage(blob, how)
            result = save(b, message, downloads(world))
            assert result.code == 7 and result.error == "bad_file", (how, result)
            assert not list(downloads(world).iterdir()), how
            blob.write_bytes(good)
        # Another file of the same size, under another key.
        other = make_file(world, "other.pdf", 400000)
        a.ok("send", "Ben", "--file", str(other))
        second = [p for p in blobs(world) if p != blob and p not in before][0]
        blob.write_bytes(second.read_bytes())
        assert save(b, message, downloads(world)).error == "bad_file"
        # Cut short: the relay itself finds that it cannot give what it has the row for.
        blob.write_bytes(good[:-1])
        result = save(b, message, downloads(world))
        assert result.error in ("bad_file", "file_gone") and not list(downloads(world).glob("c*")), result
        blob.write_bytes(good)
        assert save(b, message, downloads(world)).code == 0
        assert (downloads(world) / "contract.pdf").read_bytes() == path.read_bytes()


def test_part_changed():
    """a part that somebody changed between two tries does not become the file"""
    with shared() as (world, a, b):
        path = make_file(world, "large.bin", 6 * 1024 * 1024)
        a.ok("send", "Ben", "--file", str(path))
        b.ok("sync")
        message = received(b, "Ada")[-1]
        process = b.start("save", str(message["id"]), "--to", str(downloads(world)))
        parts = []
        while process.poll() is None and not parts:
            parts = [p for p in downloads(world).glob(".sotto-*.part") if size_of(p) > 2 * CHUNK]
        process.kill()
        b.finish(process)
        if not (downloads(world) / "large.bin").exists():
            with open(parts[0], "r+b") as part:
                part.write(b"forged")
            result = save(b, message, downloads(world))
            assert result.error == "bad_file", result
            assert save(b, message, downloads(world)).code == 0
        assert (downloads(world) / "large.bin").read_bytes() == path.read_bytes()


def test_quota():
    """a file that the relay never takes is given up; one that it has no room for now waits"""
    with pair(options=["--blob-max", "1", "--blob-space", "2"]) as (world, a, b):
        result = a.run("send", "Ben", "--file", str(make_file(world, "huge", 1200000)))
        assert result.of("sending")[0]["status"] == "failed" and result.error == "too_long", result
        for n in range(2):
            a.ok("send", "Ben", "--file", str(make_file(world, "fits %d" % n, 900000)))
        result = a.run("send", "Ben", "--file", str(make_file(world, "later", 900000)))
        assert result.code == 3 and result.error == "unavailable", result
        assert result.of("sending")[0]["status"] == "waiting"
        a.ok("send", "Ben", "a word meanwhile") if a.run("sync").code == 0 else None
        assert len(blobs(world)) == 2


def test_name():
    """a name that comes from another person stays in its directory and shows as it is"""
    names = ["-rf", ".bashrc", "a\u202egpj.exe", "tab\tand\x1b[31m", "x" * 255]
    with shared() as (world, a, b):
        for name in names:
            a.ok("send", "Ben", "--file", str(make_file(world, name, 100)))
        b.ok("sync")
        for message in received(b, "Ada")[-len(names):]:
            result = save(b, message, downloads(world))
            assert result.code == 0, result
            saved = pathlib.Path(result.of("saved")[0]["path"])
            assert saved.parent == downloads(world)
            name = saved.name
            assert name[0] not in ".-" and len(name.encode()) <= 200
            assert name.isprintable() and name == message["fileName"], name


def test_privacy():
    """no name, text or byte of a file is at the relay: files, database and log"""
    with shared() as (world, a, b):
        secret = b"The treasure lies under the third oak. " * 3000
        path = pathlib.Path(world.directory) / "treasure map.txt"
        path.write_bytes(secret)
        a.ok("send", "Ben", "--file", str(path), "Burn after reading")
        b.ok("sync")
        assert save(b, received(b, "Ada")[-1], downloads(world)).code == 0
        everything = world.log().encode() + b"".join(
            str(p.relative_to(world.directory)).encode() + p.read_bytes()
            for p in (pathlib.Path(world.directory) / "relay").rglob("*") if p.is_file())
        for word in (b"treasure", b"third oak", b"Burn after", path.name.encode()):
            assert word not in everything, word


def test_large():
    """a file of 300 MB goes both ways with flat memory (SOTTO_TEST_LARGE=1)"""
    if os.environ.get("SOTTO_TEST_LARGE") != "1":
        return
    import resource
    import subprocess
    limit = 256 << 20  # of address space, of which libraries and stacks take most
    with pair() as (world, a, b):
        path = make_file(world, "film.mkv", 300 * 1000 * 1000)

        def limited(person, *args):
            """Runs it in so much memory; its peak of resident memory, as last seen."""
            process = subprocess.Popen(person.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
            peak = 0
            while process.poll() is None:
                peak = max(peak, high_water(process.pid))
                time.sleep(0.05)
            assert process.returncode == 0, process.communicate()
            return peak

        def high_water(pid):
            with open("/proc/%d/status" % pid) as status:
                found = re.search(r"^Name:\s+(sottod?)\n(?:.*\n)*?VmHWM:\s+(\d+)", status.read())
            return int(found.group(2)) if found else 0

        def relay_peak():
            return high_water(world.relay.pid)

        before = relay_peak()
        began = time.monotonic()
        sender = limited(a, "send", "Ben", "--file", str(path))
        print("# sent in %.1f s, peak %d KiB" % (time.monotonic() - began, sender))
        b.ok("sync")
        began = time.monotonic()
        receiver = limited(b, "save", str(received(b, "Ada")[0]["id"]), "--to", str(downloads(world)))
        print("# saved in %.1f s, peak %d KiB" % (time.monotonic() - began, receiver))
        print("# relay: peak %d KiB, %d before" % (relay_peak(), before))
        assert relay_peak() - before < 64 * 1024
        with open(path, "rb") as one, open(downloads(world) / path.name, "rb") as other:
            assert hashlib.file_digest(one, "sha256").digest() == \
                hashlib.file_digest(other, "sha256").digest()


main([test_send_and_save, test_same_id, test_refusals, test_offline, test_changed, test_sender_killed,
      test_receiver_killed, test_relay_killed, test_two_at_once, test_forged, test_part_changed,
      test_quota, test_name, test_privacy, test_large])
