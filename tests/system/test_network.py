"""Networks that are not as one likes them: a proxy as the only way, a proxy that is away, a way that
changes or goes dead under a connection. All in network namespaces of the test's own: people live in
one that has a wire to the relay's and no other way to anywhere.

    test_network.py SOTTO SOTTOD [--long]    --long: what takes minutes, for silence takes them (./dev hunt)"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from world import Person, Skip, World, eventually, free_port, main

RELAY_SIDE, PEOPLE_SIDE = "10.97.0.1", "10.97.0.2"


def sh(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, encoding="utf-8")


def enter_namespace():
    """Runs this script again where it may lay wires. False: not on this machine."""
    if os.environ.get("SOTTO_NETNS") == "inside":
        sh("ip", "link", "set", "lo", "up")
        return True
    for tool in ("unshare", "nsenter", "ip"):
        if shutil.which(tool) is None:
            return False
    if subprocess.run(["unshare", "-Urn", "ip", "link", "set", "lo", "up"], capture_output=True).returncode != 0:
        return False
    os.environ["SOTTO_NETNS"] = "inside"
    os.execvp("unshare", ["unshare", "-Urn", sys.executable, *sys.argv])


class Wire:
    """A namespace for people, and a wire from it to here."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "1000000"])
        here = os.readlink("/proc/self/ns/net")
        eventually(lambda: os.readlink("/proc/%d/ns/net" % self.holder.pid) != here, "a namespace")
        sh("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.holder.pid))
        sh("ip", "address", "add", RELAY_SIDE + "/24", "dev", "near")
        sh("ip", "link", "set", "near", "up")
        self.far("ip", "address", "add", PEOPLE_SIDE + "/24", "dev", "far")
        self.far("ip", "link", "set", "far", "up")

    def far(self, *command):
        return sh(*self.prefix(), *command)

    def prefix(self):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "--"]

    def close(self):
        self.holder.kill()
        self.holder.wait()
        sh("ip", "link", "delete", "near", check=False)


class Far(Person):
    """Somebody in the other namespace."""

    def argv(self, *args):
        return [*self.world.wire.prefix(), *super().argv(*args)]


