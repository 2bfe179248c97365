"""Groups that people run: titles, pictures, roles, who may do what, bans, timers."""

import base64
import os
import subprocess

from linking import Device, begin
from world import World, main, texts

PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
                           "rkJggg==")


def befriend_all(world):
    for person in world.people:
        person.register()
    for i, one in enumerate(world.people):
        for other in world.people[i + 1:]:
            world.befriend(one, other)


def sync_all(world):
    for _ in range(2):
        for person in world.people:
            person.ok("sync")


def settings(person, title):
    return person.ok("group", "settings", title).of("conversation")[0]["settings"]


def agree(people, title):
    states = {(c["epoch"], c["epochAuthenticator"]) for c in (p.conversation(title) for p in people)}
    assert len(states) == 1, states


def members(person, title):
    return sorted(m["name"] for m in person.ok("group", "members", title).of("member"))


def lines(person, title):
    return [(m["kind"], m["name"], m.get("subjectName"), m.get("detail")) for m in person.history(title)
            if m["kind"] not in ("text", "joined", "added")]


def refused(result):
    assert (result.code, result.error) == (4, "not_allowed"), result


def test_title_and_picture():
    """a title, a picture and a description change for all, and the history says who changed what"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        sync_all(world)
        picture = os.path.join(world.directory, "pot.png")
        with open(picture, "wb") as file:  # with a chunk that tells more than it shows
            file.write(PICTURE[:33] + b"\0\0\0\x0ftEXtComment\0at home#\xa7\xad\x86" + PICTURE[33:])
        bob.ok("group", "title", "Kitchen", "Küche")
        bob.ok("group", "picture", "Küche", picture)
        alice.ok("sync")
        alice.ok("group", "description", "Küche", "Who cooks\nand when")
        sync_all(world)
        for person in world.people:
            now = settings(person, "Küche")
            assert now["picture"] == len(PICTURE) and now["description"] == "Who cooks\nand when", now
            saved = os.path.join(world.directory, "saved-" + person.name)
            person.ok("group", "picture", "Küche", "--save", saved)
            assert open(saved, "rb").read() == PICTURE
            assert person.run("group", "picture", "Küche", "--save", saved).error == "exists"
            assert lines(person, "Küche") == [("title", "Bob", None, "Küche"), ("setting", "Bob", None, "picture"),
                                              ("setting", "Alice", None, "description")], lines(person, "Küche")
        bob.ok("group", "picture", "Küche")
        sync_all(world)
        assert settings(carol, "Küche")["picture"] == 0
        with open(picture, "wb") as file:
            file.write(PICTURE[:33] + b"\0\0\x20\0IDAT" + bytes(8192 + 4) + PICTURE[33:])
        assert bob.run("group", "picture", "Küche", picture).error == "bad_picture"
        agree(world.people, "Küche")


def test_roles():
    """owners give roles; each role may what it may; a role that is taken away counts at once"""
    with World("Alice", "Bob", "Carol", "Dave") as (world, alice, bob, carol, dave):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        sync_all(world)
        assert settings(alice, "Kitchen")["role"] == "owner"
        mine = settings(carol, "Kitchen")
        assert mine["role"] == "member" and mine["mayAdd"] and mine["mayWrite"] and not mine["mayRemove"], mine
        refused(carol.run("group", "remove", "Kitchen", "Bob"))
        refused(carol.run("group", "role", "Kitchen", "Bob", "admin"))
        refused(carol.run("group", "policy", "Kitchen", "write", "owner"))
        alice.ok("group", "role", "Kitchen", "Bob", "admin")
        alice.ok("group", "policy", "Kitchen", "add", "admin")
        alice.ok("group", "policy", "Kitchen", "write", "admin")
        sync_all(world)
        refused(carol.run("group", "add", "Kitchen", "Dave"))
        refused(carol.run("send", "Kitchen", "may I?"))
        bob.ok("send", "Kitchen", "I may")
        bob.ok("group", "add", "Kitchen", "Dave")
        sync_all(world)
        assert members(dave, "Kitchen") == ["Alice", "Bob", "Carol", "Dave"]
        refused(bob.run("group", "remove", "Kitchen", "Alice"))
        bob.ok("group", "remove", "Kitchen", "Carol")
        sync_all(world)
        assert carol.conversation("Kitchen")["state"] == "removed"
        assert [s["role"] for s in dave.ok("group", "roles", "Kitchen").of("standing")].count("admin") == 1
        agree([alice, bob, dave], "Kitchen")


def test_ownership():
    """a group never is without an owner: the last one leaves, and the first admin is one"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        sync_all(world)
        own = alice.ok("status").of("status")[0]["account"]
        assert alice.run("group", "role", "Kitchen", own, "member").error == "cannot_change"
        alice.ok("group", "role", "Kitchen", "Carol", "admin")
        sync_all(world)
        alice.ok("group", "leave", "Kitchen")
        for _ in range(2):
            bob.ok("sync")
            carol.ok("sync")
        assert members(bob, "Kitchen") == ["Bob", "Carol"]
        assert settings(carol, "Kitchen")["role"] == "owner" and settings(bob, "Kitchen")["role"] == "member"
        carol.ok("group", "role", "Kitchen", "Bob", "owner")
        bob.ok("sync")
        own = carol.ok("status").of("status")[0]["account"]
        carol.ok("group", "role", "Kitchen", own, "member")
        bob.ok("sync")
        assert settings(bob, "Kitchen")["role"] == "owner" and settings(carol, "Kitchen")["role"] == "member"
        # Who comes again has no role from before.
        bob.ok("group", "add", "Kitchen", "Alice")
        sync_all(world)
        assert settings(alice, "Kitchen")["role"] == "member"
        agree(world.people, "Kitchen")


