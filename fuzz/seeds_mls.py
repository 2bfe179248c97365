#!/usr/bin/env python3
"""Writes the seed corpora of the harnesses for MLS messages from the working group's vectors."""
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent / "tests" / "vectors" / "mls"


def put(harness, name, data):
    folder = HERE / "corpus" / harness
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def main():
    messages = json.loads((VECTORS / "messages.json").read_text())
    # The smallest case is enough to show every structure.
    case = min(messages, key=lambda each: sum(len(value) for value in each.values()))
    for name in ("mls_welcome", "mls_group_info", "mls_key_package", "public_message_application",
                 "public_message_proposal", "public_message_commit", "private_message"):
        put("mls_message", name, bytes.fromhex(case[name]))
    put("mls_group_info", "group_info", bytes.fromhex(case["mls_group_info"]))
    put("mls_welcome", "welcome", bytes.fromhex(case["mls_welcome"]))
    for suite in json.loads((VECTORS / "welcome.json").read_text()):
        if suite["cipher_suite"] == 1:
            put("mls_welcome", "suite1", bytes.fromhex(suite["welcome"]))

    # The first octet: 0 a message, 2 a proposal, 3 a commit; 4 more for private framing.
    for name in ("public_message_commit", "private_message"):
        put("mls_process", name, b"\0" + bytes.fromhex(case[name]))
    types = {"add": 1, "update": 2, "remove": 3, "pre_shared_key": 4, "re_init": 5,
             "external_init": 6, "group_context_extensions": 7}
    for name, number in types.items():
        body = number.to_bytes(2, "big") + bytes.fromhex(case[name + "_proposal"])
        put("mls_process", "proposal_" + name, b"\2" + body)
    put("mls_process", "commit", b"\3" + bytes.fromhex(case["commit"]))
    put("mls_process", "commit_remove", b"\7" + bytes.fromhex("0701000300000001" "00"))
    put("mls_process", "application", b"\5" + b"\4text")


if __name__ == "__main__":
    main()
