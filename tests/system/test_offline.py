"""People and relays that are not there."""

import signal

from world import World, main


def test_catch_up():
    """who was away reads everything in order, in one go"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        for i in range(40):
            alice.ok("send", "Bob", "n%d" % i)
            if i % 10 == 5:
                alice.ok("group", "update", "Bob")
        new = [m["text"] for m in bob.ok("listen", "--once").of("message") if m["kind"] == "text"]
        assert new == ["n%d" % i for i in range(40)], new
        assert alice.conversation("Bob")["epochAuthenticator"] == \
            bob.conversation("Alice")["epochAuthenticator"]


def test_dead_relay():
    """a message for a dead relay waits in the outbox, exit code 3, and leaves later, once"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        world.stop_relay(signal.SIGKILL)
        waiting = alice.run("send", "Bob", "--id", "w1", "kept")
        assert (waiting.code, waiting.error) == (3, "unreachable"), waiting
        assert waiting.of("sending")[0]["status"] == "waiting"
        assert alice.run("send", "--id", "w1", "Bob", "kept").code == 3
        assert alice.conversation("Bob")["waiting"] == 1
        assert alice.run("sync").code == 3
        world.start_relay()
        alice.ok("send", "Bob", "after")
        assert alice.conversation("Bob")["waiting"] == 0
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["kept", "after"]


def test_listener_reconnects():
    """a listener survives the relay's death and goes on when it is back"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        listener = bob.start("listen")
        try:
            def until(part):
                for line in listener.stdout:
                    if part in line:
                        return True
                return False
            alice.ok("send", "Bob", "one")
            assert until('"text":"one"')
            world.stop_relay(signal.SIGKILL)
            assert until('"state":"lost"')
            world.start_relay()
            alice.ok("send", "Bob", "two")
            assert until('"text":"two"')
        finally:
            listener.terminate()
            listener.wait()
            listener.stdout.close()
            listener.stderr.close()


def test_killed_sender():
    """a sender killed at any moment sends exactly once when the message is sent again"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        for i in range(30):
            alice.killed(i * 0.004, "send", "--id", "k%d" % i, "Bob", "k%d" % i)
            alice.ok("send", "--id", "k%d" % i, "Bob", "k%d" % i)
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["k%d" % i for i in range(30)]
        assert alice.texts("Bob") == bob.texts("Alice")


main([test_catch_up, test_dead_relay, test_listener_reconnects, test_killed_sender])