def test_ban():
    """who is banned is out, and nobody adds them until they are allowed again"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        sync_all(world)
        refused(bob.run("group", "ban", "Kitchen", "Carol"))
        alice.ok("group", "ban", "Kitchen", "Carol")
        sync_all(world)
        assert carol.conversation("Kitchen")["state"] == "removed"
        assert members(bob, "Kitchen") == ["Alice", "Bob"]
        refused(bob.run("group", "add", "Kitchen", "Carol"))
        refused(alice.run("group", "add", "Kitchen", "Carol"))
        alice.ok("group", "unban", "Kitchen", "Carol")
        sync_all(world)
        bob.ok("group", "add", "Kitchen", "Carol")
        sync_all(world)
        assert members(carol, "Kitchen") == ["Alice", "Bob", "Carol"]
        assert [l for l in lines(bob, "Kitchen") if l[0] == "ban"] == [
            ("ban", "Alice", "Carol", "banned"), ("ban", "Alice", "Carol", "allowed")]
        agree(world.people, "Kitchen")


def test_timer():
    """the timer is the room's: whoever writes, it disappears"""
    with World("Alice", "Bob") as (world, alice, bob):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob")
        sync_all(world)
        alice.ok("timer", "Kitchen", "1h")
        bob.ok("sync")
        assert bob.conversation("Kitchen")["timer"] == 3600
        bob.ok("send", "Kitchen", "soon gone")
        alice.ok("sync")
        assert [m["timer"] for m in alice.history("Kitchen") if m["kind"] == "text"] == [3600]
        bob.ok("timer", "Alice", "2h")
        alice.ok("sync")
        assert alice.conversation("Bob")["timer"] == 7200
        alice.ok("group", "policy", "Kitchen", "change", "admin")
        bob.ok("sync")
        refused(bob.run("timer", "Kitchen", "off"))


def test_race():
    """of a change and the loss of the role for it, the log's order decides, for all alike"""
    with World("Alice", "Bob") as (world, alice, bob):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob")
        sync_all(world)
        alice.ok("group", "policy", "Kitchen", "change", "owner")
        late = bob.run("group", "title", "Kitchen", "Bob's")
        refused(late)
        sync_all(world)
        assert bob.conversation("Kitchen")["state"] == alice.conversation("Kitchen")["state"] == "active"
        agree(world.people, "Kitchen")


