"""A group whose members are run by different implementations, and the checks after every epoch."""

from itertools import count

from .known import known_fault
from .peer import PeerError

PROBE_EXTENSION = 0xF01D  # listed by every client of the protocol in its capabilities
EXPORT_SIZE = 32


class Disagreement(Exception):
    """Two members of one epoch see different things."""


class Refused(Disagreement):
    """A commit that some members, or all, did not accept."""

    def __init__(self, by, accepted, refused):
        reasons = "; ".join(f"{label}: {error}" for label, error in refused.items())
        agreed = f" (accepted by {', '.join(sorted(accepted))})" if accepted else ""
        super().__init__(f"a commit of {by} is refused{agreed}: {reasons}")
        self.by = by
        self.accepted = accepted
        self.refused = refused

    def guilty(self, ours):
        """The one whom two others contradict, whoever made the commit, or who has a known fault; None
        where that does not tell. ours is believed no more than any other."""
        others = (self.accepted | ({self.by} - {ours})) - set(self.refused)
        if others and all(known_fault(label, str(error)) for label, error in self.refused.items()):
            return next(iter(self.refused))
        if set(self.refused) == {self.by} and self.accepted - {self.by}:
            return self.by
        others = set(self.refused) - {self.by}
        if len(others) > 1 and not self.accepted - {self.by}:
            return self.by
        believers = self.accepted | ({self.by} if self.by != ours else set())
        believers -= set(self.refused)
        if len(self.refused) == 1 and len(believers) > 1:
            return next(iter(self.refused))
        return None


class Member:
    def __init__(self, peer, state, identity, encrypts):
        self.peer = peer
        self.state = state
        self.identity = identity
        self.encrypts = encrypts

    def call(self, method, **params):
        return self.peer.call(method, stateId=self.state, **params)

    def __str__(self):
        return f"{bytes.fromhex(self.identity).decode()}"


class Candidate:
    """A KeyPackage whose owner waits for a Welcome."""

    def __init__(self, peer, transaction, identity, key_package):
        self.peer = peer
        self.transaction = transaction
        self.identity = identity
        self.key_package = key_package


