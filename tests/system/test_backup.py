"""Backups: all that a person has in one encrypted file, and back, on another device."""

import base64
import contextlib
import fcntl
import hashlib
import html.parser
import json
import os
import re
import shutil
import signal
import sqlite3
import urllib.parse

from linking import Device, begin, link
from world import World, eventually, main, sync, texts


def two(world):
    alice, bob = world.people[:2]
    alice.register()
    bob.register()
    world.befriend(alice, bob)
    for i in range(3):
        alice.ok("send", "Bob", "a%d" % i)
        bob.ok("sync")
        bob.ok("send", "Alice", "b%d" % i)
    alice.ok("sync")


def secret(world, text, name="secret"):
    path = os.path.join(world.directory, name)
    with open(path, "w") as file:
        file.write(text + "\n")
    return path


def everything(person, who):
    """What a person sees of a conversation, but for what is this device's own."""
    return [{k: v for k, v in m.items() if k not in ("id", "replyTo", "status")} for m in person.history(who)]


def test_beside():
    """a backup with the account's key makes another device, whose messages are there at once and which is added"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        target = [m for m in alice.history("Bob") if m.get("text") == "b0"][0]["id"]
        own = [m for m in alice.history("Bob") if m.get("text") == "a1"][0]["id"]
        alice.ok("reply", str(target), "an answer")
        alice.ok("react", str(target), "!")
        alice.ok("edit", str(own), "a1, but better")
        sync(bob, alice)
        path = os.path.join(world.directory, "backup")
        made = alice.ok("backup", path, "--key", "--account-key").of("backup")[0]
        assert re.fullmatch(r"\d{6}(-\d{6}){7}", made["key"]) and made["conversations"] == 1, made
        assert made["size"] == os.path.getsize(path) and os.stat(path).st_mode & 0o777 == 0o600
        assert alice.run("backup", path, "--key").error == "exists"
        bob.ok("send", "Alice", "after the backup")
        other = Device(world, "Alice", 2)
        key = secret(world, made["key"].replace("-", " "))
        restored = other.ok("restore", path, "--passphrase-file", key).of("restored")[0]
        assert restored["accountKey"] and restored["messages"] == made["messages"] and restored["skipped"] == 0
        status = other.ok("status").of("status")[0]
        assert status["account"] == alice.ok("status").of("status")[0]["account"]
        assert status["device"] != alice.ok("status").of("status")[0]["device"]
        assert other.ok("search", "better").of("message")[0]["text"] == "a1, but better"
        assert [c["name"] for c in other.ok("contacts").of("contact")] == ["Bob"]
        # The first device hears of it and adds it; what was said meanwhile comes from there.
        def together():
            sync(alice, other, bob)
            return other.conversation("Bob")["state"] == "active" and texts(other, "Bob") == texts(alice, "Bob")
        eventually(together, "the new device in the conversation")
        assert texts(other, "Bob")[-1] == "after the backup"
        assert everything(other, "Bob") == everything(alice, "Bob")
        other.ok("send", "Bob", "from the new one")
        sync(bob, alice)
        assert texts(bob, "Alice") == texts(alice, "Bob") == texts(other, "Bob")
        assert [m["text"] for m in other.ok("listen", "--once").of("message") if m["kind"] == "text"].count("b0") == 0


def lost(world, alice, bob, carol):
    """Alice, with one device, writes with Bob and in a group whose other member is nobody she knows; she makes a
    backup, and then the device is gone."""
    for one in (alice, bob, carol):
        one.register()
    # As where her device had been recovered itself: its messages stand far behind all others.
    alice.sql("UPDATE number SET value = %d WHERE name = 'message.position'" % (6200 << 40))
    world.befriend(alice, bob)
    world.befriend(bob, carol)
    bob.ok("group", "create", "Club", "Alice", "Carol")
    sync(alice, carol, bob)
    alice.let_in()
    for i in range(2):
        alice.ok("send", "Bob", "a%d" % i)
        alice.ok("send", "Club", "to all %d" % i)
        sync(bob, carol)
        bob.ok("send", "Alice", "b%d" % i)
        carol.ok("send", "Club", "c%d" % i)
        sync(alice)
    path = os.path.join(world.directory, "backup")
    secret(world, alice.ok("backup", path, "--key", "--account-key").of("backup")[0]["key"])
    alice.words = alice.ok("phrase").of("recoveryPhrase")[0]["phrase"]
    bob.ok("send", "Alice", "after the backup")
    shutil.rmtree(alice.profile)
    return path, texts(bob, "Alice")[:-1], texts(bob, "Club")


def restore(world, path, *more):
    new = Device(world, "Alice", 2)
    new.ok("restore", path, "--passphrase-file", os.path.join(world.directory, "secret"), *more)
    return new


def is_back(new, bob, carol, talk, club, leaves):
    """In both, with what was and what comes, on the same groups, with so many devices in them."""
    for who, before in (("Bob", talk), ("Club", club)):
        assert new.conversation(who)["state"] == "active", new.conversation(who)
        assert texts(new, who)[:len(before)] == before, texts(new, who)
        assert new.kinds(who).count("missing") == 1, new.kinds(who)
        new.ok("send", who, "here I am")
    sync(bob, carol)
    bob.ok("send", "Alice", "welcome back")
    carol.ok("send", "Club", "hello again")
    sync(new, bob)
    assert texts(new, "Bob")[-2:] == texts(bob, "Alice")[-2:] == ["here I am", "welcome back"]
    for one in (new, bob, carol):
        assert texts(one, "Club")[-2:] == ["here I am", "hello again"], texts(one, "Club")
        assert one.rooms() and not one.ok("requests").of("request")
    devices = {m["device"] for m in bob.ok("group", "members", "Club").of("member") if m["name"] == "Alice"}
    talking = {m["device"] for m in bob.ok("group", "members", "Alice").of("member") if m["name"] == "Alice"}
    own = new.ok("status").of("status")[0]["device"]
    assert devices == talking and own in devices and len(devices) == leaves, (devices, talking)
    for who, other, theirs in (("Bob", bob, "Alice"), ("Club", bob, "Club"), ("Club", carol, "Club")):
        assert new.conversation(who)["epochAuthenticator"] == other.conversation(theirs)["epochAuthenticator"]


def test_only_device():
    """the only device is lost: the one that is made of its backup asks members, who let it in unasked; the old one is out"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        path, talk, club = lost(world, alice, bob, carol)
        new = restore(world, path, "--alone")
        for who in ("Bob", "Club"):
            state = new.conversation(who)
            assert state["state"] == "rejoining" and "let it in" in state["trouble"], state
        assert new.run("send", "Bob", "kept until then").error == "rejoining"
        # A backup made now knows whom to ask, too.
        made = new.ok("backup", path + "2", "--key", "--account-key").of("backup")[0]
        again = Device(world, "Alice", 3)
        again.ok("restore", path + "2", "--passphrase-file", secret(world, made["key"]), "--history-only")
        assert again.sql("SELECT count(DISTINCT account) FROM rejoin_peer") == [(2,)]
        sync(bob, carol, new, bob, carol, new)
        assert texts(bob, "Alice")[-1] == "kept until then"
        is_back(new, bob, carol, talk, club, 1)


