"""Lawful orders, played through: a court with nothing but `openssl cms`, and those who are none."""
import base64
import contextlib
import datetime
import hashlib
import http.client
import json
import os
import re
import shutil
import sqlite3
import ssl
import subprocess
import time

import jsonschema

from world import PATIENCE, SOTTOD, Skip, World, eventually, main

LEAF = """[req]
distinguished_name=dn
[dn]
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[leaf]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,nonRepudiation
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[cipher]
basicConstraints=critical,CA:FALSE
keyUsage=critical,keyEncipherment
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""


def openssl(directory, *args, text=None):
    done = subprocess.run(["openssl", *args], cwd=directory, input=text, capture_output=True,
                          timeout=PATIENCE)
    assert done.returncode == 0, "openssl %s: %s" % (" ".join(args), done.stderr.decode())
    return done.stdout


class Court:
    """A certificate authority and a judge's certificate under it."""

    def __init__(self, directory, name, key="ec", extensions="leaf", dates=("-days", "365"), strong=True):
        self.directory = os.path.join(directory, name)
        os.mkdir(self.directory)
        self.path("openssl.cnf", LEAF)
        new = {"ec": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("rsa:2048",),
               "weak": ("rsa:1024",)}[key]
        openssl(self.directory, "req", "-x509", "-newkey", *new, "-nodes", "-keyout", "ca.key",
                "-out", "ca.pem", "-days", "3650", "-subj", "/CN=%s CA" % name, "-config", "openssl.cnf",
                "-extensions", "ca")
        openssl(self.directory, "req", "-newkey", *new, "-nodes", "-keyout", "judge.key",
                "-out", "judge.csr", "-subj", "/CN=Judge of %s" % name, "-config", "openssl.cnf")
        openssl(self.directory, "x509", "-req", "-in", "judge.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-set_serial", "0x1001", *dates, "-extfile", "openssl.cnf", "-extensions", extensions,
                "-out", "judge.pem")

    def path(self, name, content=None):
        path = os.path.join(self.directory, name)
        if content is not None:
            with open(path, "w" if isinstance(content, str) else "wb") as file:
                file.write(content)
        return path

    def crl(self, *revoked):
        """A list of revoked certificates, as `openssl ca` makes it."""
        self.path("ca.cnf", "[ca]\ndefault_ca=c\n[c]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n"
                            "default_crl_days=30\n")
        self.path("index", "")
        self.path("index.attr", "unique_subject = no\n")
        self.path("number", "01\n")
        keys = ("-keyfile", "ca.key", "-cert", "ca.pem", "-config", "ca.cnf")
        for certificate in revoked:
            openssl(self.directory, "ca", *keys, "-revoke", certificate)
        openssl(self.directory, "ca", *keys, "-gencrl", "-out", "crl.pem")
        return self.path("crl.pem")

    def order(self, name="order", sign=("-nodetach", "-outform", "DER"), digest="sha256", cades=True, **fields):
        """Writes and signs an order; returns the path of the signed file."""
        document = {
            "sotto": "order", "version": 1, "reference": "12 Gs %s/26" % name, "framework": "dsa",
            "legalBasis": "Article 10 of Regulation (EU) 2022/2065",
            "issuer": {"name": "Amtsgericht Mitte", "kind": "court", "jurisdiction": "DE"},
            "recipient": {"phone": "+4930123456"}, "reasons": "Suspicion of fraud.",
            "redress": "Complaint to the Landgericht within two weeks.",
            "answerTo": {"name": "Amtsgericht Mitte", "address": "by post"},
            "data": ["phone_number", "last_ip"], "language": "de",
            "issued": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))}
        document.update(fields)
        document = {k: v for k, v in document.items() if v is not None}
        self.path(name + ".json", json.dumps(document, ensure_ascii=False, indent=1) + "\n")
        openssl(self.directory, "cms", "-sign", "-in", name + ".json", "-signer", "judge.pem", "-inkey",
                "judge.key", "-md", digest, *(("-cades",) if cades else ()), *sign, "-out", name + ".p7m")
        return self.path(name + ".p7m")


