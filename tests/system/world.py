"""What the system tests share: real programs in real processes, in a directory of their own.

Each test file is run as `test_x.py SOTTO SOTTOD` (paths of the programs), prints TAP, and needs only
loopback. Nothing here waits for a fixed time: what is waited for is a line of output or an exit."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOTTO = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "sotto"
SOTTOD = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else "sottod"
PATIENCE = float(os.environ.get("SOTTO_TEST_PATIENCE", "120"))  # seconds; generous, never a measure


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.lines = []
        for line in out.splitlines():
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                pass

        # A program that was built with sanitizers says what they found; nothing of it is ignored.
        assert "Sanitizer" not in err and "runtime error" not in err and "bug:" not in err, err[-3000:]

    @property
    def error(self):
        found = [l["error"]["code"] for l in self.lines if "error" in l]
        return found[-1] if found else None

    def of(self, kind):
        return [l for l in self.lines if l.get("type") == kind]

    def __repr__(self):
        return "code %s, out %r, err %r" % (self.code, self.out[-2000:], self.err[-2000:])


class Person:
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.profile = os.path.join(world.directory, "profile-" + name)

    def argv(self, *args):
        return [SOTTO, "--json", "--profile", self.profile, *args]

    def run(self, *args, text=None):
        data = text.encode() if isinstance(text, str) else text
        done = subprocess.run(self.argv(*args), input=data or b"", capture_output=True,
                              timeout=PATIENCE)
        return Result(done.returncode, done.stdout.decode(errors="replace"),
                      done.stderr.decode(errors="replace"))

    def ok(self, *args, text=None):
        result = self.run(*args, text=text)
        assert result.code == 0, "%s: sotto %s: %r" % (self.name, " ".join(args)[:200], result)
        return result

    def start(self, *args):
        return subprocess.Popen(self.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, encoding="utf-8", errors="replace")

    def start_with(self, text, *args):
        """The same with something on its standard input."""
        process = subprocess.Popen(self.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.PIPE, encoding="utf-8", errors="replace")
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        return process

    def killed(self, delay, *args):
        """Runs a command and kills it after `delay` seconds, unless it ended before: its exit code
        is None if it was killed."""
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=delay)
            return Result(process.returncode, out, err)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            out, err = process.communicate()
            return Result(None, out, err)

    def finish(self, process):
        """What a command that was started, and perhaps killed, came to."""
        out, err = process.communicate(timeout=PATIENCE)
        return Result(process.returncode, out, err)

    def register(self, relay=None, *more):
        return self.ok("register", "--relay", relay or self.world.address, "--name", self.name, *more)

    def texts(self, who):
        """The texts of a conversation in order: (seq, own or name, text)."""
        return [(m["seq"], m["text"]) for m in self.history(who)
                if m["kind"] == "text" and m["status"] in ("received", "sent", "delivered", "read")]

    def history(self, who):
        return self.ok("history", who, "--limit", "100000").of("message")

    def kinds(self, who):
        return [m["kind"] for m in self.history(who)]

    def let_in(self):
        """Accepts every request. One that was overtaken by a removal is refused, and gone."""
        for request in self.ok("requests").of("request"):
            self.run("accept", str(request["request"]))

    def profile_sql(self, *args):
        done = subprocess.run([os.environ["SOTTO_PROFILE_SQL"], *args],
                              capture_output=True, encoding="utf-8", timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sql(self, statement):
        """What a statement gives on the profile, which has no passphrase."""
        return [tuple(json.loads(line)) for line in self.profile_sql(self.profile, statement).splitlines()]

    def schema(self, version):
        """The SQL that makes the tables of that version of the profile."""
        return self.profile_sql("--schema", str(version))

    def rooms(self):
        return {c["title"]: c for c in self.ok("conversations").of("conversation")}

    def fingerprint(self, who):
        return self.ok("fingerprint", who).of("fingerprint")[0]["digits"]

    def conversation(self, title):
        found = [c for c in self.ok("conversations").of("conversation") if c["title"] == title]
        assert len(found) == 1, "%s has %d conversations called %s" % (self.name, len(found), title)
        return found[0]


def sync(*people):
    for person in people:
        person.ok("sync")


def texts(person, who):
    """The texts of a conversation in order."""
    return [text for _, text in person.texts(who)]


def memory():
    """Where files go: into memory where there is room (but TMPDIR has its way), for what is tested is what is written
    and in which order, not how long a disk takes."""
    shared = "/dev/shm"
    fits = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 1 << 30
    return shared if fits and "TMPDIR" not in os.environ else None


class World:
    """A directory, a relay and people. `with World("Alice", "Bob") as (world, alice, bob):`
    disk: the directory is on one, whatever it costs."""

    def __init__(self, *names, config=None, options=(), listen="127.0.0.1", disk=False):
        self.listen = listen
        self.directory = tempfile.mkdtemp(prefix="sotto-test-", dir=None if disk else memory())
        self.config, self.options = config, options
        self.relay, self.address, self.port = None, None, None
        self.people = [Person(self, name) for name in names]

    def __enter__(self):
        try:
            self.start_relay()
        except BaseException:
            self.close()
            raise
        return (self, *self.people)

    def __exit__(self, *reason):
        self.close()

    def close(self, keep=False):
        self.stop_relay(signal.SIGKILL)
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def relay_command(self, *more):
        return [SOTTOD, *more, "--data", os.path.join(self.directory, "relay")]

    def start_relay(self):
        command = self.relay_command()
        command += ["--listen", "%s:%d" % (self.listen, self.port or 0), "--rate-limit", "off", *self.options]
        if self.config:
            path = os.path.join(self.directory, "sottod.conf")
            with open(path, "w") as file:
                file.write(self.config)
            command += ["--config", path]
        self.relay_log = open(os.path.join(self.directory, "relay.log"), "a+")
        told, tell = os.pipe()
        self.relay = subprocess.Popen(command + ["--ready-fd", str(tell)], stdout=self.relay_log,
                                      stderr=self.relay_log, stdin=subprocess.DEVNULL, pass_fds=[tell])
        os.close(tell)
        with os.fdopen(told) as file:  # the relay says its address when it serves
            self.address = file.readline().strip()
        assert self.address, "sottod did not start: " + self.log()
        self.port = int(self.address.split("#")[0].rsplit(":", 1)[1])

    def log(self):
        self.relay_log.flush()
        with open(self.relay_log.name) as file:
            return file.read()

    def last_code(self):
        """The newest verification code: in the log, where the development default puts it."""
        return eventually(lambda: re.findall(r"code[ =:]+(\d{6})\b", self.log()), "a code in the log")[-1]

    def stop_relay(self, how=signal.SIGTERM):
        if self.relay is not None:
            self.relay.send_signal(how)
            self.relay.wait(timeout=PATIENCE)
            self.relay_log.close()
            self.relay = None

    def befriend(self, one, other):
        """`other` takes an invitation of `one`; both have joined and know one another's names."""
        link = one.ok("invite").of("invitation")[0]["link"]
        other.ok("accept", link)
        one.ok("sync")
        other.ok("sync")


class Skip(Exception):
    """Raised by a test of what this machine does not have; says what."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(check, what):
    """Calls check until it says something true."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("never happened: " + what)


def main(tests):
    """Runs functions, prints TAP; a function's docstring is its name."""
    print("1..%d" % len(tests))
    failed = 0
    for number, test in enumerate(tests, 1):
        name = (test.__doc__ or test.__name__).strip().splitlines()[0]
        try:
            test()
            print("ok %d - %s" % (number, name), flush=True)
        except Skip as reason:
            print("ok %d - %s # SKIP %s" % (number, name, reason), flush=True)
        except Exception as reason:  # every failure of a test is reported in the same way
            failed += 1
            print("not ok %d - %s" % (number, name))
            for line in ("%s: %s" % (type(reason).__name__, reason)).splitlines():
                print("# " + line)
            import traceback
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            sys.stdout.flush()
    sys.exit(1 if failed else 0)
