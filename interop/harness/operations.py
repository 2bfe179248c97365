"""Phase 2: random operations by a mixed group, from a seed."""

import random

from .group import Disagreement, Group, Refused
from .known import known_fault
from .peer import PeerError

LEAST, MOST = 3, 20
ROUND = 50  # operations after which a new group begins, again with everyone


class Finding(Exception):
    """What went wrong, where, and how to see it again."""


class Session:
    """can(peer, role, labels): whether phase 1 showed that peer does role with these. ours: the label whose failures are findings; another that all contradict commits no more, or is left out."""

    def __init__(self, suite, peers, seed, can, ours):
        self.suite = suite
        self.everyone = list(peers)
        self.random = random.Random(f"{seed}/{suite}/operations")
        self.shown = can
        self.ours = ours
        self.group = None
        self.notes = []
        self.faults = {}  # label -> how often a known fault was met
        self.counts = {}
        self.doing = ""
        self.weights = {
            self.add: 5, self.remove: 4, self.update: 5, self.by_reference: 6, self.chat: 3,
            self.external: 2, self.resync: 1, self.psk: 2, self.extensions: 2,
        }

    def run(self, operations):
        for number in range(1, operations + 1):
            if number % ROUND == 1:
                self.end()
                self.peers, self.silent = self.everyone, set()
                self.restart(number)
            if len(self.peers) > 1:
                self.step(number)
        self.end()

    def step(self, number):
        try:
            operation = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            while not operation():
                operation = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            self.group.check()
            self.send_away_absent()
            self.counts[operation.__name__] = self.counts.get(operation.__name__, 0) + 1
        except (PeerError, Disagreement) as error:
            if isinstance(error, PeerError) and error.method == "externalJoin" and \
                    known_fault(error.who, error.message):
                self.faults[error.who] = self.faults.get(error.who, 0) + 1
                return  # nobody else has seen anything of it
            self.judge(number, error)

    def send_away_absent(self):
        """A member who could not join, by a known fault, is removed again; the group goes on."""
        if not self.group.absent:
            return
        for candidate in self.group.absent:
            self.faults[candidate.peer.label] = self.faults.get(candidate.peer.label, 0) + 1
        committer = self.someone("remover")
        self.doing = f"{committer} removes {len(self.group.absent)} who could not join"
        self.group.remove_absent(committer)
        self.group.check()

    def end(self):
        if self.group is not None:
            self.group.check(everyone=True)
            self.group.dissolve()

    def restart(self, number):
        self.doing = "a new group"
        try:
            self.begin()
        except (PeerError, Disagreement) as error:
            self.judge(number, error)

    def judge(self, number, error):
        """Whose fault? Another's: go on without it, in a new group. Else it is a finding."""
        text = (f"operation {number}, epoch {self.group.epoch}, {len(self.group.members)} members: "
                f"{self.doing}: {error}")
        guilty = error.guilty(self.ours) if isinstance(error, Refused) else None
        if guilty in (None, self.ours):
            raise Finding(text) from error
        if guilty == error.by and guilty not in error.refused:
            self.silent.add(guilty)
            self.notes.append((guilty, f"commits no more: {text}"))
        else:
            self.peers = [peer for peer in self.peers if peer.label != guilty]
            self.notes.append((guilty, f"takes part no more: {text}"))
        self.group = None
        if len(self.peers) > 1:
            self.restart(number)

    def can(self, peer, role, partner=None):
        """With partner, or with all who take part."""
        partners = [partner] if partner else self.peers
        return peer.label not in self.silent and self.shown(peer, role, [each.label for each in partners])

    def begin(self):
        able = [peer for peer in self.peers if self.can(peer, "creator") and self.can(peer, "adder")]
        if not able:
            raise Finding("no implementation can create a group that all others join")
        self.group = Group(self.suite, self.random)
        creator = self.group.create(self.random.choice(able), encrypts=self.random.random() < 0.5)
        peers = self.random.sample(self.peers, len(self.peers))
        self.group.add(creator, peers + [self.random.choice(self.peers) for _ in range(LEAST)])
        self.group.check(everyone=True)
        self.send_away_absent()

    # ---- Choices

    def someone(self, *roles, but=()):
        able = [member for member in self.group.members
                if member not in but and all(self.can(member.peer, role) for role in roles)]
        return self.random.choice(able) if able else None

    def space(self):
        return MOST - len(self.group.members)

    def newcomers(self, most):
        return [self.random.choice(self.peers) for _ in range(self.random.randint(1, min(most, self.space())))]

    # ---- Operations: False where it is not possible now

    def add(self):
        committer = self.someone("adder")
        if committer is None or self.space() == 0:
            return False
        peers = self.newcomers(4)
        force = self.can(committer.peer, "added path") and self.random.random() < 0.5
        apart = self.can(committer.peer, "tree apart") and self.random.random() < 0.3
        self.doing = f"{committer} adds {len(peers)}, path {force}, tree apart {apart}"
        self.group.add(committer, peers, force_path=force, outside_tree=apart)
        return True

    def remove(self):
        committer = self.someone("remover")
        spare = len(self.group.members) - LEAST
        if committer is None or spare <= 0:
            return False
        others = [member for member in self.group.members if member is not committer]
        victims = self.random.sample(others, self.random.randint(1, min(3, spare)))
        self.doing = f"{committer} removes {', '.join(map(str, victims))}"
        self.group.remove(committer, victims)
        return True

    def update(self):
        committer = self.someone("updater")
        if committer is None:
            return False
        self.doing = f"{committer} commits nothing but a path"
        self.group.update(committer)
        return True

    def by_reference(self):
        committer = self.someone("adder", "remover", "updater")
        if committer is None:
            return False
        sent, joins, removes, updates, said = [], [], [], [], []
        for _ in range(self.random.randint(1, 4)):
            kind = self.random.choice(("add", "remove", "update"))
            by = self.someone("update proposer" if kind == "update" else "proposer", but=removes)
            if by is None:
                continue
            self.doing = f"{by} proposes {kind}"
            if kind == "add" and self.space() > len(joins):
                candidate = self.group.candidate(self.random.choice(self.peers))
                sent.append(by.call("addProposal", keyPackage=candidate.key_package)["proposal"])
                joins.append(candidate)
            elif kind == "update" and by is not committer and by not in updates:
                sent.append(by.call("updateProposal")["proposal"])
                updates.append(by)
            elif kind == "remove" and len(self.group.members) - len(removes) > LEAST:
                victim = self.someone(but=[committer, by, *removes, *updates])
                if victim is None:
                    continue
                sent.append(by.call("removeProposal", removedId=victim.identity)["proposal"])
                removes.append(victim)
            else:
                continue
            said.append(f"{kind} by {by}")
        if not sent:
            return False
        self.doing = f"{committer} commits {', '.join(said)}"
        self.group.commit(committer, by_reference=sent, joins=joins, removes=removes)
        return True

    def chat(self):
        self.doing = "everyone writes to everyone"
        for sender in self.random.sample(self.group.members, len(self.group.members)):
            self.group.talk(sender, messages=self.random.randint(1, 3))
        return True

    def external(self):
        helper = self.someone()
        able = [peer for peer in self.peers if self.can(peer, "external joiner", helper.peer)]
        if not able or self.space() == 0:
            return False
        peer = self.random.choice(able)
        self.doing = f"{peer.label} joins by the GroupInfo of {helper}"
        self.group.external_join(peer, helper, outside_tree=self.random.random() < 0.5)
        return True

    def resync(self):
        prior = self.someone()
        helper = self.someone(but=[prior])
        if not self.can(prior.peer, "resync", helper.peer):
            return False
        self.doing = f"{prior} joins again by the GroupInfo of {helper}"
        self.group.external_join(prior.peer, helper, prior=prior)
        return True

    def psk(self):
        committer = self.someone("external PSK")
        if committer is None:
            return False
        psk_id = self.group.share_psk()
        by_value = [{"proposalType": "externalPSK", "pskId": psk_id}]
        joins = []
        if self.space() and self.random.random() < 0.5:
            joins = [self.group.candidate(self.random.choice(self.peers))]
            by_value.append({"proposalType": "add", "keyPackage": joins[0].key_package})
        self.doing = f"{committer} commits a PSK, {len(joins)} joining"
        self.group.commit(committer, by_value=by_value, joins=joins, psks=[psk_id])
        return True

    def extensions(self):
        committer = self.someone("extensions")
        if committer is None:
            return False
        item = {"proposalType": "groupContextExtensions", "extensions": self.group.new_extensions()}
        self.doing = f"{committer} sets the GroupContext extensions"
        self.group.commit(committer, by_value=[item])
        return True
