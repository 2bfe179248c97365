"""Pictures and voice notes: shown as such, without what they tell beside, checked with other people's programs."""
import contextlib
import io
import os
import pathlib
import platform
import shutil
import subprocess
import sys

from rpc import Daemon
from world import SOTTO, Skip, World, eventually, main

try:
    from PIL import Image
except ImportError:  # of another Python than Debian's
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        from PIL import Image
    except ImportError:
        Image = None

SEEDS = pathlib.Path(__file__).resolve().parents[2] / "fuzz/corpus/core_picture"
SECRET = b"SECRET"


@contextlib.contextmanager
def pair(**options):
    with World("Ada", "Ben", **options) as (world, a, b):
        a.register()
        b.register()
        world.befriend(a, b)
        yield world, a, b


def metadata(path):
    """What exiv2 finds in a file: keys and values."""
    done = subprocess.run(["exiv2", "-PEIXkt", str(path)], capture_output=True)
    return [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]


def need_pillow():
    if Image is None:
        raise Skip("no Pillow")


def photo(path, size=(1200, 800), orientation=6):
    """A JPEG as a camera makes one."""
    image = Image.effect_noise(size, 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "SECRET camera"
    exif[0x8825] = {1: "N", 2: (48.0, 12.0, 29.5)}  # GPS
    image.save(path, "JPEG", quality=85, exif=exif, comment=SECRET + b" comment")


def pictures(person, who):
    return [m for m in person.history(who) if m["kind"] in ("picture", "file", "voice")]


def test_stripped():
    """what cameras and programs wrote into a picture does not leave; its pixels do as they are"""
    need_pillow()
    with pair() as (world, a, b):
        photo(pathlib.Path(world.directory) / "photo.jpg")
        sources = [pathlib.Path(world.directory) / "photo.jpg", *sorted(SEEDS.iterdir())]
        for source in sources:
            a.ok("send", "Ben", "--file", str(source), "Look")
        b.ok("sync")
        got = pictures(b, "Ada")
        assert len(got) == len(sources)
        for source, message in zip(sources, got):
            assert message["kind"] == "picture" and message["text"] == "Look", (source, message)
            before = Image.open(source)
            turned = before.getexif().get(0x0112, 1) >= 5
            assert (message["width"], message["height"]) == (before.size[::-1] if turned else before.size), source
            assert message["mediaType"] == Image.MIME[before.format], message
            target = pathlib.Path(world.directory) / ("got-" + source.name)
            b.ok("save", str(message["id"]), "--to", str(target))
            assert target.stat().st_size == message["fileSize"]
            assert SECRET not in target.read_bytes(), source
            after = Image.open(target)
            assert after.format == before.format and after.size == before.size
            for frame in range(getattr(before, "n_frames", 1)):
                before.seek(frame)
                after.seek(frame)
                assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes(), source
            left = metadata(target)
            assert all("Orientation" in line for line in left) and len(left) <= 1, (source, left)
            assert dict(after.getexif()) == ({0x0112: before.getexif()[0x0112]} if left else {})
        # The camera's own file had plenty.
        assert [line for line in metadata(sources[0]) if "GPSLatitude" in line]


def test_preview():
    """a small upright picture comes with the message; it is checked before it is shown"""
    need_pillow()
    with pair() as (world, a, b):
        source = pathlib.Path(world.directory) / "photo.jpg"
        photo(source)
        a.ok("send", "Ben", "--file", str(source))
        b.ok("sync")
        daemon = Daemon(b)
        rpc = daemon.rpc()
        room = rpc("conversation.find", name="Ada")["conversation"]
        message = [m for m in rpc("message.list", conversation=room)["messages"] if m["kind"] == "picture"][0]
        assert message["preview"] is True
        import base64
        answer = rpc("message.preview", message=message["id"])
        data = base64.b64decode(answer["data"])
        assert answer["mediaType"] == "image/jpeg" and len(data) <= 32 * 1024 and SECRET not in data
        small = Image.open(io.BytesIO(data))
        assert small.size == (213, 320) and not small.getexif(), small.size  # turned by 90 degrees
        # Its colours are those of the picture.
        whole = Image.open(source).transpose(Image.Transpose.ROTATE_270).resize(small.size)
        difference = sum(abs(x - y) for x, y in zip(small.convert("L").tobytes(), whole.convert("L").tobytes()))
        assert difference / (213 * 320) < 24, difference
        text = rpc("message.send", conversation=room, text="x")
        eventually(lambda: rpc("message.status", conversation=room, clientId=text["clientId"])["status"] != "waiting",
                   "it is sent")
        target = pathlib.Path(world.directory) / "preview.jpg"
        b.ok("save", str(message["id"]), "--preview", "--to", str(target))
        assert target.read_bytes() == data
        assert b.run("save", str(message["id"]), "--preview", "--to", str(target)).error == "exists"
        newest = rpc("message.list", conversation=room)["messages"][-1]
        assert rpc.fails("message.preview", message=newest["id"]) == "not_found"
        rpc.close()
        daemon.stop()
        # Without the program that makes them, pictures go without.
        shutil.copy(a.argv()[0], world.directory)
        alone = os.path.join(world.directory, "sotto")
        done = subprocess.run([alone, *a.argv("send", "Ben", "--file", str(source))[1:]], capture_output=True)
        assert done.returncode == 0, done
        b.ok("sync")
        message = pictures(b, "Ada")[-1]
        assert message["kind"] == "picture" and message["preview"] is False and message["width"] == 800


def test_album():
    """several files sent together say so, each for itself; what is forwarded stands alone"""
    need_pillow()
    with pair() as (world, a, b):
        daemon = Daemon(b)
        rpc = daemon.rpc()
        paths = [os.path.join(world.directory, name) for name in ("one.jpg", "two.jpg", "plan.txt")]
        photo(paths[0])
        photo(paths[1])
        with open(paths[2], "w") as file:
            file.write("the plan")
        a.ok("album", "Ben", *paths, "--text", "From the sea", "--id", "sea")
        assert a.run("album", "Ben", *paths[:1]).code == 2
        assert a.run("album", "Ben", paths[0], paths[1], "--id", "x" * 61).error == "bad_id"
        room = rpc("conversation.find", name="Ada")["conversation"]

        def there(rpc, kinds, own):
            return [m for m in rpc("message.list", conversation=room)["messages"] if m["kind"] in kinds and m["own"] is own]
        eventually(lambda: len(there(rpc, ("picture", "file"), False)) == 3, "the album")
        got = there(rpc, ("picture", "file"), False)
        assert [m["kind"] for m in got] == ["picture", "picture", "file"] and [m["text"] for m in got] == ["From the sea", "", ""]
        assert [(m["album"]["place"], m["album"]["of"]) for m in got] == [(1, 3), (2, 3), (3, 3)]
        assert len({m["album"]["id"] for m in got}) == 1
        shown = subprocess.run([SOTTO, "--profile", b.profile, "history", "Ada"], capture_output=True, text=True, check=True).stdout
        assert "[picture 2 of 3] two.jpg" in shown, shown
        # The same once more sends nothing; another one is another.
        a.ok("album", "Ben", *paths, "--id", "sea")
        sent = rpc("message.sendAlbum", conversation=room, paths=paths[:2], caption="Back", clientId="back")
        assert sent == {"clientId": "back", "clientIds": ["back.0", "back.1"]}
        eventually(lambda: [m["status"] for m in there(rpc, ("picture",), True)] in (["sent"] * 2, ["delivered"] * 2), "the other album")
        back = there(rpc, ("picture",), True)
        assert len(there(rpc, ("picture", "file"), False)) == 3 and back[0]["album"]["id"] != got[0]["album"]["id"]
        assert rpc.fails("message.sendAlbum", conversation=room, paths=paths[:1]) == "usage"
        assert rpc.fails("message.sendAlbum", conversation=room, paths=[paths[0], paths[1] + "x"]) == "no_file"
        rpc("message.forward", message=got[0]["id"], conversation=room, clientId="again")
        eventually(lambda: [m for m in there(rpc, ("picture",), True) if m.get("clientId") == "again"], "what is forwarded")
        assert "album" not in [m for m in there(rpc, ("picture",), True) if m.get("clientId") == "again"][0]
        assert daemon.stop().code == 0


def test_confined():
    """what decodes pictures does so behind a filter of system calls, without core dumps and new files"""
    program = os.path.join(os.path.dirname(SOTTO), "sotto-preview")
    if platform.machine() not in ("x86_64", "aarch64", "riscv64"):
        raise Skip("no filter for %s" % platform.machine())
    if b"__asan_init" in pathlib.Path(program).read_bytes():
        raise Skip("built with sanitizers")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        status = pathlib.Path("/proc/%d/status" % process.pid)
        eventually(lambda: "\nSeccomp:\t2\n" in status.read_text(), "the filter")
        assert "\nNoNewPrivs:\t1\n" in status.read_text()
        limits = {line[:25].strip(): line[26:46].strip()
                  for line in pathlib.Path("/proc/%d/limits" % process.pid).read_text().splitlines()}
        assert limits["Max core file size"] == limits["Max processes"] == "0" and limits["Max open files"] == "3", limits
        process.stdin.close()
        assert process.wait() == 1  # nothing is no picture


def test_as_file():
    """a picture is sent as it is when that is asked for; what cannot be stripped is not sent as one"""
    with pair() as (world, a, b):
        source = SEEDS / "baseline.jpg"
        a.ok("send", "Ben", "--file", str(source), "--as-file")
        broken = pathlib.Path(world.directory) / "broken.jpg"
        broken.write_bytes(source.read_bytes()[:300])
        refused = a.run("send", "Ben", "--file", str(broken))
        assert refused.code == 2 and refused.error == "bad_picture", refused
        huge = pathlib.Path(world.directory) / "huge.jpg"
        huge.write_bytes(source.read_bytes())
        os.truncate(huge, 33 << 20)
        assert a.run("send", "Ben", "--file", str(huge)).error == "bad_picture"
        a.ok("send", "Ben", "--file", str(broken), "--as-file")
        b.ok("sync")
        got = pictures(b, "Ada")
        assert [m["kind"] for m in got] == ["file", "file"] and "mediaType" not in got[0]
        target = os.path.join(world.directory, "got.jpg")
        b.ok("save", str(got[0]["id"]), "--to", target)
        assert pathlib.Path(target).read_bytes() == source.read_bytes()


def test_resumed():
    """a picture whose sending was broken off goes on, stripped anew; one that changed is not sent, and retried"""
    need_pillow()
    with pair() as (world, a, b):
        source = pathlib.Path(world.directory) / "photo.jpg"
        photo(source, (4000, 3000))
        for round in range(6):
            a.killed(0.05 + 0.04 * round, "send", "Ben", "--file", str(source), "--id", "photo")
        a.ok("send", "Ben", "--file", str(source), "--id", "photo")
        b.ok("sync")
        message, = pictures(b, "Ada")
        target = pathlib.Path(world.directory) / "got.jpg"
        b.ok("save", str(message["id"]), "--to", str(target))
        assert Image.open(target).tobytes() == Image.open(source).tobytes() and SECRET not in target.read_bytes()
        world.stop_relay()
        a.run("send", "Ben", "--file", str(source), "--id", "second", "The second")
        photo(source, (640, 480), orientation=1)
        world.start_relay()
        assert a.run("sync").error == "file_changed"
        a.ok("retry", "Ben", "second")
        a.ok("forward", str(pictures(a, "Ben")[0]["id"]), "Ben")
        b.ok("sync")
        got = pictures(b, "Ada")
        assert [(m["kind"], m["width"], m["height"], m["preview"], m["text"]) for m in got] == [
            ("picture", 3000, 4000, True, ""), ("picture", 640, 480, True, "The second"),
            ("picture", 3000, 4000, True, "")]


def record(path, seconds):
    """A recording that grows louder."""
    import math
    import struct
    import wave
    sound = path.with_suffix(".wav")
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        count = int(48000 * seconds)
        file.writeframes(b"".join(struct.pack("<h", int(30000 * i / count * math.sin(i / 20)))
                                  for i in range(count)))
    subprocess.run(["opusenc", "--quiet", str(sound), str(path)], check=True)


def test_voice():
    """a voice note comes with its length and loudness, measured or given"""
    if shutil.which("opusenc") is None:
        raise Skip("no opusenc")
    with pair() as (world, a, b):
        path = pathlib.Path(world.directory) / "note.opus"
        record(path, 2.5)
        a.ok("send", "Ben", "--file", str(path), "--voice")
        b.ok("sync")
        message, = pictures(b, "Ada")
        assert message["kind"] == "voice" and message["mediaType"] == "audio/ogg", message
        assert 2450 <= message["duration"] <= 2550 and len(message["waveform"]) == 64
        wave = message["waveform"]
        assert wave[0] < 20 and max(wave) == 255 and wave[16] < wave[32] < wave[48], wave
        target = pathlib.Path(world.directory) / "got.opus"
        b.ok("save", str(message["id"]), "--to", str(target))
        assert target.read_bytes() == path.read_bytes()
        # Given by whoever recorded it, through the daemon; of a kind that is not measured.
        other = pathlib.Path(world.directory) / "note.m4a"
        other.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(2000))
        daemon = Daemon(a)
        rpc = daemon.rpc()
        room = rpc("conversation.find", name="Ben")["conversation"]
        sent = rpc("message.sendVoice", conversation=room, path=str(other), duration=61000, waveform=[0, 128, 255],
                   caption="In short")
        eventually(lambda: rpc("message.status", conversation=room, clientId=sent["clientId"])["status"] != "waiting",
                   "it is sent")
        plain = pathlib.Path(world.directory) / "note.txt"
        plain.write_bytes(b"no recording at all")
        assert rpc.fails("message.sendVoice", conversation=room, path=str(plain)) == "no_file"
        assert rpc.fails("message.sendVoice", conversation=room, path=str(other), waveform=[256]) == "usage"
        assert rpc.fails("message.sendVoice", conversation=room, path=str(other), waveform=[0] * 65) == "usage"
        rpc.close()
        daemon.stop()
        b.ok("sync")
        message = pictures(b, "Ada")[-1]
        assert (message["kind"], message["duration"], message["waveform"], message["mediaType"], message["text"]) == \
            ("voice", 61000, [0, 128, 255], "audio/mp4", "In short")


main([test_stripped, test_preview, test_album, test_confined, test_as_file, test_resumed, test_voice])
