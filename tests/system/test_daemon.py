"""`sotto daemon` with real programs: everything through JSON-RPC, and what it promises."""
import base64
import json
import os
import socket
import stat
import subprocess
import time

from rpc import DOCUMENT, METHODS, Daemon, Rpc, text_of, used
from world import PATIENCE, World, eventually, main

PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
                           "rkJggg==")


def meet(world, a, b):
    """Two daemons' people with a conversation, all through their interfaces."""
    a("account.register", relay=world.address, name="Alice")
    b("account.register", relay=world.address, name="Bob")
    link = b("invitation.create", uses=1, lifetime=3600)["link"]
    room = a("invitation.accept", link=link)["conversation"]
    eventually(lambda: a("conversation.get", conversation=room)["state"] == "active", "a conversation")
    eventually(lambda: b("conversation.list")["total"] == 1, "Bob in it")
    eventually(lambda: b("contact.list")["contacts"][0]["name"] == "Alice", "Alice's name")
    return room


def texts(rpc, room):
    return [m["text"] for m in rpc("message.list", conversation=room)["messages"]
            if m["kind"] == "text" and m["status"] in ("sent", "delivered", "read", "received")]


class Two:
    """`with Two() as (world, alice, bob, a, b, room)`: people, their daemons' connections, a conversation."""

    def __enter__(self):
        self.world = World("Alice", "Bob")
        _, alice, bob = self.world.__enter__()
        self.daemons = [Daemon(alice), Daemon(bob)]
        a, b = (daemon.rpc() for daemon in self.daemons)
        return self.world, alice, bob, a, b, meet(self.world, a, b)

    def __exit__(self, *reason):
        try:
            if reason[0] is None:
                for daemon in self.daemons:
                    daemon.stop()
        finally:
            for daemon in self.daemons:
                if daemon.process.poll() is None:
                    daemon.kill()
            self.world.__exit__(*reason)


def conversation():
    """two people talk through their daemons; every request and answer is as the document says"""
    with Two() as (world, alice, bob, a, b, room):
        assert a("account.get")["name"] == "Alice"
        assert a("status.get")["contacts"] == 1
        assert a("account.fingerprint")["own"] is True
        assert (a("contact.fingerprint", contact="Bob")["digits"]
                == b("contact.fingerprint", contact="Alice")["digits"])
        b("events.subscribe")
        sent = a("message.send", conversation=room, text="first", clientId="one")
        assert sent["clientId"] == "one" and sent["status"] in ("waiting", "sent")
        event = b.events(lambda n: text_of(n, "first"))[-1]["params"]
        assert event["type"] == "message" and event["message"]["name"] == "Alice"
        # The same again is the same message; with no clientId each is another.
        a("message.send", conversation=room, text="first", clientId="one")
        a("message.send", conversation=room, text="second")
        b.events(lambda n: text_of(n, "second"))
        assert texts(b, room) == ["first", "second"]
        eventually(lambda: a("message.status", conversation=room, clientId="one")["status"] in ("sent", "delivered", "read"), "sent")
        # What is found.
        assert [m["text"] for m in b("message.search", words="FIRST")["messages"]] == ["first"]
        found = b("message.search", words="fir", conversation=room, limit=1)
        assert [m["text"] for m in found["messages"]] == ["first"] and not found["more"]
        assert found["messages"][0]["snippet"] == [{"text": "first", "hit": True}]
        assert not [m for m in b("message.list", conversation=room)["messages"] if "snippet" in m]
        assert b("message.search", words="first second")["messages"] == []
        assert b.fails("message.search", words="...") == "bad_text"
        # What was read.
        assert b("conversation.get", conversation=room)["unread"] == 2
        page = b("message.list", conversation=room, limit=1)
        assert page["more"] and [m["text"] for m in page["messages"]] == ["second"]
        last = page["messages"][0]["id"]
        older = b("message.list", conversation=room, before=last, limit=100)
        assert not older["more"] and older["messages"][-1]["text"] == "first"
        b("conversation.markRead", conversation=room, message=last)
        b.events(lambda n: n["params"].get("conversation", {}).get("unread") == 0)
        a("account.setName", name="Alice A.")
        b.events(lambda n: n["params"].get("contact", {}).get("name") == "Alice A.")
        assert b("conversation.find", name="Alice A.")["conversation"] == room
        # A file, by path.
        path = os.path.join(world.directory, "picture")
        with open(path, "wb") as file:
            file.write(os.urandom(300000))
        a("message.sendFile", conversation=room, path=path, caption="look")
        message = b.events(lambda n: text_of(n, "look"))[-1]["params"]["message"]
        saved = b("message.saveFile", message=message["id"], to=world.directory + "/saved")["path"]
        assert open(saved, "rb").read() == open(path, "rb").read()
        assert b.fails("message.saveFile", message=message["id"], to=saved) == "exists"
        assert b.fails("file.cancel", message=message["id"]) == "not_found"  # it is there
        assert b.fails("message.preview", message=message["id"]) == "not_found"  # it is no picture
        assert a.fails("message.sendVoice", conversation=room, path=path) == "no_file"  # it is no recording
        # Messages that are there are changed: test_messages.py has the rest.
        mine = [m["id"] for m in a("message.list", conversation=room)["messages"] if m.get("text") == "first"][0]
        a("message.send", conversation=room, text="gone soon", clientId="gone")
        gone = eventually(lambda: [m["id"] for m in a("message.list", conversation=room)["messages"]
                                   if m.get("text") == "gone soon" and "id" in m], "its number")[0]
        assert a("message.edit", message=mine, text="first")["status"] in ("waiting", "sent")
        a("message.react", message=mine, reaction="!")
        assert a("message.info", message=mine)["message"]["text"] == "first"
        assert a("conversation.setTimer", conversation=room, seconds=0)["conversation"] == room
        a("message.forward", message=mine, conversation=room, clientId="on")
        assert a("message.retry", conversation=room, clientId="on")["status"] != "failed"
        assert a("account.setReceipts", on=True)["receipts"] is True
        assert a.fails("network.setProxy", proxy="nowhere") == "bad_address"
        assert a("network.setProxy") == a("network.proxy") == \
            {"proxy": "", "isolates": False, "login": False, "overridden": False}
        a("message.delete", message=gone)
        b.events(lambda n: n["params"].get("message", {}).get("kind") == "deleted")
        a("sync")
        b("events.unsubscribe")


