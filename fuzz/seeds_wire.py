#!/usr/bin/env python3
"""Writes the seeds of the fuzz_wire_* and fuzz_relay_* harnesses, from PROTOCOL.md, RFC 6455 and the text of
the PROXY protocol, not from our writers.

usage: fuzz/seeds_wire.py [corpus folder]
"""
import base64
import pathlib
import sys


def number(value, size):
    return value.to_bytes(size, "big")


def vector(content):
    size = len(content)
    if size < 1 << 6:
        return number(size, 1) + content
    if size < 1 << 14:
        return number(0x4000 | size, 2) + content
    return number(0x80000000 | size, 4) + content


def message(kind, body=b""):
    return number(kind, 2) + number(7, 4) + body


ID16, ID32 = bytes(range(16)), bytes(range(32))
NONE, CAPABILITY = b"\0\0", b"\1" + vector(ID32)
RELAY = b"relay.example:443"
PIN = base64.urlsafe_b64encode(ID32).rstrip(b"=")


def device(index):
    return (number(index, 16) + vector(ID32) + vector(bytes(1216)) + ID32 + number(1000, 8))


def manifest_fields(count):
    """What follows version and account key: the harness signs."""
    return number(1, 8) + number(1800000000, 8) + bytes(32) + vector(
        b"".join(device(i + 1) for i in range(count)))


def entry(seq):
    return number(seq, 8) + number(1, 8) + b"\1" + ID16 + vector(b"entry")


def messages():
    proof = ID32 + bytes(64)
    append = ID32 + ID16 + number(3, 8) + ID32
    yield "hello", message(0x0001, b"\0\1\1")
    yield "hello_ok", message(0x8001, b"\0\1" + ID32 + b"\1" + number(30, 2) + number(1, 4) +
                              number(2, 4) + number(3, 8) + vector("Müller".encode()))
    yield "error", message(0xFFFF, number(32, 2) + number(5, 8) + vector(b"too late"))
    yield "register", message(0x0101, vector(b"manifest") + ID16 + proof + vector(b"+49151") +
                              vector(b"invited") + vector(b""))
    yield "sign_in", message(0x0102, ID32 + ID16 + proof)
    yield "put_manifest", message(0x0103, vector(b"manifest"))
    yield "publish", message(0x0104, vector(vector(b"one") + vector(b"two")) + vector(b"last"))
    yield "count", message(0x0105)
    yield "count_ok", message(0x8105, number(9, 4) + b"\1")
    yield "ack", message(0x0107, number(9, 8))
    yield "grant", message(0x0108, ID32 + number(1000, 8) + number(1, 4))
    yield "revoke", message(0x0109, ID32)
    yield "delete_account", message(0x010A, proof + b"\1")
    yield "inbox_envelope", message(0x4106, number(1, 8) + vector(b"sealed"))
    yield "get_manifest", message(0x0201, CAPABILITY + ID32)
    yield "take", message(0x0202, NONE + ID16 + ID32 + ID16)
    yield "post", message(0x0203, CAPABILITY + ID16 + ID32 + ID16 + vector(b"sealed"))
    yield "create", message(0x0204, NONE + ID32 + ID32 + ID32)
    yield "append", message(0x0205, append + b"\1" + vector(b"bytes"))
    yield "commit", message(0x0205, append + b"\2" + ID32 + b"\1" + ID32 + vector(b"bytes"))
    yield "append_ok", message(0x8205, number(4, 8))
    yield "subscribe", message(0x0206, ID32 + ID32 + number(1, 8))
    yield "subscribe_ok", message(0x8206, number(4, 8) + number(1, 8) + number(2, 8))
    yield "unsubscribe", message(0x0207, number(6, 4))
    yield "entries", message(0x4206, vector(entry(5) + entry(6)))
    key = number(1, 4) + number(10, 8) + number(20, 8) + number(30, 8) + ID32 + bytes(32)
    token = b"\2" + vector(number(1, 4) + ID32 + ID32 + ID32)
    yield "log_get", message(0x0004, vector(b"tile/entries/000.p/7"))
    yield "log_get_ok", message(0x8004, vector(b"log"))
    yield "token_keys", message(0x0003, number(1, 4))
    yield "token_keys_ok", message(0x8003, number(100, 4) + vector(key))
    yield "issue", message(0x010B, number(1, 4) + vector(ID32 + ID32))
    yield "issue_ok", message(0x810B, vector(ID32 + ID32) + bytes(64))
    yield "whisper", message(0x0208, ID32 + number(3, 8) + ID32 + vector(b"typing"))
    yield "whispered", message(0x4208, vector(b"typing"))
    yield "extend", message(0x0209, token + ID32 + number(1 << 24, 8))
    yield "extend_ok", message(0x8209, number(1 << 24, 8))
    yield "set_username", message(0x010C, vector(b"anna"))
    yield "set_findable", message(0x010D, b"\1")
    yield "labels_ok", message(0x810E, vector(b"anna.b") + vector(b"+4930123456") + b"\1")
    yield "find", message(0x020C, token + b"\1" + vector(b"anna"))
    yield "find_ok", message(0x820C, vector(b"manifest"))
    yield "room_end", message(0x4207, number(33, 2))
    yield "blob_create", message(0x0301, vector(NONE) + ID32 + number(1 << 30, 8) + ID32)
    yield "blob_put", message(0x0302, ID32 + ID32 + number(4096, 8) + vector(b"some bytes"))
    yield "blob_put_ok", message(0x8302, number(4106, 8))
    yield "blob_status", message(0x0303, ID32 + ID32)
    yield "blob_status_ok", message(0x8303, number(9000, 8) + number(4106, 8) + b"\0")
    yield "blob_finish", message(0x0304, ID32 + ID32)
    yield "blob_get", message(0x0305, ID32 + number(4096, 8) + number(256, 4))
    yield "blob_get_ok", message(0x8305, vector(b"some bytes"))
    yield "blob_delete", message(0x0306, ID32 + ID32)


