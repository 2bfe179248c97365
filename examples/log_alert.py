#!/usr/bin/env python3
"""log_alert.py SOCKET CONVERSATION PATTERN: sends each line of standard input that matches.

    tail -F /var/log/syslog | log_alert.py ~/.local/share/sotto/daemon.sock Operators 'error|failed'

A line's clientId is a hash of it: the same line (with its time in it) is sent once, however often the
script is started over the same log."""
import hashlib
import json
import re
import socket
import sys

path, name, pattern = sys.argv[1:]
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
answers = connection.makefile("r", encoding="utf-8")


def call(method, **params):
    connection.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                    "params": params}) + "\n").encode())
    answer = json.loads(answers.readline())
    if "error" in answer:
        sys.exit(answer["error"]["message"])
    return answer["result"]


conversation = call("conversation.find", name=name)["conversation"]
for line in sys.stdin:
    if re.search(pattern, line):
        call("message.send", conversation=conversation, text=line.rstrip("\n"),
             clientId=hashlib.sha256(line.encode()).hexdigest()[:32])