class Group:
    """random draws all choices; names are unique within the group."""

    names = count(1)

    def __init__(self, suite, random):
        self.suite = suite
        self.random = random
        self.number = next(Group.names)
        self.serial = count(1)
        self.members = []
        self.epoch = 0
        self.psks = {}
        self.absent = []  # were added and could not join, by a known fault

    # ---- People

    def new_identity(self, peer):
        return f"{peer.label}-{self.number}-{next(self.serial)}".encode().hex()

    def create(self, peer, encrypts=True):
        identity = self.new_identity(peer)
        group_id = f"interop group {self.number}".encode().hex()
        answer = peer.call("createGroup", groupId=group_id, cipherSuite=self.suite,
                           encryptHandshake=encrypts, identity=identity)
        creator = Member(peer, answer["stateId"], identity, encrypts)
        self.members = [creator]
        return creator

    def candidate(self, peer):
        identity = self.new_identity(peer)
        answer = peer.call("createKeyPackage", cipherSuite=self.suite, identity=identity)
        return Candidate(peer, answer["transactionId"], identity, answer["keyPackage"])

    # ---- Epochs

    def commit(self, committer, by_value=(), by_reference=(), joins=(), removes=(), psks=(),
               force_path=False, outside_tree=False):
        """joins: candidates whose Add is among the proposals; removes: members likewise; psks: ids
        that the commit uses, which joiners are told."""
        answer = committer.call("commit", byReference=list(by_reference), byValue=list(by_value),
                                forcePath=force_path, externalTree=outside_tree)
        self.deliver(committer.peer, [each for each in self.members if each is not committer], removes,
                     proposal=list(by_reference), commit=answer["commit"])
        self.enter(committer, removes, committer.call("handlePendingCommit"))
        self.leave(removes)
        if outside_tree and not answer.get("ratchetTree"):
            answer["ratchetTree"] = committer.call("groupInfo", externalTree=True)["ratchetTree"]
        joined = self.welcome(committer, joins, answer, psks)
        self.epoch += 1
        return joined

    def welcome(self, committer, joins, answer, psks):
        joined, accepted, refused = [], set(), {}
        for candidate in joins:
            try:
                joined.append(self.join(candidate, answer, psks))
                accepted.add(candidate.peer.label)
            except PeerError as error:
                if known_fault(candidate.peer.label, error.message):
                    self.absent.append(candidate)
                else:
                    refused.setdefault(candidate.peer.label, error)
        if refused:
            raise Refused(committer.peer.label, accepted, refused)
        return joined

    def deliver(self, by, receivers, removes, **message):
        """To all, even where the first refuse: who accepts and who does not says whose fault it is."""
        accepted, refused = set(), {}
        for member in receivers:
            try:
                self.enter(member, removes, member.call("handleCommit", **message))
                accepted.add(member.peer.label)
            except (PeerError, Disagreement) as error:
                refused.setdefault(member.peer.label, error)
        if refused:
            raise Refused(by.label, accepted, refused)

    def enter(self, member, removes, answer):
        member.state = answer["stateId"]
        removed = answer.get("removed", False)
        if removed != (member in removes):
            raise Disagreement(f"{member} says removed={removed}")

    def leave(self, members):
        for member in members:
            self.members.remove(member)
            member.call("free")

    def join(self, candidate, commit, psks):
        if not commit["welcome"]:
            raise Disagreement("the commit adds members and has no Welcome")
        for psk in psks:
            candidate.peer.call("storePsk", stateOrTransactionId=candidate.transaction,
                                pskId=psk, pskSecret=self.psks[psk])
        encrypts = self.random.random() < 0.5
        answer = candidate.peer.call(
            "joinGroup", transactionId=candidate.transaction, welcome=commit["welcome"],
            encryptHandshake=encrypts, identity=candidate.identity,
            ratchetTree=commit.get("ratchetTree", ""))
        member = Member(candidate.peer, answer["stateId"], candidate.identity, encrypts)
        self.members.append(member)
        return member

    def add(self, committer, peers, **options):
        candidates = [self.candidate(peer) for peer in peers]
        by_value = [{"proposalType": "add", "keyPackage": each.key_package} for each in candidates]
        return self.commit(committer, by_value=by_value, joins=candidates, **options)

    def remove(self, committer, members):
        by_value = [{"proposalType": "remove", "removedId": each.identity} for each in members]
        return self.commit(committer, by_value=by_value, removes=members)

    def remove_absent(self, committer):
        by_value = [{"proposalType": "remove", "removedId": each.identity} for each in self.absent]
        self.absent = []
        return self.commit(committer, by_value=by_value)

    def update(self, committer):
        return self.commit(committer, force_path=True)

    def external_join(self, peer, helper, prior=None, outside_tree=True, psks=(), leavers=None):
        """helper gives the GroupInfo; prior: the member that this client was before; psks: ids;
        leavers: members to their SelfRemoves."""
        leavers = leavers or {}
        info = helper.call("groupInfo", externalTree=outside_tree)
        identity = prior.identity if prior else self.new_identity(peer)
        encrypts = self.random.random() < 0.5
        answer = peer.call("externalJoin", groupInfo=info["groupInfo"],
                           ratchetTree=info["ratchetTree"], encryptHandshake=encrypts,
                           identity=identity, removePrior=prior is not None,
                           psks=[{"pskId": psk, "pskSecret": self.psks[psk]} for psk in psks],
                           selfRemoves=list(leavers.values()))
        removes = [prior] if prior else []
        self.deliver(peer, [each for each in self.members if each not in removes], list(leavers),
                     proposal=list(leavers.values()), commit=answer["commit"])
        self.leave(removes + list(leavers))
        joined = Member(peer, answer["stateId"], identity, encrypts)
        self.members.append(joined)
        self.epoch += 1
        return joined

    # ---- Keys and extensions

    def share_psk(self):
        """A new external PSK that every member knows; returns its id."""
        psk_id = self.random.randbytes(16).hex()
        self.psks[psk_id] = self.random.randbytes(32).hex()
        for member in self.members:
            member.peer.call("storePsk", stateOrTransactionId=member.state, pskId=psk_id,
                             pskSecret=self.psks[psk_id])
        return psk_id

    def new_extensions(self):
        """The probe, and required_capabilities (3) naming it, which OpenMLS insists on."""
        required = f"02{PROBE_EXTENSION:04x}0000"
        return [{"extensionType": 3, "extensionData": required},
                {"extensionType": PROBE_EXTENSION, "extensionData": self.random.randbytes(8).hex()}]

    # ---- Checks

    def check(self, everyone=False):
        """All agree on the epoch's secrets; one member, or everyone, is read by all others."""
        self.agree("epoch authenticator", lambda member: member.call("stateAuth")["stateAuthSecret"])
        context = self.random.randbytes(9).hex()
        self.agree("exported secret", lambda member: member.call(
            "export", label="interop", context=context, keyLength=EXPORT_SIZE)["exportedSecret"])
        senders = self.members if everyone else [self.random.choice(self.members)]
        for sender in list(senders):
            self.talk(sender)

    def agree(self, what, ask):
        first = None
        for member in self.members:
            answer = ask(member)
            if len(answer) != 2 * EXPORT_SIZE:
                raise Disagreement(f"{member}: {what} has {len(answer) // 2} bytes")
            if first is None:
                first = (member, answer)
            elif answer != first[1]:
                raise Disagreement(f"{what}: {first[0]} and {member} differ")

    def talk(self, sender, messages=1):
        """Each reader reads them in an order of its own."""
        sent = []
        for _ in range(messages):
            plain = self.random.randbytes(self.random.choice((0, 1, 32, 700))).hex()
            authenticated = self.random.randbytes(self.random.choice((0, 5))).hex()
            answer = sender.call("protect", plaintext=plain, authenticatedData=authenticated)
            sent.append((plain, authenticated, answer["ciphertext"]))
        for reader in self.members:
            if reader is sender:
                continue
            for plain, authenticated, ciphertext in self.random.sample(sent, len(sent)):
                answer = reader.call("unprotect", ciphertext=ciphertext)
                if (answer["plaintext"], answer["authenticatedData"]) != (plain, authenticated):
                    raise Disagreement(f"{reader} reads something else than {sender} wrote")

    def dissolve(self):
        for member in self.members:
            member.call("free")
