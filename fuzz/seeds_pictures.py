#!/usr/bin/env python3
"""Writes the seeds of fuzz_core_picture, which tests/unit/test_core_picture.c reads too: small pictures with all the
metadata that Pillow (python3-pil) can write, not with our writers.

usage: fuzz/seeds_pictures.py [corpus folder]
"""
import io
import pathlib
import sys

from PIL import Image, PngImagePlugin

SECRET = "SECRET 48.2082N 16.3738E"


def picture(mode="RGB", size=(24, 16)):
    image = Image.new("RGB", size)
    image.putdata([(x * 10, y * 15, (x * y) % 256) for y in range(size[1]) for x in range(size[0])])
    return image.convert(mode)


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010E] = data[0x010F] = data[0x0131] = SECRET  # description, maker, program
    data[0x0132] = "2026:11:26 06:00:00"
    data[0x8825] = {1: "N", 2: (48.0, 12.0, 29.5), 29: SECRET}  # GPS
    return data.tobytes()


XMP = ("<x:xmpmeta xmlns:x='adobe:ns:meta/'>%s</x:xmpmeta>" % SECRET).encode()


def jpegs():
    for name, options in (("baseline", {}), ("progressive", {"progressive": True}),
                          ("grey", {"mode": "L"}), ("cmyk", {"mode": "CMYK"})):
        out = io.BytesIO()
        picture(options.pop("mode", "RGB")).save(out, "JPEG", exif=exif(6), comment=SECRET, quality=80, **options)
        data = out.getvalue()
        xmp = b"http://ns.adobe.com/xap/1.0/\0" + XMP
        iptc = b"Photoshop 3.0\0" + SECRET.encode()
        extra = b"".join(b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body
                         for marker, body in ((0xE1, xmp), (0xED, iptc), (0xE7, SECRET.encode())))
        yield name + ".jpg", data[:2] + extra + data[2:] + SECRET.encode()


def pngs():
    for name, mode in (("rgb", "RGB"), ("palette", "P"), ("alpha", "RGBA"), ("grey", "L")):
        info = PngImagePlugin.PngInfo()
        info.add_text("Comment", SECRET)
        info.add_text("Compressed", SECRET, zip=True)
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        info.add(b"tIME", bytes(7))
        out = io.BytesIO()
        picture(mode).save(out, "PNG", pnginfo=info, exif=exif(3), dpi=(72, 72))
        yield name + ".png", out.getvalue() + SECRET.encode()
    out = io.BytesIO()
    picture().save(out, "PNG", save_all=True, append_images=[picture().rotate(180)], duration=100, loop=0)
    yield "animated.png", out.getvalue()


def webps():
    for name, options in (("lossy", {"quality": 60}), ("lossless", {"lossless": True}),
                          ("alpha", {"mode": "RGBA"})):
        out = io.BytesIO()
        picture(options.pop("mode", "RGB")).save(out, "WEBP", exif=b"Exif\0\0" + exif(8)[6:], xmp=XMP, **options)
        yield name + ".webp", out.getvalue() + SECRET.encode()
    out = io.BytesIO()
    picture().save(out, "WEBP", lossless=True)
    yield "plain.webp", out.getvalue()
    out = io.BytesIO()
    picture().save(out, "WEBP", save_all=True, append_images=[picture().rotate(180)], duration=100, loop=3,
                   exif=exif(8), xmp=XMP)
    yield "animated.webp", out.getvalue()


def gifs():
    out = io.BytesIO()
    picture("P").save(out, "GIF", comment=SECRET)
    yield "still.gif", out.getvalue() + SECRET.encode()
    out = io.BytesIO()
    picture("P").save(out, "GIF", save_all=True, append_images=[picture().rotate(180).convert("P")], duration=100,
                      loop=0, comment=SECRET)
    yield "animated.gif", out.getvalue()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "corpus") / "core_picture"
    folder.mkdir(parents=True, exist_ok=True)
    for make in (jpegs, pngs, webps, gifs):
        for name, data in make():
            (folder / name).write_bytes(data)


main()
