"""A client of our own making, byte by byte, for the tests that misbehave."""
import socket
import ssl
import struct
import threading
import time

from world import PATIENCE

OPENING = 15  # seconds: src/relay/limits.h
HELLO, HELLO_OK, ERROR = 0x0001, 0x8001, 0xFFFF


class Raw:
    """A connection of our own making, byte by byte."""

    def __init__(self, world, version=ssl.TLSVersion.TLSv1_3, receive_buffer=None, source=None, before=b""):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = version
        tcp = socket.socket()
        tcp.settimeout(PATIENCE)
        if receive_buffer:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            tcp.bind((source, 0))
        tcp.connect(("127.0.0.1", world.port))
        tcp.sendall(before)
        self.socket = context.wrap_socket(tcp)
        self.bytes = b""

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.socket.close()

    def take(self, count):
        while len(self.bytes) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.bytes += more
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def upgrade(self):
        self.socket.sendall(b"GET /sotto HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                            b"Sec-WebSocket-Protocol: sotto.v1\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        assert b" 101 " in head, head
        return self

    def frame(self, first, payload=b"", mask=True, length=None):
        size = len(payload) if length is None else length
        head = bytes([first]) + (bytes([size | 0x80 * mask]) if size < 126 else
                                 bytes([126 | 0x80 * mask]) + struct.pack(">H", size) if size < 65536 else
                                 bytes([127 | 0x80 * mask]) + struct.pack(">Q", size))
        self.socket.sendall(head + (bytes(4) if mask else b"") + payload)  # a mask of zeros

    def say(self, kind, request, body):
        self.frame(0x82, struct.pack(">HI", kind, request) + body)

    def hello(self):
        self.upgrade()
        self.say(HELLO, 1, struct.pack(">HB", 1, 2))
        assert self.hear()[0] == HELLO_OK
        return self

    def hear_frame(self):
        first, size = self.take(2)
        size = struct.unpack(">H", self.take(2))[0] if size == 126 else \
            struct.unpack(">Q", self.take(8))[0] if size == 127 else size
        return first & 15, self.take(size)

    def hear(self):
        """The next message: type, request, body."""
        while True:
            opcode, payload = self.hear_frame()
            if opcode == 2:
                return (*struct.unpack(">HI", payload[:6]), payload[6:])
            assert opcode != 8, "closed with %d" % struct.unpack(">H", payload[:2])

    def close_code(self):
        """Waits for the end. The code of the close frame; None: cut."""
        code = None
        try:
            while True:
                opcode, payload = self.hear_frame()
                if opcode == 8:
                    code = struct.unpack(">H", payload[:2])[0]
        except (EOFError, OSError):
            return code


def seconds_until_cut(wait):
    start = time.monotonic()
    wait()
    return time.monotonic() - start


def all_at_once(*checks):
    """Waiting costs nothing: the checks run side by side."""
    failed = []

    def run(check):
        try:
            check()
        except Exception as reason:
            failed.append("%s: %r" % (check.__doc__, reason))

    threads = [threading.Thread(target=run, args=(check,)) for check in checks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, "; ".join(failed)