class Office:
    """The operator's commands."""

    def __init__(self, world):
        self.world = world
        self.data = os.path.join(world.directory, "relay")
        self.count = 0

    def run(self, *args):
        done = subprocess.run([SOTTOD, *args, "--data", self.data], capture_output=True,
                              encoding="utf-8", timeout=PATIENCE)
        assert "Sanitizer" not in done.stderr and "bug:" not in done.stderr, done.stderr
        return done

    def ok(self, *args):
        done = self.run(*args)
        assert done.returncode == 0, "sottod %s: %d %s%s" % (" ".join(args), done.returncode, done.stdout,
                                                            done.stderr)
        return done.stdout

    def enrol(self, court, name="Berlin", jurisdiction="DE", kind="court", crl=None):
        self.ok("authority", "add", name, "--certificate", court.path("ca.pem"), "--jurisdiction",
                jurisdiction, "--kind", kind, *(("--crl", crl) if crl else ("--no-crl",)))

    def answer(self, path, *more, code=0):
        """The answer as the court reads it: verified with `openssl cms` against the relay's certificate."""
        self.count += 1
        out = os.path.join(self.world.directory, "answer%d.p7m" % self.count)
        done = self.run("order", "answer", path, "--out", out, *more)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        if not os.path.exists(out):
            return None
        said = openssl(self.world.directory, "cms", "-verify", "-cades", "-binary", "-inform", "DER",
                       "-in", out, "-CAfile", os.path.join(self.data, "orders", "answer.pem"),
                       "-purpose", "any")
        return json.loads(said)

    def refused(self, path, why, *more):
        check = self.run("order", "check", path, *more)
        assert check.returncode == 3, check
        assert "(%s)" % why in check.stdout, check.stdout
        answer = self.answer(path, *more, code=3)
        assert answer["outcome"] == "refused" and answer["refusal"] == why, answer
        assert "phone_number" not in answer and "last_ip" not in answer, answer
        return answer

    def leaves(self):
        """The log's entries, from the bundles that anybody can fetch."""
        found, folder = [], os.path.join(self.data, "orders", "log", "tile", "entries")
        names = sorted(os.listdir(os.path.join(folder, "000.p")), key=int)
        with open(os.path.join(folder, "000.p", names[-1]), "rb") as file:
            rest = file.read()
        while rest:
            size = int.from_bytes(rest[:2], "big")
            found.append(rest[2:2 + size].decode())
            rest = rest[2 + size:]
        return found


