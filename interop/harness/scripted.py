"""Phase 1: each pair of implementations in each role, every scenario in a group of its own."""

import random

from .group import Disagreement, Group
from .peer import PeerError


def start(group, a, b):
    """A group of two: A creates it and adds B."""
    creator = group.create(a, encrypts=True)
    (joiner,) = group.add(creator, [b])
    return creator, joiner


def creator(group, a, b):
    start(group, a, b)
    group.check(everyone=True)


def adder(group, a, b):
    first, _ = start(group, b, a)
    adding = group.members[1]
    group.add(adding, [b, b, a])
    group.check(everyone=True)
    group.add(first, [a, b])
    group.check()


def outside_tree(group, a, b):
    first, _ = start(group, a, b)
    group.add(first, [b, a], outside_tree=True)
    group.check()


def forced_path(group, a, b):
    first, _ = start(group, a, b)
    group.add(first, [b, a], force_path=True)
    group.check()
    group.update(group.members[2])
    group.check()


def updater(group, a, b):
    """Deep enough that path secrets derive keys for nodes above the parents of leaves."""
    first, _ = start(group, a, b)
    group.add(first, [b, a, b])
    for member in list(group.members):
        group.update(member)
        group.check()
    group.update(first)
    group.add(first, [b])
    group.check(everyone=True)


def external_joiner(group, a, b):
    first, _ = start(group, b, b)
    group.external_join(a, first)
    group.check(everyone=True)
    group.external_join(a, group.members[1], outside_tree=False)
    group.update(group.members[-1])
    group.check()


def resync(group, a, b):
    _, joined = start(group, b, a)
    group.add(joined, [b])
    group.check()
    group.external_join(a, group.members[0], prior=joined)
    group.check()
    group.update(group.members[0])
    group.check()


def remover(group, a, b):
    first, _ = start(group, a, b)
    group.add(first, [b, b, a])
    group.update(group.members[2])
    group.remove(first, [group.members[1]])
    group.check(everyone=True)
    group.remove(group.members[-1], [group.members[1]])
    group.check()


def proposer(group, a, b):
    """A proposes, B commits by reference."""
    committer, proposing = start(group, b, a)
    group.add(committer, [b, a])
    candidate = group.candidate(b)
    sent = [proposing.call("addProposal", keyPackage=candidate.key_package)["proposal"]]
    group.commit(committer, by_reference=sent, joins=[candidate])
    group.check()
    victim = group.members[2]
    sent = [proposing.call("removeProposal", removedId=victim.identity)["proposal"]]
    group.commit(committer, by_reference=sent, removes=[victim])
    group.check(everyone=True)


def update_proposer(group, a, b):
    committer, proposing = start(group, b, a)
    group.add(committer, [b, a])
    for by in (committer, group.members[2], committer):
        sent = [proposing.call("updateProposal")["proposal"],
                group.members[3].call("updateProposal")["proposal"]]
        group.commit(by, by_reference=sent)
        group.check()
        group.update(proposing)
        group.check()


def psk(group, a, b):
    first, second = start(group, a, b)
    group.add(first, [b])
    psk_id = group.share_psk()
    group.commit(first, by_value=[{"proposalType": "externalPSK", "pskId": psk_id}])
    group.check()
    psk_id = group.share_psk()
    sent = [first.call("externalPskProposal", pskId=psk_id)["proposal"]]
    group.commit(second, by_reference=sent, psks=[psk_id])
    group.check()
    psk_id = group.share_psk()
    candidate = group.candidate(b)
    by_value = [{"proposalType": "externalPSK", "pskId": psk_id},
                {"proposalType": "add", "keyPackage": candidate.key_package}]
    group.commit(first, by_value=by_value, joins=[candidate], psks=[psk_id])
    group.check()


def resumption_psk(group, a, b):
    first, _ = start(group, a, b)
    group.update(group.members[1])
    group.commit(first, by_value=[{"proposalType": "resumptionPSK", "epochId": group.epoch}])
    group.check()


