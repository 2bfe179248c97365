"""The person's side of lawful orders: notices of the relay's, and a log that is followed."""
import base64
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import time

from linking import Device, begin
from rpc import Daemon
from test_audit import records, tampered
from test_orders import Court, Office, phone_world
from world import PATIENCE, SOTTO, Skip, eventually, main


def relay_sql(world, sql, *values):
    """A statement on the relay's database; a word of the test to it, while it is stopped."""
    with contextlib.closing(sqlite3.connect(os.path.join(world.directory, "relay", "relay.db"))) as db:
        rows = db.execute(sql, values).fetchall()
        db.commit()
        return rows


def envelopes(world):
    """What waits in inboxes: (row, device, seq, bytes) of each notice, of whomever."""
    return [row for row in relay_sql(world, "SELECT position, device, seq, sealed FROM envelopes ORDER BY position")
            if row[3].startswith(b"sotto notice")]


def delivered(world, office):
    """Waits until the relay has put all notices into inboxes."""
    folder = os.path.join(office.data, "orders", "outgoing")
    eventually(lambda: not os.path.isdir(folder) or not [n for n in os.listdir(folder) if n.endswith(".note")],
               "the notices' delivery")


def notices(person, *options):
    return person.ok("notices", *options).of("notice")


def relay_of(person, code=0):
    result = person.run("relay")
    assert result.code == code, result
    return result.of("relay")[0]


def text(person, *args, code=0):
    """What a person reads, without --json."""
    done = subprocess.run([SOTTO, "--profile", person.profile, *args], capture_output=True, encoding="utf-8",
                          stdin=subprocess.DEVNULL, timeout=PATIENCE)
    assert done.returncode == code, done
    return done.stdout


def office_of(world):
    office, court = Office(world), Court(world.directory, "Mitte")
    office.enrol(court)
    return office, court


def test_an_order_is_shown():
    """who was asked about is told what was asked and given, by whom and why, and that the log has it; nobody else is"""
    world = phone_world()
    try:
        alice, bob = world.people
        assert relay_of(alice)["state"] in ("none", "unknown")
        alice.ok("sync")
        before = relay_of(alice)
        assert before["state"] == "none" and "key" not in before, before
        assert "keeps no log" in text(alice, "relay")
        office, court = office_of(world)
        office.answer(court.order("one", data=["phone_number", "messages"], reasons="Fraud.\nsotto notice v1\nOn 1 it gave nothing."))
        office.answer(court.order("two", recipient={"phone": "+4930999999"}))
        delivered(world, office)
        alice.ok("sync")
        (told,) = notices(alice)
        expected = {"kind": "order", "read": False, "logEntry": 0, "entry": "confirmed", "jurisdiction": "DE",
                    "authority": "court", "issuer": "Amtsgericht Mitte", "reference": "12 Gs one/26",
                    "asked": ["phone_number", "messages"], "gavePhoneNumber": True, "gaveLastIp": False,
                    "legalBasis": "Article 10 of Regulation (EU) 2022/2065", "reasonsWithheld": False,
                    "reasons": "Fraud.\nsotto notice v1\nOn 1 it gave nothing.",
                    "redress": "Complaint to the Landgericht within two weeks.",
                    "log": office.ok("log", "show").split()[1].split("+")[0]}
        assert {key: told[key] for key in expected} == expected, told
        words = text(alice, "notices")
        for part in ("answered a lawful order about your account", "> phone_number\n   > messages", "It gave: your phone number.",
                     "> Amtsgericht Mitte", "> 12 Gs one/26", "> Article 10", "> Fraud.\n   > sotto notice v1\n   > On 1",
                     "> Complaint to the Landgericht", "entry 0 of the log", "the entry is there, and says the same"):
            assert part in words, (part, words)
        assert alice.ok("status").of("status")[0]["notices"] == 1
        assert "1 unread notice" in text(alice, "status")
        alice.ok("sync")
        assert len(notices(alice)) == 1, "once"
        state = relay_of(alice)
        assert state["state"] == "followed" and state["size"] == 2, state
        assert state["counts"]["answered"] == 1 and state["counts"]["unknownRecipient"] == 1 and state["counts"]["read"] == 2, state
        assert "This relay has answered 1 order; it has never been able to answer with content." in text(alice, "relay")
        bob.ok("sync")
        assert notices(bob) == [] and relay_of(bob)["counts"]["answered"] == 1
        assert alice.run("notice", "read", "99").error == "not_found"
        alice.ok("notice", "read", str(told["number"]))
        assert notices(alice, "--unread") == [] and notices(alice)[0]["read"]
        # A second one, of another sort of reasons.
        office.answer(court.order("three", reasons={"withheld": "The investigation goes on."}, data=["messages"]))
        delivered(world, office)
        listened = alice.ok("listen", "--once")
        assert [n["logEntry"] for n in listened.of("notice")] == [0, 2], listened
        assert alice.ok("listen", "--once").of("notice") == []
        newest = notices(alice)[0]
        assert newest["reasonsWithheld"] and newest["entry"] == "confirmed" and not newest["gavePhoneNumber"], newest
        assert "It gave: nothing, for it holds nothing of that." in newest["text"] and "withheld, because:\n> The inv" in newest["text"]
        assert envelopes(world) == [], "all that was stored was acknowledged"
    finally:
        world.close()


