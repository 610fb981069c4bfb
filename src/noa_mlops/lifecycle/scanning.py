"""Scanning for drift: the champion's training data, as its summary remembers them, against data of now.

Every scan is an entry. Whether it blocks the rollout is the law's to say (`noa_mlops.ledger.drift_law`); here the data
are read and compared, and the entry is composed on the state it will stand on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.errors import LedgerConflict, NotFound
from noa_mlops.ledger import (
    Draft,
    KeyStore,
    Ledger,
    LedgerEntry,
    LedgerReader,
    LedgerState,
    LifecycleState,
    VersionState,
    ledger_lines,
    plan_of,
    summary_digest,
)
from noa_mlops.ledger.drift_law import confirmed, read_signs
from noa_mlops.ledger.ledger import now
from noa_mlops.lifecycle import intake
from noa_mlops.lifecycle.asking import Ask, Asked, Subject, ask, measured_then
from noa_mlops.lifecycle.statements import LIFECYCLE, model_subject
from noa_mlops.lifecycle.together import look_together
from noa_mlops.records.documents import Json, canonical
from noa_mlops.records.drift import DriftSettings
from noa_mlops.records.events import DECISION
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.summary import DatasetSummary
from noa_mlops.records.verdict import Estimate, Outcome
from noa_mlops.registry import Mirror
from noa_mlops.version import VERSION

if TYPE_CHECKING:
    from noa_mlops.datasets import Dataset
    from noa_mlops.drift import DriftReport, Joint, Weighed

Append: TypeAlias = Callable[[Callable[[LedgerState], Draft]], LedgerEntry]
"""Appends what is composed of the newest state."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of ``champion``, a version of the lifecycle, and what it came to.

    ``asked`` is what came of asking the champion. ``entry`` is None for one that was not recorded; ``confirms`` the entry
    whose suspicion it confirmed; ``rollout`` as it stands after it, with the open ``incident``, and whether that was ``investigated``.
    """

    lifecycle_id: str
    champion: int
    dataset: Mapping[str, Any]
    verdict: Outcome
    report: DriftReport
    asked: Asked
    then: Mapping[str, float | None]
    entry: int | None
    timestamp: str | None
    blocks: bool
    confirms: int | None
    rollout: str
    incident: int | None
    investigated: bool

    @property
    def suspect(self) -> bool:
        """Whether the window failed, and a second one like it would block."""
        return self.verdict == "fail" and not self.blocks

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "lifecycle_id": self.lifecycle_id,
            "champion": self.champion,
            "dataset": dict(self.dataset),
            "entry": self.entry,
            "timestamp": self.timestamp,
            "blocks": self.blocks,
            "suspect": self.suspect,
            "confirms": self.confirms,
            "rollout": self.rollout,
            "incident": self.incident,
            "report_digest": self.report.digest,
            **self.report.to_document(),
            "verdict": self.verdict,
            "data_verdict": self.report.outcome,
            **_told(self.asked, self.then),
        }


@dataclass(frozen=True, slots=True)
class Window:
    """The data of now beside the champion they were scanned for; ``beside`` is the version that it was measured beside on them."""

    lifecycle_id: str
    champion: VersionState
    dataset: Dataset
    report: DriftReport
    asked: Asked
    then: Mapping[str, float | None]
    beside: int | None = None

    @property
    def weighed(self) -> Weighed:
        """What data and labels come to together, by the digits that the report keeps, so that it can be asked again."""
        from noa_mlops.drift import read_report, weigh

        return weigh(read_report(self.report.to_document()), self.asked.labels)


def scan_drift(
    layout: Layout,
    lifecycle_id: str,
    path: str,
    keystore: KeyStore | None = None,
    *,
    answer: Ask | None = None,
) -> Scan:
    """Scan the data file or definition at ``path`` and record it; the mirror follows.

    Raises `NotFound` without a champion, or for one that was promoted without a summary; `DatasetInvalid` for data that
    cannot be read; `LedgerConflict` when the champion changed meanwhile.
    """
    with Ledger.open(layout, keystore or KeyStore()) as ledger:
        scan = record_scan(ledger, look(ledger, layout, lifecycle_id, path, answer), ledger.append)
        mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin, known=ledger.all_head_keys)
        mirror.catch_up(partial(ledger_lines, ledger), ledger.keys.signing_key("verifier"))
    return scan


def try_scan(layout: Layout, lifecycle_id: str, path: str, *, answer: Ask | None = None) -> Scan:
    """Like `scan_drift`, and nothing is recorded: what it would come to."""
    ledger = Ledger.read_only(layout)
    window = look(ledger, layout, lifecycle_id, path, answer)
    return _outcome(ledger.state.lifecycle(lifecycle_id), window, None)


def look(ledger: LedgerReader, layout: Layout, lifecycle_id: str, path: str, answer: Ask | None = None) -> Window:
    """Read and compare the data by the rule of the champion's plan; nothing is written. Raises as `scan_drift` does."""
    from noa_mlops.datasets import DatasetReader

    known = _known(ledger, layout, lifecycle_id)
    reader = DatasetReader(layout.project, ledger.data_roots)
    dataset, asked, joint = reader.read(path), Asked(), None
    if answer is not None and known.plan is not None:
        store, champion = FilesystemArtifactStore(layout), known.champion
        contract = store.record(lifecycle_id, champion.profile, champion.version).manifest.predict
        asked = ask(dataset, Subject(contract, known.plan, known.then, known.summary), answer, now())
    if known.plan is not None and known.plan.drift.joint:
        recorded = ledger.history(lifecycle_id, known.champion.version)[0].predicate["datasets"]["train"]
        joint = look_together(reader, known.plan, recorded, dataset, known.summary.target)
    return _window(lifecycle_id, known, dataset, asked, joint)


