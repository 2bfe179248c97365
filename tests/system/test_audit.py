"""The log of orders from outside: auditors, witnesses, the yearly report, and an operator who lies."""
import base64
import contextlib
import csv
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from test_orders import Court, Office, fetch, phone_world
from world import PATIENCE, Skip, eventually, free_port, main

AUDIT = os.environ.get("SOTTO_AUDIT", "sotto-audit")
WITNESS_VERSION = "v0.6.1"  # of filippo.io/torchwood


class Auditor:
    def __init__(self, world, name="audit"):
        self.world, self.state = world, os.path.join(world.directory, name)

    def run(self, *args, command="follow", url=True):
        place = ["https://127.0.0.1:%d/orders" % self.world.port, "--pin", self.world.address.split("#")[1]] if url else []
        done = subprocess.run([AUDIT, command, *place, "--state", self.state, *args], capture_output=True,
                              encoding="utf-8", timeout=PATIENCE)
        assert "Sanitizer" not in done.stderr and "bug:" not in done.stderr, done.stderr
        return done

    def ok(self, *args, **how):
        done = self.run(*args, **how)
        assert done.returncode == 0, done
        return done.stdout

    def convicts(self, why, *args, **how):
        done = self.run(*args, **how)
        assert done.returncode == 4 and why in done.stderr, done
        return done


def an_office(world, orders=3):
    office, court = Office(world), Court(world.directory, "Mitte")
    office.enrol(court)
    for number in range(orders):
        office.answer(court.order("o%d" % number))
    return office, court


def test_an_auditor_follows():
    """an auditor who keeps its own state follows the log, and says how often what was given"""
    world = phone_world()
    try:
        office, court = an_office(world)
        auditor = Auditor(world)
        assert "3 entries; 3 orders answered" in auditor.ok(), "first"
        assert "3 entries" in auditor.ok(), "nothing new"
        office.answer(court.order("nothing", data=["messages"]))
        assert "4 entries; 3 orders answered" in auditor.ok()
        key = office.ok("log", "show").split()[1]
        assert "4 entries" in auditor.ok("--key", key)
        for wrong in (("--quorum", "one"), ("--quorum", "0"), ("--quorum", "1"), ("--days", "-1"), ("--days", "7d")):
            assert auditor.run(*wrong).returncode == 2, wrong  # what cannot be read does not ask for less
        other = Auditor(world, "other")
        wrong = key.split("+")
        assert other.run("--key", "+".join([wrong[0], "00000000", wrong[2]])).returncode == 1
        world.stop_relay()
        assert auditor.run().returncode == 1, "who cannot be reached is not convicted"
        world.start_relay()
        assert "4 entries" in auditor.ok()
    finally:
        world.close()


def go_program(version, name, *command, **how):
    """A program in Go, built once for each version; what cannot be built here is skipped."""
    if shutil.which("go") is None:
        raise Skip("Go is not installed")
    top = os.environ.get("SOTTO_GO_BIN") or os.path.join(tempfile.gettempdir(), "sotto-go-%d" % os.getuid())
    folder = os.path.join(top, version)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    assert os.stat(top).st_uid == os.getuid(), "somebody else's: " + top
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        done = subprocess.run(["go", *command], env={**os.environ, "GOBIN": folder}, capture_output=True, encoding="utf-8",
                              timeout=900, **how)
        if done.returncode != 0 and re.search(r"dial tcp|lookup|requires go|go version|toolchain|proxy|Forbidden|timeout", done.stderr):
            raise Skip("%s cannot be built here: %s" % (name, done.stderr.strip().splitlines()[-1][:200]))
        assert done.returncode == 0, done.stderr
    return path


