"""Floors: what the policy asks of every plan of a lifecycle, whoever writes the plan. A plan may only be stricter.

They are written as a plan's ``evaluation``, ``approvals`` and ``resources``. Of the resources only the named ones count:
a plan may use less, and must insist on at least the isolation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from noa_mlops.records.approvals import Approvals
from noa_mlops.records.documents import Json, compact
from noa_mlops.records.metrics import Metric
from noa_mlops.records.own_metrics import own_name
from noa_mlops.records.plan import EvaluationPlan, TrainingPlan
from noa_mlops.records.reading import read_document
from noa_mlops.records.reading.fields import Fault, FieldInvalid, Form, check_fields, instance_of, one_of, whole
from noa_mlops.records.reading.quantities import duration_text, read_duration, read_size, size_text
from noa_mlops.records.resources import Resources
from noa_mlops.records.split import Split
from noa_mlops.records.thresholds import Threshold, mixed_tasks, read_thresholds, thresholds_schema
from noa_mlops.records.versus import VersusChampion

_SIZE = Form(read_size, lambda: {"type": ["integer", "string"]})
_TIME = Form(read_duration, lambda: {"type": ["integer", "string"]})
_MOST = 1 << 60


class PlanTooLoose(FieldInvalid):
    """A plan that asks for less than the floors of its lifecycle."""


@dataclass(frozen=True, slots=True)
class ResourceFloors:
    """The most that a plan may use, and the isolation that it must insist on; None: nothing is asked."""

    cpus: Annotated[int | None, whole(1, 1024)] = None
    """Processor cores."""

    memory: Annotated[int | None, _SIZE, whole(1, _MOST, size_text)] = None
    """Memory of the whole process tree: bytes, or text like 2GiB."""

    time: Annotated[int | None, _TIME, whole(1, _MOST, duration_text)] = None
    """Wall-clock time of one step: seconds, or text like 10m."""

    disk: Annotated[int | None, _SIZE, whole(1, _MOST, size_text)] = None
    """Space of the workspace: bytes, or text like 5GiB."""

    isolation: Annotated[Literal["basic", "sealed"] | None, one_of("basic", "sealed")] = None
    """The least rung."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_document(self) -> dict[str, Json]:
        """The normal form: what is asked, and nothing else."""
        written: dict[str, Json] = {
            "cpus": self.cpus,
            "memory": None if self.memory is None else size_text(self.memory),
            "time": None if self.time is None else duration_text(self.time),
            "disk": None if self.disk is None else size_text(self.disk),
            "isolation": self.isolation,
        }
        return {name: value for name, value in written.items() if value is not None}

    def faults(self, given: Resources | ResourceFloors) -> Iterator[Fault]:
        """What of ``given`` goes beyond."""
        for name, show in (("cpus", int), ("memory", size_text), ("time", duration_text), ("disk", size_text)):
            most, used = getattr(self, name), getattr(given, name)
            if most is not None and (used is None or used > most):
                yield Fault(f"must be at most {show(most)}", (name,))
        ranks = {None: 0, "basic": 1, "sealed": 2}
        if ranks[given.isolation] < ranks[self.isolation]:
            yield Fault(f"must be '{self.isolation}'", ("isolation",))


@dataclass(frozen=True, slots=True)
class EvaluationFloors:
    """The least that a version must reach, and the data that it is measured on; None: any data."""

    dataset_path: str | None = None
    """The evaluation data that a plan must name."""

    split: Annotated[Split | None, instance_of(Split)] = None
    """The split that a plan must make."""

    metric_thresholds: Annotated[tuple[Threshold, ...], Form(read_thresholds, thresholds_schema)] = ()
    """What each metric must reach at least, whatever a plan says."""

    def __post_init__(self) -> None:
        check_fields(self, (fault.within("metric_thresholds") for fault in self._floor_faults()))

    def to_document(self) -> dict[str, Json]:
        """The normal form."""
        document: dict[str, Json] = {} if self.dataset_path is None else {"dataset_path": self.dataset_path}
        if self.split is not None:
            document["split"] = self.split.to_document()
        if self.metric_thresholds:
            document["metric_thresholds"] = {t.metric: t.to_document() for t in self.metric_thresholds}
        return document

    def _floor_faults(self) -> Iterator[Fault]:
        yield from mixed_tasks(self.metric_thresholds)
        for threshold in self.metric_thresholds:
            if own_name(threshold.metric) is not None:
                reason = "{} cannot be a floor: the code that measures it is the plan's"
                yield Fault(reason, (threshold.metric,), of_key=True)

    def faults(self, given: EvaluationPlan | EvaluationFloors) -> Iterator[Fault]:
        """Where ``given`` is looser."""
        if isinstance(given, EvaluationPlan) and given.gate is not None:
            yield Fault("must be absent", ("gate",))
            return
        for name in ("dataset_path", "split"):
            wanted = getattr(self, name)
            if wanted is not None and getattr(given, name) != wanted:
                shown = wanted if isinstance(wanted, str) else compact(wanted.to_document()).decode()
                yield Fault(f"must be {shown}", (name,))
        declared = {threshold.metric: threshold for threshold in given.metric_thresholds}
        for threshold in self.metric_thresholds:
            found = declared.get(threshold.metric)
            faults = [Fault("must be there")] if found is None else _threshold_faults(threshold, found)
            yield from (fault.within(threshold.metric).within("metric_thresholds") for fault in faults)


