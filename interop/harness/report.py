"""The table implementation x suite x role that a run ends with. A cell says ok, or with how many of
the implementations (itself included) it went well; the reasons stand below."""

from .known import explain
from .scripted import ROLES


class Report:
    """play(suite, label, role, partner) gives the Outcome of a pair when it is first asked for."""

    def __init__(self, play):
        self.play = play
        self.outcomes = {}  # (suite, label, role) -> {partner: Outcome}
        self.sessions = {}  # suite -> text

    def outcome(self, suite, label, role, partner):
        known = self.outcomes.setdefault((suite, label, role), {})
        if partner not in known:
            known[partner] = self.play(suite, label, role, partner)
        return known[partner]

    def failures(self, suite, label, role):
        return {partner: outcome for partner, outcome in self.outcomes.get((suite, label, role), {}).items()
                if outcome.verdict != "ok"}

    def can(self, suite, label, role, partners):
        return all(self.outcome(suite, label, role, partner).verdict == "ok" for partner in partners)

    def blame(self, suite, role, first, second, labels):
        """Which of two is at fault in a scenario that failed: the one that also fails with others of
        labels; None where that does not tell."""
        def verdict(a, b):
            return self.outcome(suite, a, role, b).verdict
        others = {other for other in labels if verdict(first, other) != "differs"} - {first, second}
        first_bad = [other for other in others if verdict(first, other) == "failed"]
        second_bad = [other for other in others if verdict(other, second) == "failed"]
        if verdict(first, first) == "failed" or (others and len(first_bad) == len(others) and not second_bad):
            return first
        if verdict(second, second) == "failed" or (others and len(second_bad) == len(others) and not first_bad):
            return second
        return None

    def cell(self, suite, label, role):
        outcomes = self.outcomes.get((suite, label, role))
        if not outcomes:
            return "-"
        alike = {partner for partner, outcome in outcomes.items() if outcome.verdict != "differs"}
        if alike == {label} and len(outcomes) > 1:
            return "differs"
        outcomes = {partner: outcomes[partner] for partner in alike}
        bad = {partner: outcome for partner, outcome in outcomes.items() if outcome.verdict != "ok"}
        if not bad:
            return "ok"
        if len(bad) < len(outcomes):
            return f"{len(outcomes) - len(bad)} of {len(outcomes)}"
        return "cannot" if all(outcome.verdict == "cannot" for outcome in bad.values()) else "FAILED"

    def print(self, suites, peers):
        width = max(len(peer.label) for peer in peers) + 1
        for suite in suites:
            here = [peer for peer in peers if suite in peer.suites or suite in peer.cannot]
            print(f"\nsuite {suite} ({suite:#06x})")
            print(" " * 17 + "".join(f"{peer.label:>{width + 1}}" for peer in here))
            for role in ROLES:
                cells = [self.cell(suite, peer.label, role) if suite in peer.suites else "cannot"
                         for peer in here]
                print(f"  {role:<15}" + "".join(f"{cell:>{width + 1}}" for cell in cells))
            self.print_reasons(suite, here)
            for text in self.sessions.get(suite, []):
                print(f"  random operations: {text}")

    def print_reasons(self, suite, peers):
        for peer in peers:
            if suite in peer.cannot:
                print(f"  {peer.label} cannot: {peer.cannot[suite]}")
            for text in explain(peer.label) if suite in peer.suites else ():
                print(f"  {peer.label} has a known fault: {text}")
            if suite in peer.notes:
                print(f"  {peer.label}: {peer.notes[suite]}")
        for peer in peers:
            self.print_differences(suite, peer)
            for role in ROLES:
                reasons = {}
                for partner, outcome in self.failures(suite, peer.label, role).items():
                    if outcome.verdict != "differs":
                        reasons.setdefault((outcome.verdict, outcome.reason), []).append(partner)
                for (verdict, reason), partners in reasons.items():
                    print(f"  {peer.label} as {role} with {', '.join(partners)}: {verdict}: {reason[:300]}")

    def print_differences(self, suite, peer):
        """One line for each partner that derives keys differently."""
        partners = {}
        for role in ROLES:
            for partner, outcome in self.failures(suite, peer.label, role).items():
                if outcome.verdict == "differs":
                    partners.setdefault(partner, []).append(role)
        for partner, roles in partners.items():
            print(f"  {peer.label} with {partner}: keys derived differently, which breaks {', '.join(roles)}")
