"""A relay and people, as real processes: what the system tests and the demonstration stand on."""
import json
import os
import pathlib
import re
import subprocess
import time

START_SECONDS = 60  # generous: these machines are shared, and sanitizers slow


class Failed(AssertionError):
    """A command that had to work did not."""


class Relay:
    def __init__(self, build, folder, options=()):
        self.program = pathlib.Path(build) / "src" / "relay" / "sottod"
        self.folder = pathlib.Path(folder)
        self.options = list(options)
        self.log = self.folder.with_name(self.folder.name + ".log")
        self.database = self.folder / "relay.db"
        self.process = None
        self.address = None
        self.listen = "127.0.0.1:0"

    def start(self):
        """Starts it and waits until it serves; a restart keeps port, certificate and data."""
        ready = self.folder.with_name(self.folder.name + ".ready")
        ready.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--data", self.folder, "--listen", self.listen, "--ready-file", ready,
                 *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit = time.monotonic() + START_SECONDS
        while not (ready.exists() and ready.read_text().endswith("\n")):
            if self.process.poll() is not None or time.monotonic() > limit:
                raise Failed("the relay does not start:\n" + self.log.read_text(errors="replace")[-2000:])
            time.sleep(0.01)
        self.address = ready.read_text().split()[0]
        self.listen = self.address.split("#")[0]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """An orderly stop; its exit status. None if it does not run."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed("the relay does not stop") from None

    def last_code(self):
        """The newest verification code in the log: where the development default puts it."""
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit:
            found = re.findall(r"code[ =:]+(\d{6})\b", self.log.read_text(errors="replace"))
            if found:
                return found[-1]
            time.sleep(0.02)
        raise Failed("no code in the relay's log")


class Running:
    """One command under way."""

    def __init__(self, arguments, text, environment):
        self.arguments = [str(a) for a in arguments]
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.text = text

    def poll(self):
        return self.process.poll()

    def kill(self):
        self.process.kill()

    def finish(self, seconds=180):
        """Its exit status; lines are what it printed, decoded."""
        try:
            out, err = self.process.communicate(None if self.text is None else self.text.encode(), seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed(f"{' '.join(self.arguments[-4:])}: does not end") from None
        self.errors = err.decode(errors="replace")
        self.lines = []
        for line in out.decode(errors="replace").splitlines():
            try:
                self.lines.append(json.loads(line))
            except ValueError:  # cut short by a kill
                if self.process.returncode >= 0:
                    raise Failed(f"not JSON: {line[:200]}") from None
        if "Sanitizer" in self.errors or "runtime error" in self.errors or "bug:" in self.errors:
            raise Failed(self.errors[-3000:])
        return self.process.returncode


class Person:
    def __init__(self, build, profile, name=None):
        self.program = pathlib.Path(build) / "src" / "cli" / "sotto"
        self.profile = pathlib.Path(profile)
        self.name = name
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("SOTTO_")}

    def begin(self, *arguments, text=None):
        return Running([self.program, "--profile", self.profile, "--json", *arguments], text, self.environment)

    def run(self, *arguments, text=None):
        """(exit status, the objects it printed)"""
        running = self.begin(*arguments, text=text)
        return running.finish(), running.lines

    def must(self, *arguments, text=None):
        code, lines = self.run(*arguments, text=text)
        if code != 0:
            raise Failed(f"{self.name}: sotto {' '.join(map(str, arguments))[:120]}: exit {code}: {lines[-1:]}")
        return lines

    def register(self, relay, name=None, phone=None):
        self.name = name or self.name
        arguments = ["register", "--relay", relay.address, "--name", self.name]
        if phone is None:
            return self.must(*arguments)
        arguments += ["--phone", phone]
        code, lines = self.run(*arguments)
        if code != 6 or lines[-1]["error"]["code"] != "code_needed":
            raise Failed(f"{self.name}: no code was asked for: exit {code}: {lines}")
        return self.must(*arguments, "--code", relay.last_code())

    def invite(self, *options):
        return self.must("invite", *options)[0]["link"]

    def accept(self, link):
        return self.must("accept", link)

    def send(self, who, text, *options):
        """By standard input, as long texts need it."""
        return self.must("send", who, "-", *options, text=text)

    def sync(self):
        return self.must("listen", "--once")

    def let_in(self):
        """Accepts every request. One that was overtaken by a removal is refused, and gone."""
        for request in self.must("requests"):
            self.run("accept", str(request["request"]))

    def history(self, who):
        return self.must("history", who, "--limit", "1000000")

    def texts(self, who):
        return [m["text"] for m in self.history(who) if m["kind"] == "text"]

    def rooms(self):
        """Conversations by title."""
        return {c["title"]: c for c in self.must("conversations")}

    def fingerprint(self, who):
        return self.must("fingerprint", who)[0]["digits"]

    def summary(self):
        """What changes while anything is still under way."""
        return sorted((c["title"], c["state"], c["epoch"], c["seq"], c["waiting"]) for c in self.must("conversations"))