def context_extensions(group, a, b):
    first, _ = start(group, a, b)
    group.add(first, [b])
    by_value = [{"proposalType": "groupContextExtensions", "extensions": group.new_extensions()}]
    group.commit(first, by_value=by_value)
    group.check()
    group.add(first, [b])
    group.check()


def extensions_proposer(group, a, b):
    committer, proposing = start(group, b, a)
    group.add(committer, [b])
    extensions = group.new_extensions()
    sent = [proposing.call("groupContextExtensionsProposal", extensions=extensions)["proposal"]]
    group.commit(committer, by_reference=sent)
    group.check()


def leaver(group, a, b):
    """A leaves by SelfRemove (extensions draft), B commits it."""
    committer, leaving = start(group, b, a)
    group.add(committer, [b, a])
    sent = [leaving.call("selfRemoveProposal")["proposal"]]
    group.commit(committer, by_reference=sent, removes=[leaving])
    group.check()


def leaver_outside(group, a, b):
    """A leaves by SelfRemove, B joins by an external commit that covers it."""
    first, leaving = start(group, b, a)
    group.add(first, [a])
    sent = leaving.call("selfRemoveProposal")["proposal"]
    group.external_join(b, first, leavers={leaving: sent})
    group.check(everyone=True)
    group.update(group.members[-1])
    group.check()


def external_psk(group, a, b):
    """A joins by an external commit with a pre-shared key."""
    first, _ = start(group, b, b)
    psk_id = group.share_psk()
    group.external_join(a, first, psks=[psk_id])
    group.check(everyone=True)


def safe_exporter(group, a, b):
    """The exporter of the extensions draft, one component after the other."""
    first, _ = start(group, a, b)
    for component in (0, 0x1234, 0xFFFF):
        group.agree(f"secret of component {component}", lambda member, component=component: member.call(
            "safeExport", componentId=component)["exportedSecret"])
    group.update(first)
    group.agree("secret of component 1", lambda member: member.call(
        "safeExport", componentId=1)["exportedSecret"])


# role of the first implementation -> its scenario. The second is the partner.
ROLES = {
    "creator": creator,
    "adder": adder,
    "joiner": lambda group, a, b: creator(group, b, a),
    "external joiner": external_joiner,
    "resync": resync,
    "updater": updater,
    "remover": remover,
    "removed": lambda group, a, b: remover(group, b, a),
    "proposer": proposer,
    "update proposer": update_proposer,
    "added path": forced_path,
    "tree apart": outside_tree,
    "external PSK": psk,
    "resumption PSK": resumption_psk,
    "extensions": context_extensions,
    "ext. proposer": extensions_proposer,
    "leaver": leaver,
    "leaver outside": leaver_outside,
    "joiner outside": lambda group, a, b: leaver_outside(group, b, a),
    "ext. join PSK": external_psk,
    "safe exporter": safe_exporter,
}


class Outcome:
    """ok, failed, cannot, or differs (keys are derived differently), with the reason."""

    def __init__(self, verdict, reason=""):
        self.verdict = verdict
        self.reason = reason


def play(role, suite, a, b, seed):
    outcome = act(role, suite, a, b, seed)
    if outcome.verdict == "failed" and a.derivation.get(suite) != b.derivation.get(suite):
        return Outcome("differs", f"X-Wing's DeriveKeyPair differs: {outcome.reason}")
    return outcome


def act(role, suite, a, b, seed):
    group = Group(suite, random.Random(f"{seed}/{suite}/{a.label}/{b.label}/{role}"))
    try:
        ROLES[role](group, a, b)
        group.dissolve()
    except PeerError as error:
        if error.unsupported:
            return Outcome("cannot", f"{error.who}: {error.message}")
        return Outcome("failed", f"epoch {group.epoch}: {error}")
    except Disagreement as error:
        return Outcome("failed", f"epoch {group.epoch}: {error}")
    return Outcome("ok")

