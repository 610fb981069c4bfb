"""What is next for a lifecycle of the schedule: pure, from what the ledger and the files say.

Resuming after a crash asks the same question. The order is that of the procedure: while a rollout is blocked and nobody has
looked, the loop waits for people; after that it makes one version by the declared plan, and what passes waits to be
enabled. What a plan came to once, it is not run for again: only when its data, its code or itself changed, and after a
failed training, which may have been the machine's fault, once in each time that the schedule says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from noa_mlops.errors import LedgerConflict, NotAuthorised, RegistryConflict
from noa_mlops.ledger import LifecycleState, VersionState
from noa_mlops.ledger.incident_law import retrained_problem
from noa_mlops.records.layout import address
from noa_mlops.records.reading.quantities import duration_text
from noa_mlops.records.settings import Scheduled

RETRY = 3600
"""Seconds after which what failed is tried again, where the schedule does not say how often."""

SOON = 60
"""Seconds after which is tried again what somebody else stands in the way of."""


@dataclass(frozen=True, slots=True)
class Retrain:
    """Run the plan, because of ``why``."""

    plan: str
    why: str


@dataclass(frozen=True, slots=True)
class Propose:
    """A version passed and is held: it waits to be enabled."""

    version: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done now: for ``why`` it waits. ``people`` says whether it is they who must do something."""

    why: str
    people: bool = False


Step: TypeAlias = Retrain | Propose | Wait


@dataclass(frozen=True, slots=True)
class Made:
    """What was made by a plan, since the incident was investigated when one is open.

    ``newest`` is None when nothing was. ``changed`` says what is not as it was for that, empty when nothing is; ``began``
    and ``ended`` say when it did, in seconds since 1970. ``running`` is a version that a living process works on, ``settled``
    whether nobody writes the plan's data, ``stale`` whether they are those that the champion before was measured on, which show nothing of now.
    """

    newest: VersionState | None = None
    changed: str = ""
    began: float = 0.0
    ended: float = 0.0
    running: int | None = None
    settled: bool = True
    stale: bool = False


def next_step(name: str, task: Scheduled, lifecycle: LifecycleState, look: Callable[[], Made], moment: float) -> Step:
    """The next step for the lifecycle ``name`` at a time in seconds since 1970.

    ``look`` reads the plan's data, and is asked only when it matters.
    """
    incident = lifecycle.incident
    if incident is not None and incident.investigated is None:
        steps = f'noa diff {name}, then: noa investigate {name} --finding "..."'
        return Wait(f"blocked by entry {incident.seq} until somebody has looked: {steps}", people=True)
    version = proposed(lifecycle)
    if version is not None:
        return Propose(version)
    if task.plan is not None and (incident is not None or task.retrain):
        return _by_plan(name, task.plan, task, lifecycle, look(), moment)
    if incident is not None:
        return Wait(f"investigated, and no plan is scheduled: noa run PLAN, then noa enable {name}@N", people=True)
    if lifecycle.champion is None:
        return Wait("no champion yet: noa run PLAN", people=True)
    often = "" if task.every is None else f", scanned every {duration_text(task.every)} at most"
    return Wait(f"new data{often}")


def proposed(lifecycle: LifecycleState) -> int | None:
    """The newest version that may be enabled as the rollout stands; None when there is none."""
    waiting = (version for version in lifecycle.waiting if lifecycle.awaited(version) is not None)
    return max((version for version in waiting if _ends(lifecycle, lifecycle.versions[version])), default=None)


def _ends(lifecycle: LifecycleState, version: VersionState) -> bool:
    """Whether the law lets a version end the open incident, if there is one."""
    incident = lifecycle.incident
    return incident is None or (
        version.first_seq > (incident.investigated or 0) and retrained_problem(lifecycle, version, incident) is None
    )


def pause_after(task: Scheduled, error: Exception | None = None) -> int:
    """Seconds until what failed is tried again; soon where another process or a setting stands in the way, not the data."""
    pause = task.every or RETRY
    return min(pause, SOON) if isinstance(error, LedgerConflict | NotAuthorised | RegistryConflict) else pause


def _by_plan(name: str, plan: str, task: Scheduled, lifecycle: LifecycleState, made: Made, moment: float) -> Step:
    """Whether the plan is to be run now."""
    if made.running is not None:
        return Wait(f"{address(name, made.running)} is being run by another process")
    if not made.settled:
        return Wait(f"the data of {plan} are still being written")
    newest = made.newest
    if newest is not None and newest.on_its_way:
        return Retrain(plan, f"{address(name, newest.version)} was cut off and goes on")
    if newest is not None and newest.version in lifecycle.waiting and lifecycle.awaited(newest.version) is None:
        return Retrain(plan, f"{address(name, newest.version)} was judged beside another champion")
    if newest is not None and not made.changed:
        return _unchanged(name, plan, newest, made.ended + pause_after(task), moment)
    if lifecycle.incident is not None and made.stale:
        return Wait(
            f"{plan} names the evaluation data that the champion was measured on, or none: name data of now",
            people=True,
        )
    if lifecycle.incident is not None and newest is None:
        return Retrain(plan, "the incident was investigated")
    if newest is None:
        return Retrain(plan, "nothing was made by it yet")
    due = made.began + (task.every or 0)
    if lifecycle.incident is None and moment < due:
        return Wait(f"{made.changed}: {plan} is run at {_clock(due)}")
    return Retrain(plan, made.changed)


def _unchanged(name: str, plan: str, newest: VersionState, due: float, moment: float) -> Step:
    """What follows when a plan, its data and its code are those of the newest version."""
    version = address(name, newest.version)
    if newest.status != "failed":
        return Wait(f"{version} is {newest.status}; new data, or another {plan}")
    if moment >= due:
        return Retrain(plan, f"{version} failed, and it is time to try again")
    return Wait(f"{version} failed: noa logs {version}; it is tried again at {_clock(due)}")


def _clock(moment: float) -> str:
    """A time as people and entries write it, to the second."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
