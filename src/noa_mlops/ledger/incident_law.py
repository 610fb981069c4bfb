"""The law of the way out: a blocked rollout is investigated, a version is trained after that, and a person enables it.

- Investigated says that a person has looked: its act names the incident and the report of the scan that opened it.
- RolloutEnabled makes a version the champion that was held because the rollout was blocked or people had to approve it, and
  the rollout ready, in one entry. Where an incident is open, it must have been investigated, and the version submitted after
  that. It passed, on other data than those of the champion before: not even a plan without a gate leads past an incident of a
  champion that had one. Where more than one key must approve, each entry before the last only notes who has.

After a false alarm, or when the data are well again, the champion itself counts as trained after that, once it was measured again
after the investigation and passed.

Both acts answer the newest deciding entry of the lifecycle, so they were decided in sight of what is in force and count
once. The version must have been judged against the champion that it replaces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from noa_mlops.evidence import leaf_hash
from noa_mlops.ledger.entry import LedgerEntry
from noa_mlops.ledger.state import Incident, LedgerState, LifecycleState, VersionState, Waiting
from noa_mlops.ledger.trust_law import ACTS_OF, act_problem, decides, signers_of, version_scope
from noa_mlops.ledger.version_law import Refusal
from noa_mlops.records.policy import LOOP, Policy

ENABLE = ACTS_OF["RolloutEnabled"]
"""The act that approves a version."""


def investigation_scope(lifecycle_id: str, incident: int, report: str) -> dict[str, object]:
    """What an act decides that closes the looking: which incident, by which report."""
    return {"lifecycle_id": lifecycle_id, "incident": incident, "report": {"sha256": report}}


def investigated(state: LedgerState, policy: Policy, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle after somebody has looked at its incident, or why that may not follow."""
    lifecycle_id = entry.lifecycle_id or ""
    lifecycle = state.lifecycle(lifecycle_id)
    incident = lifecycle.incident
    if incident is None or lifecycle.answerable is None or entry.version != lifecycle.champion:
        return Refusal("investigates an incident that is not open")
    if incident.investigated is not None:
        return Refusal(f"investigates what entry {incident.investigated} has investigated")
    if entry.checksum != incident.report:
        return Refusal("is about another report than that of the incident")
    scope = investigation_scope(lifecycle_id, incident.seq, incident.report)
    problem = act_problem(state, policy, entry, scope, lifecycle.answerable)
    if problem is not None:
        return Refusal(problem)
    return _after(replace(lifecycle, incident=replace(incident, investigated=entry.seq)), entry)


def enabled(state: LedgerState, policy: Policy, entry: LedgerEntry) -> LifecycleState | Refusal:
    """The lifecycle with a version enabled, or why it may not be."""
    lifecycle_id = entry.lifecycle_id or ""
    lifecycle = state.lifecycle(lifecycle_id)
    target = lifecycle.versions.get(entry.version or 0)
    if target is None or lifecycle.answerable is None:
        return Refusal("enables a version that there is not")
    scope = version_scope(lifecycle_id, target.version, target.checksum or "")
    problem = (
        enabling_problem(state, lifecycle, target)
        or ("is about other bytes than those that were decided on" if entry.checksum != target.checksum else None)
        or act_problem(state, policy, entry, scope, lifecycle.answerable)
    )
    if problem is not None:
        return Refusal(problem)
    waits = lifecycle.waiting.get(target.version, Waiting(lifecycle.champion))
    fresh = approving(policy, signers_of(entry), waits)
    if not fresh:
        return Refusal(
            "is signed by nobody whose approval counts: one of each key, and none of a submitter who may not"
        )
    approved = frozenset(key for key in waits.approved if policy.allows(key, ENABLE)) | fresh
    if len(approved) >= waits.asked.required:
        return _crowned(lifecycle, target, entry)
    waiting = {**lifecycle.waiting, target.version: replace(waits, approved=approved)}
    return _after(replace(lifecycle, waiting=waiting), entry)