def unheard(world, new):
    """What was asked is lost, and nobody is a contact of the new device."""
    world.stop_relay()
    with contextlib.closing(sqlite3.connect(os.path.join(world.directory, "relay", "relay.db"))) as db:
        assert db.execute("DELETE FROM envelopes").rowcount >= 3
        db.commit()
    world.start_relay()
    new.sql("UPDATE contact SET contact = 0")


def test_added_another_way():
    """an owner who hears of the new device before any request takes the account in anew, and it needs no consent"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        path, talk, club = lost(world, alice, bob, carol)
        new = restore(world, path, "--alone")
        unheard(world, new)
        bob.ok("group", "create", "Other", "Alice")  # fetches her devices
        sync(bob, new, bob, carol)
        assert new.conversation("Club")["state"] == "active", new.conversation("Club")
        assert len(new.ok("requests").of("request")) == 1  # the new group
        new.let_in()
        new.sql("UPDATE rejoin SET next_s = 1")  # a minute passes
        sync(new, bob, new)
        is_back(new, bob, carol, talk, club, 1)


def test_old_one_out():
    """a member who may remove nobody hears of the new device first: the old one goes once the new one is in"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        path, talk, club = lost(world, alice, bob, carol)
        new = restore(world, path, "--history-only")
        assert new.conversation("Club")["state"] == "removed"
        new.ok("recover", "--relay", world.address, "--name", "Alice", "--alone", text=alice.words)
        unheard(world, new)
        new.ok("accept", carol.ok("invite").of("invitation")[0]["link"])
        sync(carol, new)
        # Carol may have been asked and have answered already.
        assert new.conversation("Club")["state"] in ("rejoining", "active"), new.conversation("Club")
        new.sql("UPDATE rejoin SET next_s = 1")
        sync(new, carol, new, carol)
        leaves = [m["device"] for m in carol.ok("group", "members", "Club").of("member") if m["name"] == "Alice"]
        assert leaves == [new.ok("status").of("status")[0]["device"]], leaves
        sync(bob, new)
        is_back(new, bob, carol, talk, club, 1)


