"""What people do to messages that are there: replies, edits, deletions, reactions, over real daemons,
with people who are away, programs that are killed, and a member whose program lies."""
import base64
import json
import os
import subprocess
import time

from rpc import Daemon
from world import PATIENCE, World, eventually, main


class Group:
    """`with Group() as (world, people, daemons, rpcs, room)`: three people in one group, each with a
    daemon that runs, and everybody's name known."""

    names = ("Alice", "Bob", "Carol")

    def __enter__(self):
        self.world = World(*self.names)
        world, *people = self.world.__enter__()
        for person in people:
            person.register()
        alice, bob, carol = people
        world.befriend(alice, bob)
        world.befriend(alice, carol)
        room = alice.ok("group", "create", "Kitchen", "Bob", "Carol").of("conversation")[0]["conversation"]
        for person in people[1:]:
            person.ok("sync")
            person.let_in()
            person.ok("sync")
        self.people = people
        self.daemons = {}
        return self, people, room

    def rpc(self, person):
        self.daemons[person] = Daemon(person)
        return self.daemons[person].rpc()

    def away(self, person):
        assert self.daemons.pop(person).stop().code == 0

    def __exit__(self, *reason):
        try:
            if reason[0] is None:
                for person in list(self.daemons):
                    self.away(person)
        finally:
            for daemon in self.daemons.values():
                if daemon.process.poll() is None:
                    daemon.kill()
            self.world.__exit__(*reason)


def messages(rpc, room):
    return [m for m in rpc("message.list", conversation=room)["messages"]
            if m["kind"] in ("text", "file", "deleted", "newer", "unreadable")]


def look(message):
    """What all members see alike."""
    return (message["seq"], message["kind"], message["sender"], message.get("text"), "edited" in message,
            message.get("replyTo", {}).get("text"),
            sorted((r["sender"], r["reaction"]) for r in message.get("reactions", [])))


def seen(rpc, room):
    return [look(m) for m in messages(rpc, room)]


def numbered(rpc, room, text):
    """The number that a message of that text has here, once it is here."""
    return eventually(lambda: [m["id"] for m in messages(rpc, room) if m.get("text") == text and "id" in m],
                      "the message " + text)[0]


def same(room, *rpcs):
    eventually(lambda: all(seen(rpc, room) == seen(rpcs[0], room) for rpc in rpcs), "everybody seeing the same")
    return seen(rpcs[0], room)


def sent(rpc, room, done):
    eventually(lambda: rpc("message.status", conversation=room, clientId=done["clientId"])["status"] != "waiting",
               "it being sent")


def content_id(person, text):
    found = person.sql("SELECT content_id FROM message WHERE text = '%s'" % text)
    assert len(found) == 1, found
    return found[0][0]["blob"]


