"""People write and commit in shared rooms while clients and relay are killed with SIGKILL.

After all rounds everything is brought up again and caught up, and then:
  - every device of a room agrees on the epoch, its authenticator and the members;
  - every acknowledged message is in every member's history, once, in the same order;
  - nobody has a message from a time when they were not a member.
Prints TAP. The seed is printed first; the same seed makes the same choices (not the same timing).
"""
import argparse
import random
import signal
import sys
import time

from world import World

NAMES = ["Anna", "Ben", "Cleo", "Dan"]  # Anna is never removed: her log has everything in it
ROOMS = ["Kitchen", "Travel", "Books"]


class Chaos:
    def __init__(self, world, people, seed):
        self.random = random.Random(seed)
        self.world, self.people = world, people
        self.acknowledged = {room: [] for room in ROOMS}  # texts
        self.killed = {"clients": 0, "relay": 0}
        self.ran = {}

    # ---- set-up -------------------------------------------------------------------------------

    def begin(self):
        for person in self.people:
            person.register()
        anna, others = self.people[0], self.people[1:]
        for other in others:
            self.world.befriend(anna, other)
        for room in ROOMS:
            anna.ok("group", "create", room, *(other.name for other in others))
            anna.ok("group", "policy", room, "remove", "member")
        for other in others:
            other.ok("sync")

    # ---- one round ----------------------------------------------------------------------------

    def choose(self, person, number):
        """The arguments of one command, and the text it sends, if any."""
        r = self.random
        room = r.choice(ROOMS)
        what = r.choices(["send", "update", "add", "remove", "sync", "accept"], [56, 8, 12, 8, 12, 4])[0]
        self.ran[what] = self.ran.get(what, 0) + 1
        if what == "send":
            text = f"round {number}, {person.name} to {room} {r.getrandbits(48):012x}"
            return ["send", room, text, "--id", f"{number}-{person.name}"], room, text
        if what == "sync":
            return ["listen", "--once"], room, None
        if what == "accept": # whoever is added by somebody who is not a contact is asked
            return ["accept", str(r.randint(1, 9))], room, None
        if what == "update":
            return ["group", "update", room], room, None
        other = r.choice([p for p in self.people[1:] if p is not person] or [person])
        return ["group", what, room, other.name], room, None

    def round(self, number):
        r = self.random
        running = []
        for person in self.people:
            arguments, room, text = self.choose(person, number)
            fate = r.random() < 0.3 and r.uniform(0, 0.35)
            running.append((person, person.start(*arguments), room, text, fate))
        relay_fate = r.random() < 0.2 and r.uniform(0, 0.3)
        started = time.monotonic()
        if relay_fate is not False:
            running.append((None, None, None, None, relay_fate))
        for _, process, _, _, fate in sorted((x for x in running if x[4] is not False), key=lambda x: x[4]):
            time.sleep(max(0, started + fate - time.monotonic()))
            if process is None:
                self.world.stop_relay(signal.SIGKILL)
                self.world.start_relay()
                self.killed["relay"] += 1
            elif process.poll() is None:
                process.kill()
                self.killed["clients"] += 1
        for person, process, room, text, _ in running:
            if process is not None:
                result = person.finish(process)
                if text is not None and result.code == 0:
                    self.acknowledged[room].append(text)

    # ---- afterwards ---------------------------------------------------------------------------

    def settle(self):
        """Everyone catches up until nothing moves and nothing waits."""
        last, quiet = None, 0
        for _ in range(60):
            for person in self.people:
                person.run("listen", "--once")
                person.let_in()
            state = [summary(person) for person in self.people]
            quiet = quiet + 1 if state == last else 0
            last = state
            if quiet >= 2:
                return
        raise AssertionError(f"the rooms do not come to rest: {last}")

    def check(self, report):
        histories = {person.name: {room: person.history(room) for room in ROOMS} for person in self.people}
        states = {person.name: person.rooms() for person in self.people}
        for room in ROOMS:
            truth = histories["Anna"][room]
            inside = memberships(truth)
            present = [p.name for p in self.people if states[p.name][room]["state"] == "active"]
            report(sorted(present) == sorted(n for n in NAMES if inside[n].now),
                   f"{room}: those whose client says so are members ({', '.join(present)})")
            report(len({(states[n][room]["epoch"], states[n][room]["epochAuthenticator"]) for n in present}) == 1,
                   f"{room}: {len(present)} devices agree on epoch {states['Anna'][room]['epoch']} and its authenticator")
            texts = [m["text"] for m in truth if m["kind"] == "text"]
            lost = [t for t in self.acknowledged[room] if texts.count(t) != 1]
            report(not lost, f"{room}: {len(self.acknowledged[room])} acknowledged messages are in the log once"
                   + (f"; not so: {lost[:3]}" if lost else ""))
            report(len(texts) == len(set(texts)), f"{room}: no message twice among {len(texts)}")
            report(all(m["kind"] != "unreadable" for n in NAMES for m in histories[n][room]),
                   f"{room}: everything could be read")
            for name in NAMES[1:]:
                # Somebody who was added, not yet let in, and removed again has never joined that time:
                # only the newest invitation into a room counts.
                joined = {m["seq"] for m in histories[name][room] if m["kind"] == "joined"}
                spans = inside[name].spans
                report(not spans or spans[-1][1] is not None or spans[-1][0] in joined,
                       f"{room}: {name} joined with the newest invitation "
                       f"({sum(s[0] in joined for s in spans)} of {len(spans)} taken)")
                expected = [(m["seq"], m["text"]) for m in truth if m["kind"] == "text"
                            and inside[name].at(m["seq"], joined)]
                actual = [(m["seq"], m["text"]) for m in histories[name][room] if m["kind"] == "text"
                          and m["status"] != "failed"]
                report(actual == expected, f"{room}: {name} has exactly the {len(expected)} messages of their "
                       f"membership, in order" + difference(expected, actual))