def groups():
    """groups and requests"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        daemons = [Daemon(person) for person in (alice, bob, carol)]
        a, b, c = (daemon.rpc() for daemon in daemons)
        meet(world, a, b)
        c("account.register", relay=world.address, name="Carol")
        room = a("group.create", title="Kitchen", members=["Bob"])["conversation"]
        eventually(lambda: any(r["title"] == "Kitchen" for r in b("conversation.list")["conversations"]), "Bob in")
        c("invitation.accept", link=a("invitation.create")["link"])
        eventually(lambda: any(p["name"] == "Carol" for p in a("contact.list")["contacts"]), "Carol known")
        a("group.add", conversation=room, members=["Carol"])
        eventually(lambda: c("conversation.list")["total"] == 2, "Carol in")
        assert len(a("group.members", conversation=room)["members"]) == 3
        assert len(a("group.members", conversation=room, offset=2, limit=5)["members"]) == 1
        # Bob is a stranger to Carol: what he begins waits for her answer.
        kitchen = b("conversation.find", name="Kitchen")["conversation"]
        eventually(lambda: "Carol" in [m["name"] for m in b("group.members", conversation=kitchen)["members"]],
                   "Bob knowing Carol's name")
        another = b("group.create", title="More plans", members=["Carol"])["conversation"]
        eventually(lambda: c("request.list")["total"] == 1, "a request")
        c("request.decline", request=c("request.list")["requests"][0]["request"])
        assert c("request.list")["total"] == 0
        assert c.fails("conversation.get", conversation=another) == "not_found"
        other = b("group.create", title="Plans", members=["Carol"])["conversation"]
        request = eventually(lambda: c("request.list")["requests"], "another request")[0]
        assert request["conversation"] == other
        c("request.accept", request=request["request"])
        eventually(lambda: c("conversation.get", conversation=other)["state"] == "active", "Carol in Plans")
        b("group.remove", conversation=other, members=["Carol"])
        eventually(lambda: c("conversation.get", conversation=other)["state"] == "removed", "Carol out of Plans")
        b("group.renewKeys", conversation=other)
        a("group.remove", conversation=room, members=["Carol"])
        eventually(lambda: c("conversation.get", conversation=room)["state"] == "removed", "Carol out")
        b("group.leave", conversation=room)
        eventually(lambda: b("conversation.get", conversation=room)["state"] == "left", "Bob out")
        for daemon in daemons:
            daemon.stop()


def people():
    """contacts are named, compared, blocked and deleted, and each change is an event"""
    with Two() as (world, alice, bob, a, b, room):
        a("events.subscribe")
        account = a("contact.list")["contacts"][0]["account"]

        def changed(test):
            notes = a.events(lambda n: n["params"].get("type") == "contact" and test(n["params"].get("contact")))
            assert notes[-1]["params"]["about"] == account

        a("contact.setName", contact="Bob", name="Robert")
        changed(lambda c: c["name"] == "Robert" and c["profileName"] == "Bob")
        a("contact.setName", contact="Robert")
        a("contact.setVerified", contact="Bob", verified=True)
        changed(lambda c: c.get("verifiedBy") == "compared")
        a("contact.setVerified", contact="Bob", verified=False)
        link = b("contact.fingerprint", contact="Alice")["link"]
        assert a("contact.verifyLink", link=link)["account"] == account
        changed(lambda c: c["verified"])
        assert b.fails("contact.verifyLink", link=link, contact="Alice") == "own_link"
        place = os.path.join(world.directory, "bob.png")
        with open(place, "wb") as file:
            file.write(PICTURE)
        picture = b("account.setPicture", path=place)["picture"]
        changed(lambda c: c.get("picture") == picture)
        saved = a("contact.savePicture", contact="Bob", to=place + ".copy")["path"]
        assert a.fails("contact.savePicture", contact="Bob", to=saved) == "exists"
        b("account.savePicture", to=place + ".mine")
        assert b.fails("account.setPicture", path=saved + ".none") == "no_file"
        b("account.setPicture")
        changed(lambda c: "picture" not in c)
        assert b("account.setUsername", username="Bobby")["username"] == "bobby"
        assert b.fails("account.setFindable", on=True) == "phone_needed"
        assert b("account.labels") == {"username": "bobby", "findable": False}
        assert a("contact.find", label="@bobby")["account"] == account
        assert a("contact.add", label="@bobby", text="by name")["conversation"] == room
        a("contact.block", contact="Bob")
        changed(lambda c: c["blocked"])
        assert [c["account"] for c in a("contact.listBlocked")["contacts"]] == [account]
        assert a.fails("message.send", conversation=room, text="no") == "blocked"
        a("contact.unblock", contact="Bob")
        a("contact.delete", contact="Bob")
        changed(lambda c: c is None)
        b("group.create", title="Plans", members=["Alice"])
        request = eventually(lambda: a("request.list")["requests"], "a request")[0]
        a("request.block", request=request["request"])
        assert a("request.list")["total"] == 0
        assert [c["contact"] for c in a("contact.listBlocked")["contacts"]] == [False]


def readers():
    """each subscriber gets every event once, in order; a slow one holds nobody up"""
    with Two() as (world, alice, bob, a, b, room):
        first, second, slow = (Rpc(b_path) for b_path in [os.path.join(bob.profile, "daemon.sock")] * 3)
        start = first("events.subscribe")["event"]
        second("events.subscribe", since=0)
        slow("events.subscribe", since=0)
        for i in range(40):
            a("message.send", conversation=room, text="m%d %s" % (i, "x" * 30000))
        got = {}
        for name, one in (("first", first), ("second", second)):
            notes = one.events(lambda n: n["params"].get("message", {}).get("text", "").startswith("m39 "))
            got[name] = [n["params"]["number"] for n in notes if n["method"] == "event"]
        assert got["first"] == list(range(start + 1, got["first"][-1] + 1)), got["first"]
        assert got["second"] == list(range(1, got["first"][-1] + 1)), got["second"]
        # 1.2 MB wait for the slow one, more than is queued for it; now it reads.
        notes = slow.events(lambda n: n["params"].get("message", {}).get("text", "").startswith("m39 "))
        assert [n["params"]["number"] for n in notes if n["method"] == "event"] == got["second"]


def other_programs():
    """what other commands do beside the daemon is an event too, and leaves with it"""
    with Two() as (world, alice, bob, a, b, room):
        a("events.subscribe")
        alice.ok("send", "Bob", "from the command line")
        notes = a.events(lambda n: text_of(n, "from the command line"))
        assert notes[-1]["params"]["message"]["own"] is True
        assert "event" in json.loads(alice.ok("call", "events.subscribe", '{"since": 0}').out)  # and ends
        found = alice.ok("call", "conversation.find", '{"name": "Bob"}')
        assert json.loads(found.out)["conversation"] == room
        sent = alice.ok("call", "message.send", json.dumps({"conversation": room, "text": "by call"}))
        assert json.loads(sent.out)["status"] in ("waiting", "sent")
        a.events(lambda n: text_of(n, "by call"))
        # One that says how far it is before it answers.
        made = alice.ok("call", "backup.create", json.dumps({"path": os.path.join(world.directory, "called"),
                                                             "passphrase": "correct horse"}))
        assert json.loads(made.out)["conversations"] == 1, made
        refused = alice.run("call", "conversation.get", '{"conversation": "%s"}' % ("0" * 64))
        assert refused.code == 5 and refused.error == "not_found", refused
        assert alice.run("call", "message.send", "{").code == 2


def without_daemon():
    """`sotto call` makes the call itself where no daemon runs"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        room = json.loads(alice.ok("call", "conversation.find", '{"name": "Bob"}').out)["conversation"]
        alice.ok("call", "message.send", "-", text=json.dumps({"conversation": room, "text": "hello"}))
        alice.ok("sync")
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["hello"]
        assert alice.run("call", "events.subscribe").error == "usage"
        assert json.loads(alice.ok("call", "rpc.discover").out) == DOCUMENT


