"""The relay behind proxies: nginx and HAProxy as docs/RELAY.md sets them up, and one of our own that lies.

People have 127.0.0.1 and 127.0.0.2, trusted proxies 127.0.0.3: all of them are this machine."""
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

from raw import OPENING, Raw, all_at_once, seconds_until_cut
from world import PATIENCE, Skip, World, eventually, free_port, main

GUIDE = sys.argv[3]
PROXY, OTHER = "127.0.0.3", "127.0.0.2"
TRUST = ["--trusted-proxy", PROXY]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def line(source, family="TCP4", destination="192.0.2.1"):
    return ("PROXY %s %s %s 50000 443\r\n" % (family, source, destination)).encode()


def binary(source, tlvs=b"", command=1):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    block = 2 * socket.inet_pton(family, source) + struct.pack(">HH", 50000, 443) + tlvs
    return SIGNATURE + bytes([0x20 | command, 0x21 if ":" in source else 0x11]) + struct.pack(">H", len(block)) + block


# ---- Proxies ----


class Between:
    """Passes TCP on to a port, from an address of its own, with bytes of its own in front."""

    def __init__(self, port, source, before=b"", pause=0):
        self.to, self.source, self.before, self.pause = port, source, before, pause
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.listener.close()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.pass_on, args=self.listener.accept()[:1], daemon=True).start()

    def pass_on(self, client):
        with client, socket.socket() as relay, contextlib.suppress(OSError):
            relay.bind((self.source, 0))
            relay.connect(("127.0.0.1", self.to))
            relay.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in [bytes([byte]) for byte in self.before] if self.pause else [self.before]:
                relay.sendall(piece)
                time.sleep(self.pause)
            back = threading.Thread(target=self.copy, args=(relay, client), daemon=True)
            back.start()
            self.copy(client, relay)
            back.join()

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def from_guide(kind, replace):
    """The configuration that the guide gives, with this test's ports and addresses."""
    with open(GUIDE) as file:
        blocks = re.findall(r"^```%s\n(.*?)^```" % kind, file.read(), re.M | re.S)
    assert len(blocks) == 1, kind
    text = blocks[0]
    for old, new in replace:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def installed(program, config, arguments, port):
    """Runs a proxy as a user who may nothing, in a folder of its own, until it takes connections."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Skip(program + " is not installed")
    folder = tempfile.mkdtemp(prefix="sotto-proxy-")
    whose = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
        whose = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    with open(os.path.join(folder, "config"), "w") as file:
        file.write(config)
    with open(os.path.join(folder, "output"), "w+") as output:
        process = subprocess.Popen([path, *arguments(folder)], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, cwd=folder, **whose)
        try:
            def serves():
                assert process.poll() is None, open(output.name).read()
                with contextlib.suppress(OSError):
                    return socket.create_connection(("127.0.0.1", port), 1).close() or True
            eventually(serves, program + " serves")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE)
            shutil.rmtree(folder)


def nginx(port, relay_port):
    stream = from_guide("nginx", [
        ("listen 443;", "listen 127.0.0.1:%d;" % port),
        ("listen [::]:443;", "listen [::1]:%d;" % port if has_ipv6() else ""),
        ("127.0.0.1:7443;", "127.0.0.1:%d;\nproxy_bind %s;" % (relay_port, PROXY))])
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    head = "load_module %s;\n" % module if os.path.exists(module) else ""
    head += "daemon off;\npid nginx.pid;\nevents { worker_connections 256; }\n"
    return installed("nginx", head + stream,
                     lambda folder: ["-p", folder, "-c", "config", "-e", "stderr"], port)


def haproxy(port, relay_port):
    both = from_guide("haproxy", [
        ("bind :443", "bind 127.0.0.1:%d" % port),
        ("bind [::]:443 v6only", "bind [::1]:%d" % port if has_ipv6() else ""),
        ("127.0.0.1:7443", "127.0.0.1:%d source %s inter 100ms" % (relay_port, PROXY))])
    return installed("haproxy", "global\n    maxconn 256\n" + both,
                     lambda folder: ["-db", "-f", os.path.join(folder, "config")], port)


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


# ---- What the relay has ----


def address(world, port, host="127.0.0.1"):
    return "%s:%d#%s" % (host, port, world.address.split("#")[1])


def last_ips(world):
    """Of the accounts, in the order of their registration."""
    with contextlib.closing(sqlite3.connect(world.directory + "/relay/relay.db")) as database:
        return [ip for (ip,) in database.execute("SELECT last_ip FROM accounts ORDER BY key")]


def metrics(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def refused(port):
    return {reason: int(count) for reason, count in
            re.findall(r'^sottod_proxy_headers_refused_total\{reason="(\w+)"\} (\d+)$', metrics(port), re.M)}


def figure(port, name):
    return int(re.search(r"^sottod_%s (\d+)$" % name, metrics(port), re.M)[1])


def behind(start):
    """Two people, each with an address of their own, through an installed proxy; a third with IPv6."""
    watch, port = free_port(), free_port()
    options = TRUST + ["--metrics", "127.0.0.1:%d" % watch, "--log-level", "debug", "--public", "relay.example:7443"]
    world = World("Alice", "Bob", "Carol", options=options)
    # What the relay tells as its own address is a name here, not one of those that are looked for.
    world.port = relay_port = free_port()
    with world as (_, alice, bob, carol):
        with start(port, relay_port), Between(port, OTHER) as between:
            alice.register(address(world, between.port))
            bob.register(address(world, port))
            world.befriend(alice, bob)
            for number in range(3):
                alice.ok("send", "Bob", "to you, %d" % number)
                bob.ok("send", "Alice", "to you too, %d" % number)
            bob.ok("sync")
            alice.ok("sync")
            assert [text for _, text in bob.texts("Alice")] == [text for _, text in alice.texts("Bob")]
            assert len(alice.texts("Bob")) == 6
            expected = [OTHER, "127.0.0.1"]
            if has_ipv6():
                carol.register(address(world, port, "[::1]"))
                expected.append("::1")
            assert last_ips(world) == expected, last_ips(world)
            assert refused(watch) == {"absent": 0, "malformed": 0, "late": 0, "ended": 0}, refused(watch)
            told = world.log() + metrics(watch) + subprocess.run(
                world.relay_command("status"), capture_output=True, text=True).stdout
            assert not re.search(r"127\.0\.0\.|::1\b", told), told


# ---- Tests ----


def test_nginx():
    """behind nginx people talk, and the relay knows their addresses and not nginx's"""
    behind(nginx)