def summary(person):
    """What changes while anything is still under way."""
    return sorted((c["title"], c["state"], c["epoch"], c["seq"], c["waiting"]) for c in person.rooms().values())


class Membership:
    def __init__(self):
        self.spans = []  # [from, to): sequence numbers, to None while a member
        self.now = False

    def enter(self, seq):
        if not self.now:
            self.spans.append([seq, None])
            self.now = True

    def leave(self, seq):
        if self.now:
            self.spans[-1][1] = seq
            self.now = False

    def at(self, seq, joined):
        return any(start in joined and start < seq and (end is None or seq < end) for start, end in self.spans)


def memberships(truth):
    """Who was a member when, from the events in the history of the one who saw them all."""
    result = {name: Membership() for name in NAMES}
    result["Anna"].enter(0)
    for event in truth:
        if event["kind"] == "added":
            result[event["subjectName"]].enter(event["seq"])
        elif event["kind"] in ("removed", "left"):
            result[event["subjectName"]].leave(event["seq"])
    return result


def difference(expected, actual):
    if expected == actual:
        return ""
    missing = [x for x in expected if x not in actual]
    extra = [x for x in actual if x not in expected]
    return f"; missing {missing[:3]}, too many {extra[:3]}" + ("" if missing or extra else ", other order")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs=2, metavar="PROGRAM", help="sotto and sottod")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the profiles and the relay's data")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"# seed {seed}", flush=True)
    results = []

    def report(good, what):
        results.append(good)
        print(f"{'ok' if good else 'not ok'} {len(results)} - {what}", flush=True)

    world = World(*NAMES)
    try:
        world.start_relay()
        chaos = Chaos(world, world.people, seed)
        chaos.begin()
        for number in range(options.rounds):
            chaos.round(number)
        chaos.settle()
        print(f"# {options.rounds} rounds, commands {chaos.ran}, killed {chaos.killed}")
        chaos.check(report)
    except Exception as error:  # a command that had to work did not, or nothing came to rest
        report(False, f"{type(error).__name__}: {error}")
    finally:
        keep = options.keep or not all(results)
        world.close(keep)
        if keep:
            print(f"# kept: {world.directory}")
    print(f"1..{len(results)}")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
