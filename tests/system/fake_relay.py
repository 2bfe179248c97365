"""A relay in memory, for tests only: it speaks sotto.v1 (docs/PROTOCOL.md) well enough for the client,
and can be told to lie. What a real relay does is tested with sottod; this one is for what a real
relay never does."""

import asyncio
import base64
import hashlib
import ssl
import struct
import sys
import threading
import time


class Reader:
    def __init__(self, data):
        self.data, self.pos = data, 0

    def take(self, size):
        out = self.data[self.pos:self.pos + size]
        if len(out) != size:
            raise ValueError("truncated")
        self.pos += size
        return out

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def vector(self):
        first = self.number(1)
        width = 1 << (first >> 6)
        length = (first & 0x3F) << 8 * (width - 1) | (self.number(width - 1) if width > 1 else 0)
        return self.take(length)

    def rest(self):
        return self.take(len(self.data) - self.pos)


def vector(data):
    size = len(data)
    if size < 64:
        return bytes([size]) + data
    if size < 16384:
        return struct.pack(">H", 0x4000 | size) + data
    return struct.pack(">I", 0x80000000 | size) + data


def u(value, size):
    return value.to_bytes(size, "big")


GENERATOR = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
DOUBLE = bytes.fromhex("6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919")


def token_chain(count, public=GENERATOR):
    """Announcements of issuing keys, each naming the one before. Any element will do for a key."""
    chain, previous = [], bytes(32)
    for number in range(1, count + 1):
        key = u(number, 4) + u(100 * number, 8) + u(100 * number + 100, 8) + u(1 << 40, 8) + public + previous
        chain.append(key)
        previous = hashlib.sha256(b"sotto.v1 token key" + key).digest()
    return chain


class Room:
    def __init__(self, write_gate, read_gate):
        self.epoch, self.write_gate, self.read_gate = 0, write_gate, read_gate
        self.closed = {}  # old read gate -> seq of the commit that closed it
        self.entries = []
        self.subscribers = []  # (connection, request)


