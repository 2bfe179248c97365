"""The list of conversations on several devices of one account."""
import time

from linking import Device, begin
from rpc import Daemon
from world import World, eventually, main


class Devices:
    """Alice with two devices, Bob, and a group; daemons of all: `(world, a, b, c, room, group)`, c the other device."""

    def __enter__(self):
        self.world = World("Alice", "Bob")
        _, alice, bob = self.world.__enter__()
        alice.register()
        bob.register()
        self.world.befriend(alice, bob)
        self.daemons = [Daemon(alice), Daemon(bob)]
        self.alice = alice
        a, b = (d.rpc() for d in self.daemons)
        group = a("group.create", title="Kitchen", members=["Bob"])["conversation"]
        eventually(lambda: b("conversation.list")["total"] == 2, "Bob in the group")
        return self.world, a, b, self.link(a, 2), a("conversation.find", name="Bob")["conversation"], group

    def link(self, a, number):
        other = Device(self.world, "Alice", number)
        process, link = begin(other)
        a("device.add", link=link)
        assert other.finish(process).code == 0
        daemon = Daemon(other)
        self.daemons.append(daemon)
        c = daemon.rpc()

        def conversations():
            return [one for archived in (False, True)
                    for one in c("conversation.list", archived=archived)["conversations"]]
        eventually(lambda: [one["state"] for one in conversations()] == ["active"] * 2, "the conversations there")
        return c

    def __exit__(self, *reason):
        for daemon in self.daemons:
            if reason[0] is None:
                daemon.stop()
            elif daemon.process.poll() is None:
                daemon.kill()
        self.world.__exit__(*reason)


def shown(rpc, conversation):
    """What a person set there."""
    one = rpc("conversation.get", conversation=conversation)
    draft = one.get("draft", {})
    return (one["pinned"], one["archived"], one["hidden"], one["markedUnread"], one.get("muted"), draft.get("text"))


def test_in_step():
    """what is set on one device is so on the other, and on one that is linked later"""
    devices = Devices()
    with devices as (world, a, b, c, room, group):
        a("conversation.setPinned", conversation=group, on=True)
        c("conversation.setMuted", conversation=group, on=True, until=int(time.time()) + 5000, mentions=True)
        a("conversation.markUnread", conversation=room)
        for n in range(5):
            a("conversation.setDraft", conversation=room, text="draft %d" % n)
        for rpc in (a, c):
            eventually(lambda: shown(rpc, room) == (False, False, False, True, None, "draft 4"), "mark and draft")
            eventually(lambda: shown(rpc, group)[0] and shown(rpc, group)[4], "pin and mute")
        # What was written on while it waited left once.
        assert a("status.get")["waiting"] == 0
        a("conversation.setArchived", conversation=room, on=True)
        eventually(lambda: shown(c, room)[1], "the archive")
        d = devices.link(a, 3)
        eventually(lambda: shown(d, group) == shown(a, group), "what was set before it was linked")
        eventually(lambda: shown(d, room) == shown(a, room), "what was set before it was linked")
        b("message.send", conversation=room, text="hello")
        for rpc in (a, c, d):
            eventually(lambda: not shown(rpc, room)[1], "the message that brings it back")
        c("conversation.markRead", conversation=room)
        for rpc in (a, c, d):
            eventually(lambda: not shown(rpc, room)[3], "the mark gone")
        c("conversation.setDraft", conversation=room)
        eventually(lambda: shown(a, room)[5] is None, "the draft gone")


def test_erased():
    """a conversation that is erased on one device is erased on the other, for real, and others keep it"""
    with Devices() as (world, a, b, c, room, group):
        for n in range(20):
            b("message.send", conversation=group, text="secretword %d" % n)
        eventually(lambda: len(c("message.search", words="secretword")["messages"]) == 20, "what Bob says")
        eventually(lambda: len(a("message.search", words="secretword")["messages"]) == 20, "what Bob says")
        a("conversation.erase", conversation=group)
        for rpc in (a, c):
            eventually(lambda: rpc("message.search", words="secretword")["messages"] == [], "nothing left")
            eventually(lambda: shown(rpc, group)[2], "it in no list")
        assert len(b("message.search", words="secretword")["messages"]) == 20
        b("message.send", conversation=group, text="new")
        for rpc in (a, c):
            eventually(lambda: not shown(rpc, group)[2], "it back")
            assert [m["text"] for m in rpc("message.list", conversation=group)["messages"]] == ["new"]


main([test_in_step, test_erased])