def lie(person, room, *what):
    done = subprocess.run([os.environ["SOTTO_LIAR"], person.profile, room, *what], capture_output=True,
                          encoding="utf-8", timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def together():
    """replies, edits, reactions and deletions are the same for all three, one of whom was away"""
    with Group() as (group, (alice, bob, carol), room):
        a, b = group.rpc(alice), group.rpc(bob)
        a("message.send", conversation=room, text="dinner at eight?\nor later")
        first = numbered(b, room, "dinner at eight?\nor later")
        b("events.subscribe")
        b("message.send", conversation=room, text="**fine**", replyTo=first, markdown=True)
        b("message.react", message=first, reaction="👍")
        number = numbered(a, room, "**fine**")
        answer = a("message.list", conversation=room, limit=1)["messages"][-1]
        assert answer["markdown"] is True
        assert answer["replyTo"] == {"id": numbered(a, room, "dinner at eight?\nor later"), "own": True,
                                     "sender": a("account.get")["account"], "name": "Alice",
                                     "text": "dinner at eight?"}, answer
        # Another reaction takes the first one's place; the edit's text that of the text.
        sent(b, room, b("message.react", message=first, reaction="❤"))
        sent(a, room, a("message.edit", message=numbered(a, room, "dinner at eight?\nor later"), text="dinner at nine?"))
        sent(a, room, a("message.react", message=number, reaction="🎉"))
        b.events(lambda n: n["params"].get("type") == "messageChanged"
                 and n["params"]["message"].get("text") == "dinner at nine?")
        b.events(lambda n: n["params"].get("message", {}).get("reactions", [{}])[0].get("reaction") == "🎉")
        c = group.rpc(carol)
        whole = same(room, a, b, c)
        assert [(m[1], m[3], m[4], m[5]) for m in whole] == [
            ("text", "dinner at nine?", True, None), ("text", "**fine**", False, "dinner at nine?")], whole
        assert [[r[1] for r in m[6]] for m in whole] == [["❤"], ["🎉"]], whole
        # Back again, and gone.
        sent(b, room, b("message.react", message=first))
        assert b.fails("message.react", message=first) == "not_found"
        group.away(carol)
        sent(a, room, a("message.delete", message=numbered(a, room, "dinner at nine?")))
        b.events(lambda n: n["params"].get("message", {}).get("kind") == "deleted")
        c = group.rpc(carol)
        whole = same(room, a, b, c)
        assert [(m[1], m[3], m[5], m[6]) for m in whole][:1] == [("deleted", None, None, [])], whole
        assert whole[1][5] == "", whole  # what was quoted is gone too
        for rpc, me in ((a, True), (b, False)):
            gone = messages(rpc, room)[0]["id"]
            assert rpc.fails("message.edit", message=gone, text="x") == "cannot_change"
            assert rpc.fails("message.react", message=gone, reaction="x") == "cannot_change"
        for person in (alice, bob, carol):
            left = json.dumps(person.sql("SELECT * FROM message") + person.sql("SELECT * FROM outgoing"))
            assert "dinner" not in left and b"dinner".hex() not in left, left


def racing():
    """edits that race a deletion, and each other: the log's order decides, for everybody alike"""
    with Group() as (group, (alice, bob, carol), room):
        a = group.rpc(alice)
        for text in ("one", "two", "three"):
            a("message.send", conversation=room, text=text)
        ids = {text: numbered(a, room, text) for text in ("one", "two", "three")}
        group.away(alice)

        def call(method, **params):
            return json.loads(alice.ok("call", "message." + method, json.dumps(params)).out)
        # All are queued before any leaves; what comes last in the log counts.
        call("edit", message=ids["one"], text="one, first")
        call("delete", message=ids["one"])
        call("edit", message=ids["one"], text="one, too late")
        call("react", message=ids["one"], reaction="!")
        call("edit", message=ids["two"], text="two, first")
        call("edit", message=ids["two"], text="two, last", clientId="last")
        assert call("edit", message=ids["two"], text="never again", clientId="last")["status"] == "waiting"
        assert [m[3] for m in seen(group.rpc(alice), room)][0] in ("one", None)
        a = group.daemons[alice].rpc()
        sent(a, room, {"clientId": "last"})
        b, c = group.rpc(bob), group.rpc(carol)
        whole = same(room, a, b, c)
        assert [(m[1], m[3]) for m in whole] == [("deleted", None), ("text", "two, last"), ("text", "three")], whole
        for person in (alice, bob, carol):
            assert not person.sql("SELECT text FROM message WHERE text LIKE 'one%' OR text LIKE '%never%'")


def lying():
    """a member whose program lies changes nothing that is not its own"""
    with Group() as (group, (alice, bob, carol), room):
        a, c = group.rpc(alice), group.rpc(carol)
        a("message.send", conversation=room, text="mine")
        sent(c, room, c("message.react", message=numbered(c, room, "mine"), reaction="👍"))
        bob.ok("sync")
        before = same(room, a, c)
        target = content_id(bob, "mine")
        reaction = bob.sql("SELECT content_id FROM reaction")[0][0]["blob"]
        number = json.loads(bob.ok("call", "message.list", json.dumps({"conversation": room})).out)["messages"][-1]["id"]
        assert bob.run("edit", str(number), "x").error == "not_yours"
        assert bob.run("delete", str(number)).error == "not_yours"
        lie(bob, room, "edit", target, "not what Alice said")
        lie(bob, room, "delete", target)
        lie(bob, room, "delete", reaction)
        lie(bob, room, "edit", reaction, "x")
        lie(bob, room, "delete", "01" + "00" * 31)
        lie(bob, room, "edit", "01" + "00" * 31, "of nothing")
        lie(bob, room, "react", "01" + "00" * 31, "👎")
        bob.ok("send", "Kitchen", "and now?")
        numbered(a, room, "and now?")
        numbered(c, room, "and now?")
        assert seen(a, room)[:1] == before == seen(c, room)[:1], (before, seen(a, room))
        assert len(seen(a, room)) == len(seen(c, room)) == 2, seen(a, room)
        # An edit of an edit means the message; a reply to nothing is a text.
        bob.ok("edit", str(json.loads(bob.ok("call", "message.list", json.dumps({"conversation": room})).out)
                           ["messages"][-1]["id"]), "and now??")
        revision = bob.sql("SELECT content_id FROM revision")[0][0]["blob"]
        lie(bob, room, "edit", revision, "and now???")
        lie(bob, room, "reply", "01" + "00" * 31, "to nothing")
        last = [m for m in messages(a, room) if m["id"] == numbered(a, room, "to nothing")][0]
        assert last["replyTo"] == {}, last
        assert [m[3] for m in same(room, a, c)] == ["mine", "and now???", "to nothing"]


def killed():
    """a change that was answered for happens once, whenever the program is killed"""
    with Group() as (group, (alice, bob, carol), room):
        alice.ok("send", "Kitchen", "0")
        for turn in range(8):
            a = group.rpc(alice)
            number = [m["id"] for m in messages(a, room) if "id" in m][0]
            a("message.edit", message=number, text=str(turn + 1), clientId="edit%d" % turn)
            a("message.react", message=number, reaction=str(turn), clientId="react%d" % turn)
            if turn % 2:
                sent(a, room, {"clientId": "edit%d" % turn})
            group.daemons.pop(alice).kill()
        a, b, c = group.rpc(alice), group.rpc(bob), group.rpc(carol)
        eventually(lambda: len(a("message.list", conversation=room)["messages"]) and
                   a("message.status", conversation=room, clientId="react7")["status"] == "sent", "the last one sent")
        whole = same(room, a, b, c)
        assert [(m[3], [r[1] for r in m[6]]) for m in whole] == [("8", ["7"])], whole


def receipts():
    """who got and read a message, as long as they want to tell; several at once, and nothing of it is news"""
    with Group() as (group, (alice, bob, carol), room):
        a = group.rpc(alice)
        pair = a("conversation.find", name="Bob")["conversation"]
        carol.ok("receipts", "off")
        for number in range(20):
            a("message.send", conversation=room, text="m%d" % number, clientId="g%d" % number)
            a("message.send", conversation=pair, text="p%d" % number, clientId="p%d" % number)
        sent(a, room, {"clientId": "g19"})
        sent(a, pair, {"clientId": "p19"})
        seq = {one: a("conversation.get", conversation=one)["seq"] for one in (room, pair)}
        order = [one["conversation"] for one in a("conversation.list")["conversations"]]
        carol.ok("sync")
        carol.ok("history", "Kitchen")
        carol.ok("sync")
        bob.ok("sync")  # twenty in each are one receipt's message
        eventually(lambda: a("message.status", conversation=pair, clientId="p0")["status"] == "delivered", "a receipt")
        eventually(lambda: all(a("conversation.get", conversation=one)["seq"] == seq[one] + 1 for one in seq),
                   "one message of receipts in each")
        assert all(m["status"] == "delivered" for m in messages(a, pair) if m["text"].startswith("p"))
        seventh = numbered(a, room, "m7")
        info = a("message.info", message=seventh)
        assert info["message"]["status"] == "sent" and info["message"]["text"] == "m7"
        assert [(r["name"], r["status"]) for r in info["receipts"]] == [("Bob", "delivered")], info
        # Neither shown nor unread nor activity; nothing is owed for them in turn.
        assert len(messages(a, pair)) == 20 and a("conversation.get", conversation=pair)["unread"] <= 2
        assert [one["conversation"] for one in a("conversation.list")["conversations"]] == order
        # Read, by a daemon: at most one message of a room in ten seconds, however often something is read.
        begun = time.monotonic()
        b = group.rpc(bob)
        a("events.subscribe")
        for number in range(0, 20, 2):
            b("conversation.markRead", conversation=pair, message=numbered(b, pair, "p%d" % number))
            b("sync")
        b("conversation.markRead", conversation=pair, message=numbered(b, pair, "p19"))
        a.events(lambda n: n["params"].get("message", {}).get("status") == "read")
        eventually(lambda: a("message.status", conversation=pair, clientId="p19")["status"] == "read", "all read")
        told = a("conversation.get", conversation=pair)["seq"] - seq[pair] - 1
        assert 1 <= told <= 2 + (time.monotonic() - begun) // 10, told
        told = json.loads(alice.ok("info", str(numbered(a, pair, "p3"))).out.splitlines()[1])
        assert (told["type"], told["name"], told["status"]) == ("receipt", "Bob", "read"), told
        # Whoever switches them off is shown none either, and what was here is forgotten.
        assert a("account.setReceipts", on=False)["receipts"] is False
        assert a("message.status", conversation=pair, clientId="p19")["status"] == "sent"
        assert a("message.info", message=seventh)["receipts"] == []
        assert a("account.setReceipts", on=True)["receipts"] is True
        assert a("message.info", message=seventh)["receipts"] == []
        # Nobody has a say about what others wrote.
        a("message.send", conversation=room, text="last")
        eventually(lambda: [m for m in messages(b, room) if m.get("text") == "last"], "Bob having it")
        b("message.send", conversation=room, text="of Bob")
        numbered(a, room, "of Bob")
        lie(carol, room, "read", "01" + "00" * 31)
        lie(bob, room, "read", content_id(bob, "of Bob"))
        lie(carol, room, "read", content_id(carol, "of Bob"))
        carol.ok("send", "Kitchen", "the end")
        numbered(a, room, "the end")
        assert a("message.info", message=numbered(a, room, "of Bob"))["receipts"] == []
        eventually(lambda: [r["name"] for r in b("message.info", message=numbered(b, room, "of Bob"))["receipts"]
                            if r["status"] == "read"] == ["Carol"], "Carol's word, which is hers to give")


def gone(person, text):
    """Whether nothing of it is in the profile's tables."""
    return not person.sql("SELECT 1 FROM message WHERE text LIKE '%%%s%%' OR hex(content) LIKE '%%%s%%'"
                          % (text, text.encode().hex().upper()))


def disappearing():
    """what disappears is erased on time where a daemon runs, elsewhere when the profile is opened next"""
    with Group() as (group, (alice, bob, carol), room):
        a, b = group.rpc(alice), group.rpc(bob)
        b("events.subscribe")
        a("message.send", conversation=room, text="this stays")
        assert a("conversation.setTimer", conversation=room, seconds=2)["timer"] == 2
        a("message.send", conversation=room, text="soon over")
        path = os.path.join(group.world.directory, "file")
        with open(path, "wb") as file:
            file.write(b"bytes")
        a("message.sendFile", conversation=room, path=path, caption="soon over too")
        assert a("conversation.setTimer", conversation=room, seconds=0).get("timer") is None
        a("message.send", conversation=room, text="this stays too")
        last = numbered(b, room, "this stays too")
        number, file = numbered(b, room, "soon over"), numbered(b, room, "soon over too")
        b("message.react", message=number, reaction="!")
        unread = [m for m in messages(b, room) if m["id"] == number][0]
        assert unread["timer"] == 2 and "erase" not in unread, unread
        # Alice's clock ran since it was sent; Bob's begins now, Carol's much later.
        eventually(lambda: gone(alice, "soon over"), "Alice's being erased")
        assert not gone(bob, "soon over")
        b("message.send", conversation=room, text="about that", replyTo=number)
        about = numbered(b, room, "about that")
        assert [m for m in messages(b, room) if m["id"] == about][0]["replyTo"]["text"] == "soon over"
        b("conversation.markRead", conversation=room, message=max(last, file))
        erased = []
        while len(erased) < 2:
            erased += [n["params"]["erased"] for n in b.events(lambda n: n["params"].get("type") == "messageErased")
                       if n["params"].get("type") == "messageErased"]
        assert erased == [number, file], erased
        eventually(lambda: gone(bob, "soon over"), "Bob's being erased")
        assert [m for m in messages(b, room) if m["id"] == about][0]["replyTo"] == {}
        assert b.fails("message.info", message=number) == "not_found"
        assert [m.get("text") for m in messages(b, room)][:2] == ["this stays", "this stays too"]
        carol.ok("sync")
        assert not gone(carol, "soon over")
        assert "soon over" in [m.get("text") for m in carol.history("Kitchen")]
        when = carol.sql("SELECT max(erase_s) FROM message")[0][0]
        eventually(lambda: time.time() > when, "its time")
        assert not gone(carol, "soon over")  # nobody was there to do it
        carol.ok("status")
        assert gone(carol, "soon over")
        assert "soon over" not in [m.get("text") for m in carol.history("Kitchen")]


def onward():
    """forwarding, mentions, and sending once more what had failed"""
    with Group() as (group, (alice, bob, carol), room):
        a = group.rpc(alice)
        pair = a("conversation.find", name="Carol")["conversation"]
        path = os.path.join(group.world.directory, "file")
        with open(path, "wb") as file:
            file.write(os.urandom(5000))
        me = a("account.get")["account"]
        link = base64.urlsafe_b64encode(bytes.fromhex(me)).decode().rstrip("=")
        text = "ask [Alice](sotto:account/%s), [x](sotto:account/%s) or [y](sotto:account/short)" % (link, link[:-1])
        bob.ok("send", "Kitchen", "--markdown", text)
        bob.ok("send", "Kitchen", "--file", path, "look")
        number, file = numbered(a, room, text), numbered(a, room, "look")
        assert [m["mentions"] for m in messages(a, room) if m["id"] == number] == [[{"account": me}]]
        a("message.forward", message=number, conversation=pair, clientId="f1")
        a("message.forward", message=number, conversation=pair, clientId="f1")
        sent(a, pair, a("message.forward", message=file, conversation=pair))
        c = group.rpc(carol)
        carols = c("conversation.find", name="Alice")["conversation"]
        got = numbered(c, carols, "look")
        assert [(m.get("text"), "mentions" in m, m["name"]) for m in messages(c, carols)] == [
            (text, True, "Alice"), ("look", False, "Alice")]
        saved = c("message.saveFile", message=got, to=group.world.directory + "/saved")["path"]
        assert open(saved, "rb").read() == open(path, "rb").read()
        event = [m["id"] for m in a("message.list", conversation=room)["messages"] if m["kind"] == "added"][0]
        assert a.fails("message.forward", message=event, conversation=pair) == "cannot_change"
        # Bob writes while he is being removed: it fails; once he is back, it can be sent.
        bob.ok("call", "message.send", json.dumps({"conversation": room, "text": "late", "clientId": "late",
                                                   "replyTo": int(bob.history("Kitchen")[-1]["id"])}))
        a("group.remove", conversation=room, members=["Bob"])
        eventually(lambda: len(a("group.members", conversation=room)["members"]) == 2, "Bob being out")
        bob.run("sync")
        assert [m["status"] for m in bob.history("Kitchen") if m.get("text") == "late"] == ["failed"]
        assert bob.run("retry", "Kitchen", "late").error == "not_member"
        assert bob.run("retry", "Kitchen", "never").error == "not_found"
        a("group.add", conversation=room, members=["Bob"])
        eventually(lambda: len(a("group.members", conversation=room)["members"]) == 3, "Bob being in again")
        bob.ok("sync")
        bob.let_in()
        bob.ok("sync")
        again = bob.ok("retry", "Kitchen", "late").of("sending")[0]
        assert again["status"] == "sent" and again["clientId"] == "late", again
        assert bob.ok("retry", "Kitchen", "late").of("sending")[0]["seq"] == again["seq"]
        late = [m for m in messages(a, room) if m["id"] == numbered(a, room, "late")]
        assert len(late) == 1 and late[0]["replyTo"]["text"] == "look", late


def shown():
    """the command line shows all of it, to people too"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        assert alice.ok("send", "Bob", "eigth").of("sending")[0]["status"] == "sent"
        number = str(alice.history("Bob")[-1]["id"])
        assert alice.ok("edit", number, "eight").of("sending")[0]["status"] == "sent"
        bob.ok("sync")
        theirs = str(bob.history("Alice")[-1]["id"])
        bob.ok("react", theirs, "👍")
        bob.ok("reply", theirs, "-", text="good\n")
        alice.ok("sync")

        def text(person, who):
            argv = [a for a in person.argv("history", who) if a != "--json"]
            return subprocess.run(argv, capture_output=True, encoding="utf-8", check=True).stdout
        lines = text(alice, "Bob").splitlines()[-4:]
        assert lines[0].startswith(number + " [") and "You: eight  (edited)" in lines[0], lines
        assert lines[1:3] == ["    👍 Bob", "    > You: eight"] and lines[3].endswith("Bob: good"), lines
        alice.ok("delete", number)
        bob.ok("sync")
        lines = text(bob, "Alice").splitlines()[-3:]
        assert lines[0].endswith("-- Alice: a message that was deleted") and lines[1] == "    > Alice: ", lines
        assert bob.run("delete", theirs).error == "cannot_change"
        assert bob.run("react", "99999", "👍").error == "not_found"
        assert bob.run("reply", "x", "y").error == "usage"


main([together, racing, lying, killed, receipts, disappearing, onward, shown])
