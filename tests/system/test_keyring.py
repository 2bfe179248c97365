"""The passphrase in the desktop's keyring: gnome-keyring-daemon, on a bus of the test's own."""

import os
import re
import shutil
import stat
import subprocess

from terminal import need_terminal, on_terminal
from world import SOTTO, Skip, World, eventually, main

KEYRING = os.path.join(os.path.dirname(SOTTO), "sotto-keyring")
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


class Desktop:
    """A session: a bus that starts nothing by itself, and a home for the keyring's files."""

    def __init__(self, world):
        for program in ("dbus-daemon", "dbus-send", "gnome-keyring-daemon"):
            if shutil.which(program) is None:
                raise Skip("%s is not installed" % program)
        if not os.path.exists(KEYRING):
            raise Skip("sotto-keyring was not built: libsecret is not installed")
        self.directory, self.keyring = os.path.join(world.directory, "desktop"), None
        os.makedirs(os.path.join(self.directory, "run"), mode=0o700)
        config = os.path.join(self.directory, "bus.conf")
        with open(config, "w") as file:
            file.write(BUS)
        self.bus = subprocess.Popen(["dbus-daemon", "--config-file", config, "--nofork", "--print-address=1"],
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="ascii")
        self.environment = {"DBUS_SESSION_BUS_ADDRESS": self.bus.stdout.readline().strip(), "HOME": self.directory,
                            "XDG_RUNTIME_DIR": os.path.join(self.directory, "run"),
                            "XDG_DATA_HOME": os.path.join(self.directory, "data")}

    def __enter__(self):
        self.before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        return self

    def __exit__(self, *_):
        for name, value in self.before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        self.stop()
        self.bus.terminate()
        self.bus.wait()
        self.bus.stdout.close()

    def ask(self, to, path, method, *args):
        return subprocess.run(["dbus-send", "--session", "--print-reply", "--dest=" + to, path, method, *args],
                              capture_output=True, encoding="utf-8")

    def start(self):
        self.keyring = subprocess.Popen(["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.keyring.stdin.write(b"login")
        self.keyring.stdin.close()
        secrets = ("org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login",
                   "org.freedesktop.DBus.Properties.Get", "string:org.freedesktop.Secret.Collection", "string:Locked")
        eventually(lambda: "boolean false" in self.ask(*secrets).stdout, "a keyring that is unlocked")

    def stop(self):
        if self.keyring is not None:
            self.keyring.terminate()
            self.keyring.wait()
            self.keyring = None

    def lock(self):
        done = self.ask("org.freedesktop.secrets", "/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock",
                        "array:objpath:/org/freedesktop/secrets/collection/login")
        assert done.returncode == 0, done


def write(world, name, text):
    path = os.path.join(world.directory, name)
    with open(path, "w") as file:
        file.write(text + "\n")
    return path


def with_file(person, path, *args):
    os.environ["SOTTO_PASSPHRASE_FILE"] = path
    try:
        return person.run(*args)
    finally:
        del os.environ["SOTTO_PASSPHRASE_FILE"]


def name_of(person):
    with open(os.path.join(person.profile, "keyring")) as file:
        return file.read()


def in_keyring(name):
    """What the keyring has under a profile's name; None: nothing."""
    done = subprocess.run([KEYRING, "get", name], capture_output=True)
    assert done.returncode in (0, 10), done
    return done.stdout if done.returncode == 0 else None


def keyring(person, word):
    return person.ok("passphrase", "keyring", word).of("done")[0]["what"]


def test_on_and_off():
    """what is in the keyring opens the profile, for the daemon too, follows a change, and goes when it is turned off"""
    with World("Alice") as (world, alice), Desktop(world) as desktop:
        desktop.start()
        one, two = write(world, "one", "correct horse"), write(world, "two", "battery staple")
        alice.register()
        result = alice.run("passphrase", "keyring", "on")
        assert (result.code, result.error) == (2, "usage"), result
        assert alice.run("passphrase", "keyring", "perhaps").code == 2
        alice.ok("passphrase", "set", "--new-file", one)
        assert keyring(alice, "status") == "keyring_off"
        assert alice.run("status").error == "locked"
        assert alice.run("passphrase", "keyring", "on").error == "locked"
        assert with_file(alice, one, "passphrase", "keyring", "on").code == 0
        name = name_of(alice)
        assert re.fullmatch("[0-9a-f]{32}", name) and in_keyring(name) == b"correct horse"
        assert keyring(alice, "status") == "keyring_on"
        assert alice.ok("status").of("status")[0]["passphrase"] is True
        keyring(alice, "on")  # once more is the same
        assert name_of(alice) == name
        daemon = alice.start("daemon")
        eventually(lambda: os.path.exists(os.path.join(alice.profile, "daemon.sock")), "a daemon that listens")
        daemon.terminate()
        assert alice.finish(daemon).code == 0
        alice.ok("passphrase", "change", "--new-file", two)
        assert in_keyring(name) == b"battery staple" and alice.run("status").code == 0
        # It is known by its name, wherever the folder lies.
        os.rename(alice.profile, alice.profile + "-moved")
        alice.profile += "-moved"
        alice.ok("status")
        assert keyring(alice, "off") == "keyring_off"
        assert in_keyring(name) is None and not os.path.exists(os.path.join(alice.profile, "keyring"))
        assert alice.run("status").error == "locked" and keyring(alice, "off") == "keyring_off"
        # Removing the passphrase, and deleting the account, leave nothing there.
        assert with_file(alice, two, "passphrase", "keyring", "on").code == 0
        name = name_of(alice)
        alice.ok("passphrase", "remove")
        assert in_keyring(name) is None and alice.run("status").code == 0
        alice.ok("passphrase", "set", "--new-file", one)
        assert with_file(alice, one, "passphrase", "keyring", "on").code == 0
        name = name_of(alice)
        alice.ok("account", "delete", "--yes")
        assert in_keyring(name) is None and "keyring" not in os.listdir(alice.profile)


def test_trouble():
    """no keyring, a locked one, an old passphrase in it: in words, and then the person is asked"""
    with World("Alice") as (world, alice), Desktop(world) as desktop:
        one, two = write(world, "one", "sesame"), write(world, "two", "simsala")
        alice.register()
        alice.ok("passphrase", "set", "--new-file", one)
        result = with_file(alice, one, "passphrase", "keyring", "on")
        assert (result.code, result.error) == (6, "no_keyring") and "No keyring runs" in result.out, result
        assert keyring(alice, "status") == "keyring_off"
        desktop.start()
        assert with_file(alice, one, "passphrase", "keyring", "on").code == 0
        desktop.lock()
        for args in (["status"], ["passphrase", "keyring", "off"]):
            result = alice.run(*args)
            assert (result.code, result.error) == (6, "no_keyring"), result
        assert name_of(alice)
        desktop.stop()
        for args in (["status"], ["passphrase", "keyring", "status"], ["passphrase", "keyring", "off"]):
            result = alice.run(*args)
            assert (result.code, result.error) == (6, "no_keyring"), result
        assert with_file(alice, one, "passphrase", "change", "--new-file", two).code == 0
        desktop.start()
        assert in_keyring(name_of(alice)) == b"sesame"
        assert alice.run("status").error == "wrong_passphrase"
        assert with_file(alice, two, "status").code == 0  # the file goes before the keyring
        need_terminal()
        shown, code = on_terminal(alice, ["status"], ["simsala\n"])
        assert code == 0 and "The keyring holds another one" in shown and "simsala" not in shown, shown
        shown, code = on_terminal(alice, ["passphrase", "keyring", "on"], ["no\n", "neither\n", "simsala\n"])
        assert code == 0 and alice.run("status").code == 0, shown
        desktop.stop()
        shown, code = on_terminal(alice, ["status"], ["simsala\n"])
        assert code == 0 and "The keyring did not give it" in shown, shown


def test_hidden():
    """the passphrase is in no argument and no variable, and a profile without the keyring starts no program"""
    with World("Alice") as (world, alice), Desktop(world) as desktop:
        desktop.start()
        sotto = shutil.copy(SOTTO, world.directory)
        seen, helper = os.path.join(world.directory, "seen"), os.path.join(world.directory, "sotto-keyring")
        with open(helper, "w") as file:
            file.write('#!/bin/sh\ntr "\\0" "\\n" </proc/$$/cmdline >>%s\ntr "\\0" "\\n" </proc/$$/environ >>%s\n'
                       'exec %s "$@"\n' % (seen, seen, KEYRING))
        os.chmod(helper, stat.S_IRWXU)
        alice.register()
        one = write(world, "one", "correct horse")

        def run(*args):
            return subprocess.run([sotto, *alice.argv(*args)[1:]], capture_output=True).returncode

        alice.ok("passphrase", "set", "--new-file", one)
        assert run("status") == 6 and not os.path.exists(seen)
        os.environ["SOTTO_PASSPHRASE_FILE"] = one
        assert run("passphrase", "keyring", "on") == 0
        del os.environ["SOTTO_PASSPHRASE_FILE"]
        assert run("status") == 0
        with open(seen) as file:
            lines = file.read()
        assert "put\n" in lines and "get\n" in lines and "DBUS_SESSION_BUS_ADDRESS=" in lines, lines
        assert "correct" not in lines and "HOME=" not in lines, lines


main([test_on_and_off, test_trouble, test_hidden])