def test_other_device_dead():
    """the account's other devices are asked first; where none answers, members are, and the old ones stay listed"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        path, talk, club = lost(world, alice, bob, carol)
        new = restore(world, path)
        sync(bob, carol, new)
        assert new.conversation("Bob")["state"] == "rejoining"
        assert bob.conversation("Alice")["members"] == 2
        new.sql("UPDATE rejoin SET next_s = 1")  # a minute passes
        sync(new, bob, carol, new, bob, carol, new)
        is_back(new, bob, carol, talk, club, 2)


def test_both_lost():
    """both lost what they had, so nobody can let the other one back in: an invitation begins another conversation"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        path = lost(world, alice, bob, carol)[0]
        words = bob.ok("phrase").of("recoveryPhrase")[0]["phrase"]
        new = restore(world, path, "--alone")
        assert new.conversation("Bob")["state"] == "rejoining"
        shutil.rmtree(bob.profile)
        bob.ok("recover", "--relay", world.address, "--alone", "--name", "Bob", text=words)
        link_ = bob.ok("invite").of("invitation")[0]["link"]
        new.run("accept", link_)
        sync(new, bob)
        talking = [c for c in new.ok("conversations").of("conversation") if c["title"] == "Bob"]
        assert sorted(c["state"] for c in talking) == ["active", "rejoining"], talking
        (room,) = [c["conversation"] for c in talking if c["state"] == "active"]
        new.ok("send", room, "at last")
        sync(bob)
        assert "at last" in [m["text"] for m in bob.ok("listen", "--once").of("message") if m["kind"] == "text"]
        new.ok("accept", link_)  # again leads to that one
        assert len([c for c in new.ok("conversations").of("conversation") if c["title"] == "Bob"]) == 2