def test_what_the_relays_log_did_not_sign():
    """what is not signed by the relay's log for this account is never shown, whoever put it into the inbox"""
    world = phone_world()
    try:
        alice, bob = world.people
        office, court = office_of(world)
        office.answer(court.order("one"))
        office.answer(court.order("bob", recipient={"phone": "+4930654321"}))
        delivered(world, office)
        (_, first, seq, mine), (_, second, _, other) = envelopes(world)
        world.stop_relay()
        lines = mine.split(b"\n")
        key = base64.b64decode(lines[-2].split(b" ")[-1])
        forged = [
            other,                                                        # Bob's, word for word
            mine.replace(b"> Suspicion of fraud.", b"> Suspicion of arson."),  # another text
            mine.replace(lines[-2], b"\xe2\x80\x94 %s %s" % (lines[-2].split(b" ")[1], base64.b64encode(key[:4] + bytes(64)))),
            b"\n".join(lines[:-3]) + b"\n",                               # no signature
            b"sotto notice v1\n", b"sotto notice v1\n" + bytes(range(256)), b"sotto notice v1\n\n\xe2\x80\x94 a b\n",
            b"sotto notice v1\ntype order\n\n" + lines[-2] + b"\n",
            mine, mine,                                                   # again
        ]
        for number, sealed in enumerate(forged, 1):
            relay_sql(world, "INSERT INTO envelopes(device, seq, sealed, day) SELECT device, ?, ?, day FROM envelopes"
                             " WHERE device = ? LIMIT 1", seq + number, sealed, first)
        world.start_relay()
        alice.ok("sync")
        shown = notices(alice)
        assert len(shown) == 1 and shown[0]["reference"] == "12 Gs one/26" and shown[0]["entry"] == "confirmed", shown
        assert alice.sql("SELECT count(*) FROM notice") == [(1,)], alice.sql("SELECT * FROM notice")
        bob.ok("sync")
        assert [n["reference"] for n in notices(bob)] == ["12 Gs bob/26"]
        assert second != first
    finally:
        world.close()


