"""Faults of published packages that this suite found. In random operations, such a refusal of what
another implementation accepted is not counted against Sotto; the table shows it. An entry goes when
the package's version in peers/ no longer has the fault."""

# (label's beginning, what it says, what is wrong)
FAULTS = [
    ("ts-mls", "non-blank intermediate node must list leaf node in its unmerged_leaves",
     "1.6.4 wants all ancestors of an unmerged leaf to have equal lists; RFC 9420, 7.9.2 wants the "
     "leaf to be in each of them"),
    ("ts-mls", "No overlap between provided private keys and update path",
     "1.6.4 sometimes misses its place in an UpdatePath; it calls the error one that never occurs"),
    ("ts-mls", "Could not verify confirmation tag",
     "1.6.4 appends to unmerged_leaves where RFC 9420, 7.1 wants them sorted, so its tree hash differs"),
]


def known_fault(label, message):
    for beginning, said, _ in FAULTS:
        if label.startswith(beginning) and said in message:
            return True
    return False


def explain(label):
    return [text for beginning, _, text in FAULTS if label.startswith(beginning)]
