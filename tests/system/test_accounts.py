"""Several accounts in one daemon: each is asked by its name, and none is another's trouble."""

import json
import os
import signal
import stat
import subprocess

from rpc import Rpc
from world import SOTTO, World, eventually, main


class Hub:
    """`with Hub(world) as hub:` a daemon over a folder of accounts."""

    def __init__(self, world, environment=None):
        self.directory = os.path.join(world.directory, "accounts")
        self.path = os.path.join(self.directory, "daemon.sock")
        self.environment = environment

    def __enter__(self):
        self.process = subprocess.Popen([SOTTO, "--json", "daemon", "--accounts", self.directory],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=self.environment)
        return self

    def __exit__(self, *reason):
        if self.process.poll() is None:
            self.process.terminate()
        out, err = self.process.communicate(timeout=60)
        assert b"Sanitizer" not in err and b"bug:" not in err, err[-2000:]

    def rpc(self):
        return Rpc(self.path)


def children(process):
    with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as file:
        return [int(pid) for pid in file.read().split()]


def talk(world, rpc):
    """alice and bob in one daemon become friends; gives their conversation."""
    for name in ("alice", "bob"):
        rpc("accounts.add", name=name)
        rpc("account.register", profile=name, relay=world.address, name=name.capitalize())
    link = rpc("invitation.create", profile="alice")["link"]
    room = rpc("invitation.accept", profile="bob", link=link)["conversation"]
    eventually(lambda: [c["state"] for c in rpc("conversation.list", profile="alice")["conversations"]] == ["active"],
               "the conversation at Alice's")
    return room


def texts(rpc, profile, room):
    return [m["text"] for m in rpc("message.list", profile=profile, conversation=room)["messages"]
            if m["kind"] == "text"]


def test_two():
    """two accounts of one daemon talk to one another; events say whose they are; one is meant by selection"""
    with World() as (world,), Hub(world) as hub:
        rpc = hub.rpc()
        assert rpc("accounts.list") == {"accounts": [], "total": 0}
        assert rpc.fails("account.get") == "usage"
        room = talk(world, rpc)
        assert [a["name"] for a in rpc("accounts.list")["accounts"]] == ["alice", "bob"]
        assert all(a["running"] for a in rpc("accounts.list")["accounts"])
        assert stat.S_IMODE(os.stat(hub.path).st_mode) == 0o600
        assert rpc.fails("account.get") == "usage"  # which?
        assert rpc.fails("account.get", profile="carol") == "not_found"
        assert rpc.fails("account.get", profile="../alice") == "usage"
        assert rpc.fails("accounts.add", name="../x") == "bad_name"
        assert rpc.fails("accounts.add", name="alice") == "exists"
        assert rpc("accounts.select", name="bob")["selected"]
        assert rpc("account.get")["name"] == "Bob" and rpc("account.get", profile="alice")["name"] == "Alice"
        other = hub.rpc()  # what one connection selected is not another's
        assert other.fails("account.get") == "usage"
        for one in ("alice", "bob"):
            other("events.subscribe", profile=one)
        rpc("message.send", profile="alice", conversation=room, text="from Alice")
        rpc("message.send", conversation=room, text="from Bob")
        seen = []

        def both(note):
            params = note["params"]
            if note["method"] == "event" and params["type"] == "message":
                seen.append((params["profile"], params["message"].get("text")))
            return {("alice", "from Bob"), ("bob", "from Alice")} <= set(seen)
        other.events(both)
        assert sorted(texts(rpc, "alice", room)) == sorted(texts(rpc, "bob", room)) == ["from Alice", "from Bob"]
        # The same profile is an ordinary one, with an ordinary daemon.
        path = os.path.join(hub.directory, "alice")
        done = subprocess.run([SOTTO, "--json", "--profile", path, "call", "account.get"], capture_output=True)
        assert json.loads(done.stdout)["name"] == "Alice"
        rpc("daemon.stop")
        assert hub.process.wait(timeout=60) == 0
        assert os.listdir(hub.directory) and not os.path.exists(hub.path)