def frames():
    request = (b"GET /sotto HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Protocol: sotto.v1\r\n\r\n")
    yield "request", b"\x11" + request + b"\x82\x81\1\2\3\4x"
    yield "page", b"\x11GET /orders/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "answer", b"\x10HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    yield "masked", b"\x0b\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    yield "fragments", b"\x02\x02\x03Hel\x89\x00\x80\x02lo\x88\x02\x03\xe8"
    yield "long", b"\x02\x82\x7e\x01\x00" + bytes(256) + b"\x8a\x00"


def envelopes():
    fields = (b"\1\1" + vector(RELAY) + ID32 + ID32 + number(9, 8) + vector(b"manifest") +
              vector(RELAY) + vector(ID32) + vector(ID32) + vector(b"welcome"))
    yield "envelope", fields + bytes(256 - len(fields))
    second = b"\2" + fields[1:] + vector(b"") + vector(b"Ada") + vector("Hello, it’s me".encode())
    yield "envelope2", second + bytes(256 - len(second))
    asking = (b"\1\2" + vector(RELAY) + ID32 + number(9, 8) + ID16 + vector(b"manifest") +
              vector(RELAY) + vector(b"package") + bytes(64))
    yield "rejoin", asking + bytes(256 - len(asking))
    yield "sealed", b"\0\x4d" + vector(bytes(1120)) + vector(bytes(300))


def peers():
    """First byte: 0 records of one's own devices, 1 an envelope, 2 a request to come back, 3 a manifest."""
    to_all = b"\0\2" + bytes(16)
    yield "contact", to_all + b"\1" + vector(ID32 + b"\1" + vector(b"Ada") + vector(RELAY) + vector(b""))
    yield "read", to_all + b"\2" + vector(ID32 + number(7, 8))
    yield "device", to_all + b"\3" + vector(ID16 + vector(b"Phone"))
    yield "version1", b"\0\1" + bytes(16) + b"\3" + ID16 + vector(b"Phone") + b"\2" + ID32 + number(7, 8)
    room = b"\4" + vector(ID32 + b"\2\2" + vector(b"Club") + vector(RELAY) + b"\0" + ID32 + number(1, 8) + number(2, 8))
    yield "room", to_all + room
    message = b"\5" + vector(number(9, 8) + ID32 + number(3, 8) + number(0, 4) + number(1, 4) + b"\1\2" + ID32 + ID32 +
                             number(5, 8) + number(0, 8) + number(0, 4) + number(0, 8) + vector(b"") + vector(b"") +
                             vector(b"") + vector(b"") + vector(b"text") + vector(b""))
    yield "history", to_all + room + message + b"\6" + vector(number(1, 8) + number(1, 8) + b"\1")
    for name, content in envelopes():
        if name in ("envelope", "rejoin"):
            yield name, {"envelope": b"\1", "rejoin": b"\2"}[name] + content
    yield "manifest", b"\3" + manifest_fields(1)


def invitations():
    fields = (b"\1" + vector(RELAY + b"#" + PIN) + ID32 + ID16 + ID32 + number(1800000000, 8) +
              vector(b"Ada"))
    yield "link", b"sotto://invite/" + base64.urlsafe_b64encode(fields).rstrip(b"=")
    yield "verify", b"sotto://verify/" + base64.urlsafe_b64encode(b"\1" + ID32 + b"\1" + ID32).rstrip(b"=")
    yield "name", RELAY + b"#" + PIN
    yield "ipv6", b"[2001:db8::5]:443"


def proxy_headers():
    signature, v4, v6 = b"\r\n\r\n\0\r\nQUIT\n", bytes(range(12)), b"\x20\1" + bytes(34)
    yield "line4", b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n\x16\x03\x01"
    yield "line6", b"PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 56324 443\r\n"
    yield "unknown", b"PROXY UNKNOWN\r\n"
    yield "tcp4", signature + b"\x21\x11" + number(12, 2) + v4 + b"\x16\x03\x01"
    yield "tcp6", signature + b"\x21\x21" + number(36, 2) + v6
    yield "local", signature + b"\x20\0\0\0"
    yield "tlv", signature + b"\x21\x11" + number(22, 2) + v4 + b"\x03\0\x04abcd\x04\0\0"


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "corpus")
    seeds = {
        "wire_message": messages(),
        "wire_ws": frames(),
        "wire_manifest": [("one", manifest_fields(1)), ("two", manifest_fields(2))],
        "wire_envelope": envelopes(),
        "wire_invitation": invitations(),
        "core_peer": peers(),
        "relay_proxy_header": proxy_headers(),
    }
    for decoder, files in seeds.items():
        (folder / decoder).mkdir(parents=True, exist_ok=True)
        for name, content in files:
            (folder / decoder / name).write_bytes(content)


main()