def fetch(world, path):
    """GET at the relay: (status, type, body)."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", world.port, context=context, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), body


def phone_world():
    """A relay that wants phone numbers, with Alice at it; an order may ask for her."""
    world = World("Alice", "Bob", config="registration = phone\n")
    world.start_relay()
    for count, (person, number) in enumerate(zip(world.people, ("+4930123456", "+4930654321")), 1):
        person.run("register", "--relay", world.address, "--name", person.name, "--phone", number)
        eventually(lambda: len(re.findall(r"code[ =:]+\d{6}\b", world.log())) == count, "the code")
        person.ok("register", "--relay", world.address, "--name", person.name, "--phone", number, "--code",
                  world.last_code())
    return world


def test_the_court_obtains_two_fields():
    """a court with `openssl cms` obtains exactly the two fields, while the relay serves"""
    world = phone_world()
    try:
        office, court = Office(world), Court(world.directory, "Mitte")
        office.enrol(court)
        path = court.order(data=["phone_number", "last_ip", "messages", "contacts", "all data"])
        with open(os.path.join(os.path.dirname(__file__), "../../packaging/order.schema.json")) as schema, \
                open(court.path("order.json")) as document:
            jsonschema.Draft202012Validator(json.load(schema)).validate(json.load(document))
        assert "The order is good" in office.ok("order", "check", path)
        before = subprocess.run([SOTTOD, "--data", office.data, "order", "check", path], capture_output=True, text=True)
        assert "The order is good" in before.stdout, before  # options may stand before the words, as for sottod itself
        answer = office.answer(path)
        assert answer["phone_number"] == "+4930123456", answer
        assert answer["last_ip"]["address"] == "127.0.0.1", answer
        assert abs(time.time() - time.mktime(time.strptime(answer["last_ip"]["time"], "%Y-%m-%dT%H:%M:%SZ"))
                   + time.timezone) < 86400, answer
        assert [one["asked"] for one in answer["notHeld"]] == ["messages", "contacts", "all data"], answer
        assert set(answer) == {"sotto", "version", "order", "decided", "outcome", "phone_number", "last_ip",
                               "notHeld", "log"}, answer
        with open(court.path("order.json"), "rb") as file:
            assert answer["order"]["sha256"] == hashlib.sha256(
                file.read().replace(b"\n", b"\r\n")).hexdigest(), "of the bytes that were signed"
        # Each field only if it is asked for.
        only = office.answer(court.order("phone", data=["phone_number"]))
        assert "phone_number" in only and "last_ip" not in only and only["notHeld"] == [], only
        only = office.answer(court.order("ip", data=["last_ip"]))
        assert "phone_number" not in only and only["last_ip"]["address"] == "127.0.0.1", only
        # Only an address of the period that the order names.
        past = office.answer(court.order("past", data=["last_ip"],
                                         period={"from": "2020-01-01T00:00:00Z", "to": "2020-12-31T00:00:00Z"}))
        assert past["outcome"] == "not_held" and "last_ip" not in past, past
        nothing = office.answer(court.order("messages", data=["messages", "groups", "names"]))
        assert nothing["outcome"] == "not_held" and len(nothing["notHeld"]) == 3, nothing
        unknown = office.answer(court.order("unknown", recipient={"phone": "+4930999999"}))
        assert unknown["outcome"] == "unknown_recipient" and "phone_number" not in unknown, unknown
        account = world.people[1].ok("status").of("status")[0]["account"]
        other = office.answer(court.order("account", recipient={"account": account}))
        assert other["phone_number"] == "+4930654321", other
        entries = office.leaves()
        assert len(entries) == 7, entries
        assert "given phone_number last_ip\n" in entries[0] and "jurisdiction DE\n" in entries[0], entries[0]
        assert "authority court\n" in entries[0] and "outcome answered\n" in entries[0], entries[0]
        for secret in ("+4930", "127.0.0.1", "12 Gs", "fraud", "Amtsgericht"):
            assert not any(secret in entry for entry in entries), (secret, entries)
        # The relay puts its word to the people into their inboxes, of each order that is no unknown person's.
        eventually(lambda: os.listdir(os.path.join(office.data, "orders", "outgoing")) == [], "the notices' delivery")
        with contextlib.closing(sqlite3.connect(os.path.join(office.data, "relay.db"))) as db:
            told = [row[0] for row in db.execute("SELECT count(*) FROM envelopes GROUP BY device")]
        assert sorted(told) == [1, 5], told
    finally:
        world.close()


def test_forms_of_signature():
    """an order may be enclosed or detached, in DER, PEM or S/MIME, with RSA or elliptic curves; its answer encrypted"""
    world = phone_world()
    try:
        office, court, rsa = Office(world), Court(world.directory, "Mitte"), Court(world.directory, "Wien", key="rsa")
        office.enrol(court)
        office.enrol(rsa, "Vienna", jurisdiction="AT,EU")
        austria = {"name": "LG Wien", "kind": "court", "jurisdiction": "AT"}
        for name, sign in (("der", ("-nodetach", "-outform", "DER", "-binary")), ("pem", ("-nodetach", "-outform", "PEM")),
                           ("smime", ("-nodetach",)), ("multipart", ())):
            assert "phone_number" in office.answer(court.order(name, sign=sign)), name
        for name, sign in (("d1", ("-outform", "DER", "-binary")), ("d2", ("-outform", "PEM"))):
            path = court.order(name, sign=sign)
            assert office.run("order", "check", path).returncode == 3
            assert "phone_number" in office.answer(path, "--document", court.path(name + ".json")), name
        assert "phone_number" in office.answer(rsa.order("rsa", issuer=austria, digest="sha512"))
        out = os.path.join(world.directory, "sealed")
        office.ok("order", "answer", rsa.order("sealed", issuer=austria), "--out", out, "--encrypt")
        opened = openssl(rsa.directory, "cms", "-decrypt", "-binary", "-inform", "DER", "-in", out, "-recip",
                         "judge.pem", "-inkey", "judge.key")
        with open(out, "rb") as file:
            assert b"+4930123456" not in file.read()
        assert b"+4930123456" in opened
    finally:
        world.close()


def test_refusals():
    """forgers, wrong authorities, old and repeated orders get a clear refusal, and an entry in the log"""
    world = phone_world()
    try:
        office, court, stranger = Office(world), Court(world.directory, "Mitte"), Court(world.directory, "Nowhere")
        office.enrol(court)
        unsigned = court.path("unsigned", json.dumps({"sotto": "order"}))
        office.refused(unsigned, "unsigned")
        assert "issuer certificate" in office.refused(stranger.order(), "unknown_authority")["because"]
        forged = court.order("forged")
        with open(forged, "rb") as file:
            changed = file.read().replace(b"+4930123456", b"+4930654321")
        office.refused(court.path("forged2", changed), "unknown_authority")
        office.refused(court.order("plain", cades=False), "unknown_authority")
        assert "digest" in office.refused(court.order("sha1", digest="sha1"), "unknown_authority")["because"]
        france = {"name": "TJ Paris", "kind": "court", "jurisdiction": "FR"}
        assert "FR" in office.refused(court.order("abroad", issuer=france), "wrong_jurisdiction")["because"]
        police = {"name": "LKA", "kind": "police", "jurisdiction": "DE"}
        office.refused(court.order("police", issuer=police), "wrong_kind")
        office.refused(court.order("future", issued="2099-01-01T00:00:00Z"), "wrong_date")
        office.refused(court.order("secret", confidentialUntil="2099-01-01T00:00:00Z"), "wrong_date")
        for name, fields in (("nobasis", {"legalBasis": None}), ("noreasons", {"reasons": None}),
                             ("noredress", {"redress": None}), ("nodata", {"data": []}),
                             ("two", {"recipient": {"phone": "+4930123456", "username": "a"}}),
                             ("everybody", {"recipient": {"phone": "*"}}), ("nobody", {"recipient": {"username": "@Anna"}}),
                             ("more", {"everything": True}),
                             ("v2", {"version": 2})):
            office.refused(court.order(name, **fields), "bad_document")
        assert "phone_number" in office.answer(court.order("once"))
        before = len(office.leaves())
        again = office.run("order", "answer", court.path("once.p7m"), "--out", os.path.join(world.directory, "x"))
        assert again.returncode == 3 and "repeated" in again.stdout, again
        other = court.order("once2", reference="12 Gs once/26", recipient={"phone": "+4930654321"})
        again = office.run("order", "answer", other, "--out", os.path.join(world.directory, "x"))
        assert again.returncode == 3 and "repeated" in again.stdout, again
        assert not os.path.exists(os.path.join(world.directory, "x"))
        assert len(office.leaves()) == before, "what is repeated is no new decision"
        assert sum("outcome refused\n" in entry for entry in office.leaves()) == before - 1
        office.ok("authority", "remove", "Berlin")
        office.refused(court.order("gone"), "unknown_authority")
    finally:
        world.close()


def test_certificates():
    """certificates that ended, were revoked, are weak or not to sign with are refused"""
    world = phone_world()
    try:
        office = Office(world)
        ended = Court(world.directory, "Ended", dates=("-not_before", "20200101000000Z", "-not_after", "20210101000000Z")
                      if b"-not_before" in subprocess.run(["openssl", "x509", "-help"], capture_output=True).stderr
                      else ("-days", "-1"))
        office.enrol(ended, "Ended")
        assert "expired" in office.refused(ended.order("ended"), "unknown_authority")["because"]
        office.ok("authority", "remove", "Ended")
        cipher = Court(world.directory, "Cipher", extensions="cipher")
        office.enrol(cipher, "Cipher")
        assert "keyUsage" in office.refused(cipher.order("cipher"), "unknown_authority")["because"]
        office.ok("authority", "remove", "Cipher")
        weak = Court(world.directory, "Weak", key="weak")
        office.enrol(weak, "Weak")
        assert "weak" in office.refused(weak.order("weak"), "unknown_authority")["because"]
        office.ok("authority", "remove", "Weak")
        court = Court(world.directory, "Mitte")
        office.enrol(court, crl=court.crl())
        assert "phone_number" in office.answer(court.order("good"))
        office.ok("authority", "crl", "Berlin", court.crl("judge.pem"))
        assert "revoked" in office.refused(court.order("revoked"), "unknown_authority")["because"]
    finally:
        world.close()


def test_e_evidence():
    """under e-Evidence police need a judge or prosecutor to validate; what is not held is not held for anyone"""
    world = phone_world()
    try:
        office, court = Office(world), Court(world.directory, "Mitte")
        office.enrol(court, kind="court,prosecutor,police")
        police = {"name": "LKA", "kind": "police", "jurisdiction": "DE"}
        prosecutor = {"name": "StA Berlin", "kind": "prosecutor", "jurisdiction": "DE"}
        office.refused(court.order("alone", framework="e-evidence", issuer=police), "not_validated")
        office.refused(court.order("police2", framework="e-evidence", issuer=police,
                                   validatedBy={"name": "LKA", "kind": "police"}), "not_validated")
        assert "phone_number" in office.answer(court.order(
            "validated", framework="e-evidence", issuer=police, validatedBy={"name": "AG", "kind": "court"}))
        assert "phone_number" in office.answer(court.order("prosecutor", framework="e-evidence", issuer=prosecutor))
        traffic = ["traffic_data", "content_data"]
        by_prosecutor = office.answer(court.order("t1", framework="e-evidence", issuer=prosecutor, data=traffic))
        by_court = office.answer(court.order("t2", framework="e-evidence", data=traffic))
        assert by_prosecutor["outcome"] == by_court["outcome"] == "not_held"
        assert by_prosecutor["notHeld"] == by_court["notHeld"]
    finally:
        world.close()


def test_two_people():
    """where two operators have to approve, nothing is read before both did, and their signatures count"""
    world = phone_world()
    try:
        office, court = Office(world), Court(world.directory, "Mitte")
        office.enrol(court)
        keys = {}
        for name in ("anna", "ben"):
            keys[name] = os.path.join(world.directory, name + ".key")
            office.ok("operator", "add", name, office.ok("operator", "key", keys[name]).strip())
        assert os.stat(keys["anna"]).st_mode & 0o777 == 0o600
        assert office.run("operator", "require", "3").returncode == 1
        office.ok("operator", "require", "2")
        path, out = court.order(), os.path.join(world.directory, "out")
        refused = office.run("order", "answer", path, "--out", out)
        assert refused.returncode == 1 and "0 of 2" in refused.stderr, refused
        assert not os.path.exists(out)
        office.ok("order", "approve", path, "--as", "anna", "--key", keys["anna"])
        assert office.run("order", "approve", path, "--as", "ben", "--key", keys["anna"]).returncode == 1
        office.ok("order", "approve", path, "--as", "anna", "--key", keys["anna"])
        assert "1 of 2" in office.run("order", "answer", path, "--out", out).stderr
        office.ok("order", "approve", path, "--as", "ben", "--key", keys["ben"])
        assert office.answer(path)["phone_number"] == "+4930123456"
        # An approval is of one order.
        assert office.run("order", "answer", court.order("other"), "--out", out).returncode == 1
        # Refusing needs nobody.
        office.ok("order", "refuse", court.path("other.p7m"), "--reason", "The redress is not open.", "--out", out)
        assert "outcome refused" in office.leaves()[-1]
    finally:
        world.close()


def test_looking_back():
    """an entry of the log can be opened with what was kept, until that is erased"""
    world = phone_world()
    try:
        office, court = Office(world), Court(world.directory, "Mitte")
        office.enrol(court)
        path = court.order()
        office.ok("order", "acknowledge", path)
        digest = office.answer(path)["order"]["sha256"]
        files = [os.path.join(world.directory, name) for name in ("o", "a")]
        shown = office.ok("order", "show", digest, "--order", files[0], "--out", files[1])
        entry = dict(line.split(" ", 1) for line in office.leaves()[0].splitlines())
        for label, name, field in (("order:", files[0], "order"), ("answer:", files[1], "answer")):
            salt = [line for line in shown.splitlines() if label in line][0].split()[-1]
            with open(name, "rb") as file:
                assert hashlib.sha256(bytes.fromhex(salt) + file.read()).hexdigest() == entry[field], field
        with open(files[0], "rb") as kept, open(path, "rb") as sent:
            assert kept.read() == sent.read()
        assert digest in office.ok("order", "list")
        office.ok("order", "forget", digest)
        assert office.run("order", "show", digest).returncode == 1
        with open(os.path.join(office.data, "orders", "orders.db"), "rb") as file:
            assert b"+4930123456" not in file.read()
        assert len(office.leaves()) == 1
        assert office.run("order", "answer", path, "--out", files[0] + "2").returncode == 3
    finally:
        world.close()


def test_the_log_is_served():
    """the relay itself serves the log to anybody, and nothing else"""
    world = phone_world()
    try:
        office, court = Office(world), Court(world.directory, "Mitte")
        assert fetch(world, "/orders/checkpoint")[0] == 404
        office.enrol(court)
        for number in range(3):
            office.answer(court.order("o%d" % number))
        folder = os.path.join(office.data, "orders", "log")
        for path, kind in (("checkpoint", "text/plain; charset=utf-8"), ("key", "text/plain; charset=utf-8"),
                           ("tile/0/000.p/3", "application/octet-stream"),
                           ("tile/entries/000.p/3", "application/octet-stream")):
            status, told, body = fetch(world, "/orders/" + path)
            with open(os.path.join(folder, path), "rb") as file:
                assert (status, told, body) == (200, kind, file.read()), path
        for path in ("/orders/", "/orders/../relay.db", "/orders/log.key", "/orders/tile/0/000.p/4", "/orders/orders.db",
                     "/orders/tile/0/../../../log.key", "/orders/checkpoint/", "/", "/orders/%2e%2e/log.key",
                     "/orders/key.new"):
            assert fetch(world, path)[0] == 404, path
        leaves = [hashlib.sha256(b"\0" + entry.encode()).digest() for entry in office.leaves()]
        root = hashlib.sha256(b"\1" + hashlib.sha256(b"\1" + leaves[0] + leaves[1]).digest() + leaves[2]).digest()
        lines = fetch(world, "/orders/checkpoint")[2].decode().splitlines()
        assert lines[1:3] == ["3", base64.b64encode(root).decode()], lines
    finally:
        world.close()


def test_killed_at_any_point():
    """killed at every third call that changes a file, a decision is whole or not there, and never twice"""
    world = phone_world()
    try:
        office, court = Office(world), Court(world.directory, "Mitte")
        office.enrol(court)
        world.stop_relay()  # which would deliver the notices
        secret = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        office.answer(court.order("first", confidentialUntil=secret))
        number, step = 0, 3
        while True:
            path, out = court.order("k%d" % number, confidentialUntil=secret), os.path.join(world.directory, "k%d" % number)
            before = len(office.leaves())
            done = subprocess.run([os.environ["SOTTO_KILL_AT"], str(number), SOTTOD, "order", "answer", path, "--out", out,
                                   "--data", office.data], capture_output=True, encoding="utf-8", timeout=PATIENCE)
            if done.returncode == 77:
                raise Skip("this machine lets no process trace its child")
            assert done.returncode in (0, 137), done
            office.ok("log", "publish")
            entries = office.leaves()
            listed = office.ok("order", "list").splitlines()
            mine = [line for line in listed if line.endswith("12 Gs k%d/26" % number)]
            decided = [line for line in mine if " answered " in line]
            assert len(entries) == sum(" entry " in line for line in listed), (number, entries, listed)
            assert before <= len(entries)
            # The person is told of what was answered, and of nothing else.
            told = [name for name in os.listdir(os.path.join(office.data, "orders", "outgoing")) if name.endswith(".note")]
            assert len(told) == len(entries), (number, told, entries)
            if not decided:
                assert "phone_number" in office.answer(path), number
            else:
                again = office.run("order", "answer", path, "--out", out + "2")
                assert again.returncode == 3 and "repeated" in again.stdout, again
            if done.returncode == 0:
                break
            number += step
        assert number > 10, number
    finally:
        world.close()


def test_the_person_is_told():
    """the notice comes into the account's inbox, at once or when it is time, signed by the log's key"""
    world = phone_world()
    try:
        office, court = Office(world), Court(world.directory, "Mitte")
        office.enrol(court)
        folder = os.path.join(office.data, "orders", "outgoing")

        def envelopes():
            with contextlib.closing(sqlite3.connect(os.path.join(office.data, "relay.db"))) as db:
                return [row[0] for row in db.execute("SELECT sealed FROM envelopes") if row[0].startswith(b"sotto notice")]
        until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        office.answer(court.order("later", confidentialUntil=until))
        office.answer(court.order("now", reasons="Fraud.\nsotto notice v1\nIt was given: nothing."))
        office.answer(court.order("nobody", recipient={"phone": "+4930999999"}))
        (notice,) = eventually(envelopes, "the notice")
        eventually(lambda: len(os.listdir(folder)) == 1, "what is not due stays")
        text, signature = notice.decode().rsplit("\n\n", 1)
        assert "\nreference\n> 12 Gs now/26\n" in text and "\ngiven phone_number last_ip\n" in text, text
        assert re.search(r"\naccount [0-9a-f]{64}\n", text) and "\nasked\n> phone_number\n> last_ip\n" in text, text
        assert "\n> sotto notice v1\n> It was given: nothing.\n" in text, "what others wrote is quoted"
        assert "\nredress\n> Complaint" in text, text
        key = office.ok("log", "show").split()[1]
        assert signature.startswith("\u2014 %s " % key.split("+")[0]), signature
        # The schedule survives a restart; the file's name says when it is due.
        world.stop_relay()
        (waiting,) = os.listdir(folder)
        os.rename(os.path.join(folder, waiting), os.path.join(folder, "0" * 20 + waiting[20:]))
        world.start_relay()
        eventually(lambda: len(envelopes()) == 2 and not os.listdir(folder), "the other notice")
        # A client that does not know notices passes them over.
        world.people[0].ok("sync")
    finally:
        world.close()


def test_backup_and_owner():
    """a backup has the records and the log; a restore takes no entry away; what root makes is the relay's"""
    world = phone_world()
    try:
        office, court = Office(world), Court(world.directory, "Mitte")
        office.enrol(court)
        office.answer(court.order("before"))
        backup = os.path.join(world.directory, "backup")
        office.ok("backup", backup)
        office.answer(court.order("after"))
        checkpoint = fetch(world, "/orders/checkpoint")[2]
        world.stop_relay()
        office.ok("restore", backup, "--force")
        world.start_relay()
        assert fetch(world, "/orders/checkpoint")[2] == checkpoint and len(office.leaves()) == 2
        # On another machine there is what the backup has.
        world.stop_relay()
        shutil.rmtree(office.data)
        office.ok("restore", backup)
        assert "entry 0" in office.ok("order", "list") and len(office.leaves()) == 1
        assert office.run("order", "answer", court.path("before.p7m"), "--out", court.path("again")).returncode == 3
        if os.geteuid() == 0:
            for folder, folders, files in os.walk(office.data):
                for name in [folder, *(os.path.join(folder, one) for one in folders + files)]:
                    os.chown(name, 65534, 65534, follow_symlinks=False)
            office.answer(court.order("as_root"))
            owners = {os.lstat(os.path.join(folder, one)).st_uid
                      for folder, folders, files in os.walk(os.path.join(office.data, "orders")) for one in folders + files}
            assert owners == {65534}, owners
        # Without the keys, for somewhere less safe.
        office.ok("backup", backup + "2", "--without-key")
        kept = sorted(os.listdir(os.path.join(backup + "2", "orders")))
        assert kept == ["answer.pem", "log", "orders.db", "outgoing"], kept
        # An answer is not given where it could not be written.
        path = court.path("there", "")
        assert office.run("order", "answer", court.order("twice"), "--out", path).returncode == 1
        assert "phone_number" in office.answer(court.path("twice.p7m"))
    finally:
        world.close()


if __name__ == "__main__":
    main([test_the_court_obtains_two_fields, test_forms_of_signature, test_refusals, test_certificates,
          test_e_evidence, test_two_people, test_looking_back,
          test_the_log_is_served, test_the_person_is_told,
          test_backup_and_owner, test_killed_at_any_point])