def asks(person, link):
    return person.ok("group", "ask", link).of("conversation")[0]


def test_link():
    """by a link one asks to join; who made it lets in, or not; it has uses, and can be revoked"""
    with World("Alice", "Bob", "Carol", "Dave", "Eve") as (world, alice, bob, carol, dave, eve):
        for person in world.people:
            person.register()
        world.befriend(alice, bob)
        alice.ok("group", "create", "Kitchen", "Bob")
        bob.ok("sync")
        link = bob.ok("group", "link", "Kitchen", "--uses", "3").of("invitation")[0]["link"]
        assert bob.run("group", "ask", link).error == "own_link"
        for person in (carol, dave, eve):
            asked = asks(person, link)
            assert asked["state"] == "asked" and asked["title"] == "Kitchen", asked
            assert asks(person, link) == asked  # once
        assert carol.run("send", "Kitchen", "hello?").error == "not_member"
        bob.ok("sync")
        waiting = bob.ok("group", "requests").of("joinRequest")
        assert [(r["name"], r["title"]) for r in waiting] == [(n, "Kitchen") for n in ("Carol", "Dave", "Eve")], waiting
        assert bob.ok("group", "links").of("joinLink")[0]["used"] == 3
        bob.ok("group", "approve", str(waiting[0]["request"]))
        bob.ok("group", "refuse", str(waiting[1]["request"]))
        assert bob.run("group", "approve", str(waiting[1]["request"])).error == "not_found"
        carol.ok("sync")
        assert [c["state"] for c in carol.ok("conversations").of("conversation")] == ["active"]
        assert carol.ok("contacts").of("contact") == []  # whoever lets one in is no contact by that
        carol.ok("send", "Kitchen", "thank you")
        sync_all(world)
        assert ("Carol", "thank you") in [(m["name"], m["text"]) for m in alice.history("Kitchen") if m["kind"] == "text"]
        dave.ok("sync")
        assert dave.conversation("Kitchen")["state"] == "asked"
        dave.ok("group", "leave", "Kitchen")
        assert dave.ok("conversations").of("conversation") == []
        # A link that is used up or revoked is over.
        over = dave.run("group", "ask", link)
        assert (over.error, over.of("conversation")[0]["state"]) == ("not_member", "removed"), over
        other = bob.ok("group", "link", "Kitchen").of("invitation")[0]["link"]
        for one in bob.ok("group", "links").of("joinLink"):
            bob.ok("group", "unlink", str(one["link"]))
        assert bob.ok("group", "links").of("joinLink") == []
        assert dave.run("group", "ask", other).error == "not_member"
        agree([alice, bob, carol], "Kitchen")


def test_link_rules():
    """the group says who lets in, and whether anybody; who is banned is not"""
    with World("Alice", "Bob", "Carol", "Dave") as (world, alice, bob, carol, dave):
        for person in world.people:
            person.register()
        world.befriend(alice, bob)
        alice.ok("group", "create", "Kitchen", "Bob")
        bob.ok("sync")
        alice.ok("group", "join", "Kitchen", "open")
        link = alice.ok("group", "link", "Kitchen", "--uses", "9").of("invitation")[0]["link"]
        asks(carol, link)
        alice.ok("sync")
        carol.ok("sync")
        assert len(members(carol, "Kitchen")) == 3
        alice.ok("group", "ban", "Kitchen", "Carol")
        carol.ok("sync")
        asks(carol, link)
        alice.ok("sync")
        assert members(alice, "Kitchen") == ["Alice", "Bob"] and alice.ok("group", "requests").of("joinRequest") == []
        alice.ok("group", "policy", "Kitchen", "add", "admin")
        bob.ok("sync")
        refused(bob.run("group", "link", "Kitchen"))
        alice.ok("group", "join", "Kitchen", "closed")
        asks(dave, link)
        alice.ok("sync")
        assert members(alice, "Kitchen") == ["Alice", "Bob"] and alice.ok("group", "requests").of("joinRequest") == []
        refused(alice.run("group", "link", "Kitchen"))