def independent(world, office, size):
    """The log as an independent client (torchwood) verifies it, entry by entry."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../interop/tlog")
    version = hashlib.sha256()
    for name in ("go.mod", "go.sum", "main.go"):
        with open(os.path.join(folder, name), "rb") as file:
            version.update(file.read())
    program = go_program(version.hexdigest()[:16], "tlog", "install", ".", cwd=folder)
    done = subprocess.run([program, "https://127.0.0.1:%d/orders" % world.port, office.ok("log", "show").split()[1]],
                          capture_output=True, encoding="utf-8", timeout=PATIENCE)
    assert done.returncode == 0 and done.stdout.endswith("verified %d\n" % size), done.stderr
    assert "type order" in done.stdout.splitlines()[0], done.stdout[:300]


def test_more_entries_than_a_tile():
    """a log of more than 256 entries is followed, in steps of any size, by an independent client too"""
    world = phone_world()
    try:
        office, court = an_office(world, 1)
        auditor = Auditor(world)
        auditor.ok()
        # As many as a year of a large relay has, put into the records as decisions put them.
        for size in (200, 300):
            records(office, "WITH RECURSIVE n(i) AS (SELECT (SELECT count(*) FROM leaves) UNION ALL SELECT i + 1 FROM n"
                            " WHERE i + 1 < ?) INSERT INTO leaves SELECT i, replace((SELECT entry FROM leaves"
                            " WHERE position = 0), 'answered 0', 'answered ' || i), 0 FROM n", size)
            office.ok("log", "publish")
            assert "%d entries" % size in auditor.ok()
        assert "300 entries" in Auditor(world, "later").ok()
        assert fetch(world, "/orders/tile/1/000.p/1")[0] == 200
        independent(world, office, 300)
    finally:
        world.close()


def tampered(office, change):
    """The operator changes the records and publishes a log that fits them."""
    log = os.path.join(office.data, "orders", "log")
    shutil.rmtree(log)
    change()
    return office.run("log", "publish")


def records(office, sql, *values):
    with contextlib.closing(sqlite3.connect(os.path.join(office.data, "orders", "orders.db"))) as db:
        db.execute("DROP TRIGGER IF EXISTS leaves_stay")
        db.execute("DROP TRIGGER IF EXISTS leaves_are")
        db.execute(sql, values)
        db.commit()


def test_a_rewritten_log_is_convicted():
    """an operator who deletes, rewrites or forks the log is convicted, with two signatures of their own"""
    world = phone_world()
    try:
        office, court = an_office(world)
        saved = os.path.join(world.directory, "saved")
        shutil.copytree(os.path.join(office.data, "orders"), saved)
        auditors = [Auditor(world, "a%d" % number) for number in range(4)]
        for auditor in auditors:
            auditor.ok()

        def restore():
            shutil.rmtree(os.path.join(office.data, "orders"))
            shutil.copytree(saved, os.path.join(office.data, "orders"))

        # The last answer is taken away.
        assert tampered(office, lambda: records(office, "DELETE FROM leaves WHERE position = 2")).returncode == 0
        auditors[0].convicts("taken away")
        # The first one says that less was given.
        restore()
        done = tampered(office, lambda: records(
            office, "UPDATE leaves SET entry = replace(entry, 'phone_number last_ip', 'last_ip') WHERE position = 0"))
        assert done.returncode == 0, done
        auditors[1].convicts("rewritten")
        # Another third answer: a fork, which shows at the same size, and later.
        restore()
        tampered(office, lambda: records(office, "UPDATE leaves SET entry = replace(entry, 'court', 'police') WHERE position = 2"))
        office.answer(court.order("after"))
        auditors[2].convicts("rewritten")
        evidence = [name for name in sorted(os.listdir(auditors[2].state)) if name.startswith("evidence-")]
        assert len(evidence) == 2, evidence
        # The log is gone altogether.
        shutil.rmtree(os.path.join(office.data, "orders", "log"))
        auditors[3].convicts("gone")
        # An honest one goes on.
        restore()
        assert "3 entries" in Auditor(world, "fresh").ok()
    finally:
        world.close()


def test_an_operator_cannot_sign_over_older_records():
    """a relay whose records are older than what it published refuses to sign, and says why"""
    world = phone_world()
    try:
        office, court = an_office(world, 1)
        saved = os.path.join(world.directory, "orders.db")
        shutil.copy(os.path.join(office.data, "orders", "orders.db"), saved)
        office.answer(court.order("later"))
        shutil.copy(saved, os.path.join(office.data, "orders", "orders.db"))
        done = office.run("order", "answer", court.order("again"), "--out", os.path.join(world.directory, "x"))
        assert done.returncode == 1 and "older than the log" in done.stderr, done
    finally:
        world.close()


def test_the_report():
    """the yearly report follows from the log alone; one that says something else is found out"""
    world = phone_world()
    try:
        office, court = an_office(world, 2)
        france = Court(world.directory, "Paris")
        office.enrol(france, "Paris", jurisdiction="FR", kind="court,prosecutor")
        office.answer(france.order("fr", issuer={"name": "Parquet", "kind": "prosecutor", "jurisdiction": "FR"},
                                   data=["phone_number", "messages"]))
        path = court.path("unsigned", "not signed")
        office.run("order", "answer", path, "--out", path + ".out")
        year, out = time.strftime("%Y", time.gmtime()), os.path.join(world.directory, "report")
        office.ok("report", "--year", year, "--out", out)
        table = os.path.join(out, "3_member_states_orders.csv")
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for category in ("TOTAL", "STATEMENT_CATEGORY_NOT_SPECIFIED_ORDER"):
            counts = {row["Scope"]: row["Number of orders to provide information"] for row in rows
                      if row["Category of illegal content"] == category}
            assert counts == {"TOTAL": "4", "DE": "2", "FR": "1", "unknown": "1"}, counts
        # What providers' published reports after this template have in the first columns.
        assert {row["Applicability"] for row in rows} == {"All"}, rows
        assert {row["Reporting period"] for row in rows} == {"%s-01-01/%s-12-31" % (year, year)}, rows
        assert len(rows[0]) == 20 and None not in rows[0], rows[0]
        assert all(re.fullmatch(r"\d+\.\d\d", row["Median time to give effect to the order to provide information"])
                   for row in rows), rows
        with open(os.path.join(out, "orders-%s.html" % year), encoding="utf-8") as file:
            page = file.read()
        assert "<strong>4</strong> orders" in page and "<script" not in page and "http" not in page.replace("http-equiv", "")
        auditor = Auditor(world)
        auditor.ok()
        assert auditor.ok("--year", year, command="report", url=False).replace("\r", "") == open(table, encoding="utf-8").read().replace("\r", "")
        auditor.ok("--year", year, "--against", table, command="report", url=False)
        auditor.ok("--year", year, "--against", os.path.join(out, "orders-%s.html" % year), command="report", url=False)
        with open(table, encoding="utf-8", newline="") as file:
            text = file.read()
        with open(table, "w", encoding="utf-8", newline="") as file:
            file.write(text.replace(",DE,0,0,,,2,", ",DE,0,0,,,1,"))
        auditor.convicts("REPORT", "--year", year, "--against", table, command="report", url=False)
        empty = auditor.ok("--year", "1999", command="report", url=False)
        assert len(empty.splitlines()) == 3, empty
    finally:
        world.close()


def test_a_witness_cosigns():
    """an independent witness (litewitness) cosigns what is consistent, and refuses what is not"""
    world = phone_world()
    processes = []
    try:
        if shutil.which("ssh-agent") is None:
            raise Skip("ssh-agent is not installed")
        program = go_program(WITNESS_VERSION, "litewitness", "install",
                             "filippo.io/torchwood/cmd/litewitness@" + WITNESS_VERSION)
        office, court = an_office(world, 2)
        key = office.ok("log", "show").split()[1]
        place = lambda name: os.path.join(world.directory, name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place("wkey")], check=True)
        processes.append(subprocess.Popen(["ssh-agent", "-D", "-a", place("agent")], stdout=subprocess.DEVNULL))
        eventually(lambda: os.path.exists(place("agent")), "the agent's socket")
        subprocess.run(["ssh-add", "-q", place("wkey")], check=True, env={**os.environ, "SSH_AUTH_SOCK": place("agent")},
                       stderr=subprocess.DEVNULL)
        fingerprint = subprocess.run(["ssh-keygen", "-l", "-f", place("wkey.pub")], check=True, capture_output=True,
                                     encoding="utf-8").stdout.split()[1]
        with contextlib.closing(sqlite3.connect(place("w.db"))) as db:  # as its witnessctl adds a log and its key
            db.execute("CREATE TABLE log(origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL)")
            db.execute("CREATE TABLE key(origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin))")
            db.execute("INSERT INTO log VALUES(?, 0, ?)", (key.split("+")[0], base64.b64encode(hashlib.sha256().digest()).decode()))
            db.execute("INSERT INTO key VALUES(?, ?)", (key.split("+")[0], key))
            db.commit()
        port = free_port()
        said = open(place("w.log"), "w")
        processes.append(subprocess.Popen([program, "-name", "witness.example/w", "-db", place("w.db"), "-ssh-agent",
                                           place("agent"), "-listen", "127.0.0.1:%d" % port, "-key", fingerprint],
                                          stdout=said, stderr=said))
        found = eventually(lambda: re.findall(r"witness\.example/w\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", open(place("w.log")).read()),
                           "the witness's key")
        url = "http://127.0.0.1:%d" % port
        # It serves a moment after it said its key.
        eventually(lambda: office.run("witness", "remove", found[0]).returncode in (0, 1) and
                   "Cosigned by" in office.run("witness", "add", found[0], url).stderr, "a cosignature")
        checkpoint = fetch(world, "/orders/checkpoint")[2].decode()
        assert checkpoint.count("\n\u2014 ") == 2, checkpoint
        auditor = Auditor(world)
        auditor.ok("--witness", found[0])
        assert "Cosigned by" in office.run("order", "answer", court.order("more"), "--out", place("out")).stderr
        auditor.ok("--witness", found[0])
        independent(world, office, 3)
        # A witness that nobody knows has not cosigned.
        stranger = "stranger.example/w+aa4a09d1+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
        assert Auditor(world, "wrong").run("--witness", stranger).returncode in (2, 4)
        # A rewritten log gets no cosignature, and who wants one hears of it.
        tampered(office, lambda: records(office, "UPDATE leaves SET entry = replace(entry, 'court', 'police') WHERE position = 0"))
        done = office.run("log", "publish")
        assert "Not cosigned by" in done.stderr, done
        Auditor(world, "strict").convicts("not cosigned", "--witness", found[0])
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE)
        world.close()


if __name__ == "__main__":
    main([test_an_auditor_follows, test_more_entries_than_a_tile, test_a_rewritten_log_is_convicted,
          test_an_operator_cannot_sign_over_older_records, test_the_report, test_a_witness_cosigns])