def look_beside(
    ledger: LedgerReader, layout: Layout, lifecycle_id: str, version: int, dataset: Dataset, asked: Asked
) -> Window:
    """Like `look`, of the evaluation data of a ``version`` that the champion was measured beside, with what came of that."""
    window = _window(lifecycle_id, _known(ledger, layout, lifecycle_id), dataset, asked)
    return replace(window, beside=version)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a champion: its plan, unless it was redacted, the summary of its data, and its metrics then."""

    champion: VersionState
    plan: TrainingPlan | None
    summary: DatasetSummary
    then: Mapping[str, Estimate]


def _known(ledger: LedgerReader, layout: Layout, lifecycle_id: str) -> _Known:
    champion = champion_of(ledger, lifecycle_id)
    digest = summary_digest(ledger, lifecycle_id, champion)
    if digest is None:
        raise NotFound(
            f"{address(lifecycle_id, champion.version)} was promoted without a summary of its data",
            hint="Run its plan again: the next version is promoted with one.",
        )
    store = FilesystemArtifactStore(layout)
    summary = store.summary(lifecycle_id, champion.profile, champion.version, digest)
    return _Known(champion, plan_of(ledger, champion), summary, measured_then(ledger, lifecycle_id, champion))


def _window(
    lifecycle_id: str, known: _Known, dataset: Dataset, asked: Asked, joint: Joint | str | None = None
) -> Window:
    from noa_mlops.datasets import summarise
    from noa_mlops.drift import scan

    current = replace(summarise(dataset, known.summary.target), predictions=asked.predictions)
    report = scan(known.summary, current, DriftSettings() if known.plan is None else known.plan.drift, joint)
    then = {name: one.value for name, one in known.then.items()}
    return Window(lifecycle_id, known.champion, dataset, report, asked, then)


def _told(asked: Asked, then: Mapping[str, float | None]) -> dict[str, Json]:
    """What came of asking the champion, as JSON members."""
    return {
        "labels": None if asked.labels is None else asked.labels.to_document(),
        "estimated": asked.expected_document(then),
        "not_asked": asked.problem,
    }


def champion_of(ledger: LedgerReader, lifecycle_id: str) -> VersionState:
    """The champion of a lifecycle. Raises `NotFound`."""
    lifecycle = ledger.state.lifecycles.get(lifecycle_id)
    if lifecycle is None:
        raise NotFound(f"there is no lifecycle {lifecycle_id!r:.80} here")
    if lifecycle.champion is None:
        raise NotFound(f"{lifecycle_id} has no champion: nothing was promoted yet, so nothing can drift")
    return lifecycle.versions[lifecycle.champion]


def record_scan(ledger: Ledger, window: Window, append: Append) -> Scan:
    """Append the entry of a scan by ``append``; the report is durable before it."""
    ledger.put_object(canonical(window.report.to_document()))
    ledger.put_object(canonical(window.dataset.identity.to_document()))
    entry = append(partial(_draft, window))
    return _outcome(ledger.state.lifecycle(window.lifecycle_id), window, entry)


def _draft(window: Window, state: LedgerState) -> Draft:
    """The entry of a scan on ``state``. Raises `LedgerConflict` when another version is the champion by now."""
    lifecycle, report = state.lifecycle(window.lifecycle_id), window.report
    if lifecycle.champion != window.champion.version:
        raise LedgerConflict(
            f"the champion of {window.lifecycle_id} changed while its data were scanned",
            hint="Run the same command again: it scans for the new one.",
        )
    (blocks, confirms), weighed = _weigh(lifecycle, window), window.weighed
    predicate: dict[str, Any] = {
        "profile": window.champion.profile,
        "dataset": intake.reference(window.dataset),
        "rows": list(report.rows),
        "reference": report.reference,
        "current": report.current,
        "verdict": weighed.verdict,
        "data_verdict": report.outcome,
        **_told(window.asked, window.then),
        "certain": weighed.is_certain,
        "signs": weighed.signs,
        "confirms": confirms,
        "report": report.digest,
        "verifier": {"noa-mlops": VERSION},
        **({} if window.beside is None else {"beside": window.beside}),
    }
    if blocks:
        predicate[DECISION] = _decision(window)
    name, version = window.lifecycle_id, window.champion.version
    return Draft(
        type="DriftScanned",
        predicate_type=LIFECYCLE,
        predicate=predicate,
        subject=[
            model_subject(name, version, window.champion.checksum or ""),
            {"name": "drift_report.json", "digest": {"sha256": report.digest}},
        ],
        lifecycle_id=name,
        version=version,
        status="blocked" if blocks else None,
    )


def _decision(window: Window) -> dict[str, Any]:
    """What a scan that blocks decides, in the form of a decision about a version."""
    return {
        "verdict": window.weighed.verdict,
        "status": "blocked",
        "reasons": ["drift"],
        "violations": [],
        "metrics": {},
        "thresholds": {},
        "profile": window.champion.profile,
        "replaces": None,
        "artifact": None,
    }


def _weigh(lifecycle: LifecycleState, window: Window) -> tuple[bool, int | None]:
    """Whether a scan blocks, and which suspicion it confirms: the rule of `noa_mlops.ledger.drift_law`."""
    weighed = window.weighed
    confirms = confirmed(lifecycle, window.report.current, read_signs(weighed.signs))
    return weighed.verdict == "fail" and (weighed.is_certain or confirms is not None), confirms


def _outcome(lifecycle: LifecycleState, window: Window, entry: LedgerEntry | None) -> Scan:
    blocks, confirms = _weigh(lifecycle, window)
    if entry is not None:
        blocks, confirms = entry.status == "blocked", entry.predicate["confirms"]
    opens = entry is None and blocks and lifecycle.incident is None
    return Scan(
        lifecycle_id=window.lifecycle_id,
        champion=window.champion.version,
        dataset=intake.reference(window.dataset),
        verdict=window.weighed.verdict,
        report=window.report,
        asked=window.asked,
        then=window.then,
        entry=None if entry is None else entry.seq,
        timestamp=None if entry is None else entry.ts,
        blocks=blocks,
        confirms=confirms,
        rollout="blocked" if opens else lifecycle.rollout_at(now() if entry is None else entry.ts),
        incident=None if lifecycle.incident is None else lifecycle.incident.seq,
        investigated=lifecycle.incident is not None and lifecycle.incident.investigated is not None,
    )
