"""One group in which devices come and go all the time, some thrown out, some leaving, several at once, while
others write. In the end everybody who is in reads the same.

    test_crowd.py SOTTO SOTTOD [--people N]    as many as one likes; the tests have a few"""

import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from world import World, main

PEOPLE = int(sys.argv[sys.argv.index("--people") + 1]) if "--people" in sys.argv else 9
ROUNDS = 3


def test_coming_and_going():
    """many come and go, several at a time, and all who are in at the end agree"""
    names = ["p%03d" % i for i in range(PEOPLE)]
    dice = random.Random(7)
    begun = time.monotonic()
    with World("Alice", "Bob", *names) as (world, alice, bob, *people):
        of = {p.name: p for p in people}
        with ThreadPoolExecutor(4) as pool:
            def each(work, who):
                list(pool.map(work, who))

            def sync(person):
                person.run("sync")  # who was just thrown out is told so

            alice.register()
            bob.register()
            world.befriend(alice, bob)
            each(lambda p: p.register(), people)
            for person in people:  # one after the other: one profile takes all the links
                alice.ok("accept", person.ok("invite").of("invitation")[0]["link"])
            each(sync, people)
            alice.ok("sync")
            there = set(names[:PEOPLE * 2 // 3])
            alice.ok("group", "create", "Crowd", "Bob", *sorted(there))
            bob.ok("sync")
            bob.let_in()
            each(sync, people)
            came, went = len(there) + 1, 0
            for turn in range(ROUNDS):
                out = set(dice.sample(sorted(there), len(there) // 4))
                leaving = set(dice.sample(sorted(there - out), max(1, len(there) // 8)))
                come = set(dice.sample(sorted(set(names) - there), (PEOPLE - len(there)) // 2))
                writing = dice.sample(sorted(there - out - leaving), 3)
                jobs = [lambda: alice.ok("group", "remove", "Crowd", *sorted(out)) if out else None,
                        *[lambda n=n: of[n].run("group", "leave", "Crowd") for n in sorted(leaving)],
                        *[lambda n=n: of[n].run("send", "Crowd", "%s in round %d" % (n, turn)) for n in writing],
                        lambda: bob.ok("send", "Crowd", "round %d" % turn)]
                list(pool.map(lambda job: job(), jobs))
                alice.ok("sync")
                if come:
                    alice.ok("group", "add", "Crowd", *sorted(come))
                there = (there - out - leaving) | come
                came, went = came + len(come), went + len(out) + len(leaving)
                each(sync, [bob, *people])
            alice.ok("send", "Crowd", "who is there")
            each(sync, [bob, *people])
            alice.ok("sync")
            last = alice.conversation("Crowd")
            inside = {m["name"] for m in alice.ok("group", "members", "Crowd").of("member")} - {"Alice", "Bob"}
            assert inside == there, (inside ^ there)
            for person in [bob, *[of[n] for n in sorted(there)]]:
                mine = person.conversation("Crowd")
                assert (mine["epoch"], mine["epochAuthenticator"]) == (last["epoch"], last["epochAuthenticator"]), \
                    (person.name, mine, last)
                assert [m["text"] for m in person.history("Crowd") if m["kind"] == "text"][-1] == "who is there"
            for name in sorted(set(names) - there):
                assert "who is there" not in [m.get("text") for m in of[name].history("Crowd")] \
                    if "Crowd" in of[name].rooms() else True
            print("# %d people, %d came, %d went, %d in at the end, %d epochs, %d entries, %.0f s"
                  % (PEOPLE + 2, came, went, len(there) + 2, last["epoch"], last["seq"], time.monotonic() - begun))


main([test_coming_and_going])
