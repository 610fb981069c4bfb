"""Training a recorded version again: from its recorded plan, data, code and seed, does the same model come out?

It is a look back. It reads the ledger with no key and no lock, writes nothing but a workspace of its own, and what comes out is no
version: nothing can promote it, so measuring it is no look at the evaluation data by the gate's count.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from noa_mlops.agents import AgentFactory, RuntimeManager
from noa_mlops.errors import (
    DatasetInvalid,
    EvaluationFailed,
    NotAuthorised,
    NotFound,
    PlanInvalid,
    TrainingFailed,
)
from noa_mlops.files import UnsafePath, raise_trouble_behind
from noa_mlops.gate import answered_alike, equivalent, estimates_recorded, thresholds
from noa_mlops.ledger import LedgerReader
from noa_mlops.lifecycle import environment, measuring
from noa_mlops.lifecycle.accounting import relative
from noa_mlops.lifecycle.bus import EventBus
from noa_mlops.lifecycle.claiming import changed_inputs
from noa_mlops.lifecycle.controller import AgentLifecycleController
from noa_mlops.lifecycle.intake import CodeFile, Submission
from noa_mlops.lifecycle.recalling import Recalled, recall, recorded_predictions
from noa_mlops.lifecycle.runs import Interrupted, Run
from noa_mlops.records.documents import parse
from noa_mlops.records.events import EvaluationLogged, TrainingCompleted
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.manifest import checksum
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.reproduction import REDACTED, Change, Measurement, MetricAgain, Reproduction
from noa_mlops.records.verdict import Estimate

_RUNGS = ("basic", "sealed")
"""From the weaker to the stronger."""


@dataclass(frozen=True, slots=True)
class Reproducible:
    """A version whose record, data and machine allow that it is trained again; ``environment`` are the differences so far."""

    recalled: Recalled
    trained: TrainingCompleted
    environment: tuple[Change, ...]

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        given = self.recalled.submission
        return {
            "lifecycle_id": given.plan.lifecycle_id,
            "version": self.recalled.state.version,
            "profile": given.profile.name,
            "task": given.task,
            "target": given.target,
            "isolation": given.isolation,
            "datasets": given.datasets,
            "entry": self.trained.seq,
            "recorded": self.trained.checksum,
            "environment": [asdict(change) for change in self.environment],
        }


class Reproducer:
    """Trains recorded versions of one project again."""

    def __init__(
        self, ledger: LedgerReader, factory: AgentFactory, runtime: RuntimeManager, bus: EventBus | None = None
    ) -> None:
        self._ledger = ledger
        self._layout: Layout = ledger.layout
        policy = ledger.state.policy
        roots = () if policy is None else tuple(self._layout.project / root for root in policy.data_roots)
        self._controller = AgentLifecycleController(factory, runtime, self._layout, roots)
        self._bus = bus or EventBus()

    def check(self, lifecycle_id: str, version: int) -> Reproducible:
        """Everything that can be checked without running anything.

        Raises `NotFound` for a version that is not here, was never trained, or whose plan, code or profile is gone, `DatasetInvalid`
        when its data or code changed or are gone, `PlanInvalid`, `NotAuthorised` when agents were isolated better than they can be
        here, `LedgerConflict` for a version on its way.
        """
        recalled = self._recall(lifecycle_id, version)
        name, given = recalled.name, recalled.submission
        if changed := changed_inputs(recalled.submitted, given):
            raise DatasetInvalid(f"{name} cannot be trained again: {changed}", hint=_BRING_BACK)
        trained = next(event for event in recalled.history if isinstance(event, TrainingCompleted))
        rung = trained.run["isolation"]["rung"]
        if _RUNGS.index(given.isolation) < _RUNGS.index(rung):
            raise NotAuthorised(
                f"{name} was trained by a {rung} agent, this machine can only do {given.isolation!r}",
                hint="Run it on a kernel with Landlock (5.13 or newer, enabled).",
            )
        return Reproducible(recalled, trained, tuple(self._changes(recalled, trained)))

    def reproduce(self, lifecycle_id: str, version: int, cancel: threading.Event) -> Reproduction:
        """Train a version again and hold what comes out against what was recorded; the new model stays in its workspace.

        Raises what `check` raises, `LedgerConflict` while another process does the same, `TrainingFailed` when no model comes
        out, `Interrupted` when ``cancel`` was set.
        """
        found = self.check(lifecycle_id, version)
        recalled, trained = found.recalled, found.trained
        with self._controller.own_reproduction(recalled.submission, version) as run:
            try:
                return self._again(run, found, cancel)
            except Interrupted as error:
                again = "The record is as it was. The same command begins anew."
                raise Interrupted(f"the reproduction of {recalled.name} was interrupted", hint=again) from error
            except TrainingFailed as error:
                raise_trouble_behind(error)
                raise TrainingFailed(
                    f"{recalled.name} (entry {trained.seq}) could not be trained again: {error}",
                    cause=error.cause,
                    hint=f"What its agents printed is in {run.workspace.path}.",
                ) from error

    def _recall(self, lifecycle_id: str, version: int) -> Recalled:
        """The version as it was submitted. What its final training used is decided here, and here only.

        Plan and seed are the submitted ones, hyperparameters those that a search found: it is not made again.
        """
        accept = partial(self._accept, address(lifecycle_id, version))
        return recall(self._ledger, accept, lifecycle_id, version)

    def _accept(self, name: str, plan: TrainingPlan, code: Sequence[CodeFile]) -> Submission:
        """What the plan names, as it is now; what stands in the way is said of the version."""
        try:
            return self._controller.accept(plan, code)
        except (DatasetInvalid, UnsafePath) as error:
            raise DatasetInvalid(f"{name} cannot be trained again: {error}", hint=_BRING_BACK) from error
        except PlanInvalid as error:
            raise PlanInvalid(f"{name} cannot be trained again here: {error}", hint=error.hint) from error
        except NotFound as error:
            hint = "Install the package that brings it."
            raise NotFound(f"{name} cannot be trained again here: {error}", hint=hint) from error

    def _again(self, run: Run, found: Reproducible, cancel: threading.Event) -> Reproduction:
        recalled, trained = found.recalled, found.trained
        new = self._controller.train(run, self._bus.publish, cancel)
        rung = new.facts["isolation"]["rung"]
        before = trained.run["isolation"]["rung"]
        isolation = (Change("isolation", before, rung),) if rung != before else ()
        result = Reproduction(
            lifecycle_id=run.lifecycle_id,
            version=run.version,
            entry=trained.seq or 0,
            recorded=trained.checksum,
            checksum=checksum(new.files),
            isolation=rung,
            model=relative(run.workspace.out, self._layout),
            environment=(*found.environment, *isolation),
        )
        if result.checksum == result.recorded:
            return result
        files = tuple(self._files(trained, {file.path: file.sha256 for file in new.files}))
        result = replace(result, files=files)
        now = replace(trained, checksum=result.checksum, run=new.facts)
        try:
            return replace(result, measured=self._measure(run, recalled, now, cancel))
        except (EvaluationFailed, NotFound) as error:
            raise_trouble_behind(error)
            return replace(result, unmeasured=str(error))

    def _measure(self, run: Run, recalled: Recalled, now: TrainingCompleted, cancel: threading.Event) -> Measurement:
        """Both models on the recorded evaluation rows. Raises `EvaluationFailed`, `NotFound` where there is nothing to compare."""
        before = next((event for event in reversed(recalled.history) if isinstance(event, EvaluationLogged)), None)
        if before is None:
            raise NotFound("nothing was measured of it, so there is nothing to compare")
        measured = self._controller.evaluate(run, now, None, cancel)
        recorded, new = estimates_recorded(before), measured.report.metrics
        names = [t.metric for t in thresholds(run.submission.plan)] or [n for n, e in recorded.items() if e.spread]
        try:
            told = recorded_predictions(self._layout, run.lifecycle_id, recalled.state, before.predictions or "")
        except NotFound as error:
            return Measurement(before.rows, None, tuple(_silent(name, recorded, new, str(error)) for name in names))
        differing = measuring.answered_otherwise(
            measuring.kept_predictions(run.predictions, measured.predictions_sha256), told
        )
        pairs = {name: (_estimate(recorded, name), _estimate(new, name)) for name in names}
        if differing == 0:
            return Measurement(before.rows, 0, tuple(answered_alike(name, *pair) for name, pair in pairs.items()))
        improved = self._controller.improvement(run, measured, told, cancel)
        metrics = tuple(equivalent(name, *pair, improved.get(name)) for name, pair in pairs.items())
        return Measurement(before.rows, differing, metrics)

    def _changes(self, recalled: Recalled, trained: TrainingCompleted) -> Iterator[Change]:
        """What differs in the environment; nothing can be said of one that was redacted."""
        entry = self._ledger.entry(trained.seq or 0)
        digest = entry.predicate["buildDefinition"]["internalParameters"]["environment"]["digest"]["sha256"]
        if digest in self._ledger.state.redacted:
            yield Change("environment", REDACTED, None)
            return
        yield from environment.changes(self._object(digest), recalled.submission.environment.describe())

    def _files(self, trained: TrainingCompleted, new: Mapping[str, str]) -> Iterator[Change]:
        """The files that differ, by their digests; of a list that was redacted only that."""
        if trained.checksum in self._ledger.state.redacted:
            yield Change("the list of files", REDACTED, None)
            return
        listed = {file["path"]: file["sha256"] for file in self._object(trained.checksum)}
        for path in sorted({*listed, *new}):
            if listed.get(path) != new.get(path):
                yield Change(path, listed.get(path), new.get(path))

    def _object(self, digest: str) -> Any:
        data = self._ledger.get_object(digest)
        return parse(data, limit=len(data))


def _estimate(metrics: Mapping[str, Estimate], name: str) -> Estimate:
    return metrics.get(name) or Estimate(None, 0, "it is no metric of this measurement")


def _silent(name: str, recorded: Mapping[str, Estimate], new: Mapping[str, Estimate], why: str) -> MetricAgain:
    """A metric whose difference cannot be bounded, because the recorded answers are not here any more."""
    before, now = _estimate(recorded, name).value, _estimate(new, name).value
    return MetricAgain(name, before, now, equal=False, reason=f"nothing can be compared row by row: {why}")


_BRING_BACK = "Bring back what it was made of, as it was when it was submitted."
