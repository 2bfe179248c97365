"""A client of `sotto daemon`, for tests: whatever is asked and answered is held to docs/openrpc.json."""
import json
import os
import pathlib
import socket

import jsonschema

from world import PATIENCE, eventually

DOCUMENT = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs/openrpc.json").read_text())
METHODS = {m["name"]: m for m in DOCUMENT["methods"]}
NOTIFICATIONS = {"event": "Event", "overflow": "Overflow", "connection": "Connection", "transfer": "Transfer",
                 "typing": "Typing", "progress": "Progress"}
used = set()  # methods that were called


def strict():
    """The document's schemas: fields that it does not name are refused here, though clients have to bear them."""
    components = json.loads(json.dumps(DOCUMENT["components"]))
    for name, one in components["schemas"].items():
        if name != "Document":
            one["additionalProperties"] = False
    return components


COMPONENTS = strict()
checkers = {}  # to make one takes longer than to use it


def fits(instance, schema):
    text = json.dumps(schema)
    if text not in checkers:
        checkers[text] = jsonschema.Draft202012Validator({"components": COMPONENTS, **schema})
    checkers[text].validate(instance)


class Failed(Exception):
    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.code = error["code"]
        self.name = error["data"]["code"]


class Rpc:
    """Over a socket, or over a process's standard input and output."""

    def __init__(self, path=None, process=None, quick=False):
        self.strict = not quick  # checking takes longer than the answer
        if process is None:
            def connect():
                one = socket.socket(socket.AF_UNIX)
                try:
                    one.connect(path)
                    return one
                except OSError:
                    one.close()
                    return None
            self.socket = eventually(connect, "a daemon at " + path)
            self.socket.settimeout(PATIENCE)
            self.reader = self.socket.makefile("r", encoding="utf-8")
            self.write = lambda data: self.socket.sendall(data)
        else:
            self.socket, self.reader = None, process.stdout
            self.write = lambda data: (process.stdin.buffer.write(data), process.stdin.flush())
        self.number, self.notes = 0, []

    def close(self):
        self.reader.close()
        self.socket.close()

    def line(self):
        text = self.reader.readline()
        if not text:
            raise EOFError("the daemon closed the connection")
        one = json.loads(text)
        assert one["jsonrpc"] == "2.0"
        if "method" in one and self.strict:
            fits(one["params"], {"$ref": "#/components/schemas/" + NOTIFICATIONS[one["method"]]})
        return one

    def ask(self, method, params):
        """Sends, and gives the id that the answer will have."""
        self.number += 1
        self.write((json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method,
                                "params": params}) + "\n").encode())
        return self.number

    def answer(self, number):
        while True:
            one = self.line()
            if "id" in one and one["id"] == number:
                return one
            self.notes.append(one)

    def __call__(self, method, **params):
        used.add(method)
        description = METHODS[method]
        answer = self.answer(self.ask(method, params))
        if "error" in answer:
            raise Failed(answer["error"])
        for one in description["params"] if self.strict else []:
            if one["name"] in params:
                fits(params[one["name"]], one["schema"])
        if self.strict:
            fits(answer["result"], description["result"]["schema"])
        return answer["result"]

    def fails(self, method, **params):
        """The name of what it fails with."""
        try:
            self(method, **params)
        except Failed as failed:
            return failed.name
        raise AssertionError(method + " did not fail")

    def events(self, until):
        """Notifications that came, up to the first for which until is true."""
        seen = []
        while True:
            one = self.notes.pop(0) if self.notes else self.line()
            seen.append(one)
            if until(one):
                return seen


class Daemon:
    def __init__(self, person, *options):
        self.person, self.path = person, os.path.join(person.profile, "daemon.sock")
        self.process = person.start("daemon", *options)

    def rpc(self, **options):
        return Rpc(self.path, **options)

    def stop(self):
        self.process.terminate()
        return self.person.finish(self.process)

    def kill(self):
        self.process.kill()
        self.process.communicate()


def text_of(note, text):
    """Whether a notification is about a message of that text."""
    return note["method"] == "event" and note["params"].get("message", {}).get("text") == text
