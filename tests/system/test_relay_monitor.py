"""What a relay tells its operator: /metrics, /health, `sottod status`."""
import http.client
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess

from world import World, eventually, free_port, main


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), text


def parse(text):
    """Prometheus' text format, strictly: {name with labels: value}."""
    values, kind = {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            found = re.fullmatch(r"# (?:HELP ([a-z_]+) (.+)|TYPE ([a-z_]+) (counter|gauge|histogram))", line)
            assert found, line
            if found[3]:
                assert found[3] not in kind, "twice: " + line
                kind[found[3]] = found[4]
            continue
        found = re.fullmatch(r'([a-z_]+)(\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})? (-?[0-9.e+-]+)', line)
        assert found, line
        base = re.sub("_(bucket|sum|count)$", "", found[1])
        family = found[1] if found[1] in kind else base
        assert family in kind and (kind[family] == "histogram") == (family != found[1]), line
        assert (kind[family] == "counter") == family.endswith("_total"), line
        assert found[1] + (found[2] or "") not in values, "twice: " + line
        values[found[1] + (found[2] or "")] = float(found[3])
    return values


def test_metrics():
    """the figures are in Prometheus' format, and follow what happens"""
    port = free_port()
    with World("Alice", "Bob", options=["--metrics", "127.0.0.1:%d" % port]) as (world, alice, bob):
        before = parse(get(port, "/metrics")[2])
        alice.register()
        bob.register()
        world.befriend(alice, bob)
        alice.ok("send", "Bob", "hello")
        status, kind, text = get(port, "/metrics")
        assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
        after = parse(text)
        for name in ("sottod_connections_accepted_total", "sottod_messages_received_total",
                     "sottod_message_bytes_sent_total", 'sottod_store_operation_seconds_count{kind="append"}',
                     'sottod_store_operation_seconds_bucket{kind="write",le="+Inf"}'):
            assert after[name] > before[name], name
        buckets = [v for n, v in after.items() if n.startswith('sottod_store_operation_seconds_bucket{kind="append"')]
        assert buckets == sorted(buckets)
        assert after["sottod_store_healthy"] == 1 and after["sottod_store_database_bytes"] > 0
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True)
            assert checked.returncode == 0, checked.stdout + checked.stderr
            print("# promtool finds nothing to say")
        for path in ("/", "/status", "/metricsx"):
            assert get(port, path)[0] == 404, path


def test_hostile():
    """whoever says nothing, too much or nonsense there is let go, and the next is answered"""
    port = free_port()
    with World(options=["--metrics", "127.0.0.1:%d" % port]) as (world,):
        for request in (b"", b"GET", b"POST /metrics HTTP/1.1\r\n\r\n", b"GET /metrics" + b"x" * 10000, b"\0" * 5000):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                try:
                    client.sendall(request)
                    if not request:
                        client.shutdown(socket.SHUT_WR)
                    answer = client.recv(100)
                    assert b" 200 " not in answer, (request, answer)
                except ConnectionError:
                    pass
            assert get(port, "/health")[0] == 200


def test_health():
    """/health and status say what is wrong"""
    port = free_port()
    with World("Alice", options=["--metrics", "127.0.0.1:%d" % port]) as (world, alice):
        alice.register()
        assert get(port, "/health")[::2] == (200, "good\n")
        with sqlite3.connect(world.directory + "/relay/relay.db") as database:
            database.execute("UPDATE devices SET sign_in_hash=x'00'")
        database.close()
        alice.run("sync")
        status, _, text = eventually(lambda: get(port, "/health")[0] == 503 and get(port, "/health"), "503")
        assert "damaged" in text and "sottod check" in text, text
        assert parse(get(port, "/metrics")[2])["sottod_healthy"] == 0
        shown = subprocess.run(world.relay_command("status"), capture_output=True, text=True)
        assert shown.returncode == 0 and "damaged" in shown.stdout, shown