class WiredWorld(World):
    def __init__(self, *names, listen="127.0.0.1"):
        super().__init__(*names, listen=listen)
        self.people = [Far(self, name) for name in names]
        self.processes = []

    def __enter__(self):
        self.wire = Wire()
        return super().__enter__()

    def start_microsocks(self, *options):
        if shutil.which("microsocks") is None:
            raise Skip("there is no microsocks")
        port = free_port()
        process = subprocess.Popen(["microsocks", "-i", RELAY_SIDE, "-p", str(port), *options],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex((RELAY_SIDE, port)) == 0
        eventually(answers, "microsocks")
        return "%s:%d" % (RELAY_SIDE, port), process

    def __exit__(self, *reason):
        for process in self.processes:
            process.kill()
            process.wait()
        super().__exit__(*reason)
        self.wire.close()


class Recorder:
    """A SOCKS5 proxy that takes any login and remembers (user, password, kind of address, host)."""

    def __init__(self, host):
        self.seen = []
        self.listener = socket.create_server((host, 0))
        self.address = "%s:%d" % self.listener.getsockname()[:2]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    def serve(self, one):
        def exactly(n):
            data = b""
            while len(data) < n:
                more = one.recv(n - len(data))
                if not more:
                    raise EOFError
                data += more
            return data
        try:
            _, count = exactly(2)
            assert exactly(count) == b"\2", "one method only: with a login"
            one.sendall(b"\5\2")
            _, size = exactly(2)
            user = exactly(size)
            password = exactly(exactly(1)[0])
            one.sendall(b"\1\0")
            kind = exactly(4)[3]
            host = exactly(exactly(1)[0]).decode() if kind == 3 else socket.inet_ntoa(exactly(4))
            port, = struct.unpack(">H", exactly(2))
            self.seen.append((user, password, kind, host))
            other = socket.create_connection((host, port))
            one.sendall(b"\5\0\0\1" + bytes(6))
            threading.Thread(target=self.pump, args=(one, other), daemon=True).start()
            self.pump(other, one)
        except (EOFError, OSError):
            one.close()

    @staticmethod
    def pump(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # else the accept that waits still takes one
        self.listener.close()


def by_name(world):
    return "localhost:" + world.address.split(":", 1)[1]


def test_only_way():
    """through a proxy with a login everything works where there is no other way, and without it nothing"""
    with WiredWorld("Alice", "Bob") as (world, alice, bob):
        proxy, _ = world.start_microsocks("-u", "one", "-P", "s3:cret")
        direct = alice.run("register", "--relay", by_name(world), "--name", "Alice")
        assert (direct.code, direct.error) == (3, "unreachable"), direct
        for one in (alice, bob):
            said = one.ok("config", "proxy", "-", text="socks5://one:s3%3acret@" + proxy + "\n").of("proxy")[0]
            assert said == {"type": "proxy", "proxy": "socks5://" + proxy, "isolates": False, "login": True,
                            "overridden": False}, said
            one.register(by_name(world))
        world.befriend(alice, bob)
        path = os.path.join(world.directory, "file")
        with open(path, "wb") as file:
            file.write(os.urandom(300000))
        alice.ok("send", "Bob", "--file", path)
        bob.ok("sync")
        message = [m for m in bob.history("Alice") if m["kind"] == "file"][0]
        bob.ok("save", str(message["id"]), "--to", os.path.join(world.directory, "saved"))
        with open(path, "rb") as a, open(os.path.join(world.directory, "saved"), "rb") as b:
            assert a.read() == b.read()
        bob.ok("config", "proxy", "socks5://one:wrong@" + proxy)
        refused = bob.run("sync")
        assert (refused.code, refused.error) == (3, "unreachable") and "proxy" in refused.out, refused
        # One that knows no logins is used without one only where that was said.
        plain, process = world.start_microsocks()
        bob.ok("config", "proxy", "socks5://" + plain)
        assert "another way to log in" in bob.run("sync").out
        bob.ok("config", "proxy", "socks5://" + plain + "?isolate=no")
        bob.ok("sync")
        process.kill()
        assert "proxy cannot be reached" in bob.run("sync").out
        assert bob.run("config", "proxy", "http://" + plain).error == "bad_address"


def test_isolation():
    """each connection shows credentials of its own, and names reach the proxy as names"""
    with WiredWorld("Alice", "Bob") as (world, alice, bob):
        recorder = Recorder(RELAY_SIDE)
        alice.ok("config", "proxy", "socks5://" + recorder.address)
        bob.ok("config", "proxy", "socks5://" + recorder.address)
        alice.register(by_name(world))
        bob.register(by_name(world))
        world.befriend(alice, bob)
        path = os.path.join(world.directory, "file")
        with open(path, "wb") as file:
            file.write(os.urandom(3000))
        recorder.seen.clear()
        alice.ok("send", "Bob", "--file", path)
        alice.ok("sync")
        bob.ok("sync")
        assert len(recorder.seen) >= 5, recorder.seen  # room and file, account and room, account and room
        assert len({s[:2] for s in recorder.seen}) == len(recorder.seen), "a login was shown twice"
        assert {s[2:] for s in recorder.seen} == {(3, "localhost")}, recorder.seen
        assert all(len(s[1]) == 32 for s in recorder.seen)
        recorder.close()


def test_no_way_round():
    """where the relay could be reached directly and the proxy is away, nothing is connected"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        recorder = Recorder("127.0.0.1")
        address = recorder.address
        recorder.close()
        alice.ok("config", "proxy", "socks5://" + address)
        for command in (["send", "Bob", "kept"], ["sync"], ["invite"]):
            failed = alice.run(*command)
            assert (failed.code, failed.error) == (3, "unreachable"), failed
        assert alice.conversation("Bob")["waiting"] == 1
        # The environment goes first, either way.
        os.environ["SOTTO_PROXY"] = ""
        try:
            alice.ok("sync")
            os.environ["SOTTO_PROXY"] = "socks5://" + address
            assert bob.run("sync").error == "unreachable"
            os.environ["SOTTO_PROXY"] = "nonsense"
            assert bob.run("sync").error == "bad_address"
        finally:
            del os.environ["SOTTO_PROXY"]
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["kept"]


def lines_until(process, part):
    for line in process.stdout:
        if part in line:
            return line
    raise AssertionError("it ended without " + part)


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.communicate()


def test_set_while_connected():
    """who is connected directly goes over to a proxy as soon as another command sets one"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        recorder = Recorder("127.0.0.1")
        listener = bob.start("listen")
        try:
            alice.ok("send", "Bob", "one")
            lines_until(listener, '"text":"one"')
            bob.ok("config", "proxy", "socks5://" + recorder.address)
            eventually(lambda: len(recorder.seen) >= 2, "both connections come through the proxy")
            alice.ok("send", "Bob", "two")
            lines_until(listener, '"text":"two"')
        finally:
            stop(listener)
            recorder.close()


def test_other_address():
    """a listener whose address and route were exchanged under it reconnects and misses nothing"""
    with WiredWorld("Alice", "Bob", listen=RELAY_SIDE) as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        listener = bob.start("listen")
        try:
            alice.ok("send", "Bob", "one")
            lines_until(listener, '"text":"one"')
            world.wire.far("ip", "address", "delete", PEOPLE_SIDE + "/24", "dev", "far")
            world.wire.far("ip", "address", "add", "10.97.0.77/24", "dev", "far")
            alice.ok("send", "Bob", "two")
            lines_until(listener, '"text":"two"')
        finally:
            stop(listener)


def test_dead_wire():
    """a connection that died without a word is given up, and what came meanwhile is fetched"""
    with WiredWorld("Alice", "Bob", listen=RELAY_SIDE) as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        listener = bob.start("listen")
        try:
            alice.ok("send", "Bob", "one")
            lines_until(listener, '"text":"one"')
            sh("ip", "link", "set", "near", "down")
            lines_until(listener, '"state":"lost"')
            sh("ip", "link", "set", "near", "up")
            lines_until(listener, '"state":"back"')
            alice.ok("send", "Bob", "two")
            lines_until(listener, '"text":"two"')
        finally:
            stop(listener)


def test_asleep():
    """a program that was stopped for longer than silence is borne goes on when it wakes up"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        listener = bob.start("listen")
        try:
            alice.ok("send", "Bob", "one")
            lines_until(listener, '"text":"one"')
            listener.send_signal(signal.SIGSTOP)
            alice.ok("send", "Bob", "two")
            time.sleep(100)  # longer than either side bears silence: nothing else shows that
            alice.ok("send", "Bob", "three")
            listener.send_signal(signal.SIGCONT)
            lines_until(listener, '"text":"two"')
            lines_until(listener, '"text":"three"')
        finally:
            stop(listener)


if enter_namespace():
    main([test_dead_wire, test_asleep] if "--long" in sys.argv else
         [test_only_way, test_isolation, test_no_way_round, test_set_while_connected, test_other_address])
else:
    print("1..0 # SKIP no network namespaces on this machine")