def test_history_only():
    """a backup without the account's key is read at once; linking makes the device, and nothing is twice"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        path, passphrase = os.path.join(world.directory, "backup"), secret(world, "correct horse")
        made = alice.ok("backup", path, "--passphrase-file", passphrase).of("backup")[0]
        assert "key" not in made
        other = Device(world, "Alice", 2)
        restored = other.ok("restore", path, "--passphrase-file", passphrase).of("restored")[0]
        assert not restored["accountKey"]
        assert not other.ok("status").of("status")[0]["registered"]
        assert texts(other, "Bob") == texts(alice, "Bob") and other.conversation("Bob")["state"] == "removed"
        assert other.run("send", "Bob", "no").error == "not_registered"
        alice.ok("send", "Bob", "one more")
        process, text = begin(other)
        alice.ok("device", "add", text)
        assert other.finish(process).code == 0
        eventually(lambda: [sync(alice, other)] and texts(other, "Bob") == texts(alice, "Bob"), "all of it")
        assert everything(other, "Bob") == everything(alice, "Bob")
        # Taken over once more, beside what is there: nothing changes.
        before = everything(other, "Bob")
        other.ok("restore", path, "--passphrase-file", passphrase)
        assert everything(other, "Bob") == before
        # And not into somebody else's.
        assert bob.run("restore", path, "--passphrase-file", passphrase).error == "already_registered"


def test_what_waits():
    """what had not left when the backup was made is there, and leaves if the person says so"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        world.stop_relay()
        alice.run("send", "--id", "late", "Bob", "not gone yet")
        path, passphrase = os.path.join(world.directory, "backup"), secret(world, "correct horse")
        alice.ok("backup", path, "--passphrase-file", passphrase, "--account-key")
        other = Device(world, "Alice", 2)
        # Without the relay the account cannot come along; the rest can.
        refused = other.run("restore", path, "--passphrase-file", passphrase)
        assert refused.code == 3 and refused.error == "unreachable", refused
        world.start_relay()
        shutil.rmtree(alice.profile)
        other.ok("restore", path, "--passphrase-file", passphrase, "--relay", world.address, "--alone")
        waiting = [m for m in other.history("Bob") if m.get("text") == "not gone yet"]
        assert [m["status"] for m in waiting] == ["failed"], waiting
        sync(bob, other, bob, other)
        assert other.conversation("Bob")["state"] == "active" and "not gone yet" not in texts(bob, "Alice")
        other.ok("retry", "Bob", "late")
        sync(bob)
        assert texts(bob, "Alice")[-1] == "not gone yet"


def test_relay_lost():
    """where the relay is gone for good, the account begins anew at another one, if the person says so"""
    with World("Alice", "Bob") as (world, alice, bob), World() as (elsewhere,):
        two(world)
        path, passphrase = os.path.join(world.directory, "backup"), secret(world, "correct horse")
        alice.ok("backup", path, "--passphrase-file", passphrase, "--account-key")
        account = alice.ok("status").of("status")[0]["account"]
        world.stop_relay()
        other = Device(world, "Alice", 2)
        again = ["restore", path, "--passphrase-file", passphrase, "--relay", elsewhere.address]
        refused = other.run(*again)
        assert refused.error == "no_account" and "--anew" in refused.out, refused
        other.ok(*again, "--anew")
        status = other.ok("status").of("status")[0]
        assert status["account"] == account and status["relay"] == elsewhere.address, status


def test_refused():
    """wrong passphrases, damage, newer versions and other files are refused in words, and change nothing"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        path, passphrase = os.path.join(world.directory, "backup"), secret(world, "correct horse")
        alice.ok("backup", path, "--passphrase-file", passphrase)
        other = Device(world, "Alice", 2)

        def refused(data, error, file=passphrase):
            with open(path, "wb") as out:
                out.write(data)
            result = other.run("restore", path, "--passphrase-file", file)
            assert result.error == error, result
            assert other.run("conversations").error == "not_registered"  # nothing is there
            return result

        data = open(path, "rb").read()
        refused(data, "wrong_passphrase", secret(world, "correct hors", "other"))
        refused(data[:-1], "bad_backup")
        refused(data + b"x", "bad_backup")
        refused(data[:200] + bytes([data[200] ^ 1]) + data[201:], "bad_backup")
        refused(data[:30] + bytes([data[30] ^ 1]) + data[31:], "bad_backup")
        refused(data[:9] + bytes([data[9] + 1]) + data[10:], "storage_newer")
        refused(b"", "bad_backup")
        refused(os.urandom(5000), "bad_backup")
        assert other.run("restore", path + ".none", "--passphrase-file", passphrase).error == "no_file"
        assert other.run("restore", world.directory, "--passphrase-file", passphrase).error == "no_file"
        # No secret is asked for without a terminal, and none is taken from the command line.
        assert alice.run("backup", path + "2").code == 2
        assert alice.run("backup", path + "2", "--key", "--passphrase-file", passphrase).code == 2
        assert alice.run("backup", os.path.join(world.directory, "no", "where"), "--key").error == "storage"
        assert not other.run("backup", path + "2", "--key").of("backup")


def test_stopped():
    """interrupted, a backup leaves nothing behind"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        path = os.path.join(world.directory, "backup")
        part, passphrase = os.path.join(world.directory, ".sotto-backup.part"), secret(world, "correct horse")
        process = alice.start("backup", path, "--passphrase-file", passphrase)
        # The key is derived after the file was begun, and that takes much longer than a signal.
        eventually(lambda: os.path.exists(part) or process.poll() is not None, "the beginning of the file")
        process.send_signal(signal.SIGINT)
        done = alice.finish(process)
        assert done.code != 0 and done.error == "stopped", done
        assert not os.path.exists(path) and not os.path.exists(part), done
        alice.ok("backup", path, "--passphrase-file", passphrase)


