"""Clients that behave badly, each against its limit, while people write to each other as ever."""
import hashlib
import os
import socket
import ssl
import struct
import threading
import time

from raw import ERROR, OPENING, Raw, all_at_once, seconds_until_cut
from world import PATIENCE, World, main

CREATE, SUBSCRIBE = 0x0204, 0x0206
LIMIT, NO_ROOM = 4, 30
SUBSCRIPTIONS = 1024


def at_work(test, options=()):
    """Runs test(world) while Alice and Bob write; what they write arrives, whatever happens."""
    with World("Alice", "Bob", options=options) as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        over, failed = threading.Event(), []

        def write():
            number = 0
            try:
                while not over.is_set() or number == 0:
                    number += 1
                    alice.ok("send", "Bob", "number %d" % number)
                    bob.ok("listen", "--once")
                assert [text for _, text in bob.texts("Alice")] == ["number %d" % n for n in range(1, number + 1)]
            except Exception as reason:
                failed.append(reason)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            test(world)
        finally:
            over.set()
            writer.join()
        assert not failed, failed[0]


def test_silence_and_dribble():
    """whoever says nothing, or one byte at a time, is let go before there is a connection"""
    def test(world):
        def expect_cut(wait):
            took = seconds_until_cut(wait)
            assert OPENING - 2 <= took <= OPENING + PATIENCE, took

        def silent_tcp():
            """a TCP connection without a byte"""
            with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as tcp:
                expect_cut(lambda: tcp.recv(1))

        def half_tls():
            """the beginning of a TLS handshake"""
            with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as tcp:
                tcp.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
                expect_cut(lambda: tcp.recv(1))

        def dribble():
            """an HTTP request, a byte a second"""
            with Raw(world) as raw:
                def go():
                    try:
                        for byte in b"GET /sotto HTTP/1.1\r\n" + b"X: " + b"a" * 100:
                            raw.socket.sendall(bytes([byte]))
                            time.sleep(0.5)
                        raise AssertionError("never cut")
                    except (OSError, EOFError):
                        pass
                expect_cut(go)

        def no_hello():
            """a WebSocket without hello"""
            with Raw(world).upgrade() as raw:
                expect_cut(raw.close_code)

        all_at_once(silent_tcp, half_tls, dribble, no_hello)
    at_work(test)


def test_frames():
    """frames that are too large or not allowed end the connection with a code that says why"""
    def test(world):
        cases = [
            ("five megabytes announced", 1009, lambda raw: raw.frame(0x82, length=5 << 20)),
            ("the largest length there is", None, lambda raw: raw.frame(0x82, length=(1 << 64) - 1)),
            ("five megabytes in fragments", 1009, lambda raw: [raw.frame(0x02, b"x")] +
                [raw.frame(0x00, bytes(1 << 20)) for _ in range(5)]),
            ("text", 1003, lambda raw: raw.frame(0x81, b"hello")),
            ("no mask", 1002, lambda raw: raw.frame(0x82, b"x" * 8, mask=False)),
            ("a reserved bit", 1002, lambda raw: raw.frame(0xC2, b"x")),
            ("an unknown opcode", 1002, lambda raw: raw.frame(0x83, b"x")),
            ("a fragmented ping", 1002, lambda raw: raw.frame(0x09, b"x")),
            ("a ping of 126 bytes", 1002, lambda raw: raw.frame(0x89, b"x" * 126)),
            ("a continuation of nothing", 1002, lambda raw: raw.frame(0x80, b"x")),
        ]
        for what, expected, do in cases:
            with Raw(world).hello() as raw:
                try:
                    do(raw)
                except OSError:
                    pass
                code = raw.close_code()
                assert code == expected or (expected is None and code in (1002, 1009)), "%s: %s" % (what, code)
        with Raw(world).hello() as raw:  # and a message that is none
            raw.frame(0x82, b"\x02\x05\x00\x00\x00\x07junk")
            assert raw.hear()[:2] == (ERROR, 7)
            assert raw.close_code() == 1008
    at_work(test)


def test_old_tls():
    """TLS 1.2, and with it renegotiation, is refused"""
    def test(world):
        try:
            Raw(world, ssl.TLSVersion.TLSv1_2)
            raise AssertionError("TLS 1.2 was accepted")
        except (ssl.SSLError, ConnectionError):
            pass
    at_work(test)


def test_greed():
    """a client that subscribes to everything gets as much as one may have"""
    def test(world):
        token, gates = bytes(32), hashlib.sha256(bytes(32)).digest()
        with Raw(world).hello() as raw:
            refused = 0
            for number in range(SUBSCRIPTIONS + 20):
                room = struct.pack(">Q", number).rjust(32, b"r")
                raw.say(CREATE, 2 * number + 10, b"\x00\x00" + room + gates + gates)
                assert raw.hear()[0] == CREATE | 0x8000
                raw.say(SUBSCRIBE, 2 * number + 11, room + token + struct.pack(">Q", 1))
                kind, _, body = raw.hear()
                if kind == ERROR:
                    assert struct.unpack(">HQ", body[:10]) == (LIMIT, SUBSCRIPTIONS), body
                    refused += 1
            assert refused == 20, refused
    at_work(test)


def test_flood():
    """requests without end, whose answers nobody reads, are left unread; guesses of rooms tell nothing"""
    def test(world):
        guess = os.urandom(64) + struct.pack(">Q", 1)
        with Raw(world, receive_buffer=4096).hello() as raw:
            raw.socket.settimeout(5)
            sent = 0
            try:
                while sent < 1000000:
                    many = range(sent + 10, sent + 110)
                    raw.socket.sendall(b"".join(b"\x82\xce\0\0\0\0" + struct.pack(">HI", SUBSCRIBE, n) + guess
                                                for n in many))
                    sent += 100
                raise AssertionError("a million requests were taken without one answer read")
            except TimeoutError:
                print("# held back after %d requests" % sent)
            with open("/proc/%d/status" % world.relay.pid) as status:
                resident = [int(line.split()[1]) for line in status if line.startswith("VmRSS")][0]
            # The socket buffers are the kernel's; a sanitizer's memory is its own.
            assert resident < 200 * 1024 or "build-san" in world.relay.args[0], resident
        with Raw(world).hello() as raw:
            raw.say(SUBSCRIBE, 9, guess)
            kind, _, body = raw.hear()
            assert kind == ERROR and struct.unpack(">H", body[:2])[0] == NO_ROOM
    at_work(test)


def test_many_half_open():
    """five hundred connections that go nowhere leave room for people"""
    def test(world):
        held = [socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) for _ in range(500)]
        for tcp in held[::2]:
            tcp.sendall(b"\x16\x03\x01")
        time.sleep(1)
        for tcp in held:
            tcp.close()
    at_work(test)


def test_large_messages():
    """messages that never end share a limit; whoever exceeds it is asked to come back later"""
    def test(world):
        held, codes = [], []
        for _ in range(70):  # 280 MB, of 256 MiB that one loop gives
            raw = Raw(world).hello()
            raw.frame(0x82, bytes((4 << 20) - 1), length=4 << 20)
            held.append(raw)
        for raw in held:
            raw.socket.settimeout(0.01)
            codes.append(raw.close_code())
            raw.socket.close()
        assert 0 < codes.count(1013) < 20, codes
    at_work(test, ["--threads", "1"])


main([test_silence_and_dribble, test_frames, test_old_tls, test_greed, test_flood, test_many_half_open,
      test_large_messages])
