#!/usr/bin/env python3
"""echo_bot.py SOCKET [STATE]: answers every text with the same text.

STATE is a file that remembers the last event that was dealt with, so that a bot which was away
answers what came meanwhile, and answers nothing twice: the answer's clientId is made from the
message's id, and the same clientId is sent once."""
import json
import os
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
lines = connection.makefile("r", encoding="utf-8")
state = sys.argv[2] if len(sys.argv) > 2 else None


def send(request):
    connection.sendall((json.dumps({"jsonrpc": "2.0", **request}) + "\n").encode())


def remember(number):
    if state:
        with open(state + ".new", "w") as file:
            file.write(str(number))
        os.replace(state + ".new", state)


since = {}
if state and os.path.exists(state):
    with open(state) as file:
        since = {"since": int(file.read())}
send({"id": 0, "method": "events.subscribe", "params": since})

for line in lines:
    note = json.loads(line)
    if "error" in note:
        if not note["id"] or note["error"]["code"] == 1:  # this machine: not dealt with, start again
            sys.exit(note["error"]["message"])
        print(note["error"]["message"], file=sys.stderr)  # one may not write there, say: go on
    if note.get("method") == "event":
        event = note["params"]
        message = event.get("message", {})
        if event["type"] == "message" and message.get("kind") == "text" and not message["own"]:
            send({"id": event["number"], "method": "message.send",
                  "params": {"conversation": message["conversation"], "text": message["text"],
                             "clientId": "echo-%d" % message["id"]}})
    elif note.get("id", 0) > 0:
        remember(note["id"])  # the echo is on disk: that event is dealt with
    elif "result" in note and not since:
        remember(note["result"]["event"])