def wrong_lines():
    """what is no request is refused with a sentence, and disturbs nobody"""
    with World("Alice") as (world, alice):
        daemon = Daemon(alice)
        rpc, other = daemon.rpc(), daemon.rpc()
        for line, code in ((b"{", -32700), (b"[]", -32600), (b"7", -32600), (b'{"id": 1, "id": 2}', -32700),
                           (b'{"jsonrpc": "1.0", "method": "account.get", "id": 1}', -32600),
                           (b'{"jsonrpc": "2.0", "id": 1}', -32600), (b"\xff\xfe", -32700),
                           (b'{"jsonrpc": "2.0", "method": "account.get", "id": {}}', -32600),
                           (b'[{"jsonrpc": "2.0", "method": "account.get", "id": 1}]', -32600),
                           (b"[" * 5000 + b"]" * 5000, -32700),
                           (b'{"jsonrpc": "2.0", "method": "nothing.here", "id": 1}', -32601)):
            rpc.write(line + b"\n")
            answer = rpc.line()
            assert answer["error"]["code"] == code, (line[:60], answer)
            assert answer["error"]["message"] and "code" in answer["error"]["data"]
        for params in ([], {"conversation": "x", "text": "t"}, {"conversation": "0" * 64},
                       {"conversation": "0" * 64, "text": ""}, {"conversation": "0" * 64, "text": 1},
                       {"conversation": "0" * 64, "text": "t", "more": 1},
                       {"conversation": "0" * 64, "text": "t" * (1024 * 1024 + 1)}):
            answer = rpc.answer(rpc.ask("message.send", params))
            assert answer["error"]["code"] == -32602, answer
        rpc.ask("message.send", {"conversation": "0" * 64, "text": "a\0b"})
        assert rpc.line()["error"]["code"] == -32700
        # Nobody waits for an answer to a notification.
        rpc.write(b'{"jsonrpc": "2.0", "method": "account.get"}\n{"jsonrpc": "2.0", "method": "no"}\n')
        assert rpc("daemon.version")["version"]
        assert rpc.fails("conversation.list") == "not_registered"
        # A line without an end.
        endless = daemon.rpc()
        try:
            for _ in range(200):
                endless.write(b"x" * 65536)
            ended = endless.line()["error"]["data"]["code"] == "too_long"
        except (BrokenPipeError, ConnectionResetError, EOFError):
            ended = True
        assert ended
        assert other("daemon.version")["version"]
        # Lines that come in pieces, and several at once.
        request = json.dumps({"jsonrpc": "2.0", "id": "a", "method": "daemon.version"}).encode() + b"\n"
        for at in range(0, len(request), 5):
            other.write(request[at:at + 5])
            time.sleep(0.001)
        other.write(request * 50)
        assert [other.line()["id"] for _ in range(51)] == ["a"] * 51
        daemon.stop()


