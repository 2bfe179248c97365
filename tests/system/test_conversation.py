"""Two people write to each other over the real relay."""

from world import World, main


def test_hello():
    """an invitation leads to a conversation in which both read the same in the same order"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        alice.ok("send", "Bob", "one")
        bob.ok("send", "Alice", "two")
        alice.ok("send", "Bob", "three")
        bob.ok("sync")
        texts = alice.texts("Bob")
        assert [t for _, t in texts] == ["one", "two", "three"], texts
        assert bob.texts("Alice") == texts, bob.texts("Alice")
        assert alice.conversation("Bob")["epochAuthenticator"] == \
            bob.conversation("Alice")["epochAuthenticator"]
        assert alice.ok("fingerprint", "Bob").lines[0]["digits"] == \
            bob.ok("fingerprint", "Alice").lines[0]["digits"]


def test_all_sorts_of_text():
    """emoji, several lines, 64 KiB and a mebibyte arrive byte for byte"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        sent = ["😀 👩‍👩‍👧 Grüße 漢字", "first\nsecond\n\n  third", "x", "tab\there \"quoted\" \\ back",
                "65536 " + "ä" * 32765, "€" * 349525, "-", "--json"]
        for text in sent:
            alice.ok("send", "Bob", text=text)
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == sent
        alice.ok("send", "Bob", "--", "--json", "several", "words")
        bob.ok("sync")
        assert bob.texts("Alice")[-1][1] == "--json several words"


def test_bad_text():
    """an empty message, one that is too long, and one that is not UTF-8 are refused in words"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        assert alice.run("send", "Bob", "").error == "bad_text"
        assert alice.run("send", "Bob", text="").error == "bad_text"
        assert alice.run("send", "Bob", text="y" * (1 << 20) + "z").error == "too_long"
        assert alice.run("send", "Bob", text=b"\xff\xfe").error == "bad_text"
        alice.ok("send", "Bob", text="ok")
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["ok"]


def test_listen():
    """a listener is given every message once, also those that another command fetched"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        alice.ok("send", "Bob", "before")
        bob.ok("sync")
        listener = bob.start("listen")
        try:
            def until(text):
                for line in listener.stdout:
                    if '"text":"%s"' % text in line:
                        return True
                return False
            assert until("before")
            alice.ok("send", "Bob", "live")
            assert until("live")
            bob.ok("send", "Alice", "from beside")
            assert until("from beside")
        finally:
            listener.terminate()
            assert listener.wait() == 0
            listener.stdout.close()
            listener.stderr.close()
        again = [m for m in bob.ok("listen", "--once").of("message")]
        assert again == [], again


def test_same_id():
    """the same --id in one conversation is one message, however often it is sent"""
    with World("Alice", "Bob") as (world, alice, bob):
        alice.register()
        bob.register()
        world.befriend(bob, alice)
        first = alice.ok("send", "--id", "n-1", "Bob", "once").of("sending")[0]
        second = alice.ok("send", "--id", "n-1", "Bob", "once").of("sending")[0]
        assert first == second and first["status"] == "sent", (first, second)
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["once"]
        assert alice.run("send", "--id", "has space", "Bob", "x").error == "bad_id"


def test_names():
    """names and ids find people; what fits several is listed, what fits none is said"""
    with World("Alice", "Bob", "bob2") as (world, alice, bob, other):
        for person in (alice, bob, other):
            person.register()
        other.ok("name", "Bob")
        world.befriend(bob, alice)
        world.befriend(other, alice)
        bad = alice.run("send", "Bob", "who?")
        assert (bad.code, bad.error) == (5, "ambiguous"), bad
        assert bad.lines[-1]["error"]["next"].count("(Bob)") == 2, bad
        one = bob.ok("status").lines[0]["account"]
        alice.ok("send", one[:8], "you")
        bob.ok("sync")
        assert [t for _, t in bob.texts("Alice")] == ["you"]
        bob.ok("name", "Robert")
        alice.ok("sync")
        alice.ok("send", "robert", "renamed")
        missing = alice.run("send", "Zoe", "x")
        assert (missing.code, missing.error) == (5, "not_found"), missing


main([test_hello, test_all_sorts_of_text, test_bad_text, test_listen, test_same_id, test_names])