class Connection:
    def __init__(self, relay, reader, writer):
        self.relay, self.reader, self.writer = relay, reader, writer
        self.kind, self.account, self.device = 0, None, None
        self.challenge = hashlib.sha256(str(id(self)).encode()).digest()
        self.inbox_request = None

    async def handshake(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        key = [l.split(b":", 1)[1].strip() for l in head.split(b"\r\n")
               if l.lower().startswith(b"sec-websocket-key:")][0]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Protocol: sotto.v1\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")

    async def frame(self):
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        mask = await self.reader.readexactly(4)
        data = await self.reader.readexactly(size)
        if size:
            repeated = (mask * (size // 4 + 1))[:size]
            data = (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
        return first >> 7, first & 15, data

    def send_frame(self, opcode, data):
        size = len(data)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + u(size, 2)
        else:
            head += bytes([127]) + u(size, 8)
        self.writer.write(head + data)

    def send(self, kind, request, body=b""):
        self.send_frame(2, u(kind, 2) + u(request, 4) + body)

    def error(self, request, code, detail=0):
        self.send(0xFFFF, request, u(code, 2) + u(detail, 8) + vector(b""))

    async def run(self):
        try:
            await self.handshake()
            whole = b""
            while True:
                final, opcode, data = await self.frame()
                if opcode == 8:
                    return
                if opcode == 9:
                    self.send_frame(10, data)
                if opcode in (0, 2):
                    whole += data
                    if final:
                        self.relay.message(self, Reader(whole))
                        whole = b""
                await self.writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            for room in self.relay.rooms.values():
                room.subscribers = [s for s in room.subscribers if s[0] is not self]
            self.relay.connections.discard(self)
            self.writer.close()


class FakeRelay:
    def __init__(self, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.num_tickets = 0
        self.context.load_cert_chain(certificate, key)
        self.accounts, self.packages, self.last, self.inboxes = {}, {}, {}, {}
        self.grants, self.rooms, self.appended, self.taken, self.posted = {}, {}, {}, {}, set()
        self.connections = set()
        self.tokens_a_day, self.chains = 0, {1: token_chain(1), 2: token_chain(1)}  # by connection.kind
        self.issued = 0
        self.blobs, self.refuses_manifests = {}, False
        self.labels = {}  # username -> whatever is given out as a manifest

    async def start(self, port=0):
        async def accept(reader, writer):
            connection = Connection(self, reader, writer)
            self.connections.add(connection)
            await connection.run()
        self.server = await asyncio.start_server(accept, "127.0.0.1", port, ssl=self.context,
                                                 limit=1 << 23)
        return self.server.sockets[0].getsockname()[1]

    def push(self, connection, request, entries):
        body = b"".join(u(e["seq"], 8) + u(e["epoch"], 8) + u(e["kind"], 1) + e["append_id"] +
                        vector(e["bytes"]) for e in entries)
        connection.send(0x4206, request, vector(body))

    def permitted(self, c, request, r, spend):
        kind, value = r.number(1), r.vector()
        if kind == 0:
            return True
        grant = self.grants.get(hashlib.sha256(value).digest())
        if grant is None:
            c.error(request, 23)
            return False
        if spend and grant[spend] == 0:
            c.error(request, 22)
            return False
        return True

    def spend(self, value, what):
        grant = self.grants.get(hashlib.sha256(value).digest())
        if grant:
            grant[what] -= 1

    def message(self, c, r):
        kind, request = r.number(2), r.number(4)
        getattr(self, "on_%04x" % kind)(c, request, r)

    def on_0001(self, c, q, r):
        r.number(2)
        c.kind = r.number(1)
        c.send(0x8001, q, u(1, 2) + c.challenge + u(1, 1) + u(30, 2) + u(4 << 20, 4) + u(4 << 20, 4) +
               u(int(time.time()), 8) + vector(b"fake"))

    def on_0003(self, c, q, r):
        start = r.number(4)
        c.send(0x8003, q, u(self.tokens_a_day, 4) + vector(b"".join(self.chains[c.kind][max(start, 1) - 1:])))

    def on_0004(self, c, q, r):
        c.error(q, 2)  # a relay that keeps no log of orders

    def on_010b(self, c, q, r):
        r.number(4)
        self.issued += 1
        c.send(0x810B, q, vector(r.vector()) + bytes(64))  # under no key at all, with no proof of anything

    def on_0101(self, c, q, r):
        manifest, device = r.vector(), r.take(16)
        account = hashlib.sha256(b"sotto.v1 account" + manifest[2:34]).digest()
        self.accounts[account] = manifest
        self.inboxes.setdefault((account, device), [])
        c.account, c.device = account, device
        c.send(0x8101, q)

    def on_0102(self, c, q, r):
        account, device = r.take(32), r.take(16)
        if account not in self.accounts:
            return c.error(q, 11)
        c.account, c.device = account, device
        self.inboxes.setdefault((account, device), [])
        c.send(0x8102, q)

    def on_0103(self, c, q, r):
        if not self.refuses_manifests:
            self.accounts[c.account] = r.vector()
        c.send(0x8103, q)

    def on_0104(self, c, q, r):
        listed, last = Reader(r.vector()), r.vector()
        stock = self.packages.setdefault((c.account, c.device), [])
        while listed.pos < len(listed.data):
            stock.append(listed.vector())
        if last:
            self.last[(c.account, c.device)] = last
        c.send(0x8104, q, u(len(stock), 4))

    def on_0105(self, c, q, r):
        stock = self.packages.get((c.account, c.device), [])
        c.send(0x8105, q, u(len(stock), 4) + u(1 if (c.account, c.device) in self.last else 0, 1))

    def on_0106(self, c, q, r):
        c.inbox_request = q
        waiting = self.inboxes[(c.account, c.device)]
        c.send(0x8106, q, u(max((seq for seq, _ in waiting), default=0), 8))
        for seq, sealed in waiting:
            c.send(0x4106, q, u(seq, 8) + vector(sealed))

    def on_0107(self, c, q, r):
        seq = r.number(8)
        box = self.inboxes[(c.account, c.device)]
        box[:] = [e for e in box if e[0] > seq]
        c.send(0x8107, q)

    def on_0108(self, c, q, r):
        digest, expires, uses = r.take(32), r.number(8), r.number(4)
        self.grants[digest] = {"take": uses, "post": uses}
        c.send(0x8108, q)

    def on_0201(self, c, q, r):
        if self.permitted(c, q, r, None):
            account = r.take(32)
            if account not in self.accounts:
                return c.error(q, 20)
            c.send(0x8201, q, vector(self.accounts[account]))

    def on_020c(self, c, q, r):
        r.number(1), r.vector(), r.number(1)
        c.send(0x820C, q, vector(self.labels.get(r.vector(), b"")))

    def on_0202(self, c, q, r):
        kind, value = r.number(1), r.vector()
        take_id, account, device = r.take(16), r.take(32), r.take(16)
        if take_id in self.taken:
            return c.send(0x8202, q, vector(self.taken[take_id]))
        if not self.permitted(c, q, Reader(u(kind, 1) + vector(value)), "take"):
            return None
        if kind:
            self.spend(value, "take")
        stock = self.packages.get((account, device), [])
        package = stock.pop(0) if stock else self.last.get((account, device))
        if package is None:
            return c.error(q, 21)
        self.taken[take_id] = package
        return c.send(0x8202, q, vector(package))

    def on_0203(self, c, q, r):
        kind, value = r.number(1), r.vector()
        post_id, account, device, sealed = r.take(16), r.take(32), r.take(16), r.vector()
        if post_id not in self.posted:
            if not self.permitted(c, q, Reader(u(kind, 1) + vector(value)), "post"):
                return
            if kind:
                self.spend(value, "post")
            self.posted.add(post_id)
            box = self.inboxes[(account, device)]
            seq = len(self.posted)
            box.append((seq, sealed))
            for other in self.connections:
                if (other.account, other.device) == (account, device) and other.inbox_request:
                    other.send(0x4106, other.inbox_request, u(seq, 8) + vector(sealed))
        c.send(0x8203, q)

    def on_0204(self, c, q, r):
        r.number(1), r.vector()
        room, write, read = r.take(32), r.take(32), r.take(32)
        old = self.rooms.get(room)
        if old and (old.entries or (old.write_gate, old.read_gate) != (write, read)):
            return c.error(q, 31)
        self.rooms[room] = Room(write, read)
        return c.send(0x8204, q)

    def on_0205(self, c, q, r):
        name, append_id, epoch, token, kind = r.take(32), r.take(16), r.number(8), r.take(32), r.number(1)
        room = self.rooms.get(name)
        next_write, next_read = None, None
        if kind == 2:
            next_write = r.take(32)
            next_read = r.take(32) if r.number(1) else None
        data = r.vector()
        if (name, append_id) in self.appended:
            return c.send(0x8205, q, u(self.appended[(name, append_id)], 8))
        if room is None:
            return c.error(q, 30)
        if epoch != room.epoch:
            return c.error(q, 32, room.epoch)
        if hashlib.sha256(token).digest() != room.write_gate:
            return c.error(q, 30)
        entry = {"seq": len(room.entries) + 1, "epoch": epoch, "kind": kind, "append_id": append_id,
                 "bytes": data}
        room.entries.append(entry)
        self.appended[(name, append_id)] = entry["seq"]
        if kind == 2:
            room.epoch, room.write_gate = epoch + 1, next_write
        c.send(0x8205, q, u(entry["seq"], 8))
        for other, request in room.subscribers:
            self.push(other, request, [entry])
        if next_read:
            room.closed[room.read_gate] = entry["seq"]
            room.read_gate = next_read
            for other, request in room.subscribers:
                other.send(0x4207, request, u(33, 2))
            room.subscribers = []
        return None

    def on_0206(self, c, q, r):
        name, token, start = r.take(32), r.take(32), r.number(8)
        room, gate = self.rooms.get(name), hashlib.sha256(token).digest()
        if room is None or (gate != room.read_gate and gate not in room.closed):
            return c.error(q, 30)
        last = room.closed.get(gate, len(room.entries))
        c.send(0x8206, q, u(last, 8) + u(1, 8) + u(room.epoch, 8))
        entries = room.entries[start - 1:last]
        for i in range(0, len(entries), 16):
            self.push(c, q, entries[i:i + 16])
        if gate in room.closed:
            c.send(0x4207, q, u(33, 2))
        else:
            room.subscribers.append((c, q))
        return None

    def blob(self, c, q, r, write=True):
        """The blob of the request, whose write token is shown; None: refused."""
        blob = self.blobs.get(r.take(32))
        if blob is None or (write and hashlib.sha256(r.take(32)).digest() != blob["gate"]):
            c.error(q, 40)
            return None
        return blob

    def on_0301(self, c, q, r):
        r.vector()
        name, size, gate = r.take(32), r.number(8), r.take(32)
        known = self.blobs.get(name)
        if known is not None and (known["size"], known["gate"]) != (size, gate):
            return c.error(q, 41)
        if known is None:
            self.blobs[name] = {"size": size, "gate": gate, "bytes": b"", "finished": False}
        return c.send(0x8301, q)

    def on_0302(self, c, q, r):
        blob = self.blob(c, q, r)
        if blob is not None:
            offset, data = r.number(8), r.vector()
            blob["bytes"] = blob["bytes"][:offset] + data
            c.send(0x8302, q, u(len(blob["bytes"]), 8))

    def on_0303(self, c, q, r):
        blob = self.blob(c, q, r)
        if blob is not None:
            c.send(0x8303, q, u(blob["size"], 8) + u(len(blob["bytes"]), 8) + u(int(blob["finished"]), 1))

    def on_0304(self, c, q, r):
        blob = self.blob(c, q, r)
        if blob is not None:
            blob["finished"] = True
            c.send(0x8304, q)

    def on_0305(self, c, q, r):
        blob = self.blob(c, q, r, write=False)
        if blob is not None:
            offset, length = r.number(8), r.number(4)
            if not blob["finished"]:
                return c.error(q, 40)
            if offset + length > blob["size"]:
                return c.error(q, 4, blob["size"])
            c.send(0x8305, q, vector(blob["bytes"][offset:offset + length]))
        return None

    def on_0306(self, c, q, r):
        position = r.pos
        if self.blob(c, q, r) is not None:
            del self.blobs[r.data[position:position + 32]]
            c.send(0x8306, q)

    def on_0207(self, c, q, r):
        which = r.number(4)
        for room in self.rooms.values():
            room.subscribers = [s for s in room.subscribers if s != (c, which)]
        c.send(0x8207, q)


class Threaded:
    """A FakeRelay that runs in a thread of the test: `with Threaded(cert, key) as t: t.do(lie)`."""

    def __init__(self, certificate, key):
        self.loop, self.relay = asyncio.new_event_loop(), FakeRelay(certificate, key)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self.relay.start(), self.loop).result()

    def do(self, change):
        """Calls change(relay) between two messages."""
        async def call():
            return change(self.relay)
        return asyncio.run_coroutine_threadsafe(call(), self.loop).result()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


def main():
    async def serve():
        relay = FakeRelay(sys.argv[1], sys.argv[2])
        print(await relay.start(int(sys.argv[3]) if len(sys.argv) > 3 else 0), flush=True)
        await asyncio.Event().wait()
    asyncio.run(serve())


if __name__ == "__main__":
    main()