def test_a_relay_that_leaves():
    """that the relay leaves the person's jurisdiction, and that it stays after all, is told with what one can do"""
    world = phone_world()
    try:
        alice = world.people[0]
        office, _ = office_of(world)
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 60 * 86400))
        office.ok("withdraw", "--jurisdiction", "DE", "--on", day, "--reason", "A law demands it.", "--announce")
        (told,) = eventually(lambda: alice.ok("sync") and notices(alice), "the notice")
        assert (told["kind"], told["entry"], told["on"], told["reason"]) == ("withdrawal", "confirmed", day, "A law demands it."), told
        words = text(alice, "notices")
        for part in ("leaves the jurisdiction DE", "> A law demands it.", "sotto account move", "sotto backup", "sotto export"):
            assert part in words, (part, words)
        office.ok("withdraw", "--jurisdiction", "DE", "--cancel", "--reason", "Repealed.")
        eventually(lambda: alice.ok("sync") and len(notices(alice)) == 2, "the other notice")
        assert notices(alice)[0]["kind"] == "staying" and "You need do nothing" in notices(alice)[0]["text"]
        counts = relay_of(alice)["counts"]
        assert (counts["withdrawals"], counts["stayings"], counts["answered"]) == (1, 1, 0), counts
    finally:
        world.close()


def test_on_all_devices():
    """a notice is on every device, those that come later too, and read on one is read on all"""
    world = phone_world()
    try:
        alice = world.people[0]
        tablet, later = Device(world, "Alice", 2), Device(world, "Alice", 3)

        def link(device, *names):
            process, url = begin(device, "--device", names[0])
            alice.ok("device", "add", url)
            result = device.finish(process)
            assert result.code == 0, result
        link(tablet, "tablet")
        office, court = office_of(world)
        office.answer(court.order("one"))
        office.answer(court.order("two"))
        delivered(world, office)
        for device in (alice, tablet, alice, tablet):
            device.ok("sync")
        assert len(notices(alice)) == 2 and len(notices(tablet)) == 2
        assert {n["notice"] for n in notices(alice)} == {n["notice"] for n in notices(tablet)}
        (number,) = [n["number"] for n in notices(tablet) if n["logEntry"] == 0]
        tablet.ok("notice", "read", str(number))
        eventually(lambda: alice.ok("sync") and [n["logEntry"] for n in notices(alice, "--unread")] == [1], "read there, read here")
        link(later, "later")
        eventually(lambda: alice.ok("sync") and later.ok("sync") and
                   [(n["logEntry"], n["read"], n["entry"]) for n in notices(later)] in
                   ([(1, False, "confirmed"), (0, True, "confirmed")], [(0, True, "confirmed"), (1, False, "confirmed")]),
                   "both notices on the new device")
        alice.ok("notice", "read")
        eventually(lambda: later.ok("sync") and notices(later, "--unread") == [], "all read")
    finally:
        world.close()


def test_a_daemon_tells():
    """a daemon tells of notices and of the log by events, as they come"""
    world = phone_world()
    try:
        alice = world.people[0]
        office, court = office_of(world)
        alice.ok("sync")
        daemon = Daemon(alice)
        rpc = daemon.rpc()
        rpc("events.subscribe")
        office.answer(court.order("one"))
        seen = rpc.events(lambda note: note["method"] == "event" and note["params"]["type"] == "notice" and
                          note["params"]["notice"]["entry"] == "confirmed")
        told = seen[-1]["params"]
        assert told["about"] == told["notice"]["notice"] and told["notice"]["reference"] == "12 Gs one/26", told
        listed = rpc("notice.list", unread=True)
        assert listed["total"] == 1 and listed["notices"][0] == told["notice"], listed
        assert rpc("notice.get", notice=told["about"]) == told["notice"]
        assert rpc.fails("notice.get", notice="00" * 32) == "not_found"
        assert rpc("relay.get")["state"] == "followed" and rpc("status.get")["notices"] == 1
        assert rpc("relay.evidence")["total"] == 0
        rpc("notice.markRead", number=told["notice"]["number"])
        rpc.events(lambda note: note["method"] == "event" and note["params"]["type"] == "notice" and note["params"]["notice"]["read"])
        assert rpc("notice.list", unread=True)["total"] == 0 and rpc.fails("notice.markRead", number=99) == "not_found"
        # Without a new connection nothing is asked of a log that rests; `sync` does it now.
        tampered(office, lambda: records(office, "UPDATE leaves SET entry = replace(entry, 'court', 'police') WHERE position = 0"))
        assert rpc.fails("sync") == "order_log"
        rpc.events(lambda note: note["method"] == "event" and note["params"]["type"] == "relay" and
                   note["params"]["relay"]["state"] == "convicted")
        assert rpc("status.get")["relayConvicted"] and rpc("relay.evidence")["evidence"][0]["what"] == "forked"
        assert rpc("relay.followAnew")["state"] == "none"
        rpc.events(lambda note: note["method"] == "event" and note["params"]["type"] == "relay" and
                   note["params"]["relay"]["state"] == "followed")
        daemon.stop()
    finally:
        world.close()