def test_link_across_relays():
    """who asks may be at another relay, which knows nothing of the group's"""
    with World("Alice", "Bob") as (world, alice, bob), World("Zoe") as (other, zoe):
        befriend_all(world)
        zoe.register()
        alice.ok("group", "create", "Kitchen", "Bob")
        sync_all(world)
        link = alice.ok("group", "link", "Kitchen").of("invitation")[0]["link"]
        asks(zoe, link)
        alice.ok("sync")
        alice.ok("group", "approve", "1")
        zoe.ok("sync")
        zoe.ok("send", "Kitchen", "from afar")
        sync_all(world)
        assert bob.texts("Kitchen")[-1][1] == alice.texts("Kitchen")[-1][1] == "from afar"


def test_ban_beside_an_add():
    """who was banned before the change that adds them was made is out, and the group goes on"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob")
        sync_all(world)
        world.stop_relay()
        alice.run("group", "add", "Kitchen", "Carol")
        alice.run("group", "ban", "Kitchen", "Carol")
        world.start_relay()
        sync_all(world)
        assert members(bob, "Kitchen") == ["Alice", "Bob"]
        assert [s["banned"] for s in bob.ok("group", "roles", "Kitchen").of("standing")].count(True) == 1
        agree([alice, bob], "Kitchen")


def test_leave_beside_a_commit():
    """who asked to leave is out with the next commit, whoever makes it and whatever for"""
    with World("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        sync_all(world)
        world.stop_relay()
        carol.run("group", "update", "Kitchen")
        carol.run("send", "Kitchen", "behind it")
        world.start_relay()
        bob.ok("group", "leave", "Kitchen")
        carol.ok("sync")  # she may remove nobody, and the request is in the epoch that she ends
        assert members(carol, "Kitchen") == ["Alice", "Carol"]
        alice.ok("sync")
        assert members(alice, "Kitchen") == ["Alice", "Carol"]
        assert texts(alice, "Kitchen") == ["behind it"]
        agree([alice, carol], "Kitchen")


def test_put_out():
    """a device that a member puts out without cause is let in again, though the account's other one is gone"""
    with World("Alice", "Bob", "Mallory") as (world, alice, bob, mallory):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Mallory")
        sync_all(world)
        process, text = begin(Device(world, "Bob", 2), "--device", "Drawer")
        bob.ok("device", "add", text)
        process.communicate()
        sync_all(world)
        assert members(alice, "Kitchen") == ["Alice", "Bob", "Bob", "Mallory"]
        usurp(mallory, "Kitchen", "remove", bob.ok("status").of("status")[0]["account"])
        alice.ok("sync")
        assert members(alice, "Kitchen") == ["Alice", "Bob", "Mallory"]
        bob.run("sync")
        state = bob.conversation("Kitchen")
        assert state["state"] == "rejoining" and "put this device out" in state["trouble"], state
        assert bob.run("send", "Kitchen", "still here").error == "rejoining"
        bob.sql("UPDATE rejoin SET next_s = 1")  # a minute passes
        bob.run("sync")
        sync_all(world)
        assert bob.conversation("Kitchen")["state"] == "active", bob.conversation("Kitchen")
        assert members(alice, "Kitchen") == ["Alice", "Bob", "Bob", "Mallory"]
        alice.ok("sync")
        assert texts(alice, "Kitchen") == ["still here"]


