"""Groups: who is in, who is out, and what each can read."""

from world import World, main


def three(*names):
    return World(*(names or ("Alice", "Bob", "Carol")))


def befriend_all(world):
    for person in world.people:
        person.register()
    for i, one in enumerate(world.people):
        for other in world.people[i + 1:]:
            world.befriend(one, other)


def members(person, title):
    return sorted(m["name"] for m in person.ok("group", "members", title).of("member"))


def agree(people, title):
    states = {(c["epoch"], c["epochAuthenticator"]) for c in (p.conversation(title) for p in people)}
    assert len(states) == 1, states


def test_together():
    """a group is made, written to by all, and all agree"""
    with three() as (world, alice, bob, carol):
        befriend_all(world)
        made = alice.ok("group", "create", "Kitchen", "Bob", "Carol").of("conversation")[0]
        assert made["state"] == "active" and made["members"] == 3, made
        bob.ok("sync")
        carol.ok("sync")
        bob.ok("send", "Kitchen", "b")
        carol.ok("send", "Kitchen", "c")
        alice.ok("sync")
        bob.ok("sync")
        assert alice.texts("Kitchen") == bob.texts("Kitchen") == carol.texts("Kitchen")
        assert members(carol, "Kitchen") == ["Alice", "Bob", "Carol"]
        agree(world.people, "Kitchen")


def test_removed():
    """who is removed keeps the past, reads nothing that comes after, and can come back"""
    with three() as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        bob.ok("sync")
        carol.ok("sync")
        alice.ok("send", "Kitchen", "all read this")
        alice.ok("group", "remove", "Kitchen", "Bob")
        alice.ok("send", "Kitchen", "not for Bob")
        bob.ok("sync")
        carol.ok("sync")
        assert [t for _, t in bob.texts("Kitchen")] == ["all read this"]
        assert bob.conversation("Kitchen")["state"] == "removed"
        refused = bob.run("send", "Kitchen", "hello?")
        assert (refused.code, refused.error) == (4, "not_member"), refused
        alice.ok("group", "add", "Kitchen", "Bob")
        alice.ok("send", "Kitchen", "welcome back")
        bob.ok("sync")
        carol.ok("sync")
        assert [t for _, t in bob.texts("Kitchen")] == ["all read this", "welcome back"]
        assert [t for _, t in carol.texts("Kitchen")] == ["all read this", "not for Bob", "welcome back"]
        agree(world.people, "Kitchen")


def test_removed_and_added_while_away():
    """who was removed and added again while away reads what was before and what is after"""
    with three() as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        bob.ok("sync")
        alice.ok("send", "Kitchen", "before")
        alice.ok("group", "remove", "Kitchen", "Bob")
        alice.ok("send", "Kitchen", "between")
        alice.ok("group", "add", "Kitchen", "Bob")
        alice.ok("send", "Kitchen", "after")
        bob.ok("sync")
        carol.ok("sync")
        assert [t for _, t in bob.texts("Kitchen")] == ["before", "after"], bob.texts("Kitchen")
        agree(world.people, "Kitchen")


def test_leave():
    """who leaves is gone for everybody, and the history stays"""
    with three() as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob", "Carol")
        bob.ok("sync")
        carol.ok("sync")
        bob.ok("send", "Kitchen", "bye")
        bob.ok("group", "leave", "Kitchen")
        assert bob.conversation("Kitchen")["state"] == "left"
        assert [t for _, t in bob.texts("Kitchen")] == ["bye"]
        alice.ok("sync")
        carol.ok("sync")
        alice.ok("sync")
        assert members(alice, "Kitchen") == members(carol, "Kitchen") == ["Alice", "Carol"]
        assert "left" in alice.kinds("Kitchen")
        agree([alice, carol], "Kitchen")


def test_racing_commits():
    """commits made at the same moment by several members all come about"""
    with World("Ann", "Ben", "Cat", "Dan", "Eve") as (world, ann, ben, cat, dan, eve):
        befriend_all(world)
        ann.ok("group", "create", "Race", "Ben", "Cat")
        ann.ok("group", "policy", "Race", "remove", "member")
        ben.ok("sync")
        cat.ok("sync")
        for _ in range(5):
            racing = [ann.start("group", "add", "Race", "Dan"), ben.start("group", "add", "Race", "Eve"),
                      cat.start("group", "update", "Race"), ann.start("send", "Race", "from Ann"),
                      cat.start("send", "Race", "from Cat")]
            for process in racing:
                out, err = process.communicate()
                assert process.returncode == 0, (process.args, out, err)
            for person in world.people:
                person.ok("sync")
            agree(world.people, "Race")
            assert members(eve, "Race") == ["Ann", "Ben", "Cat", "Dan", "Eve"]
            ben.ok("group", "remove", "Race", "Dan", "Eve")
            for person in world.people:
                person.ok("sync")
        assert ann.texts("Race") == ben.texts("Race") == cat.texts("Race")
        assert len(ann.texts("Race")) == 10


def test_mistakes():
    """adding a member twice, removing a stranger, and changing a pair are refused in words"""
    with three() as (world, alice, bob, carol):
        befriend_all(world)
        alice.ok("group", "create", "Kitchen", "Bob")
        assert alice.run("group", "add", "Kitchen", "Bob").error == "already_member"
        assert alice.run("group", "remove", "Kitchen", "Carol").error == "not_found"
        assert alice.run("group", "add", "Bob", "Carol").error == "usage"
        assert alice.run("group", "create", "two\nlines").error == "bad_name"
        assert alice.run("group", "add", "Nowhere", "Bob").error == "not_found"


main([test_together, test_removed, test_removed_and_added_while_away, test_leave, test_racing_commits,
      test_mistakes])