def test_status():
    """`sottod status` is for people, and with --json for programs"""
    with World("Alice") as (world, alice):
        alice.register()
        people = subprocess.run(world.relay_command("status"), capture_output=True, text=True)
        assert people.returncode == 0, people
        for line in (r"serving       for .+, version .+, \d+ threads", r"health        good", r"accounts      1",
                     r"last backup   never", r"database      .+ [KM]iB"):
            assert re.search("^" + line + "$", people.stdout, re.M), (line, people.stdout)
        of = json.loads(subprocess.run(world.relay_command("status", "--json"), capture_output=True).stdout)
        assert of["serving"] and of["accounts"] == 1 and of["problems"] == [] and of["addresses"] == [world.address]
        world.stop_relay()
        of = json.loads(subprocess.run(world.relay_command("status", "--json"), capture_output=True).stdout)
        assert not of["serving"] and of["accounts"] == 1


def test_full():
    """a limit of file sizes is a full disk: the relay stays, says so, and stores again behind it"""
    port = free_port()
    with World("Alice", options=["--metrics", "127.0.0.1:%d" % port]) as (world, alice):
        alice.register()
        subprocess.run(["prlimit", "--pid", str(world.relay.pid), "--fsize=1024:unlimited"], check=True)
        eventually(lambda: alice.run("invite") and get(port, "/health")[0] == 503, "503")
        assert "cannot store" in get(port, "/health")[2]
        of = json.loads(subprocess.run(world.relay_command("status", "--json"), capture_output=True).stdout)
        assert any("cannot store" in problem for problem in of["problems"]), of
        subprocess.run(["prlimit", "--pid", str(world.relay.pid), "--fsize=unlimited"], check=True)
        eventually(lambda: alice.run("invite") and get(port, "/health")[0] == 200, "200")
        assert "storing_again" in world.log()


def files_with(directory, needle):
    found = set()
    for folder, _, names in os.walk(directory):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    if needle in file.read():
                        found.add(os.path.basename(path))
    return found


def columns_with(path, address):
    """Every (table, column) of a database that holds the address."""
    found = set()
    database = sqlite3.connect(path)
    for (table,) in database.execute("SELECT name FROM sqlite_schema WHERE type='table'").fetchall():
        rows = database.execute('SELECT * FROM "%s"' % table)
        names = [column[0] for column in rows.description]
        for row in rows:
            found |= {(table, name) for name, value in zip(names, row) if value in (address, address.encode())}
    database.close()
    return found


def test_addresses():
    """an IP address stands in one column, goes after its time, and is in no log, metric or status"""
    for retention, kept in (("forever", True), ("none", False), ("1s", False)):
        port, metrics = free_port(), free_port()
        # What the relay tells as its own address is a name here, not the one that is looked for.
        world = World("Alice", options=["--ip-retention", retention, "--log-level", "debug", "--public",
                                        "relay.example:7443", "--metrics", "127.0.0.1:%d" % metrics])
        world.port = port
        with world as (_, alice):
            alice.register("localhost:%d#%s" % (port, world.address.split("#")[1]))
            alice.ok("invite")
            assert "127.0.0" not in get(metrics, "/metrics")[2]
            people = subprocess.run(world.relay_command("status"), capture_output=True, text=True).stdout
            assert "127.0.0" not in people, people
            if retention == "1s":  # the first expiry comes seconds after the start
                eventually(lambda: " expired " in world.log(), "an expiry")
            assert "127.0.0" not in world.log()
            world.stop_relay()
            found = files_with(os.path.join(world.directory, "relay"), b"127.0.0.1")
            assert found == ({"relay.db"} if kept else set()), (retention, found)
            if kept:
                where = columns_with(os.path.join(world.directory, "relay", "relay.db"), "127.0.0.1")
                assert where == {("accounts", "last_ip")}, where


main([test_metrics, test_hostile, test_health, test_status, test_full, test_addresses])