def test_haproxy():
    """behind HAProxy, with version 2 and health checks, likewise"""
    behind(haproxy)


def test_headers():
    """the address of each sign-in is that of the header, however it is written and cut"""
    with World("Alice", options=TRUST) as (world, alice), Between(world.port, PROXY) as between:
        between.before = line("203.0.113.7")
        alice.register(address(world, between.port))
        assert last_ips(world) == ["203.0.113.7"]
        big = b"".join(b"\xe0\x01\xf4" + bytes(500) for _ in range(3))
        for before, pause, expected in [
                (line("2001:DB8:0::7", "TCP6", "::1"), 0, "2001:db8::7"),
                (line("198.51.100.9"), 0.001, "198.51.100.9"),
                (line("::ffff:203.0.113.8", "TCP6", "::1"), 0, "203.0.113.8"),
                (b"PROXY UNKNOWN and who knows\r\n", 0, PROXY),
                (binary("203.0.113.9"), 0, "203.0.113.9"),
                (binary("2001:db8::9"), 0.001, "2001:db8::9"),
                (binary("::ffff:203.0.113.10"), 0, "203.0.113.10"),
                (binary("203.0.113.11", big), 0, "203.0.113.11"),
                (binary("203.0.113.12", b"\x04\0\1x"), 0.001, "203.0.113.12"),
                (binary("203.0.113.13", command=0), 0, PROXY)]:
            between.before, between.pause = before, pause
            alice.ok("sync")
            eventually(lambda: last_ips(world) == [expected], "%r: %s" % (before[:50], expected))


