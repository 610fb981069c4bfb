"""``noa verify --decisions --deep``: every measurement again, from the predictions and labels that it was made of.

The same code measures as did then, so nothing but the numbers' last digits may differ, as they do between machines. What
cannot be measured again, because data, code or predictions are not here any more, is named; that is no failure. A metric
of a plan's own evaluator is not computed again: no code but ours runs here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from noa_mlops.agents import AgentFactory
from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.errors import LifecycleError
from noa_mlops.gate import estimates_recorded, thresholds
from noa_mlops.ledger import LedgerEntry, LedgerState, Refusal, VersionState, get_object, read_lines
from noa_mlops.ledger.law import examine
from noa_mlops.lifecycle import beside, dropping, intake, measuring, recording
from noa_mlops.lifecycle.history import event_of
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.lifecycle.recalling import recorded_predictions
from noa_mlops.lifecycle.runs import Measured
from noa_mlops.records.comparison import Comparison
from noa_mlops.records.events import EvaluationLogged, Submitted, TrainingCompleted
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.own_metrics import own_name
from noa_mlops.records.plan import TrainingPlan

TOLERANCE = 1e-9
"""How far, relative to its size, a number may be from the recorded one and is the same."""

COMPUTED = (
    "metrics",
    "not_computed",
    "spreads",
    "overlap",
    "slices",
    "group_by",
    "forecast",
    "rows",
    "missing_predictions",
    "missing_labels",
    "unseen_labels",
    "classes",
    "positive",
    "decision_threshold",
)
"""Members of a measurement that follow from predictions, labels, plan and training data."""

Found: TypeAlias = tuple[int, str]
"""An entry, and what is wrong with it."""


class _NotHere(Exception):
    """Something that a measurement was made of is not here as it was."""


@dataclass(slots=True)
class Recomputation:
    """What computing the measurements again came to: how many, what differs by entry, and what could not be done."""

    measured: int = 0
    findings: list[Found] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def recompute(layout: Layout) -> Recomputation:
    """Measure everything again that the ledger says was measured, up to the first line that does not hold.

    Nothing is written. Raises `UnsafePath` for a ledger that cannot be read.
    """
    again, found, state = _Again(layout), Recomputation(), LedgerState()
    for line in read_lines(layout.ledger):
        admitted = examine(state, line.removesuffix(b"\n"))
        if isinstance(admitted, Refusal):
            found.notes.append(f"From entry {state.size} on nothing was measured again: it {admitted.reason}")
            break
        entry, before, state = admitted.entry, state, admitted.state
        again.keep(entry)
        if entry.type != "EvaluationLogged":
            continue
        try:
            differences = list(again.differences(entry, before))
        except (_NotHere, LifecycleError, OSError) as error:
            name = address(entry.lifecycle_id or "", entry.version or 0)
            found.notes.append(f"The measurement of {name} (entry {entry.seq}) cannot be made again: {error}")
            continue
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            differences = [f"no verifier wrote this measurement ({error!r:.200})"]
        found.measured += 1
        found.findings += [(entry.seq, reason) for reason in differences]
    return found


class _Again:
    """Measures entries of one ledger again; plans and data are read once for each plan."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._factory = AgentFactory()
        self._store = FilesystemArtifactStore(layout)
        self._read: dict[str, Submission | LifecycleError] = {}
        self._begun: dict[tuple[str, int], Submitted] = {}
        self._trained: dict[tuple[str, int], TrainingCompleted] = {}
        self._measured: dict[tuple[str, int], EvaluationLogged] = {}

    def keep(self, entry: LedgerEntry) -> None:
        """Note how a version began, what it was trained to and what it was decided on by, for what is measured later."""
        if entry.type in ("Submitted", "TrainingCompleted", "EvaluationLogged"):
            event = event_of(entry)
            place = (event.lifecycle_id, event.version)
            if isinstance(event, Submitted):
                self._begun[place] = event
            elif isinstance(event, TrainingCompleted):
                self._trained[place] = event
            elif isinstance(event, EvaluationLogged) and event.verdict is None:
                self._measured[place] = event

    def differences(self, entry: LedgerEntry, state: LedgerState) -> Iterator[str]:
        """What an entry says otherwise than its predictions and labels do; ``state`` is that before it.

        Raises `_NotHere`, `LifecycleError`.
        """
        name, number = entry.lifecycle_id or "", entry.version or 0
        version, trained = state.lifecycle(name).versions[number], self._trained[name, number]
        given = self._given(version, self._begun[name, number], entry, state)
        predictions = recorded_predictions(self._layout, name, version, entry.predicate["predictions"])
        withheld = measuring.withhold(_evaluation(given), given.target)
        slices = measuring.measure_apart(predictions, withheld.labels, given)
        report = measuring.measure(predictions, withheld.labels, given)
        measured = Measured(report, entry.predicate["predictions"], {}, measuring.seen_in_training(given), slices)
        follows = recording.evaluated(given, trained, measured, state).predicate
        for member in COMPUTED:
            yield from _differences(member, _ours(entry.predicate.get(member)), _ours(follows.get(member)))
        challenger = beside.Challenger(trained.checksum, predictions)
        compared = self._compared(given, challenger, withheld.labels, entry, state)
        if compared is not None:
            for member in ("metrics", "improvements"):
                recorded = entry.predicate["champion"][member]
                yield from _differences(f"champion.{member}", _ours(recorded), _ours(compared.document[member]))
            yield from self._drop(entry, compared, state)

    def _drop(self, entry: LedgerEntry, compared: beside.Compared, state: LedgerState) -> Iterator[str]:
        """What is said otherwise of the champion's metrics since its promotion; entries of older versions say nothing."""
        recorded, name = entry.predicate["champion"], entry.lifecycle_id or ""
        if "dropped" not in recorded:
            return
        champion = state.lifecycle(name).versions[recorded["version"]]
        declared = thresholds(TrainingPlan.parse(get_object(self._layout.objects, champion.plan_digest), "plan.json"))
        if any(own_name(threshold.metric) is not None for threshold in declared):
            return  # what the plan's own evaluator says is not measured here
        then = estimates_recorded(self._measured[name, champion.version])
        follows = dropping.drop_of(declared, then, compared.metrics, entry.predicate["rows"])
        yield from _differences("champion.dropped", recorded["dropped"], follows)

    def _given(self, version: VersionState, submitted: Submitted, entry: LedgerEntry, state: LedgerState) -> Submission:
        """The plan with its data, which must be those that were measured on and learned from."""
        if version.plan_digest not in self._read:
            roots = tuple(self._layout.project / root for root in state.policy.data_roots) if state.policy else ()
            try:
                plan = TrainingPlan.parse(get_object(self._layout.objects, version.plan_digest), "plan.json")
                code = intake.recorded_code(self._layout.objects, submitted.code, plan)
                self._read[version.plan_digest] = intake.accept(plan, self._layout.project, roots, self._factory, code)
            except LifecycleError as error:
                self._read[version.plan_digest] = error
        given = self._read[version.plan_digest]
        if isinstance(given, LifecycleError):
            raise given
        if submitted.datasets["train"]["fingerprint"] != given.train.identity.fingerprint:
            raise _NotHere("its training data are other ones now")
        if entry.predicate["dataset"]["fingerprint"] != _evaluation(given).identity.fingerprint:
            raise _NotHere("its evaluation data are other ones now")
        return given

    def _compared(
        self,
        given: Submission,
        challenger: beside.Challenger,
        labels: pa.ChunkedArray,
        entry: LedgerEntry,
        state: LedgerState,
    ) -> beside.Compared | None:
        """The comparison with the champion of then; None when there was none, or it could not be asked."""
        recorded = entry.predicate.get("champion")
        if recorded is None or recorded["unavailable"] is not None:
            return None
        name = entry.lifecycle_id or ""
        champion = state.lifecycle(name).versions[Comparison.from_document(recorded).champion]
        record = self._store.record(name, champion.profile, champion.version)
        said = recorded_predictions(self._layout, name, champion, recorded["predictions"]["sha256"])
        told = beside.Said(said, recorded["predictions"]["sha256"])
        return beside.compared(given, record, challenger, told, labels)


