"""Scanning for drift: the champion's training data, as its summary remembers them, against data of now.

Every scan is an entry. Whether it blocks the rollout is the law's to say (`noa_mlops.ledger.drift_law`); here the data
are read and compared, and the entry is composed on the state it will stand on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.errors import DatasetInvalid, EvaluationFailed, LedgerConflict, NotFound, StepFailed
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
)
from noa_mlops.ledger.drift_law import MAX_SIGNS, confirmed, read_signs
from noa_mlops.ledger.ledger import now
from noa_mlops.lifecycle import intake
from noa_mlops.lifecycle.statements import LIFECYCLE, model_subject
from noa_mlops.lifecycle.together import look_together
from noa_mlops.records.documents import Json, canonical, sha256
from noa_mlops.records.drift import DriftSettings
from noa_mlops.records.events import DECISION
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import EvaluationReport, Outcome
from noa_mlops.registry import Mirror
from noa_mlops.version import VERSION

if TYPE_CHECKING:
    import pyarrow as pa

    from noa_mlops.datasets import Dataset
    from noa_mlops.drift import DriftReport, LabelReport

Measure: TypeAlias = "Callable[[pa.Table, pa.ChunkedArray], EvaluationReport]"
"""Measures the champion on features and their labels, which it never sees."""

Append: TypeAlias = Callable[[Callable[[LedgerState], Draft]], LedgerEntry]
"""Appends what is composed of the newest state."""

LONGEST = 60
"""Characters of a name that a sign has."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of ``champion``, a version of the lifecycle, and what it came to.

    ``entry`` is None for one that was not recorded; ``confirms`` the entry whose suspicion it confirmed; ``rollout`` as
    it stands after it.
    """

    lifecycle_id: str
    champion: int
    dataset: Mapping[str, Any]
    verdict: Outcome
    report: DriftReport
    labels: LabelReport | None
    entry: int | None
    timestamp: str | None
    blocks: bool
    confirms: int | None
    rollout: str
    incident: int | None

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
            "labels": None if self.labels is None else self.labels.to_document(),
        }


@dataclass(frozen=True, slots=True)
class Window:
    """The data of now beside the champion they were scanned for."""

    lifecycle_id: str
    champion: VersionState
    dataset: Dataset
    report: DriftReport
    labels: LabelReport | None = None

    @property
    def verdict(self) -> Outcome:
        """Of data and labels together: labels clear data that drifted, but no other schema; what hurts fails."""
        finding = None if self.labels is None else self.labels.finding
        if finding == "hurts":
            return "fail"
        return "pass" if finding == "clears" and not self.report.schema else self.report.outcome

    @property
    def is_certain(self) -> bool:
        """Whether this window alone blocks."""
        hurts = self.labels is not None and self.labels.finding == "hurts"
        return self.verdict == "fail" and (hurts or self.report.is_certain)

    @property
    def signs(self) -> list[list[str]]:
        """What a second window must show again; nothing when nothing failed."""
        return signs_of(self.report) if self.verdict == "fail" else []


def scan_drift(
    layout: Layout,
    lifecycle_id: str,
    path: str,
    keystore: KeyStore | None = None,
    *,
    measure: Measure | None = None,
) -> Scan:
    """Scan the data file or definition at ``path`` and record it; the mirror follows.

    Raises `NotFound` without a champion, or for one that was promoted without a summary; `DatasetInvalid` for data that
    cannot be read; `LedgerConflict` when the champion changed meanwhile.
    """
    with Ledger.open(layout, keystore or KeyStore()) as ledger:
        scan = record_scan(ledger, look(ledger, layout, lifecycle_id, path, measure), ledger.append)
        mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin, known=ledger.all_head_keys)
        mirror.catch_up(partial(ledger_lines, ledger), ledger.keys.signing_key("verifier"))
    return scan


def try_scan(layout: Layout, lifecycle_id: str, path: str, *, measure: Measure | None = None) -> Scan:
    """Like `scan_drift`, and nothing is recorded: what it would come to."""
    ledger = Ledger.read_only(layout)
    window = look(ledger, layout, lifecycle_id, path, measure)
    return _outcome(ledger.state.lifecycle(lifecycle_id), window, None)


def look(ledger: LedgerReader, layout: Layout, lifecycle_id: str, path: str, measure: Measure | None = None) -> Window:
    """Read and compare the data by the rule of the champion's plan; nothing is written. Raises as `scan_drift` does."""
    from noa_mlops.datasets import DatasetReader, summarise
    from noa_mlops.drift import scan

    champion = champion_of(ledger, lifecycle_id)
    store = FilesystemArtifactStore(layout)
    promoted = ledger.history(lifecycle_id, champion.version)[-1]
    stored = promoted if champion.named is None else ledger.entry(champion.named)
    named = {str(subject.get("name")): subject["digest"]["sha256"] for subject in stored.subject}
    if "summary.json" not in named:
        raise NotFound(
            f"{address(lifecycle_id, champion.version)} was promoted without a summary of its data",
            hint="Run its plan again: the next version is promoted with one.",
        )
    reference = store.summary(lifecycle_id, champion.profile, champion.version, named["summary.json"])
    policy = ledger.state.policy
    roots = tuple(layout.project / root for root in policy.data_roots) if policy is not None else ()
    reader = DatasetReader(layout.project, roots)
    dataset, plan, joint = reader.read(path), _plan(ledger, champion), None
    if plan is not None and plan.drift.joint:
        recorded = ledger.history(lifecycle_id, champion.version)[0].predicate["datasets"]["train"]
        joint = look_together(reader, plan, recorded, dataset, reference.target)
    settings = DriftSettings() if plan is None else plan.drift
    report = scan(reference, summarise(dataset, reference.target), settings, joint)
    labels = None
    if measure is not None and plan is not None and plan.evaluation is not None and reference.target is not None:
        then = promoted.predicate[DECISION]["metrics"]
        labels = _ask_labels(dataset, reference.target, measure, (plan.evaluation.metric_thresholds, then))
    return Window(lifecycle_id, champion, dataset, report, labels)