def alone():
    """one daemon a profile, for its person alone; a dead one's socket is taken over"""
    with World("Alice") as (world, alice):
        daemon = Daemon(alice)
        daemon.rpc()
        mode = os.stat(daemon.path).st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)
        second = alice.run("daemon")
        assert second.code == 2 and second.error == "daemon_runs", second
        daemon.kill()
        assert os.path.exists(daemon.path)
        daemon = Daemon(alice)
        rpc = daemon.rpc()
        rpc("daemon.stop")
        assert alice.finish(daemon.process).code == 0
        assert not os.path.exists(daemon.path)
        far = alice.run("daemon", "--socket", os.path.join(world.directory, "x" * 120))
        assert far.code == 1 and far.error == "storage", far


def stdio():
    """over standard input and output, until their end"""
    with World("Alice") as (world, alice):
        process = subprocess.Popen(alice.argv("daemon", "--stdio"), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        rpc = Rpc(process=process)
        assert rpc("account.register", relay=world.address, name="Alice")["registered"]
        rpc("events.subscribe")  # which does not keep it
        # What waits when the input ends is still answered.
        number = rpc.ask("sync", {})
        process.stdin.close()
        assert "result" in rpc.answer(number)
        assert process.wait(60) == 0, process.stderr.read()


def killed():
    """a daemon that is killed at any moment loses no message that it has answered for, and sends none twice"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        expected = []
        for turn in range(8):
            daemon = Daemon(alice)
            rpc = daemon.rpc()
            room = rpc("conversation.find", name="Bob")["conversation"]
            until = time.monotonic() + 0.05 * turn
            number = 0
            while number < 3 or time.monotonic() < until:
                name = "t%d-%d" % (turn, number)
                rpc("message.send", conversation=room, text=name, clientId=name)
                expected.append(name)
                number += 1
            daemon.kill()
        alice.ok("sync")
        bob.ok("sync")
        assert [text for _, text in bob.texts("Alice")] == expected


def stops():
    """it stops while a call waits for a relay that is silent, and answers others meanwhile"""
    with World("Alice") as (world, alice):
        silent = socket.socket()
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        daemon = Daemon(alice)
        rpc, other = daemon.rpc(), daemon.rpc()
        address = "127.0.0.1:%d#%s" % (silent.getsockname()[1], world.address.split("#")[1])
        rpc.ask("account.register", {"relay": address, "name": "Alice"})
        assert other("account.get")["registered"] is False  # nobody else waits
        assert daemon.stop().code == 0
        silent.close()


def locked():
    """a daemon of a locked profile asks for the passphrase once; what it does in threads needs it no more"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        path = os.path.join(world.directory, "passphrase")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("correct horse\n")
        os.environ["SOTTO_PASSPHRASE_FILE"] = path
        try:
            alice.ok("passphrase", "set", "--new-file", path)
            daemon = Daemon(alice)
            rpc = daemon.rpc()
        finally:
            del os.environ["SOTTO_PASSPHRASE_FILE"]
        os.unlink(path)
        assert rpc("status.get")["passphrase"] is True
        room = rpc("conversation.find", name="Bob")["conversation"]
        rpc("events.subscribe")
        for number in range(3):
            rpc("message.send", conversation=room, text="m%d" % number)
            rpc("sync")
            assert rpc("invitation.create")["link"]
        # Another command has no passphrase; the daemon is asked instead.
        assert alice.run("status").error == "locked"
        assert json.loads(alice.ok("call", "status.get").out)["conversations"] == 1
        # Another one, then none, by the daemon itself.
        rpc("profile.setPassphrase", passphrase="battery staple")
        assert daemon.stop().code == 0
        assert alice.run("status").error == "locked"
        for words, error in (("correct horse", "wrong_passphrase"), ("battery staple", None)):
            with open(path, "w") as file:
                file.write(words + "\n")
            os.environ["SOTTO_PASSPHRASE_FILE"] = path
            try:
                assert alice.run("status").error == error
                daemon = Daemon(alice) if error is None else None
                rpc = daemon.rpc() if daemon else None
            finally:
                del os.environ["SOTTO_PASSPHRASE_FILE"]
        rpc("profile.setPassphrase")
        assert rpc("status.get")["passphrase"] is False
        assert daemon.stop().code == 0
        alice.ok("status")
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["m0", "m1", "m2"]


def several_devices():
    """a device is linked, renamed and revoked through two daemons"""
    with Two() as (world, alice, bob, a, b, room):
        other = type(alice)(world, "Alice's laptop")
        daemon = Daemon(other)
        c, waiting = daemon.rpc(), daemon.rpc()
        link = c("device.link", relay=world.address, name="Laptop")["link"]
        wait = waiting.ask("device.waitLinked", {})
        used.add("device.waitLinked")
        device = a("device.add", link=link)["device"]
        assert waiting.answer(wait)["result"]["account"] == a("account.get")["account"]
        b("message.send", conversation=room, text="to both")
        eventually(lambda: texts(c, room) == ["to both"], "what is said, on the new device")
        def whole_history():
            status = c("status.get")
            return status.get("historyOf") and status["history"] == status["historyOf"]
        eventually(whole_history, "the past, on the new device")
        a("device.rename", device="Laptop", name="Old laptop")
        eventually(lambda: {d["name"] for d in c("device.list")["devices"]} == {"", "Old laptop"}, "its name")
        assert [d["device"] for d in a("device.list")["devices"] if not d["own"]] == [device]
        a("device.revoke", device="Old laptop")
        b("message.send", conversation=room, text="not to it")
        eventually(lambda: c("conversation.get", conversation=room)["state"] == "removed", "the end of it there")
        assert texts(c, room) == ["to both"] and a("device.list")["total"] == 1
        daemon.stop()


def an_account_comes_back_and_ends():
    """an account is recovered with its phrase through a daemon, which adds it live, and deleted for good"""
    two = Two()
    with two as (world, alice, bob, a, b, room):
        other = type(alice)(world, "Alice again")
        daemon = Daemon(other)
        c = daemon.rpc()
        words = a("account.recoveryPhrase")["phrase"]
        assert c.fails("account.recoveryPhrase") == "not_registered"
        assert c.fails("account.recover", phrase=words + " zoo", relay=world.address) == "bad_phrase"
        account = c("account.recover", phrase=words, relay=world.address, name="Alice")["account"]
        assert account == a("account.get")["account"]
        eventually(lambda: [r["state"] for r in c("conversation.list")["conversations"]] == ["active"],
                   "the conversation, on the recovered device")
        b("message.send", conversation=room, text="to both")
        eventually(lambda: texts(c, room)[-1:] == ["to both"], "what is said")
        assert c.fails("account.delete", confirm=b("account.get")["account"]) == "usage"
        c("account.delete", confirm=account)
        eventually(lambda: "accountDeleted" in [m["kind"] for m in
                   b("message.list", conversation=room)["messages"]], "the news of it, at the other side")
        for one in (daemon, two.daemons.pop(0)):  # each ends by itself: there is nothing left to serve
            one.process.communicate(timeout=PATIENCE)
        assert [one.run("conversations").error for one in (other, alice)] == ["not_registered"] * 2


def listing():
    """the list of conversations: its order, last lines and counts, and what a person sets in it"""
    with Two() as (world, alice, bob, a, b, room):
        group = a("group.create", title="Kitchen", members=["Bob"])["conversation"]
        eventually(lambda: b("conversation.list")["total"] == 2, "Bob in the group")
        me = b("account.get")["account"]
        mention = base64.urlsafe_b64encode(bytes.fromhex(me)).decode().rstrip("=")

        def order(**params):
            return [c["conversation"] for c in b("conversation.list", **params)["conversations"]]

        def got(text):
            b.events(lambda n: text_of(n, text))

        def one(conversation=room):
            return b("conversation.get", conversation=conversation)
        b("events.subscribe")
        b("conversation.markRead", conversation=room)
        b("conversation.markRead", conversation=group)
        a("message.send", conversation=room, text="é" * 300)
        got("é" * 300)
        told = b.events(lambda n: n["params"]["type"] == "conversation" and n["params"]["about"] == room)
        assert told[-1]["params"]["conversation"]["unread"] == 1
        assert order() == [room, group] and one()["last"]["text"] == "é" * 100 and one()["unread"] == 1
        a("message.send", conversation=group, markdown=True, text="[@Bob](sotto:account/%s) hi" % mention)
        b.events(lambda n: n["params"].get("message", {}).get("markdown"))
        assert one(group)["mentions"] == 1 and one(group)["last"]["name"] == "Alice" and one()["mentions"] == 0
        # What is pinned stays in front; pages go on where the one before ended.
        assert b("conversation.setPinned", conversation=room, on=True)["pinned"] is True
        a("message.send", conversation=group, text="newer")
        got("newer")
        assert order() == [room, group] and order(limit=1) == [room] and order(offset=1) == [group]
        b("conversation.setPinned", conversation=room, on=False)
        assert order() == [group, room]
        # Muted for good, for a time, and a time that is over.
        assert b("conversation.setMuted", conversation=group, on=True)["muted"] == {"mentions": False}
        soon = int(time.time()) + 1000
        muted = b("conversation.setMuted", conversation=group, on=True, until=soon, mentions=True)
        assert muted["muted"] == {"until": soon, "mentions": True}
        assert "muted" not in b("conversation.setMuted", conversation=group, on=True, until=1)
        # What is archived comes back with the next message; muted, only when it mentions Bob.
        assert b("conversation.setArchived", conversation=group, on=True)["archived"] is True
        assert order() == [room] and order(archived=True) == [group]
        a("message.send", conversation=group, text="back")
        got("back")
        assert order() == [group, room] and order(archived=True) == []
        b("conversation.setArchived", conversation=group, on=True)
        b("conversation.setMuted", conversation=group, on=True)
        a("message.send", conversation=group, text="not back")
        got("not back")
        assert order() == [room] and one(group)["unread"] == 4
        a("message.send", conversation=group, markdown=True, text="[@Bob](sotto:account/%s) you" % mention)
        b.events(lambda n: n["params"].get("message", {}).get("text", "").endswith(" you"))
        assert order() == [group, room]
        b("conversation.markRead", conversation=group)
        assert (one(group)["unread"], one(group)["mentions"]) == (0, 0)
        assert b("conversation.markUnread", conversation=group)["markedUnread"] is True
        b("conversation.markRead", conversation=group)
        assert one(group)["markedUnread"] is False
        assert b("account.setTyping", on=False)["typing"] is False
        b("conversation.setTyping", conversation=group, on=True)  # which nobody hears then: test_typing.py
        # A link to a message opens at whoever has it, and nowhere else.
        link = b("message.link", message=one(group)["last"]["id"])["link"]
        assert b("message.find", link=link)["id"] == one(group)["last"]["id"]
        assert a("message.find", link=" %s\n" % link)["text"] == one(group)["last"]["text"]
        assert alice.ok("message", "find", link).of("message")[0]["conversation"] == group
        assert bob.ok("message", "link", str(one(group)["last"]["id"])).of("messageLink")[0]["link"] == link
        assert a.fails("message.find", link=link[:-1]) == "bad_link"
        assert a.fails("message.find", link=link[:30] + ("B" if link[30] == "A" else "A") + link[31:]) == "not_found"
        # Drafts.
        last = one()["last"]["id"]
        draft = b("conversation.setDraft", conversation=room, text="Dear", replyTo=last)["draft"]
        assert (draft["text"], draft["replyTo"], draft["markdown"]) == ("Dear", last, False)
        assert b.fails("conversation.setDraft", conversation=group, text="x", replyTo=last) == "not_found"
        assert "draft" not in b("conversation.setDraft", conversation=room)
        # Erased: nothing is left of it; back with the next message, and Alice has all that she had.
        b("conversation.setDraft", conversation=group, text="gone")
        b("conversation.erase", conversation=group)
        b.events(lambda n: n["params"]["type"] == "conversationErased" and n["params"]["about"] == group)
        assert b("message.list", conversation=group)["messages"] == [] and order() == [room]
        assert b("message.search", words="newer")["messages"] == []
        assert one(group)["hidden"] is True and "last" not in one(group) and "draft" not in one(group)
        a("message.send", conversation=group, text="anew")
        got("anew")
        assert order() == [group, room] and texts(b, group) == ["anew"] and "newer" in texts(a, group)
        # What is over goes whole.
        a("group.remove", conversation=group, members=["Bob"])
        eventually(lambda: one(group)["state"] == "removed", "its end")
        b("conversation.erase", conversation=group)
        assert b.fails("conversation.get", conversation=group) == "not_found" and order() == [room]


def settings():
    """a group's settings, roles and bans are changed and seen through two daemons"""
    with Two() as (world, alice, bob, a, b, room):
        group = a("group.create", title="Kitchen", members=["Bob"])["conversation"]
        eventually(lambda: [c for c in b("conversation.list")["conversations"] if c["title"] == "Kitchen"], "the group")
        path = os.path.join(world.directory, "picture")
        with open(path, "wb") as file:
            file.write(PICTURE)
        a("group.setTitle", conversation=group, title="Pantry")
        a("group.setDescription", conversation=group, description="jam")
        a("group.setPicture", conversation=group, path=path)
        a("group.setPolicy", conversation=group, policy="write", role="admin")
        a("group.setJoin", conversation=group, rule="closed")
        a("group.setRole", conversation=group, who="Bob", role="admin")

        def there():
            one = b("conversation.get", conversation=group)
            agreed = one["settings"]
            return one["title"] == "Pantry" and agreed["role"] == "admin" and agreed["mayWrite"] and \
                agreed["picture"] == len(PICTURE) and agreed["description"] == "jam" and agreed["join"] == "closed"
        eventually(there, "all of it at Bob's")
        assert b.fails("group.setPolicy", conversation=group, policy="write", role="member") == "not_allowed"
        assert b.fails("group.setPolicy", conversation=group, policy="dance", role="member") == "usage"
        assert b("group.savePicture", conversation=group, to=path + "2")["path"] == path + "2"
        assert {s["name"]: s["role"] for s in b("group.standings", conversation=group)["standings"]} == \
            {"Alice": "owner", "Bob": "admin"}
        assert a.fails("group.continue", conversation=group) == "cannot_change"
        # Joining by a link.
        a("group.setJoin", conversation=group, rule="ask")
        eventually(lambda: a("conversation.get", conversation=group)["settings"]["join"] == "ask", "the rule")
        link = a("group.createLink", conversation=group, uses=2)["link"]
        assert [(l["uses"], l["used"]) for l in a("group.listLinks")["links"]] == [(2, 0)]
        carol = type(alice)(world, "Carol")
        carol.register()
        daemon = Daemon(carol)
        c = daemon.rpc()
        a("events.subscribe")
        asked = c("group.ask", link=link)["conversation"]
        assert c("conversation.get", conversation=asked)["state"] == "asked"
        a.events(lambda n: n["params"].get("type") == "joinRequest" and n["params"]["about"] == group)
        request = a("group.listRequests")["requests"][0]
        assert (request["name"], request["title"], request["account"]) == \
            ("Carol", "Pantry", c("account.get")["account"])
        assert a("group.approve", request=request["request"])["conversation"] == group
        eventually(lambda: [k["state"] for k in c("conversation.list")["conversations"]] == ["active"], "Carol in")
        daemon.stop()
        assert a.fails("group.refuse", request=request["request"]) == "not_found"
        a("group.revokeLink", link=1)
        assert a("group.listLinks")["total"] == 0
        a("group.ban", conversation=group, who="Bob")
        eventually(lambda: b("conversation.get", conversation=group)["state"] == "removed", "Bob's being out")
        assert [s["name"] for s in a("group.standings", conversation=group)["standings"] if s["banned"]] == ["Bob"]
        a("group.unban", conversation=group, who="Bob")
        a("sync")
        a("group.add", conversation=group, members=["Bob"])
        eventually(lambda: b("conversation.get", conversation=group)["state"] == "active", "Bob's being in again")


def keeping():
    """a backup is made while the daemon goes on, with progress, and restored through another daemon"""
    with Two() as (world, alice, bob, a, b, room):
        for i in range(40):
            a("message.send", conversation=room, text="m%d" % i)
        eventually(lambda: len(texts(a, room)) == 40, "all of them sent")
        path = os.path.join(world.directory, "backup")
        made = a("backup.create", path=path, accountKey=True)
        assert made["size"] == os.path.getsize(path) and made["messages"] > 40
        assert a.fails("backup.create", path=path) == "exists"
        assert [n["params"]["done"] for n in a.notes if n["method"] == "progress"][-1] >= 40
        a("backup.create", path=path + "2", passphrase="correct horse")
        exported = a("conversation.export", conversation=room, path=path + ".folder")
        assert exported["messages"] == made["messages"], exported
        imported = a("conversation.import", path=path + ".folder")
        assert imported["messages"] == 0 and imported["known"] >= 40, imported
        other = type(alice)(world, "Alice's laptop")
        daemon = Daemon(other)
        c = daemon.rpc()
        assert c.fails("backup.restore", path=path, passphrase="wrong") == "wrong_passphrase"
        restored = c("backup.restore", path=path, passphrase=made["key"])
        assert restored["accountKey"] and restored["account"] == a("account.get")["account"]
        assert c("message.search", words="m7")["messages"]
        eventually(lambda: c("conversation.get", conversation=room)["state"] == "active", "added again")
        assert texts(c, room) == texts(a, room)
        assert c("calls.stop") == {"stopped": 0}
        daemon.stop()


def whole():
    """every method was called"""
    missing = set(METHODS) - used - {m for m in METHODS if m.startswith(("accounts.", "notice.", "relay."))} - {
        "account.move", "rpc.discover", "account.setDownloads", "message.sendAlbum"}  # test_accounts, test_following, test_move, without_daemon, test_downloads, test_pictures
    assert not missing, missing


main([conversation, groups, people, readers, other_programs, without_daemon, wrong_lines, alone, stdio, killed, stops,
      locked, several_devices, an_account_comes_back_and_ends, listing, settings, keeping, whole])