def _evaluation(given: Submission) -> Any:
    if given.evaluation is None:
        raise _NotHere("its plan names no evaluation data")
    return given.evaluation


def _ours(value: Any) -> Any:
    """A member without what a plan's own evaluator measured."""
    if isinstance(value, Mapping):
        return {name: _ours(inner) for name, inner in value.items() if own_name(str(name)) is None}
    return value


def _differences(name: str, recorded: Any, follows: Any) -> Iterator[str]:
    """Each number or word that is recorded otherwise, by the way to it."""
    if isinstance(recorded, Mapping) and isinstance(follows, Mapping):
        for key in (*follows, *(key for key in recorded if key not in follows)):
            yield from _differences(f"{name}.{key}", recorded.get(key), follows.get(key))
    elif isinstance(recorded, list | tuple) and isinstance(follows, list | tuple) and len(recorded) == len(follows):
        for index, (said, is_so) in enumerate(zip(recorded, follows, strict=True)):
            yield from _differences(f"{name}.{index}", said, is_so)
    elif not _same(recorded, follows):
        yield f"it says {name} {recorded!r:.80}, but from the predictions and labels follows {follows!r:.80}"


def _same(recorded: Any, follows: Any) -> bool:
    numbers = (int, float)
    if type(recorded) in numbers and type(follows) in numbers:
        return math.isclose(recorded, follows, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(recorded == follows)