def test_export():
    """a conversation is written out for people and programs; what others wrote cannot be more than text there"""
    with World("Alice", "Bob") as (world, alice, bob):
        two(world)
        nasty = "<script>alert(1)</script> \"'&amp; \u202e\u0007"
        bob.ok("send", "Alice", nasty)
        file = os.path.join(world.directory, "a <b>.bin")
        with open(file, "wb") as out:
            out.write(os.urandom(70000))
        bob.ok("send", "Alice", "--file", file, "look")
        sync(alice, bob)
        target = [m for m in alice.history("Bob") if m.get("text") == "b0"][0]["id"]
        alice.ok("react", str(target), "!")
        sync(bob)
        folder = os.path.join(world.directory, "out")
        done = alice.ok("export", "Bob", folder, "--files").of("exported")[0]
        assert (done["files"], done["missing"]) == (1, 0), done
        assert sorted(os.listdir(folder)) == ["files", "index.html", "messages.jsonl"]
        with open(os.path.join(folder, "messages.jsonl"), encoding="utf-8") as lines:
            head, *rows = map(json.loads, lines)
        assert head["type"] == "export" and head["title"] == "Bob" and len(rows) == done["messages"]
        shown = alice.history("Bob")
        assert [(m["id"], m["seq"], m["kind"], m.get("text")) for m in rows] == \
            [(m["id"], m["seq"], m["kind"], m.get("text")) for m in shown]
        assert any(m.get("text") == nasty for m in rows) and all(m["contentId"] for m in rows if m["kind"] == "text")
        assert [r["reaction"] for m in rows for r in m.get("reactions", [])] == ["!"]
        sent = [m for m in rows if m["kind"] == "file"][0]
        assert open(os.path.join(folder, sent["file"]), "rb").read() == open(file, "rb").read()
        page = open(os.path.join(folder, "index.html"), encoding="utf-8").read()
        style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
        policy = "default-src 'none'; style-src 'sha256-%s'" % base64.b64encode(
            hashlib.sha256(style.encode()).digest()).decode()
        assert policy in page and "<script" not in page and "\u0007" not in page
        parser = Tags()
        parser.feed(page)
        assert parser.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "p", "article", "header", "bdi",
                               "footer", "span", "blockquote", "a"}, parser.tags
        assert parser.links == ["files/%d-" % sent["id"] + urllib.parse.quote(sent["fileName"])], parser.links
        assert nasty.replace("\u0007", "\ufffd") in parser.text
        assert os.stat(folder).st_mode & 0o777 == 0o700
        assert alice.run("export", "Bob", folder).error == "exists"
        assert alice.run("export", "Nobody", folder + "2").error == "not_found"
        assert alice.run("export", "Bob", os.path.join(folder, "no", "where")).error == "storage"
        plain = alice.ok("export", "Bob", folder + "3").of("exported")[0]
        assert plain["files"] == 0 and sorted(os.listdir(folder + "3")) == ["index.html", "messages.jsonl"]
        # What a killed command left goes; what another one is writing does not.
        left = os.path.join(world.directory, ".sotto-out4.part")
        os.makedirs(os.path.join(left, "files"), mode=0o755)
        for name in ("index.html", "files/7-half"):
            with open(os.path.join(left, name), "w") as out:
                out.write("left")
        busy = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(busy, fcntl.LOCK_EX)
        assert alice.run("export", "Bob", folder + "4").error == "storage_busy"
        assert sorted(os.listdir(left)) == ["files", "index.html"]
        os.close(busy)
        alice.ok("export", "Bob", folder + "4/")
        assert sorted(os.listdir(folder + "4")) == ["index.html", "messages.jsonl"]
        assert os.stat(folder + "4").st_mode & 0o777 == 0o700 and not os.path.exists(left)


