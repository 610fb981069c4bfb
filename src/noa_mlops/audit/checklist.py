"""``noa audit``: the checklist of the operating procedure, each item held against the evidence behind it.

Four items can fail, and the evidence itself; what people did that an auditor wants to see (overrides, loosened floors, one
person in every role) is noted and fails nothing. Read-only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.audit.findings import Verification
from noa_mlops.audit.verification import verify
from noa_mlops.audit.views import override_view
from noa_mlops.errors import LifecycleError
from noa_mlops.evidence import SignedAct
from noa_mlops.ledger import Ledger, LedgerEntry, LedgerReader
from noa_mlops.ledger.trust_law import read_decision
from noa_mlops.records.documents import parse_object
from noa_mlops.records.events import DECISION
from noa_mlops.records.floors import loosened
from noa_mlops.records.layout import Layout, address
from noa_mlops.registry.lines import MAX_LINE, position

ASKED = frozenset({"PromotionReady", "DriftScanned", "Overridden"})
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
    """What an audit came to; ``since`` and ``until`` limit the decisions that were looked at, None: all."""

    since: str | None
    until: str | None
    items: tuple[Item, ...]
    evidence: Verification
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every item holds, and the evidence."""
        return self.evidence.holds and all(item.holds for item in self.items)


def audit(layout: Layout, *, since: str | None = None, until: str | None = None) -> Audit:
    """Go through the checklist over the decisions from ``since`` to ``until``, RFC 3339 in UTC, both included.

    Raises `NotFound` where there is no ledger; evidence that does not verify is part of the answer.
    """
    evidence = verify(layout, decisions=True)
    try:
        ledger = Ledger.read_only(layout)
    except LifecycleError as error:
        unread = Item("ledger", "the ledger can be read", 1, (str(error),))
        return Audit(since, until, (unread,), evidence, evidence.notes)
    within = _within(since, until)
    asked = [entry for entry, _ in ledger.known_entries() if entry.type in ASKED]
    decisions = [entry for entry in asked if entry.type == "PromotionReady" and within(entry)]
    items = (
        _manifests(layout, ledger, decisions),
        _signatures(ledger, decisions),
        _registry(layout, decisions),
        _scans(ledger, asked),
    )
    acts = (note for entry in asked if within(entry) for note in _acts(entry))
    return Audit(since, until, items, evidence, (*_notes(ledger, within), *acts, *evidence.notes))


def _within(since: str | None, until: str | None) -> Callable[[LedgerEntry], bool]:
    """Whether an entry lies in the period; times are compared to the second, as entries may be finer."""

    def is_within(entry: LedgerEntry) -> bool:
        moment = entry.ts[:19]
        return (since is None or moment >= since[:19]) and (until is None or moment <= until[:19])

    return is_within


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
    return bool(line["metrics"] == decision["metrics"])


def _mirrored(layout: Layout) -> Mapping[int, Mapping[str, Any]]:
    """The lines of the registry log by the entry that each shows; what is no such line shows none."""
    found: dict[int, Mapping[str, Any]] = {}
    with contextlib.suppress(OSError), layout.mirror.open("rb") as stream:
        while line := stream.readline(MAX_LINE):
            if (seq := position(line)) is not None:
                fields = parse_object(line, limit=MAX_LINE)
                found[seq] = {name: fields.get(name) for name in ("decision", "metrics")}
    return found


def _scans(ledger: LedgerReader, asked: Sequence[LedgerEntry]) -> Item:
    """The newest revision is the champion: it was scanned since it is in force."""
    scanned = {entry.lifecycle_id: entry.seq for entry in asked if entry.type == "DriftScanned"}
    crowned = {name: one for name, one in ledger.state.lifecycles.items() if one.champion is not None}
    failures = tuple(
        f"no scan for drift since {address(name, one.champion or 0)} is the champion: noa drift {name} --current DATASET"
        for name, one in crowned.items()
        if scanned.get(name, -1) < (one.crowned or 0)
    )
    return Item("drift", "the drift job ran on the newest revision", len(crowned), failures)


def _notes(ledger: LedgerReader, within: Callable[[LedgerEntry], bool]) -> Iterator[str]:
    """What fails nothing and should be seen."""
    state = ledger.state
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
            told = override_view(ledger, lifecycle.override)
            ends = "expired" if told["expired"] else "ends"
            yield (
                f"{address(name, told['version'])} is in force by override, entry {told['entry']}, which {ends} "
                f"{told['expires']}: {told['reason']}"
            )


def _acts(entry: LedgerEntry) -> Iterator[str]:
    """An override or a promotion without a gate, whether it still counts or not."""
    name = address(entry.lifecycle_id or "", entry.version or 0)
    if entry.type == "Overridden":
        signed = read_decision(entry)
        keys = sorted(signed.signers) if isinstance(signed, SignedAct) else []
        yield f"Entry {entry.seq} put {name} in force by override, signed by {', '.join(key[:16] for key in keys)}."
    if entry.type == "PromotionReady" and entry.status == "ready" and entry.predicate[DECISION].get("gate") == "none":
        yield f"Entry {entry.seq} promoted {name} without a gate, as its plan declares."
