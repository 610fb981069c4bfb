"""What the loop sees before it does anything: the windows to scan, and the next step of each lifecycle.

Nothing is written here. What is read of files is read again only when somebody touched them.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from noa_mlops.agents import AgentFactory, RuntimeManager, is_owned
from noa_mlops.errors import LifecycleError, PlanInvalid
from noa_mlops.ledger import LedgerReader, LifecycleState
from noa_mlops.ledger.incident_law import old_data_problem
from noa_mlops.lifecycle.bootstrap import open_orchestrator
from noa_mlops.lifecycle.claiming import UNFINISHED, changed_inputs
from noa_mlops.lifecycle.due import Made, Step, next_step, pause_after
from noa_mlops.lifecycle.history import history_of
from noa_mlops.lifecycle.windows import Past, Sight, Stamp, is_settled, unscanned
from noa_mlops.records.events import Submitted
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.settings import Scheduled

_Seen: TypeAlias = tuple[Stamp, int | None]


@dataclass(frozen=True, slots=True)
class _Inputs:
    """A plan's inputs: what changed since they were recorded, and the fingerprint of its evaluation data, if it has any."""

    changed: str
    data: str | None


class Outlook:
    """Looks at a project for the loop; ``settle`` is how many seconds a file must lie still before it is read."""

    def __init__(self, layout: Layout, ledger: LedgerReader, runtime: RuntimeManager, settle: float) -> None:
        self._layout = layout
        self._ledger = ledger
        self._runtime = runtime
        self._settle = settle
        self._past = Past(ledger)
        self._roots: tuple[Path, ...] = ()
        self._sight = Sight(layout.project, ())
        self._inputs: dict[str, tuple[_Seen, _Inputs]] = {}
        self._unreadable: dict[str, tuple[_Seen, float, LifecycleError]] = {}

    def refresh(self) -> None:
        """Take in what was recorded since. Raises `LedgerTampered`."""
        self._ledger.refresh()
        self._past.read_on()
        if (roots := self._ledger.data_roots) != self._roots:
            self._roots, self._sight = roots, Sight(self._layout.project, roots)

    def lifecycle(self, name: str) -> LifecycleState:
        """A lifecycle as it stands."""
        return self._ledger.state.lifecycle(name)

    def waits_until(self, name: str, task: Scheduled) -> float:
        """Seconds until a lifecycle is to be scanned again; 0 when it is now."""
        last = self._past.last(name)
        return 0.0 if task.every is None or last is None else max(0.0, _moment(last) + task.every - time.time())

    def windows(self, name: str, task: Scheduled) -> Iterator[str]:
        """The data to scan now: none without a champion, or before it is time. Raises `DatasetInvalid`."""
        if self.lifecycle(name).champion is not None and self.waits_until(name, task) == 0:
            yield from unscanned(self._sight, self._past, name, task)

    def stamp(self, path: str) -> Stamp:
        """How the files of a dataset look from outside. Raises `PlanInvalid` for a definition that cannot be used."""
        return self._sight.stamp(path)

    def is_settled(self, stamp: Stamp) -> bool:
        """Whether nobody has touched these files lately."""
        return is_settled(stamp, time.time_ns(), self._settle)

    def plan(self, name: str, task: Scheduled) -> TrainingPlan:
        """The plan that is scheduled. Raises `PlanInvalid`, also for one of another lifecycle."""
        plan = TrainingPlan.load(task.plan or "", project=self._layout.project)
        if plan.lifecycle_id != name:
            raise PlanInvalid(
                f"{task.plan} is a plan of {plan.lifecycle_id}, and noa.yaml schedules it for {name}",
                hint="Name a plan of the lifecycle itself under 'schedule' in noa.yaml.",
            )
        return plan

    def touched(self, name: str, task: Scheduled) -> Stamp:
        """How the scheduled plan and all that it names look from outside. Raises `PlanInvalid`."""
        own = self._look(task.plan or "")
        plan = self.plan(name, task)
        data = [plan.dataset_path]
        if plan.evaluation is not None and plan.evaluation.dataset_path is not None:
            data.append(plan.evaluation.dataset_path)
        return (own, *self._sight.stamp(*data), *map(self._look, plan.code))

    def step(self, name: str, task: Scheduled) -> Step:
        """The next step of a lifecycle. Raises what reading the plan and its data raises.

        Data that could not be read are read again when somebody touched them, or when it is time to try again.
        """
        return next_step(name, task, self.lifecycle(name), lambda: self._made(name, task), time.time())

    def _made(self, name: str, task: Scheduled) -> Made:
        lifecycle, plan, stamp = self.lifecycle(name), self.plan(name, task), self.touched(name, task)
        for version in lifecycle.versions.values():
            if version.status in UNFINISHED and is_owned(self._layout.workspace(version.agent_id)):
                return Made(running=version.version)
        if not self.is_settled(stamp):
            return Made(settled=False)
        since = -1 if lifecycle.incident is None else lifecycle.incident.investigated or 0
        fitting = (v for v in lifecycle.versions.values() if v.plan_digest == plan.digest and v.first_seq > since)
        newest = max(fitting, key=lambda version: version.version, default=None)
        if newest is not None and newest.status in UNFINISHED:
            return Made(newest)
        number = None if newest is None else newest.version
        inputs = self._inputs_of(name, task, plan, (stamp, number))
        stale = _is_stale(lifecycle, inputs.data)
        if newest is None:
            return Made(None, stale=stale)
        began, ended = (_moment(self._ledger.entry(seq).ts) for seq in (newest.first_seq, newest.last_seq))
        return Made(newest, inputs.changed, began, ended, stale=stale)

    def _inputs_of(self, name: str, task: Scheduled, plan: TrainingPlan, seen: _Seen) -> _Inputs:
        """What is known of the plan's data, read when somebody touched them."""
        known, failed = self._inputs.get(name), self._unreadable.get(name)
        if known is not None and known[0] == seen:
            return known[1]
        if failed is not None and failed[0] == seen and time.monotonic() < failed[1]:
            raise copy.copy(failed[2])
        try:
            inputs = self._read(name, plan, seen)
        except LifecycleError as error:
            # A copy: the error itself leads to every frame that it passed, and to the data in them.
            self._unreadable[name] = (seen, time.monotonic() + pause_after(task, error), copy.copy(error))
            raise
        self._inputs[name] = (seen, inputs)
        return inputs

    def _read(self, name: str, plan: TrainingPlan, seen: _Seen) -> _Inputs:
        """Hold the plan, its data and its code against what the newest version was made of."""
        with open_orchestrator(self._layout, AgentFactory(), self._runtime) as orchestrator:
            submission = orchestrator.check_plan(plan)
        submitted = None if seen[1] is None else self._submitted(name, seen[1])
        data = submission.datasets.get("evaluation", {}).get("fingerprint")
        return _Inputs("" if submitted is None else changed_inputs(submitted, submission), data)

    def _submitted(self, name: str, version: int) -> Submitted | None:
        event = history_of(self._ledger, name, version)[0]
        return event if isinstance(event, Submitted) else None

    def _look(self, file: str) -> tuple[str, int, int, int]:
        try:
            status = os.stat(self._layout.project / file)
        except (OSError, ValueError):
            return file, -1, -1, -1
        return file, status.st_size, status.st_ino, status.st_ctime_ns


def _is_stale(lifecycle: LifecycleState, data: str | None) -> bool:
    """Whether a version measured on ``data`` shows nothing of now: the law asks it of what ends an incident."""
    incident = lifecycle.incident
    return incident is not None and old_data_problem(lifecycle, data, incident) is not None


def _moment(text: str) -> float:
    """A time, as entries write it, in seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()