def test_import():
    """what an export says comes back where it is missing, marked, once; what is here stays, and nothing is sent"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        two(world)
        carol.register()
        world.befriend(alice, carol)
        alice.ok("group", "create", "Kitchen", "Bob")
        alice.ok("send", "Kitchen", "before Carol came")
        sync(bob, alice)
        bob.ok("send", "Kitchen", "a pelican")
        sync(alice)
        alice.ok("group", "add", "Kitchen", "Carol")
        sync(carol, bob)
        carol.ok("send", "Kitchen", "hello")
        sync(alice, bob, carol)
        folder = os.path.join(world.directory, "kitchen")
        alice.ok("export", "Kitchen", folder)
        assert carol.ok("search", "pelican").of("message") == []
        before = carol.history("Kitchen")
        done = carol.ok("import", folder).of("imported")[0]
        assert (done["messages"], done["known"]) == (2, 1), done
        found = carol.ok("search", "pelican").of("message")
        assert [(m["text"], m["imported"], m["own"]) for m in found] == [("a pelican", True, False)], found
        after = carol.history("Kitchen")
        assert [m for m in after if "imported" not in m] == before
        again = carol.ok("import", folder).of("imported")[0]
        assert (again["messages"], again["known"]) == (0, 3) and carol.history("Kitchen") == after
        assert not any(m.get("imported") for m in carol.ok("listen", "--once").of("message"))
        entries = alice.history("Kitchen")[-1]["seq"]
        sync(carol, alice)
        assert alice.history("Kitchen")[-1]["seq"] == entries  # nothing was sent
        assert alice.ok("import", folder).of("imported")[0]["messages"] == 0

        # A device that is linked later is told what was imported as such.
        new = link(carol)
        eventually(lambda: (sync(carol, new), "a pelican" in texts(new, "Kitchen"))[1], "the history is there")
        assert [m["text"] for m in new.history("Kitchen") if m.get("imported")] == ["before Carol came", "a pelican"]
        assert new.ok("import", folder).of("imported")[0]["messages"] == 0

        # What it exports says so too; and a changed file adds nothing but what it says is imported.
        carol.ok("export", "Kitchen", folder + "2")
        with open(os.path.join(folder + "2", "messages.jsonl")) as lines:
            assert [json.loads(l).get("text") for l in lines if json.loads(l).get("imported")] == \
                ["before Carol came", "a pelican"]
        with open(os.path.join(folder, "messages.jsonl"), "a") as out:
            out.write("{\n")
        refused = carol.run("import", folder)
        assert refused.error == "bad_export" and "line" in refused.err + refused.out, refused
        assert bob.run("import", world.directory).error == "no_file"
        assert bob.ok("import", folder + "2").of("imported")[0]["messages"] == 0
        alice.ok("export", "Bob", folder + "3")
        assert carol.run("import", folder + "3").error == "not_found"


class Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data):
        self.text += data


main([test_export, test_import, test_beside, test_only_device, test_added_another_way, test_old_one_out, test_other_device_dead,
      test_both_lost, test_history_only, test_what_waits, test_relay_lost, test_refused, test_stopped])