@dataclass(frozen=True, slots=True)
class Floors:
    """What the policy asks of every plan of one lifecycle; None: nothing is asked."""

    evaluation: Annotated[EvaluationFloors | None, instance_of(EvaluationFloors)] = None
    """The least that a version must reach."""

    approvals: Annotated[Approvals | None, instance_of(Approvals)] = None
    """The least approval."""

    resources: Annotated[ResourceFloors | None, instance_of(ResourceFloors)] = None
    """The most that a run may use."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_document(self) -> dict[str, Any]:
        """The normal form."""
        parts = {name: getattr(self, name) for name in ("evaluation", "approvals", "resources")}
        return {name: part.to_document() for name, part in parts.items() if part is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Floors:
        """The floors in a document. Raises `PlanInvalid` with every problem."""
        return read_document(compact(document), name="floors.json", kind=cls)

    def check(self, plan: TrainingPlan) -> None:
        """Raise `PlanTooLoose` naming every field in which a plan is looser than its floors."""
        found = tuple(self.faults(plan))
        if found:
            raise PlanTooLoose(
                [Fault(f"{f.message}, as policy.yaml asks of {plan.lifecycle_id!r}", f.path) for f in found]
            )

    def faults(self, given: TrainingPlan | Floors) -> Iterator[Fault]:
        """Where ``given``, a plan or other floors, is looser."""
        if self.evaluation is not None:
            measured = given.evaluation or EvaluationFloors()
            yield from (fault.within("evaluation") for fault in self.evaluation.faults(measured))
        if self.approvals is not None:
            yield from (fault.within("approvals") for fault in _approval_faults(self.approvals, given.approvals))
        if self.resources is not None:
            used = given.resources or ResourceFloors()
            yield from (fault.within("resources") for fault in self.resources.faults(used))


def loosened(before: Mapping[str, Floors], after: Mapping[str, Floors]) -> Iterator[str]:
    """What a change of the floors allows that was not allowed before, a sentence each."""
    for name, floors in before.items():
        for fault in floors.faults(after.get(name, Floors())):
            yield f"{name}: {fault}"


def _threshold_faults(floor: Threshold, given: Threshold) -> Iterator[Fault]:
    if floor.minimum is not None and (given.minimum is None or given.minimum < floor.minimum):
        yield Fault(f"must ask for at least {floor.minimum:g}")
    if floor.maximum is not None and (given.maximum is None or given.maximum > floor.maximum):
        yield Fault(f"must allow at most {floor.maximum:g}")
    if floor.confidence is not None and (given.confidence or 0) < floor.confidence:
        yield Fault(f"must ask for a confidence of at least {floor.confidence:g}", ("confidence",))
    yield from _slice_faults(floor, given)
    if floor.versus_champion is not None and floor.versus_champion.rule != "none":
        yield from _versus_faults(floor.row, floor.versus_champion, given.versus_champion)


def _slice_faults(floor: Threshold, given: Threshold) -> Iterator[Fault]:
    """Each column that the floor slices by, slices no smaller than it allows to pass over, and its fairness as it is."""
    if absent := [name for name in floor.slices if name not in given.slices]:
        yield Fault(f"must hold in slices by {', '.join(absent)}", ("slices",))
    if floor.fairness is not None and given.fairness != floor.fairness:
        yield Fault(f"must be {compact(floor.fairness.to_document()).decode()}", ("fairness",))
    sliced = floor.slices or floor.fairness is not None
    if sliced and given.min_rows > floor.min_rows:
        yield Fault(f"must be at most {floor.min_rows}", ("min_rows",))
    if sliced and given.on_small_slice == "warn" and floor.on_small_slice != "warn":
        yield Fault("must be 'inconclusive'", ("on_small_slice",))


def _versus_faults(metric: Metric, floor: VersusChampion, given: VersusChampion | None) -> Iterator[Fault]:
    """The default is so much of 1 for metrics from 0 to 1; of others it depends on the champion, so it must be said."""
    unit = metric.range == (0.0, 1.0)
    rule = VersusChampion.default(metric, 0.0) if given is None and unit else given
    if rule is None or rule.rule == "none" or rule.limit < floor.limit:
        yield Fault(f"must be at least as strict as {compact(floor.to_document()).decode()}", ("versus_champion",))


def _approval_faults(floor: Approvals, given: Approvals | None) -> Iterator[Fault]:
    if given is None or given.required < floor.required:
        yield Fault(f"must be at least {floor.required}", ("required",))
    if floor.not_submitter and (given is None or not given.not_submitter):
        yield Fault("must be true", ("not_submitter",))
