"""The demonstration behind `./dev demo`: a relay, two people, and what each can see.

Needs no terminal and no input. With a terminal, it lets you type at the end.
Exits with 1 if anything that it shows turns out otherwise than it says."""
import pathlib
import sqlite3
import sys
import textwrap
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "system"))
from world import World  # noqa: E402

HELLO = "Hello Bob, it's Alice \N{WAVING HAND SIGN}"
REPLY = "Hi Alice! Nobody else reads this, not even the relay. \N{LOCK}"
LINES = "A list, in several lines:\n  1. пшеница\n  2. 小麦\n  3. قمح"
MISSED = "You were offline when I wrote this."
LONG = "".join(f"This is line {n:05d} of a long message from Alice.\n" for n in range(1, 1400))[:65536]


def heading(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def say(text):
    print(textwrap.fill(text, 96), flush=True)


def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
               for c in text)


def clip(text, columns):
    out = ""
    for c in text:
        if width(out + c) > columns - 1:
            return out + "…"
        out += c
    return out


def side_by_side(left_title, left, right_title, right, columns=47):
    def row(a, b):
        a, b = clip(a, columns), clip(b, columns)
        print(f"  {a}{' ' * (columns - width(a))}| {b}")

    row(left_title, right_title)
    row("-" * (columns - 2), "-" * (columns - 2))
    for i in range(max(len(left), len(right))):
        row(left[i] if i < len(left) else "", right[i] if i < len(right) else "")
    sys.stdout.flush()


def history_lines(person, who):
    lines = []
    for message in person.history(who):
        if message["kind"] != "text":
            lines.append(f"· {message['kind']}")
            continue
        text = message["text"]
        shown = text.splitlines() if len(text) < 200 else [f"{text[:40]}… ({len(text.encode())} bytes)"]
        name = "me" if message["own"] else message["name"]
        lines.append(f"{name}: {shown[0]}")
        lines += ["    " + more for more in shown[1:]]
    return lines


def show_tables(database):
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    tables = [name for (name,) in db.execute(
        "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%' ORDER BY name")]
    for table in tables:
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        rows = db.execute(f"SELECT * FROM {table} LIMIT 3").fetchall()
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        print(f"  {table}: {count} row{'' if count == 1 else 's'}")
        for values in rows:
            cells = []
            for column, value in zip(columns, values):
                if isinstance(value, bytes):
                    value = f"{value[:8].hex()}… ({len(value)} bytes)" if len(value) > 8 else value.hex()
                cells.append(f"{column}={value}")
            print(textwrap.fill(", ".join(cells), 92, initial_indent="      ", subsequent_indent="        "))
        if count > len(rows):
            print(f"      … and {count - len(rows)} more")
    db.close()
    sys.stdout.flush()