def approving(policy: Policy, signers: Collection[str], waits: Waiting) -> frozenset[str]:
    """Which of these keys would be one approval more for a version that ``waits``.

    Keys that may enable for the loop alone count only where nothing but the drift holds it: what people must say, no loop says.
    """
    counted = frozenset(key for key in signers if policy.allows(key, ENABLE))
    if not waits.by_drift:
        counted -= _of_the_loop(policy)
    return counted - waits.asked.excluded - waits.approved


def _of_the_loop(policy: Policy) -> frozenset[str]:
    """The keys that may enable by the role of the loop and by no other."""
    people = {key for name, role in policy.roles.items() if name != LOOP and ENABLE in role.may for key in role.keys}
    return frozenset(policy.roles[LOOP].keys) - people if LOOP in policy.roles else frozenset()


def enabling_problem(state: LedgerState, lifecycle: LifecycleState, target: VersionState) -> str | None:
    """Why a version cannot be enabled now, as the end of a sentence."""
    if target.version == lifecycle.champion and lifecycle.incident is not None:
        return _still_well_problem(lifecycle, target, lifecycle.incident)
    if target.status != "held" or target.version not in lifecycle.waiting:
        return f"enables a version that is {target.status} and waits for nobody"
    if lifecycle.awaited(target.version) is None:
        return "enables a version that was judged against another champion"
    incident = lifecycle.incident
    if incident is not None and incident.investigated is None:
        return "enables a version although nobody has investigated the incident"
    if incident is not None and target.first_seq < (incident.investigated or 0):
        return "enables a version that was submitted before the incident was investigated"
    if incident is not None and (problem := retrained_problem(lifecycle, target, incident)) is not None:
        return problem
    revoked = state.policy.revoked if state.policy is not None else {}
    if any(target.last_seq > last for keyid, last in revoked.items() if decides(state, keyid, "PromotionReady")):
        return "enables a version that was decided on by a key that is not trusted any more"
    return None


def _still_well_problem(lifecycle: LifecycleState, champion: VersionState, incident: Incident) -> str | None:
    """Why an incident is not over by a champion that has been measured again: a false alarm, or a feed that is well again."""
    if incident.investigated is None:
        return "enables the champion although nobody has investigated the incident"
    again = lifecycle.measured.get(champion.version)
    if again is None or again.seq < incident.investigated:
        return "enables the champion, which was not measured again after the incident was investigated"
    if again.verdict != "pass":
        return f"enables the champion, whose new measurement came to: {again.verdict}"
    return old_data_problem(lifecycle, again.data, incident)


def retrained_problem(lifecycle: LifecycleState, target: VersionState, incident: Incident) -> str | None:
    """Why a version that was trained after the incident does not show that all is well now."""
    if not target.passed and any(version.passed for version in _before(lifecycle, incident)):
        return "enables a version that passed no gate, in the place of a champion that had"
    return old_data_problem(lifecycle, target.data, incident)


def old_data_problem(lifecycle: LifecycleState, data: str | None, incident: Incident) -> str | None:
    """Why a measurement on ``data`` shows nothing of now: an older one, of a champion, was made on them already."""
    for version in _before(lifecycle, incident):
        if version.data is not None and data in (None, version.data):
            return (
                f"enables a version that was measured on the data that @{version.version} was measured on, or on none"
            )
    return None


def _before(lifecycle: LifecycleState, incident: Incident) -> Iterator[VersionState]:
    """The champion, and the one that the incident is about: another one after a rollback or an override."""
    for number in dict.fromkeys((lifecycle.champion, incident.champion)):
        version = lifecycle.versions.find(number or 0)
        if version is not None:
            yield version


def _crowned(lifecycle: LifecycleState, target: VersionState, entry: LedgerEntry) -> LifecycleState:
    crowned = lifecycle.crowned_by(entry.seq, target)
    return _after(replace(crowned, rollout="ready", incident=None, suspicion=None), entry)


def _after(lifecycle: LifecycleState, entry: LedgerEntry) -> LifecycleState:
    return replace(lifecycle, deciding=entry.seq, answerable=leaf_hash(entry.line).hex())