def test_forged():
    """from whom nobody trusts a header is broken TLS"""
    watch = free_port()
    with World("Alice", options=TRUST + ["--metrics", "127.0.0.1:%d" % watch]) as (world, alice):
        for before in (line("203.0.113.7"), binary("203.0.113.7"), binary("203.0.113.7", command=0)):
            try:
                Raw(world, source=OTHER, before=before).hello()
                raise AssertionError("a forged header was taken")
            except (ssl.SSLError, OSError, EOFError):
                pass
        with Between(world.port, OTHER, line("203.0.113.7")) as between:
            assert alice.run("register", "--relay", address(world, between.port), "--name", "Alice").code != 0
            assert last_ips(world) == []
            between.before = b""
            alice.register(address(world, between.port))
            assert last_ips(world) == [OTHER]
        assert refused(watch) == {"absent": 0, "malformed": 0, "late": 0, "ended": 0}  # no header was looked for


def test_refused():
    """a trusted proxy's connection without a whole, right header is cut at once, and counted by reason"""
    watch = free_port()
    options = TRUST + ["--metrics", "127.0.0.1:%d" % watch, "--log-level", "debug"]
    with World(options=options) as (world,):
        expected = {"absent": 0, "malformed": 0, "late": 0, "ended": 0}

        def send(data, reason):
            with socket.create_connection(("127.0.0.1", world.port), PATIENCE, (PROXY, 0)) as tcp:
                tcp.sendall(data)
                if reason in ("ended", None):
                    tcp.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    assert tcp.recv(100) == b"", data
            if reason:
                expected[reason] += 1
            eventually(lambda: refused(watch) == expected, "%r: %s" % (data, reason))

        send(CLIENT_HELLO, "absent")
        send(b"GET / HTTP/1.1\r\n\r\n", "absent")
        send(line("203.0.113.300"), "malformed")
        send(line("203.0.113.7").replace(b"\r", b""), "malformed")
        send(b"PROXY UNKNOWN " + b"x" * 100, "malformed")
        send(binary("203.0.113.7").replace(b"\x21\x11", b"\x22\x11"), "malformed")
        send(binary("203.0.113.7", bytes(2100)), "malformed")
        send(line("203.0.113.7")[:20], "ended")
        send(binary("203.0.113.7")[:20], "ended")
        send(b"", None)  # only looks whether anybody listens
        assert "203.0" not in world.log() and PROXY not in world.log()
        assert re.search(r'proxy_header_refused what="PROXY.address" why="', world.log()), world.log()
        eventually(lambda: figure(watch, "connections") == 0, "all have left")
        with Raw(world, source=PROXY, before=line("203.0.113.7")) as raw:
            raw.hello()