def memory_of(pid):
    """Every readable byte of a process, region by region."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "r" not in rights or "[v" in line:  # vvar and vsyscall cannot be read
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except OSError:
                continue


def needles_of(text):
    """What to look for: the text as UTF-8, UTF-16 and hex, as a piece long enough to be no accident."""
    piece = text.encode()[:40]
    return [piece, piece.decode(errors="ignore").encode("utf-16-le"), piece.hex().encode()]


def search(places, needles):
    return {name: any(needle in chunk for chunk in chunks() for needle in needles)
            for name, chunks in places.items()}


def main():
    world = World("Bob", "Alice", options=["--allow-core"], disk=True)  # so that its memory may be read, as any debugger would
    try:
        return play(world, *world.people)
    finally:
        world.close()


def play(world, bob, alice):
    heading("A relay")
    world.start_relay()
    say("$ sottod      # no configuration; it made its own certificate, whose pin is part of the address")
    print(f"  {world.address}")

    heading("Two people, two profiles")
    bob.register()
    print("  $ sotto register --name Bob")
    phone = ["--phone", "+491555012345"]
    asked = alice.run("register", "--relay", world.address, "--name", "Alice", *phone)
    assert asked.error == "code_needed", asked
    alice.register(None, *phone, "--code", world.last_code())
    print("  $ sotto register --name Alice --phone +491555012345     # a code was sent and typed in")

    heading("Bob invites Alice by a link")
    link = bob.ok("invite").of("invitation")[0]["link"]
    print(f"  $ sotto invite\n  {link[:88]}…")
    alice.ok("accept", link)
    print("  $ sotto accept sotto://invite/…          # Alice, on her machine")
    bob.ok("listen", "--once")

    heading("They write")
    for who, to, text in ((alice, "Bob", HELLO), (bob, "Alice", REPLY), (alice, "Bob", LINES)):
        who.ok("send", to, "-", text=text)
        print(textwrap.indent(f"$ sotto send {to} {text!r}", "  "))
        (bob if who is alice else alice).ok("listen", "--once")

    heading("Bob goes offline; Alice writes on, 64 KiB in one message too; Bob comes back")
    alice.ok("send", "Bob", "-", text=MISSED)
    alice.ok("send", "Bob", "-", text=LONG)
    say(f"Alice sent {len(MISSED.encode())} and {len(LONG.encode())} bytes. Bob runs: sotto listen --once")
    bob.ok("listen", "--once")

    heading("What each of them sees")
    side_by_side("Alice: sotto history Bob", history_lines(alice, "Bob"),
                 "Bob: sotto history Alice", history_lines(bob, "Alice"))
    expected = [HELLO, REPLY, LINES, MISSED, LONG]
    ok = True
    for person, other in ((alice, "Bob"), (bob, "Alice")):
        if [text for _, text in person.texts(other)] != expected:
            print(f"  !! the history with {other} is not what was written")
            ok = False

    heading("The safety number, to compare by voice or face to face")
    a, b = alice.fingerprint("Bob"), bob.fingerprint("Alice")
    print(f"  Alice sees  {a}\n  Bob sees    {b}\n  {'the same' if a == b else '!! they differ'}")
    ok &= a == b

    heading("What the relay holds: every table, every row's kind")
    folder = pathlib.Path(world.directory) / "relay"
    database = folder / "relay.db"
    show_tables(database)

    heading("Looking for the plaintext on the relay")
    places = {"database": lambda: [database.read_bytes()],
              "WAL": lambda: [p.read_bytes() for p in folder.glob("*-wal")],
              "other files": lambda: [p.read_bytes() for p in folder.rglob("*")
                                              if p.is_file() and p.name not in ("relay.db", "relay.db-wal")],
              "log": lambda: [world.log().encode()],
              "memory": lambda: memory_of(world.relay.pid)}
    # Words that the relay must hold show that the search can find something.
    control = [b"+491555012345"]
    wanted = [("the phone number, which it may hold", control)]
    wanted += [(f"message: {clip(text.splitlines()[0], 31)}", needles_of(text)) for text in expected]
    wanted += [("the name Alice", [b"Alice"]), ("the name Bob", [b"Bob"])]
    names = list(places)
    print(f"  {'':42}" + "".join(f"{name:>12}" for name in names))
    for what, needles in wanted:
        found = search(places, needles)
        print(f"  {what}{' ' * (42 - width(what))}" + "".join(f"{'FOUND' if found[n] else '-':>12}" for n in names))
        if needles is control:
            if not (found["database"] or found["WAL"]):
                print("  !! the search does not work: it missed what is there")
                ok = False
        elif any(found.values()):
            print("  !! plaintext on the relay")
            ok = False
    say("")
    say("Nothing that was written is on the relay: it holds a phone number, public keys, hashes and ciphertext."
        if ok else "Something above is not as it should be.")

    if sys.stdin.isatty() and sys.stdout.isatty():
        talk(alice, bob)
    return 0 if ok else 1


def talk(alice, bob):
    heading("Your turn: type as Alice; Bob's side is shown below each line. An empty line ends it")
    seen = len(bob.texts("Alice"))
    while True:
        try:
            line = input("Alice> ")
        except EOFError:
            return
        if not line:
            return
        alice.ok("send", "Bob", "-", text=line)
        bob.ok("listen", "--once")
        new = bob.texts("Alice")
        for _, text in new[seen:]:
            print(f"       Bob reads: {text}")
        seen = len(new)


if __name__ == "__main__":
    sys.exit(main())
