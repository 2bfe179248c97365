"""What it promises under trouble: a disk that is full, a profile that another process holds, a relay that
was set back to an old copy, a device that is revoked while nobody of its account is there."""

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
import time

from linking import link
from rpc import Daemon
from world import PATIENCE, Skip, World, eventually, main, sync, texts


def waiting(person, who):
    return [m["text"] for m in person.history(who) if m["status"] == "waiting"]


def look(world, question):
    with sqlite3.connect("file:%s?mode=ro" % os.path.join(world.directory, "relay", "relay.db"), uri=True) as db:
        return db.execute(question).fetchall()


def revoke_and_die(world, alice):
    """Kills the command right after the relay has the new list of devices: nobody was told."""
    def lists():
        return sorted(look(world, "SELECT manifest FROM accounts"))

    def entries():
        return look(world, "SELECT count(*) FROM entries")
    before, said = lists(), entries()
    for number in range(1000):
        done = subprocess.run([os.environ["SOTTO_KILL_AT"], str(number), *alice.argv("device", "revoke", "Laptop")],
                              capture_output=True, encoding="utf-8", timeout=PATIENCE)
        if done.returncode == 77:
            raise Skip("this machine lets no process trace its child")
        assert done.returncode == 137, done
        if lists() != before:
            break
    assert lists() != before and entries() == said, (number, said, entries())


def test_revoked_while_away():
    """a revoked device is put out by somebody else, in every room, with nobody of its account there"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        for person in world.people:
            person.register()
        world.befriend(alice, bob)
        world.befriend(alice, carol)
        world.befriend(bob, carol)
        laptop = link(alice, name="Laptop")
        bob.ok("group", "create", "Kitchen", "Alice", "Carol")
        sync(alice, laptop, carol, alice, bob, carol, laptop)
        bob.ok("send", "Kitchen", "all of us")
        laptop.ok("sync")
        assert texts(laptop, "Kitchen") == ["all of us"]
        revoke_and_die(world, alice)
        # From here on nothing of Alice's runs. Bob happens to learn of it.
        bob.ok("group", "create", "Other", "Alice", "Carol")
        sync(bob)
        for title in ("Kitchen", "Alice"):
            devices = [m["device"] for m in bob.ok("group", "members", title).of("member") if m["name"] == "Alice"]
            assert len(devices) == 1, (title, devices)
        bob.ok("send", "Kitchen", "among us")
        bob.ok("send", "Alice", "for you alone")
        sync(carol)
        assert texts(carol, "Kitchen")[-1] == "among us"
        laptop.run("sync")
        assert texts(laptop, "Kitchen") == ["all of us"] and "for you alone" not in texts(laptop, "Bob")
        # Alice's own device is in as before.
        sync(alice)
        assert texts(alice, "Kitchen")[-1] == "among us"


def test_history_of_changes():
    """a new device sees what was edited, taken back and reacted to as the old one does"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        for i in range(6):
            alice.ok("send", "Bob", "text %d" % i)
        bob.ok("sync")
        of = {m["text"]: str(m["id"]) for m in alice.history("Bob") if m["kind"] == "text"}
        there = {m["text"]: str(m["id"]) for m in bob.history("Alice") if m["kind"] == "text"}
        alice.ok("edit", of["text 1"], "better")
        alice.ok("edit", of["text 1"], "best")
        alice.ok("delete", of["text 2"])
        bob.ok("react", there["text 3"], "+1")
        bob.ok("react", there["text 4"], "?")
        bob.ok("react", there["text 4"], "!")
        bob.ok("reply", there["text 5"], "indeed")
        sync(alice, bob, alice)
        new = link(alice)

        def shown(person):
            return [(m["kind"], m.get("text"), m.get("edited", 0) > 0, m["own"],
                     [r["reaction"] for r in m.get("reactions", [])], m.get("replyTo", {}).get("text"))
                    for m in person.history("Bob") if m["kind"] in ("text", "deleted")]

        def complete():
            sync(new, alice, new)
            return shown(new) == shown(alice)
        eventually(complete, "the whole history")
        want = [("text", "text 0", False, True, [], None), ("text", "best", True, True, [], None),
                ("deleted", None, True, True, [], None), ("text", "text 3", False, True, ["+1"], None),
                ("text", "text 4", False, True, ["!"], None), ("text", "text 5", False, True, [], None),
                ("text", "indeed", False, False, [], "text 5")]
        assert [w[:2] + w[3:] for w in want] == [s[:2] + s[3:] for s in shown(new)], shown(new)
        # And it can change them further.
        mine = [m for m in new.history("Bob") if m.get("text") == "best"][0]
        new.ok("edit", str(mine["id"]), "perfect")
        sync(bob, alice)
        assert "perfect" in texts(bob, "Alice") and "perfect" in texts(alice, "Bob")


