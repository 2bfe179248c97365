"""Faults of published packages that this suite found. In random operations, such a refusal of what
another implementation accepted is not counted against Sotto; the table shows it. An entry goes when
the package's version in peers/ no longer has the fault. What fails in a scripted role is there by
itself; such faults are named by role."""

# (label's beginning, what it says, what is wrong)
FAULTS = [
    ("ts-mls", "non-blank intermediate node must list leaf node in its unmerged_leaves",
     "1.6.4 wants all ancestors of an unmerged leaf to have equal lists; RFC 9420, 12.4.3.1 wants "
     "the leaf to be in each of them"),
    ("ts-mls", "No overlap between provided private keys and update path",
     "1.6.4 finds no key of its own in some UpdatePaths that all others accept, after Add and Remove "
     "in one commit; its text calls the error one that never occurs"),
]

# (label's beginning, role, 0 for the first and 1 for the second of the pair, what is wrong)
ROLE_FAULTS = [
    ("ts-mls", role, place, "1.6.4 writes and reads ExternalPub without the length of its key "
                            "(RFC 9420, 12.4.3.2)")
    for role in ("external joiner", "resync") for place in (0, 1)
] + [
    ("ts-mls", role, place, "1.6.4 commits GroupContextExtensions without the path that RFC 9420, "
                            "17.4 requires")
    for role, place in (("extensions", 0), ("ext. proposer", 1))
] + [
    ("ts-mls", "ext. join PSK", 1, "1.6.4 writes and reads ExternalPub without the length of its key "
                                   "(RFC 9420, 12.4.3.2)")
]


def role_fault(role, pair):
    """The label of the pair that is known not to do its part in role, or None."""
    for beginning, faulty, place, _ in ROLE_FAULTS:
        if faulty == role and pair[place].startswith(beginning):
            return pair[place]
    return None


def known_fault(label, message):
    for beginning, said, _ in FAULTS:
        if label.startswith(beginning) and said in message:
            return True
    return False


def explain(label):
    texts = [(entry[0], entry[-1]) for entry in FAULTS + ROLE_FAULTS]
    return sorted({text for beginning, text in texts if label.startswith(beginning)})
