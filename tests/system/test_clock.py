"""Clocks: keys are renewed as time goes by, and a clock that is wrong by a day stops nothing."""

import os
import shutil

from rpc import Rpc
from world import Person, Skip, World, main


class Timed(Person):
    """Somebody whose clock is wrong by `shift`, as faketime takes it: "+1d"."""

    shift = None

    def argv(self, *args):
        wrong = ["faketime", "--exclude-monotonic", "-f", self.shift] if self.shift else []
        return [*wrong, *super().argv(*args)]

    def run(self, *args, text=None):
        result = super().run(*args, text=text)
        while "sem_open: File exists" in result.err:  # of an earlier faketime with that process id: nothing was run
            result = super().run(*args, text=text)
        return result


class TimedWorld(World):
    def __init__(self, *names, **more):
        if shutil.which("faketime") is None:
            raise Skip("there is no faketime")
        if "Sanitizer" in os.popen("nm -D '%s' 2>/dev/null | head -2000 | grep -m1 asan_init | sed s/.*/Sanitizer/"
                                   % __import__("world").SOTTO).read():
            raise Skip("faketime and sanitizers do not go together")
        super().__init__(*names, **more)
        self.people = [Timed(self, name) for name in names]


def test_renewed_weekly():
    """within a week one's own leaf has fresh keys, once, without anybody's asking"""
    with TimedWorld("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        before = alice.conversation("Bob")["epoch"]
        alice.shift = "+4d"
        alice.ok("sync")
        assert alice.conversation("Bob")["epoch"] == before, "not yet"
        alice.shift = "+8d"
        alice.ok("sync")
        assert alice.conversation("Bob")["epoch"] == before + 1
        alice.ok("sync")
        assert alice.conversation("Bob")["epoch"] == before + 1, "once"
        alice.shift = "+11d"
        alice.ok("sync")
        assert alice.conversation("Bob")["epoch"] == before + 1
        # What one does anyway counts.
        alice.ok("group", "update", "Bob")
        alice.shift = "+15d"
        alice.ok("sync")
        assert alice.conversation("Bob")["epoch"] == before + 2
        bob.ok("sync")
        assert bob.conversation("Alice")["epochAuthenticator"] == alice.conversation("Bob")["epochAuthenticator"]
        assert {"text"} >= set(bob.kinds("Alice")) - {"added", "joined"}, bob.kinds("Alice")


def test_renewed_by_messages():
    """where much is said, keys are renewed for every two hundred entries"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        before = alice.conversation("Bob")["epoch"]
        daemon = alice.start("daemon")
        try:
            rpc = Rpc(os.path.join(alice.profile, "daemon.sock"), quick=True)
            room = rpc("conversation.find", name="Bob")["conversation"]
            for i in range(210):
                rpc("message.send", conversation=room, text="n%d" % i)
            rpc("sync")
            rpc("sync")
            rpc.close()
        finally:
            daemon.terminate()
            daemon.communicate()
        alice.ok("sync")
        assert before < alice.conversation("Bob")["epoch"] <= before + 2
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["n%d" % i for i in range(210)]


def test_wrong_by_a_day():
    """two people whose clocks are a day behind and a day ahead meet, write and are told"""
    with TimedWorld("Alice", "Bob", "Carol") as (world, alice, bob, carol):
        alice.shift, bob.shift = "-25h", "+25h"
        for one in (alice, bob, carol):
            one.register()
        world.befriend(alice, bob)
        world.befriend(bob, alice)
        world.befriend(bob, carol)
        world.befriend(alice, carol)
        alice.ok("send", "Bob", "from yesterday")
        bob.ok("sync")
        bob.ok("send", "Alice", "from tomorrow")
        alice.ok("sync")
        assert [t for _, t in alice.texts("Bob")] == [t for _, t in bob.texts("Alice")] == \
            ["from yesterday", "from tomorrow"]
        bob.ok("group", "create", "Club", "Alice", "Carol")
        for one in (alice, carol, bob):
            one.ok("sync")
        alice.ok("send", "Club", "hello")
        for one in (bob, carol):
            one.ok("sync")
            assert one.texts("Club")[-1][1] == "hello"
        # Tokens too: what is stocked is spent.
        assert alice.ok("status").of("status")[0]["tokens"] > 0
        off = alice.ok("status").of("status")[0]["clockBehind"]
        assert 24 * 3600 <= off <= 26 * 3600, off
        off = bob.ok("status").of("status")[0]["clockAhead"]
        assert 24 * 3600 <= off <= 26 * 3600, off
        assert "clockAhead" not in carol.ok("status").of("status")[0]
        # Timers run by one's own clock: a message that disappears an hour after it was read does.
        alice.ok("timer", "Bob", "1h")
        alice.ok("send", "Bob", "gone soon")
        bob.ok("listen", "--once")
        assert bob.texts("Alice")[-1][1] == "gone soon"
        bob.shift = "+27h"
        bob.ok("status")
        assert bob.texts("Alice")[-1][1] == "from tomorrow"
        # Set right again, nothing that was made meanwhile is in the way.
        alice.shift = bob.shift = None
        for one in (alice, bob):
            one.ok("sync")
            assert not {"clockAhead", "clockBehind"} & set(one.ok("status").of("status")[0])
        alice.ok("send", "Bob", "right")
        bob.ok("sync")
        assert bob.texts("Alice")[-1][1] == "right"


main([test_renewed_weekly, test_renewed_by_messages, test_wrong_by_a_day])