def be_slow(failed):
    watch = free_port()
    with World(options=TRUST + ["--metrics", "127.0.0.1:%d" % watch]) as (world,):
        cut = {}

        def connect():
            return socket.create_connection(("127.0.0.1", world.port), PATIENCE, (PROXY, 0))

        def expect_cut(wait):
            took = seconds_until_cut(wait)
            assert OPENING - 2 <= took <= OPENING + PATIENCE, took

        def silent():
            """no byte"""
            with connect() as tcp:
                expect_cut(lambda: tcp.recv(1))

        def half():
            """half a header"""
            with connect() as tcp:
                tcp.sendall(binary("203.0.113.7")[:20])
                expect_cut(lambda: tcp.recv(1))

        def dribble():
            """a line, a byte now and then"""
            with connect() as tcp:
                def go():
                    with contextlib.suppress(OSError):
                        for byte in b"PROXY UNKNOWN " + b"x" * 90:
                            tcp.sendall(bytes([byte]))
                            time.sleep(0.5)
                        raise AssertionError("never cut")
                expect_cut(go)

        def late():
            """a header at the end of the time, and silence behind it"""
            with connect() as tcp:
                time.sleep(OPENING - 2)
                tcp.sendall(line("203.0.113.7"))
                assert tcp.recv(1) == b""
                cut["late"] = time.monotonic()

        def younger():
            """a connection that began after the one before, and whose header came before that one's"""
            time.sleep(OPENING // 2 + 1)
            with connect() as tcp:
                tcp.sendall(line("203.0.113.7"))
                assert tcp.recv(1) == b""
                cut["younger"] = time.monotonic()

        try:
            all_at_once(silent, half, dribble, late, younger)
            # The time counts from the connection's beginning: where it began anew with the header,
            # the younger one would go first.
            assert cut["late"] < cut["younger"], cut
            assert refused(watch) == {"absent": 0, "malformed": 0, "late": 3, "ended": 0}, refused(watch)
        except Exception as reason:
            failed.append(reason)


SLOW_FAILED = []
SLOW = threading.Thread(target=be_slow, args=[SLOW_FAILED])


def test_slow():
    """a header that does not come is not waited for longer than any opening"""
    SLOW.join()
    assert not SLOW_FAILED, SLOW_FAILED[0]


def test_limits():
    """the limits of an address are the client's; that of all connections counts before any header"""
    watch = free_port()
    options = TRUST + ["--metrics", "127.0.0.1:%d" % watch, "--rate-limit", "on", "--rate-connections", "2",
                       "--max-connections", "5", "--threads", "1"]
    with World(options=options) as (world,):
        def may(before):
            try:
                with Raw(world, source=PROXY, before=before) as raw:
                    return bool(raw.hello())
            except (ssl.SSLError, OSError, EOFError):
                return False

        assert [may(line("203.0.113.1")), may(binary("203.0.113.1")), may(line("203.0.113.1"))] == [True, True, False]
        assert may(line("203.0.113.2"))
        assert [may(binary("2001:db8:0:1::%d" % number)) for number in (1, 2, 3)] == [True, True, False]
        assert may(binary("2001:db8:0:2::1"))
        assert figure(watch, "connections_turned_away_total") == 2
        eventually(lambda: figure(watch, "connections") == 0, "all have left")
        held = [socket.create_connection(("127.0.0.1", world.port), PATIENCE, (PROXY, 0)) for _ in range(6)]
        eventually(lambda: figure(watch, "connections_turned_away_total") == 3, "one too many")
        assert figure(watch, "connections") == 5
        for tcp in held:
            tcp.close()
        eventually(lambda: figure(watch, "connections") == 0, "all have left")
        assert may(line("203.0.113.3"))


def test_reload_and_stop():
    """a reload changes who is trusted; a stop does not wait for headers"""
    world = World(config="# nobody\n")
    with world:
        def is_taken(before):
            try:
                with Raw(world, source=PROXY, before=before) as raw:
                    return bool(raw.hello())
            except (ssl.SSLError, OSError, EOFError):
                return False

        assert is_taken(b"") and not is_taken(line("203.0.113.7"))
        with open(os.path.join(world.directory, "sottod.conf"), "w") as file:
            file.write("trusted-proxy = 2001:db8::/32\ntrusted-proxy = 127.0.0.2/31\n")
        world.relay.send_signal(signal.SIGHUP)
        eventually(lambda: " reloaded" in world.log(), "the reload")
        assert "setting_needs_restart" not in world.log()
        assert not is_taken(b"") and is_taken(line("203.0.113.7"))
        with socket.create_connection(("127.0.0.1", world.port), PATIENCE, (PROXY, 0)) as tcp:
            tcp.sendall(b"PROXY ")
            relay = world.relay
            world.stop_relay()
            with contextlib.suppress(ConnectionError):
                assert tcp.recv(1) == b""
        with open(world.relay_log.name) as log:
            told = log.read()
        assert relay.returncode == 0 and "Sanitizer" not in told, told  # what is left behind is a leak


SLOW.start()  # waiting costs nothing: beside the others
main([test_nginx, test_haproxy, test_headers, test_forged, test_refused, test_limits, test_reload_and_stop, test_slow])