def test_a_relay_that_lies():
    """a relay that takes entries away, rewrites or forks its log, or has another key, is told from then on, with what it signed"""
    world = phone_world()
    try:
        alice, bob = world.people
        link = alice.ok("invite", "--uses", "1").of("invitation")[0]["link"]
        bob.ok("accept", link)
        alice.ok("sync")
        office, court = office_of(world)
        for number in range(3):
            office.answer(court.order("o%d" % number))
        delivered(world, office)
        saved = os.path.join(world.directory, "saved")
        shutil.copytree(os.path.join(office.data, "orders"), saved)
        alice.ok("sync")
        assert relay_of(alice)["counts"]["answered"] == 3
        profile, kept = alice.profile, os.path.join(world.directory, "kept")
        shutil.copytree(profile, kept)

        def anew():
            for place, from_ in ((os.path.join(office.data, "orders"), saved), (profile, kept)):
                shutil.rmtree(place)
                shutil.copytree(from_, place)

        def rewritten(sql, *values):
            assert tampered(office, lambda: records(office, sql, *values)).returncode == 0

        def other_key():
            shutil.rmtree(os.path.join(office.data, "orders"))
            office.enrol(court, name="Again")
            office.answer(court.order("o9"))
        cases = {
            "shrunk": lambda: rewritten("DELETE FROM leaves WHERE position = 2"),
            "forked": lambda: (rewritten("UPDATE leaves SET entry = replace(entry, 'phone_number last_ip', 'last_ip') WHERE position = 0"),
                               office.answer(court.order("later"))),
            "other_key": other_key,
            "gone": lambda: shutil.rmtree(os.path.join(office.data, "orders", "log")),
        }
        for what, lie in cases.items():
            anew()
            alice.ok("sync")
            lie()
            shouted = alice.run("sync")
            assert shouted.code == 7 and shouted.error == "order_log" and "CONTRADICTS" in shouted.out, (what, shouted)
            state = relay_of(alice, code=7)
            assert state["state"] == "convicted" and state["trouble"]["code"] == "order_log", (what, state)
            assert "CONTRADICTS ITS OWN LOG" in text(alice, "relay", code=7) and "CONTRADICTS" in text(alice, "status")
            (evidence,) = alice.run("relay", "--evidence").of("evidence")
            assert evidence["what"] == what and evidence["before"].splitlines()[1] == "3", (what, evidence)
            if what != "gone":
                assert "\u2014 " in evidence["after"] and evidence["after"] != evidence["before"], (what, evidence)
            assert ("otherKey" in evidence) == (what == "other_key"), evidence
            # It shouts again, and keeps one piece of evidence; messages go all the same.
            assert alice.run("sync").code == 7
            alice.ok("send", "Bob", "in spite of " + what)
            assert len(alice.run("relay", "--evidence").of("evidence")) == 1
            # Back on the old branch it stays convicted of what it signed; what was only hidden is forgiven.
            shutil.rmtree(os.path.join(office.data, "orders"))
            shutil.copytree(saved, os.path.join(office.data, "orders"))
            alice.ok("sync")
            assert relay_of(alice, code=0 if what == "gone" else 7)["size"] == 3
            if what == "other_key":
                other_key()
                assert alice.run("sync").code == 7
                anew_ = alice.ok("relay", "--follow-anew").of("relay")[0]
                assert anew_["state"] == "none", anew_
                alice.ok("sync")
                assert relay_of(alice)["size"] == 1
                assert len(alice.ok("relay", "--evidence").of("evidence")) >= 1
    finally:
        world.close()


