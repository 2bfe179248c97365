"""Leaving a jurisdiction: who is told, who moves, and what is left on the day."""
import contextlib
import functools
import glob
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time

from rpc import Daemon
from world import PATIENCE, SOTTOD, Person, Skip, World, eventually, main

DAY = 86400
REASON = "A law demands that messages can be read on their way."


@functools.cache
def preloaded():
    """How faketime comes into a process, without the program that waits beside it."""
    if shutil.which("faketime") is None:
        raise Skip("there is no faketime")
    with open(SOTTOD, "rb") as program:
        if b"__asan_init" in program.read():
            raise Skip("faketime and sanitizers do not go together")
    shown = subprocess.run(["faketime", "-f", "+0d", "env"], capture_output=True, encoding="utf-8").stdout
    return re.search(r"^LD_PRELOAD=.*$", shown, re.M).group()


def faked(shift):
    """What a command begins with whose clock is wrong by so many seconds."""
    return ["env", preloaded(), "FAKETIME=%+ds" % shift, "DONT_FAKE_MONOTONIC=1"] if shift else []


def day(shift=0):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + shift))


class Relay(World):
    """A relay whose clock can be wrong, and its operator's commands."""

    shift = 0

    @property
    def data(self):
        return os.path.join(self.directory, "relay")

    def relay_command(self, *more):
        return [*faked(self.shift), *super().relay_command(*more)]

    def operate(self, *args, before=()):
        done = subprocess.run([*before, *faked(self.shift), SOTTOD, "--data", self.data, *args], capture_output=True,
                              encoding="utf-8", timeout=PATIENCE)
        assert "Sanitizer" not in done.stderr and "bug:" not in done.stderr, done.stderr
        return done

    def ok(self, *args):
        done = self.operate(*args)
        assert done.returncode == 0, "sottod %s: %d %s%s" % (" ".join(args), done.returncode, done.stdout, done.stderr)
        return done.stdout

    def withdraw(self, *more, on=None, jurisdiction="DE"):
        return self.operate("withdraw", "--jurisdiction", jurisdiction, "--on", on or day(40 * DAY), "--reason", REASON, *more)

    def announce(self, *more, **named):
        done = self.withdraw("--announce", *more, **named)
        assert done.returncode == 0, done
        return done.stdout

    def leaves(self):
        found, folder = [], os.path.join(self.data, "orders", "log", "tile", "entries", "000.p")
        if not os.path.isdir(folder):
            return found
        with open(os.path.join(folder, max(os.listdir(folder), key=int)), "rb") as file:
            rest = file.read()
        while rest:
            size = int.from_bytes(rest[:2], "big")
            found.append(dict(line.split(" ", 1) for line in rest[2:2 + size].decode().splitlines()[1:]))
            rest = rest[2 + size:]
        return found

    def sql(self, statement):
        with contextlib.closing(sqlite3.connect("file:%s/relay.db?mode=ro" % self.data, uri=True)) as db:
            return db.execute(statement).fetchall()

    def crowd(self, count):
        """So many accounts more, of nobody, with the label: more than are erased at a time."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.data, "relay.db"))) as db:
            db.executemany("INSERT INTO accounts(account_id, manifest, label) VALUES(?, x'00', 'DE')",
                           [(os.urandom(32),) for _ in range(count)])
            db.commit()

    def told(self):
        """(account, notice's type) of all notices that wait in inboxes."""
        return sorted((account.hex(), re.search(rb"^type (\w+)$", sealed, re.M).group(1).decode())
                      for account, sealed in self.sql("SELECT account_id, sealed FROM envelopes JOIN devices ON devices.key=device"
                                                      " JOIN accounts ON accounts.key=account") if sealed.startswith(b"sotto notice v1\n"))

    def has(self, what):
        whole = b""
        for path in glob.glob(os.path.join(self.data, "**"), recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    whole += b"\0" * 8 + file.read()
        return what in whole


class Device(Person):
    def __init__(self, world, name, number):
        super().__init__(world, name)
        self.profile = os.path.join(world.directory, "profile-%s-%d" % (name, number))


def link(world, old):
    new = Device(world, old.name, 2)
    process = new.start("link", "--relay", world.address, "--device", "Other")
    old.ok("device", "add", json.loads(process.stdout.readline())["link"])
    assert new.finish(process).code == 0
    return new


def with_number(relay, person, number):
    relay.count = getattr(relay, "count", 0) + 1
    asked = person.run("register", "--relay", relay.address, "--name", person.name, "--phone", number)
    assert asked.error == "code_needed", asked
    codes = eventually(lambda: (lambda found: len(found) == relay.count and found)(re.findall(r"code[ =:]+(\d{6})\b", relay.log())),
                       "the code")
    person.ok("register", "--relay", relay.address, "--name", person.name, "--phone", number, "--code", codes[-1])


def account(person):
    return person.ok("status").of("status")[0]["account"]


def sync(*people):
    for person in people:
        person.ok("sync")


def texts(person, who):
    return [text for _, text in person.texts(who)]


@contextlib.contextmanager
def people_of_three_kinds(shift=0, config=None):
    """Anna by her number, Ben by a number of elsewhere, Cara by a label, Dora by nothing."""
    relay = Relay("Anna", "Ben", "Cara", "Dora", config=config)
    relay.shift = shift
    try:
        relay.start_relay()
        anna, ben, cara, dora = relay.people
        with_number(relay, anna, "+4930123456")
        with_number(relay, ben, "+33155501234")
        invitation = relay.ok("invite", "--label", "DE").split()[0]
        cara.register(None, "--invitation", invitation)
        dora.register()
        yield relay, anna, ben, cara, dora
    finally:
        relay.close()


def test_dry_run():
    """without --announce it says whom it would concern, and nothing changes"""
    with people_of_three_kinds() as (relay, anna, ben, cara, dora):
        shown = relay.withdraw("--accounts")
        assert shown.returncode == 0, shown
        assert "2 are affected: 1 by their phone number, 1 by their label" in shown.stdout, shown.stdout
        assert "2 are not; 1 of these have neither a number nor a label" in shown.stdout, shown.stdout
        assert account(anna) in shown.stdout and account(cara) in shown.stdout and account(ben) not in shown.stdout
        assert "+4930123456" not in shown.stdout
        assert "Nothing is changed" in shown.stdout and "once a month" not in shown.stdout
        assert relay.withdraw("--dry-run", on=day(DAY)).stdout.count("once a month") == 1
        assert "1 by their phone number, 0 by their label" in relay.withdraw("--phone-prefix", "+331,+332", "--label", "none",
                                                                             jurisdiction="FR").stdout
        assert "+7 is shared" in relay.withdraw(jurisdiction="RU").stdout
        assert "no country code is known" in relay.withdraw(jurisdiction="school").stdout
        for wrong in ({"on": day(0)}, {"on": "2027-02-30"}, {"jurisdiction": "D E"}):
            assert relay.withdraw(**wrong).returncode in (1, 2), wrong
        for wrong in (("--phone-prefix", "49"), ("--label", "a,,b"), ("--announce", "--dry-run")):
            assert relay.withdraw(*wrong).returncode == 2, wrong
        assert relay.operate("withdraw", "--jurisdiction", "DE", "--on", day(9 * DAY), "--reason", "two\nlines").returncode == 2
        assert relay.leaves() == [] and relay.told() == []
        assert relay.ok("withdraw", "list") == ""


def test_announced_and_taken_back():
    """those there are told, on every device, and whoever comes later; and that the relay stays, when it does"""
    with people_of_three_kinds() as (relay, anna, ben, cara, dora):
        phone = link(relay, anna)
        relay.announce()
        here = sorted([(account(anna), "withdrawal")] * 2 + [(account(cara), "withdrawal")])
        eventually(lambda: relay.told() == here, "the notices")
        # Who comes later: by a number, and by a label that is configured.
        emil = Person(relay, "Emil")
        with_number(relay, emil, "+4930999999")
        assert (account(emil), "withdrawal") in relay.told()
        relay.announce("--label", "school", jurisdiction="FR")
        eventually(lambda: (account(ben), "withdrawal") in relay.told(), "the other notice")
        again = relay.withdraw("--announce")
        assert again.returncode == 1 and "announced already" in again.stderr, again
        leaves = relay.leaves()
        assert [(leaf["type"], leaf["jurisdiction"]) for leaf in leaves] == [("withdrawal", "DE"), ("withdrawal", "FR")]
        assert leaves[0]["reason"] == REASON and leaves[0]["on"] == day(40 * DAY), leaves
        # It survives restarts: nobody is told twice.
        before = relay.told()
        relay.stop_relay()
        relay.start_relay()
        taken = relay.operate("withdraw", "--jurisdiction", "DE", "--cancel", "--reason", "The law was repealed.")
        assert taken.returncode == 0, taken
        everybody = sorted(before + [(who, "staying") for who, _ in before if who != account(ben)])
        eventually(lambda: relay.told() == everybody, "the notices that it stays")
        frida = Person(relay, "Frida")
        with_number(relay, frida, "+4930777777")
        assert not any(who == account(frida) for who, _ in relay.told())
        assert relay.leaves()[2]["type"] == "staying" and relay.leaves()[2]["reason"] == "The law was repealed."
        none = relay.operate("withdraw", "--jurisdiction", "DE", "--cancel", "--reason", "again")
        assert none.returncode == 1 and "no withdrawal from DE" in none.stderr, none
        assert "Taken back on" in relay.ok("withdraw", "list")
        relay.announce()  # another time
        sync(anna, phone, ben, cara, emil)
        assert relay.operate("report", "--year", day()[:4], "--out", os.path.join(relay.directory, "out")).returncode == 0
        with open(os.path.join(relay.directory, "out", "orders-%s.html" % day()[:4])) as page:
            assert "announced: 3." in page.read()


def test_moving_in_time():
    """between notice and day one command takes identity, devices and conversations to another relay; contacts follow"""
    with people_of_three_kinds() as (relay, anna, ben, cara, dora), Relay() as (other,):
        for friend in (ben, dora):
            relay.befriend(anna, friend)
        anna.ok("group", "create", "Kitchen", "Ben", "Dora")
        sync(ben, dora, anna)
        laptop = link(relay, anna)
        sync(anna, laptop)
        relay.announce()
        me, number = account(anna), anna.fingerprint("Ben")
        eventually(lambda: relay.told().count((me, "withdrawal")) == 2, "the notices")
        daemons = [Daemon(person) for person in (laptop, ben, dora)]
        rpcs = [daemon.rpc() for daemon in daemons]
        anna.ok("account", "move", "--relay", other.address)
        eventually(lambda: rpcs[0]("account.get")["relay"] == other.address, "the other device's following")
        for rpc in rpcs[1:]:
            eventually(lambda: {c["name"]: c["relay"] for c in rpc("contact.list")["contacts"]}["Anna"] == other.address,
                       "a contact's following")
        def left():
            sync(anna)
            return "movingFrom" not in anna.ok("status").of("status")[0] and not relay.has(bytes.fromhex(me))
        eventually(left, "the end at the old relay")
        for daemon in daemons:
            assert daemon.stop().code == 0
        ben.ok("send", "Kitchen", "from Ben")
        anna.ok("send", "Ben", "from elsewhere")
        sync(anna, laptop, ben)
        for device in (anna, laptop):
            assert texts(device, "Kitchen") == ["from Ben"] and texts(device, "Ben") == ["from elsewhere"], device.profile
        assert account(anna) == me and anna.fingerprint("Ben") == number
        assert "1 are affected: 0 by their phone number" in relay.withdraw(jurisdiction="DE").stdout


def test_the_day():
    """on the day, without a restart: no registration, no sign-in, no row; in words; others go on, and who is late moves still"""
    shift = DAY - int(time.time()) % DAY - 25
    with people_of_three_kinds(shift) as (relay, anna, ben, cara, dora), Relay() as (other,):
        relay.befriend(anna, ben)
        relay.befriend(anna, dora)
        anna.ok("group", "create", "Kitchen", "Ben", "Dora")
        sync(ben, dora, anna)
        me, here = account(anna), day(shift + 60)
        stayed = Daemon(cara)  # signed in when the day comes
        rpc = stayed.rpc()
        eventually(lambda: rpc("account.get")["registered"], "the daemon")
        relay.announce(on=here)
        assert me in relay.withdraw("--accounts", on=day(shift + 9 * DAY)).stdout
        eventually(lambda: relay.sql("SELECT count(*) FROM accounts") == [(2,)], "the day")
        eventually(lambda: glob.glob(os.path.join(relay.data, "orders/withdrawals/*.left")), "the relay's word")
        late = relay.operate("withdraw", "--jurisdiction", "DE", "--cancel", "--reason", "late")
        assert late.returncode == 3 and ("too late" in late.stderr or "has left DE" in late.stderr), late
        assert "no row is left of an account there" in relay.ok("withdraw", "check")
        assert "Left; 2 accounts were erased" in relay.ok("withdraw", "list")
        assert [leaf["type"] for leaf in relay.leaves()] == ["withdrawal", "left"]
        assert "accounts" not in relay.leaves()[1], "how many is nobody's business"
        for trace in (bytes.fromhex(me), bytes.fromhex(account(cara)), b"+4930123456"):
            assert not relay.has(trace), trace
        assert relay.log().count("withdrawn accounts=2") == 1, relay.log()
        for person in (anna, cara):
            refused = person.run("sync")
            assert refused.error == "withdrawn" and refused.code == 4, refused
            assert "has left the jurisdiction DE on %s" % here in refused.out and "account move" in refused.out, refused.out
        new = Person(relay, "New")
        refused = new.run("register", "--relay", relay.address, "--name", "New", "--phone", "+4930888888")
        assert refused.error == "withdrawn" and "+4930888888" not in relay.log(), refused
        Person(relay, "Else").register()
        # The rooms go on without her, and with her as soon as she is elsewhere.
        ben.ok("send", "Kitchen", "where are you?")
        sync(dora)
        assert texts(dora, "Kitchen") == ["where are you?"]
        moved = anna.ok("account", "move", "--relay", other.address).of("account")[0]
        assert moved["account"] == me and moved["relay"] == other.address and "movingFrom" not in moved, moved
        sync(ben, dora)
        anna.ok("send", "Kitchen", "late, but here")
        ben.ok("send", "Anna", "welcome back")
        sync(anna, ben, dora)
        assert texts(ben, "Kitchen") == texts(anna, "Kitchen") == ["where are you?", "late, but here"]
        assert texts(anna, "Ben") == ["welcome back"]
        assert {c["name"]: c["relay"] for c in ben.ok("contacts").of("contact")}["Anna"] == other.address
        assert stayed.stop().code == 0


def test_the_relay_was_off():
    """a relay that was off on the day does it when it starts, or the command does; a backup of before brings nobody back"""
    with people_of_three_kinds() as (relay, anna, ben, cara, dora):
        preloaded()
        me = account(anna)
        relay.announce(on=day(2 * DAY))
        eventually(lambda: len(relay.told()) == 2, "the notices")
        backup = os.path.join(relay.directory, "backup")
        relay.ok("backup", backup)
        relay.stop_relay()
        relay.shift = DAY
        relay.start_relay()
        assert "the day is" in relay.ok("withdraw", "check")
        relay.stop_relay()
        relay.shift = 3 * DAY
        relay.start_relay()
        eventually(lambda: relay.sql("SELECT count(*) FROM accounts") == [(2,)], "the erasing at the start")
        assert anna.run("sync").error == "withdrawn"
        eventually(lambda: "no row is left" in relay.operate("withdraw", "check").stdout, "the office's knowing")
        # The old database again: nobody is there for longer than it takes to look.
        relay.stop_relay()
        relay.ok("restore", backup, "--force")
        assert relay.sql("SELECT count(*) FROM accounts") == [(4,)]
        relay.crowd(3000)
        relay.start_relay()
        eventually(lambda: relay.sql("SELECT count(*) FROM accounts") == [(2,)], "the erasing after the restore")
        assert len(relay.leaves()) == 2 and anna.run("sync").error == "withdrawn"
        # On another machine, with nothing but the backup, and without a relay that serves.
        relay.stop_relay()
        shutil.rmtree(relay.data)
        relay.ok("restore", backup)
        assert relay.has(bytes.fromhex(me))
        relay.crowd(3000)
        assert "Left; 3002 accounts" in relay.ok("withdraw", "list")
        assert not relay.has(bytes.fromhex(me)) and not relay.has(b"+4930123456")
        assert "no row is left" in relay.ok("withdraw", "check")
        relay.start_relay()
        assert cara.run("sync").error == "withdrawn"
        sync(ben, dora)
        # What root does is the relay's.
        if os.geteuid() == 0:
            relay.stop_relay()
            relay.shift = 0
            for folder, folders, files in os.walk(relay.data):
                for name in [folder, *(os.path.join(folder, one) for one in folders + files)]:
                    os.chown(name, 65534, 65534, follow_symlinks=False)
            relay.announce(jurisdiction="FR")
            owners = {os.lstat(os.path.join(folder, one)).st_uid for folder, folders, files in os.walk(relay.data)
                      for one in folders + files}
            assert owners == {65534}, owners


def killed_over_and_over(relay, make, check, step):
    """Runs a command and kills it at every so manieth call that changes a file, until it ends; check goes on from there."""
    number = 0
    while True:
        make()
        done = relay.operate(*make.command, before=[os.environ["SOTTO_KILL_AT"], str(number)])
        if done.returncode == 77:
            raise Skip("this machine lets no process trace its child")
        assert done.returncode in (0, 137), done
        check(number)
        if done.returncode == 0:
            return number
        number += step


@contextlib.contextmanager
def tidied():
    """What killed processes leave behind of faketime."""
    begun = time.time() - 1
    try:
        yield
    finally:
        for path in glob.glob("/dev/shm/*faketime_s*_*"):
            with contextlib.suppress(FileNotFoundError):
                if os.stat(path).st_mtime > begun and not os.path.exists("/proc/" + path.rsplit("_", 1)[1]):
                    os.unlink(path)


def test_killed_at_any_point():
    """killed at many calls that change a file: announced or not, taken back or not, erased whole; never half"""
    with tidied(), people_of_three_kinds() as (relay, anna, ben, cara, dora):
        relay.stop_relay()
        preloaded()

        def settled():
            """The records, the log and what the relay is told are of one mind."""
            listed = relay.ok("withdraw", "list")
            leaves = [leaf["type"] for leaf in relay.leaves()]
            files = glob.glob(os.path.join(relay.data, "orders/withdrawals/*.withdrawal"))
            assert leaves.count("withdrawal") == listed.count("announced on") == len(files), (leaves, listed, files)
            assert leaves.count("staying") == listed.count("Taken back") == sum(
                b"state staying" in open(path, "rb").read() for path in files), (leaves, listed)
            return listed

        def announce():
            if "The relay does it" in settled():
                relay.ok("withdraw", "--jurisdiction", "DE", "--cancel", "--reason", "Not yet.")
        announce.command = ("withdraw", "--jurisdiction", "DE", "--on", day(9 * DAY), "--reason", REASON, "--announce")
        assert killed_over_and_over(relay, announce, lambda number: settled(), 4) > 10

        def cancel():
            if "The relay does it" not in settled():
                relay.ok(*announce.command)
        cancel.command = ("withdraw", "--jurisdiction", "DE", "--cancel", "--reason", "The law was repealed.")
        assert killed_over_and_over(relay, cancel, lambda number: settled(), 4) > 10
        assert "The relay does it" not in settled()
        relay.ok(*announce.command)
        whole = os.path.join(relay.directory, "whole")
        shutil.copytree(relay.data, whole, ignore=shutil.ignore_patterns("control"))

        def bring_back():
            relay.shift = 0
            shutil.rmtree(relay.data)
            shutil.copytree(whole, relay.data)
        bring_back.command = cancel.command
        ends = set()

        def too_late(number):
            # Nobody looks before the day: what was taken back counts if the relay can see it, and nothing is in between.
            relay.shift = 10 * DAY
            relay.ok("withdraw", "list")
            listed, accounts = relay.ok("withdraw", "list"), relay.sql("SELECT count(*) FROM accounts")[0][0]
            stays = listed.splitlines()[-1].startswith("  Taken back")
            ends.add(stays)
            assert stays or "Left; 2 accounts" in listed, (number, listed)
            assert accounts == (4 if stays else 2), (number, accounts)
            assert relay.leaves()[-1]["type"] == ("staying" if stays else "left"), relay.leaves()
        killed_over_and_over(relay, bring_back, too_late, 5)
        assert ends == {True, False}, ends

        # The day comes to a relay that is off, and the command that does it is killed.
        def erase():
            bring_back()
            relay.shift = 10 * DAY
        erase.command = ("withdraw", "list")

        def erased(number):
            assert "Left; 2 accounts were erased" in relay.ok("withdraw", "list"), number
            assert "no row is left" in relay.ok("withdraw", "check")
            assert relay.leaves()[-1]["type"] == "left" and relay.leaves()[-2]["type"] == "withdrawal"
            assert not relay.has(b"+4930123456"), number
            assert relay.operate("check").returncode == 0
        assert killed_over_and_over(relay, erase, erased, 9) > 10


if __name__ == "__main__":
    main([test_dry_run, test_announced_and_taken_back, test_moving_in_time, test_the_day, test_the_relay_was_off,
          test_killed_at_any_point])