def _ask_labels(
    dataset: Dataset,
    target: str,
    measure: Measure,
    against: tuple[Sequence[Threshold], Mapping[str, float | None]],
) -> LabelReport | None:
    """What the labels of the data say; None when there are none, or nothing to hold them against."""
    from noa_mlops.drift import LabelReport, judge_labels

    thresholds, then = against
    table = dataset.table
    if not thresholds or target not in table.column_names or table[target].null_count == table.num_rows:
        return None
    rows = table.num_rows - table[target].null_count
    try:
        measured = measure(table.drop_columns([target]), table[target])
    except (EvaluationFailed, StepFailed, DatasetInvalid) as error:
        return LabelReport(rows, (), problem=str(error))
    return judge_labels(thresholds, measured.metrics, then, rows)


def _plan(ledger: LedgerReader, champion: VersionState) -> TrainingPlan | None:
    """The champion's plan; None when it was taken out of the evidence."""
    if champion.plan_digest in ledger.state.redacted:
        return None
    return TrainingPlan.parse(ledger.get_object(champion.plan_digest), name="plan.json")


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


def signs_of(report: DriftReport) -> list[list[str]]:
    """What a second window must show again, those with the largest effects, in the form of the entry."""
    found = [
        [_short(column.name), test.subject, _short(test.direction or "")]
        for column in report.columns
        if column.gates
        for test in column.tests
        if test.drifted
    ]
    return sorted(found[:MAX_SIGNS])


def _draft(window: Window, state: LedgerState) -> Draft:
    """The entry of a scan on ``state``. Raises `LedgerConflict` when another version is the champion by now."""
    lifecycle, report = state.lifecycle(window.lifecycle_id), window.report
    if lifecycle.champion != window.champion.version:
        raise LedgerConflict(
            f"the champion of {window.lifecycle_id} changed while its data were scanned",
            hint="Run the same command again: it scans for the new one.",
        )
    blocks, confirms = _weigh(lifecycle, window)
    predicate: dict[str, Any] = {
        "profile": window.champion.profile,
        "dataset": intake.reference(window.dataset),
        "rows": list(report.rows),
        "reference": report.reference,
        "current": report.current,
        "verdict": window.verdict,
        "data_verdict": report.outcome,
        "labels": None if window.labels is None else window.labels.to_document(),
        "certain": window.is_certain,
        "signs": window.signs,
        "confirms": confirms,
        "report": report.digest,
        "verifier": {"noa-mlops": VERSION},
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
        "verdict": window.verdict,
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
    confirms = confirmed(lifecycle, window.report.current, read_signs(window.signs))
    return window.verdict == "fail" and (window.is_certain or confirms is not None), confirms


def _outcome(lifecycle: LifecycleState, window: Window, entry: LedgerEntry | None) -> Scan:
    blocks, confirms = _weigh(lifecycle, window)
    if entry is not None:
        blocks, confirms = entry.status == "blocked", entry.predicate["confirms"]
    return Scan(
        lifecycle_id=window.lifecycle_id,
        champion=window.champion.version,
        dataset=intake.reference(window.dataset),
        verdict=window.verdict,
        report=window.report,
        labels=window.labels,
        entry=None if entry is None else entry.seq,
        timestamp=None if entry is None else entry.ts,
        blocks=blocks,
        confirms=confirms,
        rollout="blocked" if blocks else lifecycle.rollout_at(now() if entry is None else entry.ts),
        incident=None if lifecycle.incident is None else lifecycle.incident.seq,
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 13]}~{sha256(text.encode())[:12]}"