def in_pipe(file):
    return struct.unpack("i", fcntl.ioctl(file, termios.FIONREAD, struct.pack("i", 0)))[0]


def test_held_by_another():
    """a profile whose lock another process holds is waited for, said so, and nothing is lost"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        listener = bob.start("listen")
        long = "before " + "x" * 100000  # more than the pipe takes: it is not noted as shown before it is read here
        try:
            alice.ok("send", "Bob", text=long)
            eventually(lambda: in_pipe(listener.stdout) > 32768, "the listener is about to show it")
            with open(os.path.join(bob.profile, "profile.db-shm"), "r+b") as file:
                # SQLite's lock of whoever writes: the 121st byte of the log's index.
                fcntl.lockf(file, fcntl.LOCK_EX, 1, 120)
                for line in listener.stdout:
                    if '"text":"before' in line:
                        break
                alice.ok("send", "Bob", "meanwhile")
                # Waits longer than a lock is waited for; the listener has to bear that as well.
                refused = bob.run("send", "Alice", "not taken")
                assert (refused.code, refused.error) == (1, "storage_busy"), refused
                assert not refused.of("sending")
                time.sleep(2)
                assert listener.poll() is None
            for line in listener.stdout:
                if '"text":"meanwhile"' in line:
                    break
            else:
                raise AssertionError("the listener ended: %r" % listener.stderr.read())
            eventually(lambda: bob.conversation("Alice")["unread"] == 0, "what was shown is noted as read")
        finally:
            listener.terminate()
            listener.communicate()
        for one, other in ((bob, "Alice"), (alice, "Bob")):
            assert texts(one, other) == [long, "meanwhile"], (one.name, one.history(other))


class Small(World):
    """People's profiles lie on a disk of their own, which the test fills."""

    def __enter__(self):
        self.disk = os.path.join(self.directory, "disk")
        os.mkdir(self.disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", self.disk], capture_output=True).returncode:
            shutil.rmtree(self.directory)
            raise Skip("no disk of one's own can be mounted here")
        for person in self.people:
            person.profile = os.path.join(self.disk, person.name)
        return super().__enter__()

    def __exit__(self, *reason):
        subprocess.run(["umount", "-l", self.disk], check=True)
        super().__exit__(*reason)

    def fill(self):
        with open(os.path.join(self.disk, "filler"), "ab", buffering=0) as filler:
            for size in (1 << 16, 4096):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    pass

    def free(self):
        os.unlink(os.path.join(self.disk, "filler"))

    def squeezed(self, person, *command, text=None):
        """The command with a full disk, which it says or does not need, then again with room."""
        self.fill()
        full = person.run(*command, text=text)
        assert full.code == 0 or full.error in ("storage_full", "storage"), (command, full)
        assert full.code == 0 or full.error == "storage_full" or "disk" in full.out, (command, full)
        self.free()
        return full if full.code == 0 else person.ok(*command, text=text)


def test_full_disk():
    """whatever is done while the disk is full is refused whole, and works again when there is room"""
    with Small("Alice", "Bob") as (world, alice, bob):
        refused = 0
        for one in (alice, bob):
            world.squeezed(one, "register", "--relay", world.address, "--name", one.name)
        invitation = world.squeezed(alice, "invite").of("invitation")[0]["link"]
        world.squeezed(bob, "accept", invitation)
        world.squeezed(alice, "sync")
        world.squeezed(bob, "sync")
        sent = []
        for i in range(12):
            world.fill()
            one = (alice, bob)[i % 2]
            result = one.run("send", "--id", "m%d" % i, ("Bob", "Alice")[i % 2], "m%d" % i)
            refused += result.code != 0
            world.free()
            again = one.ok("send", "--id", "m%d" % i, ("Bob", "Alice")[i % 2], "m%d" % i)
            assert again.of("sending")[0]["status"] in ("sent", "delivered", "read"), again
            sent.append("m%d" % i)
            world.squeezed((bob, alice)[i % 2], "sync")
        assert refused > 0, "the disk was never full"
        sync(alice, bob, alice)
        assert texts(alice, "Bob") == texts(bob, "Alice") == sent
        path = os.path.join(world.directory, "file")
        with open(path, "wb") as file:
            file.write(os.urandom(200000))
        world.squeezed(alice, "send", "Bob", "--file", path)
        sync(alice, bob)
        message = str([m for m in bob.history("Alice") if m["kind"] == "file"][0]["id"])
        to = os.path.join(world.disk, "saved")
        world.squeezed(bob, "save", message, "--to", to)
        with open(path, "rb") as a, open(to, "rb") as b:
            assert a.read() == b.read()
        world.squeezed(alice, "group", "create", "Club", "Bob")
        world.squeezed(alice, "sync")
        world.squeezed(bob, "sync")
        clubs = [c for c in alice.ok("conversations").of("conversation") if c["title"] == "Club"]
        assert clubs, "the group is there"


def test_gathered_on_a_full_disk():
    """of many requests at once, on a full disk, what is acknowledged is kept, and the rest was not done"""
    with Small("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        world.stop_relay(signal.SIGTERM)  # all of it waits
        daemon = Daemon(alice)
        rpc = daemon.rpc(quick=True)
        room = rpc("conversation.find", name="Bob")["conversation"]
        said = ["%d %s" % (i, "x" * (100000 if i % 3 == 2 else 10)) for i in range(60)]

        def say_all():
            """Gives what was acknowledged and what was refused."""
            lines = [json.dumps({"jsonrpc": "2.0", "id": i, "method": "message.send", "params": {
                "conversation": room, "clientId": "c%d" % i, "text": text}}) + "\n" for i, text in enumerate(said)]
            writer = threading.Thread(target=rpc.write, args=("".join(lines).encode(),))
            writer.start()
            answers = [rpc.answer(i) for i in range(len(said))]
            writer.join()
            wrong = [a["error"]["data"]["code"] for a in answers if "error" in a]
            assert set(wrong) <= {"storage_full"}, set(wrong)
            return [said[a["id"]] for a in answers if "result" in a]

        world.fill()
        os.truncate(os.path.join(world.disk, "filler"), os.path.getsize(os.path.join(world.disk, "filler")) - 600000)
        kept = say_all()
        daemon.kill()
        world.free()
        assert 0 < len(kept) < len(said), len(kept)
        assert waiting(alice, "Bob") == kept
        daemon = Daemon(alice)
        rpc = daemon.rpc(quick=True)
        assert say_all() == said  # once each, under the same ids
        daemon.stop()
        assert sorted(waiting(alice, "Bob")) == sorted(said)
        world.start_relay()
        sync(alice, bob)
        assert sorted(texts(bob, "Alice")) == sorted(said)


def test_relay_set_back():
    """a relay that was set back to an old copy is noticed in plain words, and one can begin anew"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        alice.ok("send", "Bob", "in the copy")
        sync(bob, alice)
        world.stop_relay(signal.SIGTERM)
        data, copy = os.path.join(world.directory, "relay"), os.path.join(world.directory, "copy")
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("control"))
        world.start_relay()
        alice.ok("send", "Bob", "lost at the relay")
        alice.ok("group", "update", "Bob")
        sync(bob, alice)
        world.stop_relay(signal.SIGTERM)
        shutil.rmtree(data)
        os.rename(copy, data)
        world.start_relay()
        for one, other in ((alice, "Bob"), (bob, "Alice")):
            told = one.run("send", other, "still there?")
            assert (told.code, told.error) == (7, "forked"), told
            state = one.conversation(other)
            assert state["state"] == "forked" and "lost or hidden" in state["trouble"], state
            assert one.kinds(other).count("forked") == 1
            assert texts(one, other)[:2] == ["in the copy", "lost at the relay"]
        link = alice.ok("invite").of("invitation")[0]["link"]
        bob.ok("accept", link)
        sync(alice, bob)
        again = [c for c in bob.ok("conversations").of("conversation") if c["state"] == "active"]
        assert len(again) == 1, again
        bob.ok("send", again[0]["conversation"][:12], "anew")
        alice.ok("sync")
        assert "anew" in [m.get("text") for m in alice.ok("listen", "--once").of("message")]


def alone():
    """Runs this script again where it may mount a disk, if it can be had."""
    if os.environ.get("SOTTO_MOUNTS") == "inside" or shutil.which("unshare") is None:
        return
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode == 0:
        os.environ["SOTTO_MOUNTS"] = "inside"
        os.execvp("unshare", ["unshare", "-Urm", sys.executable, *sys.argv])


alone()
main([test_revoked_while_away, test_history_of_changes, test_held_by_another, test_full_disk,
      test_gathered_on_a_full_disk, test_relay_set_back])
