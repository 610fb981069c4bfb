"""``noa audit``: the checklist of the operating procedure, each item held against the evidence behind it.

Four items can fail, and the evidence itself; what people did that an auditor wants to see (overrides, loosened floors, one
person in every role) is noted and fails nothing. Read-only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.audit.audit_notes import notes_of_acts, notes_of_state
from noa_mlops.audit.findings import Verification
from noa_mlops.audit.past_incidents import IncidentLog, PastIncident
from noa_mlops.audit.verification import verify
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger import Ledger, LedgerEntry, LedgerReader, LedgerState
from noa_mlops.records.documents import parse_object
from noa_mlops.records.events import DECISION
from noa_mlops.records.layout import Layout, address
from noa_mlops.registry.lines import MAX_LINE, position

ASKED = frozenset({"PromotionReady", "DriftScanned", "Overridden", "RolloutEnabled"})
"""Types of entries that the checklist asks about."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the checklist: what must hold, of how many things it was asked, and those for which it does not."""

    name: str
    what: str
    asked: int
    failures: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether it holds of everything that it was asked of."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit came to; ``since`` and ``until`` limit the decisions that were looked at, None: all.

    ``incidents`` are those that were open at some time of that period.
    """

    since: str | None
    until: str | None
    items: tuple[Item, ...]
    evidence: Verification
    incidents: tuple[PastIncident, ...]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every item holds, and the evidence."""
        return self.evidence.holds and all(item.holds for item in self.items)


def audit(layout: Layout, *, since: str | None = None, until: str | None = None) -> Audit:
    """Go through the checklist over the decisions from ``since`` to ``until``, RFC 3339 in UTC, both included.

    The newest revision is the champion of ``until``. Raises `NotFound` where there is no ledger; evidence that does not
    verify is part of the answer, whatever the period.
    """
    evidence = verify(layout, decisions=True)
    try:
        ledger = Ledger.read_only(layout)
        past = _read(ledger, since, until)
    except LifecycleError as error:
        unread = Item("ledger", "the ledger can be read", 1, (str(error),))
        return Audit(since, until, (unread,), evidence, (), evidence.notes)
    decisions = [entry for entry in past.asked if entry.type == "PromotionReady" and past.within(entry)]
    items = (
        _manifests(layout, ledger, decisions),
        _signatures(ledger, decisions),
        _registry(layout, decisions),
        _scans(past.state, past.asked),
    )
    acts = (note for entry in past.asked if past.within(entry) for note in notes_of_acts(ledger, entry))
    notes = (*notes_of_state(ledger, past.state, past.within, until), *acts, *evidence.notes)
    return Audit(since, until, items, evidence, past.incidents, notes)


@dataclass(frozen=True, slots=True)
class _Past:
    """What the ledger says up to the end of a period; ``within`` is whether an entry lies in it."""

    state: LedgerState
    asked: tuple[LedgerEntry, ...]
    incidents: tuple[PastIncident, ...]
    within: Callable[[LedgerEntry], bool]


def _read(ledger: LedgerReader, since: str | None, until: str | None) -> _Past:
    """Times are compared to the second, as entries may be finer."""
    state, asked, incidents = LedgerState(), [], IncidentLog()
    for entry, after in ledger.known_entries():
        if until is not None and entry.ts[:19] > until[:19]:
            break
        incidents.take(entry, state, after)
        state = after
        if entry.type in ASKED:
            asked.append(entry)
    return _Past(
        state, tuple(asked), incidents.since(since), lambda entry: since is None or entry.ts[:19] >= since[:19]
    )


def _manifests(layout: Layout, ledger: LedgerReader, decisions: Sequence[LedgerEntry]) -> Item:
    """Of every version that a decision put into the store."""
    store, failures, asked = FilesystemArtifactStore(layout), [], 0
    for entry in decisions:
        name, number = entry.lifecycle_id or "", entry.version or 0
        version = ledger.state.version(name, number)
        if version is None or entry.predicate[DECISION].get("artifact") is None:
            continue
        asked += 1
        try:
            manifest = store.record(name, version.profile, number).manifest
        except LifecycleError as error:
            failures.append(str(error))
            continue
        if (manifest.lifecycle_id, manifest.checksum) != (name, version.checksum) or not manifest.created_at:
            failures.append(f"the manifest of {address(name, number)} names another lifecycle or checksum, or no time")
    return Item("manifest", "the manifest has lifecycle, checksum and timestamp", asked, tuple(failures))


def _signatures(ledger: LedgerReader, decisions: Sequence[LedgerEntry]) -> Item:
    failures = []
    for entry in decisions:
        policy, verifier = ledger.state.policy_at(entry.seq), entry.predicate.get("verifier")
        named = isinstance(verifier, Mapping) and bool(verifier.get("id")) and bool(entry.predicate.get("timeVerified"))
        if not named or policy is None or not policy.allows(entry.keyid, entry.type):
            failures.append(f"entry {entry.seq} does not say who verified it and when, by a key that may")
    return Item("ledger", "the entry has the verifier's signature and its metadata", len(decisions), tuple(failures))


def _registry(layout: Layout, decisions: Sequence[LedgerEntry]) -> Item:
    mirrored = _mirrored(layout)
    failures = [
        f"the registry log has no metrics and decision for entry {entry.seq}"
        for entry in decisions
        if not _told(mirrored.get(entry.seq), entry)
    ]
    return Item("registry", "the registry log has metrics and decision", len(decisions), tuple(failures))


def _told(line: Mapping[str, Any] | None, entry: LedgerEntry) -> bool:
    decision = entry.predicate[DECISION]
    if line is None or not isinstance(line["decision"], Mapping) or line["decision"].get("status") != entry.status:
        return False
    return bool(line["metrics"] == decision.get("metrics"))


def _mirrored(layout: Layout) -> Mapping[int, Mapping[str, Any]]:
    """The lines of the registry log by the entry that each shows; what is no such line shows none."""
    found: dict[int, Mapping[str, Any]] = {}
    with contextlib.suppress(OSError), layout.mirror.open("rb") as stream:
        while line := stream.readline(MAX_LINE):
            if (seq := position(line)) is not None:
                fields = parse_object(line, limit=MAX_LINE)
                found[seq] = {name: fields.get(name) for name in ("decision", "metrics")}
    return found


def _scans(state: LedgerState, asked: Sequence[LedgerEntry]) -> Item:
    """The newest revision is the champion: it was scanned since it is in force."""
    scanned = {entry.lifecycle_id: entry.seq for entry in asked if entry.type == "DriftScanned"}
    crowned = {name: one for name, one in state.lifecycles.items() if one.champion is not None}
    failures = tuple(
        f"no scan for drift since {address(name, one.champion or 0)} is the champion: noa drift {name} --current DATASET"
        for name, one in crowned.items()
        if scanned.get(name, -1) < (one.crowned or 0)
    )
    return Item("drift", "the drift job ran on the newest revision", len(crowned), failures)
