"""The programs in examples/, run as they are beside real daemons."""
import os
import pathlib
import shutil
import subprocess
import sys

from rpc import Daemon
from world import Skip, World, eventually, main

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


class Friends:
    """Alice has a daemon, Bob has the command line; they know one another."""

    def __enter__(self):
        self.world = World("Alice", "Bob")
        _, alice, bob = self.world.__enter__()
        alice.register()
        bob.register()
        self.world.befriend(alice, bob)
        self.daemon, self.started = Daemon(alice), []
        return self, alice, bob, self.daemon.rpc()

    def start(self, *command, **more):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", **more)
        self.started.append(process)
        return process

    def __exit__(self, *reason):
        for process in self.started:
            process.kill()
            process.communicate()
        self.daemon.kill()
        self.world.__exit__(*reason)


def echo():
    """the echo bot answers each text once, also what came while it was away"""
    with Friends() as (friends, alice, bob, rpc):
        state = os.path.join(friends.world.directory, "bot")
        bot = [sys.executable, str(EXAMPLES / "echo_bot.py"), friends.daemon.path, state]
        running = friends.start(*bot)
        eventually(lambda: os.path.exists(state), "the bot's state")
        bob.ok("send", "Alice", "one")

        def texts():
            bob.ok("sync")
            return [text for _, text in bob.texts("Alice")]
        eventually(lambda: texts() == ["one", "one"], "an echo")
        running.kill()
        running.wait()
        bob.ok("send", "Alice", "two")
        friends.start(*bot)
        eventually(lambda: texts() == ["one", "one", "two", "two"], "an echo of what came meanwhile")
        bob.ok("send", "Alice", "three")
        eventually(lambda: len(texts()) == 6, "one more")
        assert texts() == ["one", "one", "two", "two", "three", "three"]
        # Where it may not answer it goes on.
        bob.ok("group", "create", "News", "Alice")
        bob.ok("group", "policy", "News", "write", "owner")
        eventually(lambda: rpc("conversation.get", conversation=rpc("conversation.find", name="News")["conversation"])
                   ["settings"]["mayWrite"] is False, "that Alice may not write there")
        bob.ok("send", "News", "listen")
        bob.ok("send", "Alice", "four")
        eventually(lambda: len(texts()) == 8, "an answer after one that was refused")


def alert():
    """the log alert sends each matching line once, however often the log is read"""
    with Friends() as (friends, alice, bob, rpc):
        command = [sys.executable, str(EXAMPLES / "log_alert.py"), friends.daemon.path, "Bob", "error"]
        log = "10:00 all is well\n10:01 error: disk\n10:02 error: fan\n"
        for text in (log, log, log + "10:03 error: door\n"):
            done = subprocess.run(command, input=text, encoding="utf-8", capture_output=True, timeout=60)
            assert done.returncode == 0, done
        wanted = ["10:01 error: disk", "10:02 error: fan", "10:03 error: door"]

        def texts():
            bob.ok("sync")
            return [text for _, text in bob.texts("Alice")]
        eventually(lambda: len(texts()) >= 3, "alerts")
        assert texts() == wanted
        wrong = subprocess.run(command[:3] + ["Nobody", "x"], input="", encoding="utf-8", capture_output=True)
        assert wrong.returncode != 0 and "Nobody" in wrong.stderr, wrong


def node():
    """the Node program lists what is unread and shows what comes"""
    if not shutil.which("node"):
        raise Skip("there is no node here")
    with Friends() as (friends, alice, bob, rpc):
        bob.ok("send", "Alice", "hello")
        eventually(lambda: rpc("conversation.list")["conversations"][0]["unread"] == 1, "unread")
        shown = friends.start("node", str(EXAMPLES / "unread.mjs"), friends.daemon.path)
        assert shown.stdout.readline() == "Bob (1 unread) hello\n"
        bob.ok("send", "Alice", "again")
        assert shown.stdout.readline() == "Bob: again\n"


main([echo, alert, node])
