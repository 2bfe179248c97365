"""PROTOCOL.md section 6, "Files", once more, in Python's standard library alone: where the figures in
tests/unit/test_core_files.c come from. Its own cipher is checked with the vector of
draft-irtf-cfrg-xchacha-03, A.3.1."""
import hashlib
import struct

CONSTANTS = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
CHUNK = 131032


def rotate(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        s[z] = rotate(s[z] ^ s[x], n)


def rounds(s):
    for _ in range(10):
        for quad in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                     (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(s, *quad)


def block(key, counter, nonce):
    start = CONSTANTS + list(struct.unpack("<8I", key)) + [counter] + list(struct.unpack("<3I", nonce))
    s = start[:]
    rounds(s)
    return struct.pack("<16I", *[(x + y) & 0xFFFFFFFF for x, y in zip(s, start)])


def hchacha(key, nonce):
    s = CONSTANTS + list(struct.unpack("<8I", key)) + list(struct.unpack("<4I", nonce))
    rounds(s)
    return struct.pack("<8I", *(s[:4] + s[12:]))


def poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    a = 0
    for i in range(0, len(message), 16):
        a = (a + int.from_bytes(message[i:i + 16] + b"\1", "little")) * r % ((1 << 130) - 5)
    return ((a + int.from_bytes(key[16:], "little")) & ((1 << 128) - 1)).to_bytes(16, "little")


def padded(data):
    return data + bytes(-len(data) % 16)


def xchacha20_poly1305(key, nonce, aad, plain):
    key, nonce = hchacha(key, nonce[:16]), bytes(4) + nonce[16:]
    stream = b"".join(block(key, 1 + i, nonce) for i in range((len(plain) + 63) // 64))
    sealed = bytes(x ^ y for x, y in zip(plain, stream))
    ends = struct.pack("<QQ", len(aad), len(sealed))
    return sealed + poly1305(block(key, 0, nonce)[:32], padded(aad) + padded(sealed) + ends)


def padme(size):
    if size <= 256:
        return 256
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def blob(key, file):
    size = padme(len(file))
    plain = file + bytes(size - len(file))
    keys = hashlib.blake2b(b"sotto.v1 file", key=key).digest()
    out = b""
    for i in range((size + CHUNK - 1) // CHUNK):
        chunk = plain[i * CHUNK:(i + 1) * CHUNK]
        place = b"sotto.v1 file" + size.to_bytes(8, "big") + i.to_bytes(8, "big")
        nonce = hashlib.blake2b(place + chunk, key=keys[32:], digest_size=24).digest()
        out += nonce + xchacha20_poly1305(keys[:32], nonce, place, chunk)
    return out


def main():
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future,"
            b" sunscreen would be it.")
    sealed = xchacha20_poly1305(bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)),
                                bytes.fromhex("50515253c0c1c2c3c4c5c6c7"), text)
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"
    for size in (0, 11, 300, 140000):
        data = bytes((i * 7 + i // 251) & 255 for i in range(size))
        made = blob(bytes(range(32)), data)
        print(size, len(made), hashlib.sha256(made).hexdigest())


main()
