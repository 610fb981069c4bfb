"""What an auditor wants to see and what fails nothing: one person in every role, loosened floors, overrides, open incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from noa_mlops.audit.views import override_view
from noa_mlops.evidence import SignedAct
from noa_mlops.ledger import LedgerEntry, LedgerReader, LedgerState
from noa_mlops.ledger.trust_law import read_decision, signers_of
from noa_mlops.records.events import DECISION
from noa_mlops.records.floors import loosened
from noa_mlops.records.layout import address
from noa_mlops.records.policy import LOOP


def notes_of_state(
    ledger: LedgerReader, state: LedgerState, within: Callable[[LedgerEntry], bool], moment: str | None
) -> Iterator[str]:
    """What should be seen of ``state``, that of ``moment`` (now when it is not given), and of how the policy came to it."""
    if state.policy is not None and state.policy.solo_mode:
        yield "Solo mode: one person holds every role."
    for before, after in pairwise(state.policies):
        if within(ledger.entry(after.entry)):
            for said in loosened(before.policy.lifecycles, after.policy.lifecycles):
                yield f"Entry {after.entry} loosened a floor: {said}"
    for name, lifecycle in state.lifecycles.items():
        for target, made in lifecycle.deployed.items():
            if made.version != lifecycle.champion:
                runs, champion = address(name, made.version), address(name, lifecycle.champion or 0)
                yield f"{runs} runs in {target}, entry {made.seq}; the champion is {champion}."
        if lifecycle.incident is not None:
            yield f"{name} has an open incident, entry {lifecycle.incident.seq}."
        if lifecycle.override is not None:
            told = override_view(ledger, lifecycle.override, moment)
            ends = "expired" if told["expired"] else "ends"
            yield (
                f"{address(name, told['version'])} is in force by override, entry {told['entry']}, which {ends} "
                f"{told['expires']}: {told['reason']}"
            )


def notes_of_acts(ledger: LedgerReader, entry: LedgerEntry) -> Iterator[str]:
    """An override, a promotion without a gate, or an enabling without a person, whether it still counts or not."""
    name = address(entry.lifecycle_id or "", entry.version or 0)
    if entry.type == "Overridden":
        signed = read_decision(entry)
        keys = sorted(signed.signers) if isinstance(signed, SignedAct) else []
        yield f"Entry {entry.seq} put {name} in force by override, signed by {', '.join(key[:16] for key in keys)}."
    policy = ledger.state.policy_at(entry.seq)
    granted = frozenset(policy.roles[LOOP].keys) if policy is not None and LOOP in policy.roles else frozenset()
    if entry.type == "RolloutEnabled" and signers_of(entry) <= granted:
        yield f"Entry {entry.seq} enabled {name} by the loop's key, as the policy grants it."
    if entry.type == "PromotionReady" and entry.status == "ready" and entry.predicate[DECISION].get("gate") == "none":
        yield f"Entry {entry.seq} promoted {name} without a gate, as its plan declares."