def usurp(person, title, *what):
    done = subprocess.run([os.environ["SOTTO_USURPER"], person.profile, person.conversation(title)["conversation"],
                           *what], capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode in (0, 1), done
    return done


def there(person, title):
    """The living conversation of that title."""
    found = [c for c in person.ok("conversations").of("conversation") if c["title"] == title]
    return {c["state"]: c for c in found}


def stopped_and_goes_on(kind, early=False):
    with World("Alice", "Bob", "Carol", "Mallory") as (world, alice, bob, carol, mallory):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol", "Mallory")
        alice.ok("group", "policy", "Kitchen", "change", "admin")
        sync_all(world)
        bob.ok("send", "Kitchen", "before")
        sync_all(world)
        target = [bob.ok("status").of("status")[0]["account"]] if kind == "remove" else []
        usurp(mallory, "Kitchen", kind, *target)
        honest = [bob, carol, alice] if early else [alice, bob, carol]
        for person in honest:
            if person is not alice:
                person.run("sync")
            else:  # what was waiting fails; and the false gate is found out by whoever writes first
                assert alice.run("send", "Kitchen", "anybody here?").error == "forked"
                unsent = alice.history(there(alice, "Kitchen")["forked"]["conversation"])
                assert [m["status"] for m in unsent if m.get("text") == "anybody here?"] == ["failed"], unsent
                assert there(alice, "Kitchen")["forked"]["waiting"] == 0
        for _ in range(2):
            for person in honest:
                person.run("sync")
                person.let_in()
        for person in honest:
            states = there(person, "Kitchen")
            assert "active" in states, (person.name, states)
            if kind != "gate" or person is alice:  # the others learn of it from her
                assert "Mallory" in states["forked"]["trouble"], states
            old = person.ok("group", "settings", states["forked"]["conversation"]).of("conversation")[0]
            assert old["settings"]["successor"] == states["active"]["conversation"]
            new = states["active"]["conversation"]
            assert members(person, new) == ["Alice", "Bob", "Carol"], members(person, new)
            now = person.ok("group", "settings", new).of("conversation")[0]
            assert now["title"] == "Kitchen" and now["settings"]["change"] == "admin", now
            assert now["settings"]["role"] == ("owner" if person is alice else "member")
            person.ok("send", new, "from " + person.name)
        for person in honest:
            person.ok("sync")
        new = there(alice, "Kitchen")["active"]["conversation"]
        for person in honest:
            assert [t for _, t in person.texts(new)] == ["from " + p.name for p in honest], person.texts(new)
            assert len({c["epochAuthenticator"] for c in (there(p, "Kitchen")["active"] for p in honest)}) == 1
        mallory.run("sync")
        assert "active" not in there(mallory, "Kitchen") or \
            there(mallory, "Kitchen")["active"]["conversation"] != new


def test_usurped_title():
    """a title that its writer's role does not allow is followed by nobody; the group goes on without them"""
    stopped_and_goes_on("title")


def test_usurped_owner():
    """whoever makes themself an owner is none, to anybody, whoever sees it first"""
    stopped_and_goes_on("owner", early=True)


def test_usurped_remove():
    """whoever was removed by somebody who may not is not out"""
    stopped_and_goes_on("remove")


def test_usurped_gate():
    """a member who shuts all others out at the relay is found out, and the group goes on"""
    stopped_and_goes_on("gate")


def test_usurped_garbage():
    """a commit that is none stops the group at one place for all; an owner continues it by hand"""
    with World("Alice", "Bob", "Mallory") as (world, alice, bob, mallory):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Mallory")
        sync_all(world)
        usurp(mallory, "Kitchen", "garbage")
        for person in (alice, bob):
            person.run("sync")
            assert person.conversation("Kitchen")["state"] == "forked"
        assert bob.conversation("Kitchen")["seq"] == alice.conversation("Kitchen")["seq"]
        refused(bob.run("group", "continue", "Kitchen"))
        alice.ok("group", "continue", "Kitchen")
        assert alice.run("group", "continue", alice.run("conversations").of("conversation")[0]["conversation"]).code != 0
        bob.ok("sync")
        bob.ok("send", there(bob, "Kitchen")["active"]["conversation"], "here")
        alice.ok("sync")
        assert [t for _, t in alice.texts(there(alice, "Kitchen")["active"]["conversation"])] == ["here"]


main([test_link, test_link_rules, test_link_across_relays, test_title_and_picture, test_roles, test_ownership, test_ban, test_timer, test_race,
      test_ban_beside_an_add, test_leave_beside_a_commit, test_put_out,
      test_usurped_title, test_usurped_owner, test_usurped_remove, test_usurped_gate, test_usurped_garbage])
