"""Who types: told to whoever is there, kept nowhere."""
from rpc import Daemon, text_of
from world import World, eventually, main


class Two:
    """Alice and Bob with daemons that are subscribed to their events, and their conversation."""

    def __enter__(self):
        self.world = World("Alice", "Bob")
        _, alice, bob = self.world.__enter__()
        alice.register()
        bob.register()
        self.world.befriend(alice, bob)
        self.daemons = [Daemon(alice), Daemon(bob)]
        a, b = (d.rpc() for d in self.daemons)
        room = a("conversation.find", name="Bob")["conversation"]
        for rpc in (a, b):
            rpc("sync")  # both follow the room from here on
            rpc("events.subscribe")
        a("message.send", conversation=room, text="are you there")
        b.events(lambda n: text_of(n, "are you there"))
        b("message.send", conversation=room, text="yes")
        a.events(lambda n: text_of(n, "yes"))
        return self.world, a, b, room

    def __exit__(self, *reason):
        for daemon in self.daemons:
            if reason[0] is None:
                daemon.stop()
            elif daemon.process.poll() is None:
                daemon.kill()
        self.world.__exit__(*reason)


def typing(note):
    return note["method"] == "typing"


def test_told():
    """typing is told with its beginning and its end, and ends with the message"""
    with Two() as (world, a, b, room):
        alice = a("account.get")["account"]
        for _ in range(20):  # one for each key
            a("conversation.setTyping", conversation=room, on=True)
        told = b.events(typing)[-1]["params"]
        assert told == {"conversation": room, "account": alice, "name": "Alice", "on": True}, told
        a("conversation.setTyping", conversation=room, on=False)
        assert b.events(typing)[-1]["params"]["on"] is False
        a("conversation.setTyping", conversation=room, on=True)
        assert b.events(typing)[-1]["params"]["on"] is True
        a("message.send", conversation=room, text="typed")
        seen = b.events(lambda n: text_of(n, "typed"))
        assert [n["params"]["on"] for n in seen if typing(n)] == [False]
        # Who types on their own device is not told so, and it is no event that is kept.
        b("conversation.setTyping", conversation=room, on=True)
        a.events(typing)
        assert not [n for n in b.notes if typing(n)]
        assert b("message.list", conversation=room)["messages"][-1]["text"] == "typed"


def test_forgotten():
    """who types and is not heard any more is forgotten"""
    with Two() as (world, a, b, room):
        a("conversation.setTyping", conversation=room, on=True)
        assert b.events(typing)[-1]["params"]["on"] is True
        assert b.events(typing)[-1]["params"]["on"] is False
        assert a("status.get")["waiting"] == 0


def test_off():
    """switched off, nothing is told and nothing shown; nor of who is blocked"""
    with Two() as (world, a, b, room):
        assert a("account.get")["typing"] is True
        assert a("account.setTyping", on=False)["typing"] is False
        a("conversation.setTyping", conversation=room, on=True)
        b("conversation.setTyping", conversation=room, on=True)
        for one, other, text in ((a, b, "from a"), (b, a, "from b")):
            one("message.send", conversation=room, text=text)
            assert not [n for n in other.events(lambda n: text_of(n, text)) if typing(n)]
        a("account.setTyping", on=True)
        a("contact.block", contact="Bob")
        b("conversation.setTyping", conversation=room, on=True)
        a("sync")
        b("sync")
        a("contact.unblock", contact="Bob")
        b("message.send", conversation=room, text="after")
        assert not [n for n in a.events(lambda n: text_of(n, "after")) if typing(n)]


def test_command():
    """sotto typing tells whoever is there, and changes the setting"""
    with Two() as (world, a, b, room):
        carol = world.people[0]
        told = carol.ok("typing", "on", "Bob").of("done")[0]
        assert told["what"] == "typing" and told["conversation"] == room
        assert b.events(typing)[-1]["params"]["name"] == "Alice"
        carol.ok("typing", "off", "Bob")
        assert b.events(typing)[-1]["params"]["on"] is False
        assert carol.ok("typing", "off").of("done")[0]["what"] == "typing_off"
        eventually(lambda: a("account.get")["typing"] is False, "the setting")


main([test_told, test_forgotten, test_off, test_command])
