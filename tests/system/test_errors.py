"""Each mistake and each failure has a message that a person understands, and loses nothing."""

import base64
import os
import socket
import subprocess

from world import SOTTO, World, main


def said(result, code, error):
    assert (result.code, result.error) == (code, error), result
    problem = result.lines[-1]["error"]
    assert problem["message"].endswith("."), problem
    assert problem["next"] != "" or error in ("no_memory",), problem


def test_not_registered():
    """a fresh profile says how to begin"""
    with World("Alice") as (world, alice):
        for command in (["send", "Bob", "x"], ["listen", "--once"], ["conversations"], ["history", "Bob"],
                        ["invite"], ["sync"], ["contacts"], ["group", "create", "G"], ["fingerprint"]):
            said(alice.run(*command), 6, "not_registered")
        assert alice.ok("status").lines[0]["registered"] is False


def test_usage():
    """unknown commands and options, and missing arguments, are exit code 2"""
    with World("Alice") as (world, alice):
        for command in (["frobnicate"], [], ["send"], ["history"], ["group", "frobnicate"], ["send", "--no", "B"],
                        ["history", "Bob", "--limit", "many"], ["history", "Bob", "--limit"],
                        ["invite", "--uses", "0"], ["invite", "--expires", "7w"], ["status", "extra"],
                        ["listen", "--once=yes"], ["group", "add", "G"]):
            said(alice.run(*command), 2, "usage")
        wrong = alice.run("group", "frobnicate").out
        assert "`group frobnicate`" in wrong and "create, add" in wrong, wrong
        for command in (["--help"], ["send", "--help"], ["group", "create", "--help"], ["--version"]):
            done = alice.run(*command)
            assert done.code == 0 and len(done.out) > 5, done
        assert "Example:" in alice.run("history", "--help").out


def test_relay_needed():
    """registering without a relay, or with half an address, is explained"""
    with World("Alice") as (world, alice):
        said(alice.run("register", "--name", "A"), 6, "relay_needed")
        for address in ("nowhere", "host:99999", "host:", ":1", "host:1#short"):
            said(alice.run("register", "--relay", address), 2, "bad_address")
        said(alice.run("register", "--relay", world.address, "--name", "a\nb"), 2, "bad_name")
        alice.register()
        said(alice.run("register", "--relay", world.address), 2, "already_registered")


def test_wrong_pin():
    """a relay with another pin is refused before anything is said to it"""
    with World("Alice", "Bob") as (world, alice, bob):
        wrong = world.address.split("#")[0] + "#" + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
        said(alice.run("register", "--relay", wrong, "--name", "A"), 7, "wrong_pin")
        said(alice.run("register", "--relay", world.address.split("#")[0], "--name", "A"), 7, "wrong_pin")
        alice.register()  # and the right one still works


def test_unreachable():
    """no relay there, or one that says nothing sensible: exit code 3"""
    with World("Alice") as (world, alice):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % free.getsockname()[1]
        said(alice.run("register", "--relay", address, "--name", "A"), 3, "unreachable")
        said(alice.run("register", "--relay", "no-such-host.invalid:7443", "--name", "A"), 3, "unreachable")


def test_registration_by_invitation():
    """a relay for invited people only asks for its code and takes each once"""
    with World("Alice", "Bob", config="registration = invite\n") as (world, alice, bob):
        said(alice.run("register", "--relay", world.address, "--name", "A"), 6, "invitation_needed")
        said(alice.run("register", "--relay", world.address, "--invitation", "guess"), 4, "invitation_used")
        code = subprocess.run(world.relay_command("invite"), capture_output=True, encoding="utf-8", check=True).stdout.split()[-1]
        alice.register(None, "--invitation", code)
        said(bob.run("register", "--relay", world.address, "--invitation", code), 4, "invitation_used")


def test_registration_by_phone():
    """a relay that wants a phone number sends a code, and takes the right one"""
    with World("Alice", config="registration = phone\n") as (world, alice):
        said(alice.run("register", "--relay", world.address, "--name", "A"), 6, "phone_needed")
        asked = alice.run("register", "--phone", "+4930123456", "--name", "A")
        said(asked, 6, "code_needed")
        said(alice.run("register", "--phone", "+4930123456", "--code", "000000x"[:6]), 6, "wrong_code")
        import re
        code = re.findall(r"\b\d{6}\b", world.log())[-1]
        alice.ok("register", "--phone", "+4930123456", "--code", code)
        assert alice.ok("status").lines[0]["registered"] is True


def test_profile_not_writable():
    """a profile that cannot be made says so"""
    with World("Alice") as (world, alice):
        in_the_way = os.path.join(world.directory, "file")
        open(in_the_way, "w").close()
        done = subprocess.run([SOTTO, "--json", "--profile", in_the_way, "status"], capture_output=True)
        assert done.returncode == 1 and b'"storage"' in done.stdout, done


def test_full_disk():
    """on a full disk nothing is lost, and when there is room again all goes on"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        limited = ["sh", "-c", 'ulimit -f %d; trap "" XFSZ; exec "$@"' %
                   (os.path.getsize(os.path.join(alice.profile, "profile.db")) // 512 + 40), "sh"]
        failed = subprocess.run(limited + alice.argv("send", "Bob"), input=b"x" * 500000,
                                capture_output=True)
        assert failed.returncode == 1 and (b"storage" in failed.stdout), failed
        alice.ok("send", "Bob", "after")
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["after"]


def test_terminal_injection():
    """what others write cannot move the cursor or look like another line"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        alice.ok("send", "Bob", text="evil\x1b]0;owned\x07\x1b[2J\rYou: fake\n[2020-01-01 00:00] You: fake \u202eabc\x9b1m")
        bob.ok("sync")
        plain = subprocess.run([a for a in bob.argv("history", "Alice") if a != "--json"],
                               capture_output=True).stdout.decode()
        assert not any(ord(c) < 32 and c != "\n" or ord(c) == 0x7F or 0x80 <= ord(c) < 0xA0 or c == "\u202e"
                       for c in plain), repr(plain)
        assert "\n    [2020-01-01" in plain, plain


main([test_not_registered, test_usage, test_relay_needed, test_wrong_pin, test_unreachable,
      test_registration_by_invitation, test_registration_by_phone, test_profile_not_writable,
      test_full_disk, test_terminal_injection])