def test_trouble():
    """an account whose daemon dies is started anew, and the others do not notice; who waited is told"""
    with World() as (world,), Hub(world) as hub:
        rpc = hub.rpc()
        room = talk(world, rpc)
        before = children(hub.process)
        assert len(before) == 2, before
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        # What is asked in between fails with a word, or is answered by the new one.
        eventually(lambda: "error" not in rpc.answer(rpc.ask("account.get", {"profile": "alice"})), "Alice again")
        eventually(lambda: "error" not in rpc.answer(rpc.ask("account.get", {"profile": "bob"})), "Bob again")
        assert not set(children(hub.process)) & set(before)
        rpc("message.send", profile="alice", conversation=room, text="still here")
        eventually(lambda: texts(rpc, "bob", room) == ["still here"], "the message at Bob's")
        # Nor does one outlive the hub, however that ends.
        now = children(hub.process)
        hub.process.kill()
        hub.process.wait()
        eventually(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in now), "their end")


def test_remove():
    """an account is erased here, and is still one at its relay; one that is deleted is gone from the list"""
    with World() as (world,), Hub(world) as hub:
        rpc = hub.rpc()
        talk(world, rpc)
        words = rpc("account.recoveryPhrase", profile="bob")["phrase"]
        # An id that is none is refused here; its answer would never be known as that.
        rpc.write(b'{"jsonrpc": "2.0", "id": {}, "method": "account.get", "params": {"profile": "bob"}}\n')
        assert rpc.answer(None)["error"]["code"] == -32600
        # One that was killed leaves its socket; one that was started by hand is not overlooked.
        bob = os.path.join(hub.directory, "bob")
        (pid,) = [p for p in children(hub.process) if bob in open("/proc/%d/cmdline" % p).read().split("\0")]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not [a for a in rpc("accounts.list")["accounts"] if a["name"] == "bob"][0]["running"],
                   "the hub's knowing")
        hand = subprocess.Popen([SOTTO, "--profile", bob, "daemon"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        Rpc(os.path.join(bob, "daemon.sock")).close()
        assert rpc.fails("accounts.remove", name="bob") == "daemon_runs"
        hand.kill()
        hand.wait()
        rpc("accounts.remove", name="bob")
        assert [a["name"] for a in rpc("accounts.list")["accounts"]] == ["alice"]
        assert not os.path.exists(os.path.join(hub.directory, "bob"))
        assert rpc("account.get")["name"] == "Alice"  # the only one
        rpc("accounts.add", name="bob-again")
        rpc("account.recover", profile="bob-again", phrase=words, relay=world.address, name="Bob")
        rpc("account.delete", profile="bob-again", confirm=rpc("account.get", profile="bob-again")["account"])
        eventually(lambda: [a["name"] for a in rpc("accounts.list")["accounts"]
                            if os.path.exists(os.path.join(hub.directory, a["name"], "keys"))] == ["alice"],
                   "the end of it")


def test_locked():
    """an account with a passphrase says that it is locked; with it in the file all are served"""
    with World() as (world,):
        with Hub(world) as hub:
            rpc = hub.rpc()
            talk(world, rpc)
        secret = os.path.join(world.directory, "passphrase")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("correct horse\n")
        done = subprocess.run([SOTTO, "--profile", os.path.join(hub.directory, "bob"), "passphrase", "set",
                               "--new-file", secret], capture_output=True)
        assert done.returncode == 0, done
        with Hub(world) as hub:
            rpc = hub.rpc()
            assert rpc.fails("account.get", profile="bob") == "locked"
            assert rpc("account.get", profile="alice")["name"] == "Alice"
        with Hub(world, {**os.environ, "SOTTO_PASSPHRASE_FILE": secret}) as hub:
            rpc = hub.rpc()
            assert rpc("account.get", profile="bob")["name"] == "Bob"
            assert rpc("account.get", profile="alice")["name"] == "Alice"


def test_alone():
    """one daemon a folder; a daemon of one profile knows no accounts"""
    with World("Alice") as (world, alice), Hub(world) as hub:
        hub.rpc()
        second = subprocess.run([SOTTO, "--json", "daemon", "--accounts", hub.directory], capture_output=True)
        assert second.returncode == 2 and b"daemon_runs" in second.stdout, second
        assert "usage" in alice.run("call", "accounts.list").out


main([test_two, test_trouble, test_remove, test_locked, test_alone])