def test_a_long_log():
    """a log of any length is read a part with each connection, and what is said is said of that part"""
    world = phone_world()
    try:
        alice = world.people[0]
        office, court = office_of(world)
        office.answer(court.order("one"))

        def grow(size):
            records(office, "WITH RECURSIVE n(i) AS (SELECT (SELECT count(*) FROM leaves) UNION ALL SELECT i + 1 FROM n"
                            " WHERE i + 1 < ?) INSERT INTO leaves SELECT i, replace((SELECT entry FROM leaves"
                            " WHERE position = 0), 'answered 0', 'answered ' || i), 0 FROM n", size)
            office.ok("log", "publish")
        grow(300)
        delivered(world, office)
        alice.ok("sync")
        assert relay_of(alice)["counts"]["read"] == 300
        grow(3000)
        alice.ok("sync")
        state = relay_of(alice)
        assert state["size"] == 3000 and state["counts"]["read"] == state["counts"]["answered"] == 2304, state
        assert "So say the first 2304 of its 3000 entries" in text(alice, "relay")
        # The newest entry's notice is looked up, though the entries before it were not read.
        office.answer(court.order("two"))
        delivered(world, office)
        alice.ok("sync")
        state = relay_of(alice)
        assert state["counts"]["read"] == state["size"] == 3001, state
        assert [(n["logEntry"], n["entry"]) for n in notices(alice)] == [(3000, "confirmed"), (0, "confirmed")]
        # Entries that no checkpoint is about are found out.
        log = os.path.join(office.data, "orders", "log")
        office.answer(court.order("three"))
        bundle = os.path.join(log, "tile", "entries", "011.p", "186")
        with open(bundle, "rb") as file:
            entries = file.read()
        with open(bundle, "wb") as file:
            file.write(entries[:-400] + entries[-400:].replace(b"court", b"polis"))
        assert alice.run("sync").error == "order_log"
        assert alice.run("relay", "--evidence").of("evidence")[0]["what"] in ("bad_entry", "different")
    finally:
        world.close()


def test_killed_at_any_point():
    """killed at any call that changes a file, a client has the notice afterwards, once"""
    world = phone_world()
    try:
        alice = world.people[0]
        office, court = office_of(world)
        number, step, count = 0, 7, 0
        while True:
            office.answer(court.order("k%d" % number))
            delivered(world, office)
            done = subprocess.run([os.environ["SOTTO_KILL_AT"], str(number), *alice.argv("sync")], capture_output=True,
                                  encoding="utf-8", timeout=PATIENCE)
            if done.returncode == 77:
                raise Skip("this machine lets no process trace its child")
            assert done.returncode in (0, 137), done
            alice.ok("sync")
            count += 1
            got = notices(alice)
            assert [n["reference"] for n in got] == ["12 Gs k%d/26" % n for n in range(number, -1, -step)], (number, got)
            assert all(n["entry"] == "confirmed" for n in got), got
            assert relay_of(alice)["counts"]["answered"] == count and envelopes(world) == []
            if done.returncode == 0:
                break
            number += step
        assert number > 6, number
    finally:
        world.close()


if __name__ == "__main__":
    main([test_an_order_is_shown, test_what_the_relays_log_did_not_sign, test_a_relay_that_leaves, test_on_all_devices, test_a_daemon_tells,
          test_a_relay_that_lies, test_a_long_log, test_killed_at_any_point])
