"""Rollouts that are blocked, and how far the way out has been gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from noa_mlops.audit.findings import Diagnosis
from noa_mlops.ledger import LedgerEntry, LedgerReader, LifecycleState
from noa_mlops.ledger.drift_law import BLIND
from noa_mlops.ledger.incident_law import enabling_problem
from noa_mlops.records.layout import address


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way out: its number of 4, what is to be done, and the commands, ``...`` for what a person says."""

    number: int
    what: str
    commands: tuple[str, ...]


def diagnose_incidents(ledger: LedgerReader, moment: str) -> Iterator[Diagnosis]:
    """Each rollout that is blocked at ``moment``, RFC 3339 as entries write it, and the next command of the way out."""
    for name, lifecycle in ledger.state.lifecycles.items():
        if lifecycle.incident is not None:
            yield _incident(ledger, name, lifecycle)
        elif lifecycle.override is not None and lifecycle.rollout_at(moment) == "blocked":
            yield _expired(name, lifecycle)
        if len(lifecycle.unseen) == BLIND:
            yield _blind(name, lifecycle)


def _incident(ledger: LedgerReader, name: str, lifecycle: LifecycleState) -> Diagnosis:
    seq = 0 if lifecycle.incident is None else lifecycle.incident.seq
    entry = ledger.entry(seq)
    step = next_step(ledger, name, lifecycle)
    return Diagnosis(
        "rollout",
        f"{name} is blocked since entry {seq} ({entry.ts}), the scan of {entry.predicate['dataset']['path']}",
        step.what,
        f"entry {seq}",
        step.commands,
        (*_moved(entry), f"step {step.number} of 4: diff, investigate, run, enable"),
    )


def _blind(name: str, lifecycle: LifecycleState) -> Diagnosis:
    """Scans that could not have seen anything: no rollout is blocked, and nothing is watched."""
    return Diagnosis(
        "drift",
        f"the newest {BLIND} windows of {name} were too few rows to see a drift",
        "scan more rows at once, those of a week in the place of a day's; or declare wider margins in the plan",
        f"entries {', '.join(map(str, lifecycle.unseen))}",
        (f"noa drift {name} --current ...",),
    )


def _moved(entry: LedgerEntry) -> Iterator[str]:
    """What a scan saw: columns by what moved in them, metrics that dropped."""
    for column, question, direction in entry.predicate["signs"]:
        if question != "metric":
            yield f"{column}: {question} drifted" + (f" ({direction})" if direction else "")
    for metric in (entry.predicate.get("labels") or {}).get("metrics", ()):
        if metric["finding"] == "hurts":
            now, then = (f"{value:.4g}" if value is not None else "-" for value in (metric["now"], metric["then"]))
            yield f"{metric['metric']}: {now}, was {then}: {metric['why']}"


def next_step(ledger: LedgerReader, name: str, lifecycle: LifecycleState) -> Step:
    """The step of the way out that comes next, for a lifecycle with an open incident."""
    incident, champion = lifecycle.incident, lifecycle.champion or 0
    if incident is None or incident.investigated is None:
        looking = (f"noa diff {name}", f'noa investigate {name} --finding "..."')
        return Step(1, "look at what changed, and say what was found", looking)
    versions = lifecycle.versions
    ready = [
        version
        for version in (*sorted(lifecycle.waiting, reverse=True), champion)
        if enabling_problem(ledger.state, lifecycle, versions[version]) is None
    ]
    if ready:
        passed = address(name, ready[0])
        what = f"{passed} passed after the investigation: an operator enables it{_missing(lifecycle, ready[0])}"
        return Step(4, what, (f'noa enable {passed} --reason "..."',))
    what = (
        "put data of now where the plan's evaluation data lie, and its training data when the world has changed, then train "
        "anew (a changed plan by its file): what passes is held. "
        f"After a false alarm instead: noa evaluate {address(name, champion)}"
    )
    return Step(3, what, (f"noa run {address(name, champion)}",))


def _missing(lifecycle: LifecycleState, version: int) -> str:
    """How many approvals a version still waits for, where one is not enough."""
    waits = lifecycle.awaited(version)
    if waits is None or waits.asked.required == 1:
        return ""
    return f", each with a key of their own ({len(waits.approved)} of {waits.asked.required} have)"


def _expired(name: str, lifecycle: LifecycleState) -> Diagnosis:
    """An override that has ended: the version stays the champion, and nothing of it is rolled out."""
    override, champion = lifecycle.override, address(name, lifecycle.champion or 0)
    seq, expires = (0, "") if override is None else (override.seq, override.expires)
    former = [version.version for version in lifecycle.versions.values() if version.status == "former"]
    if former:
        remedy = f"bring back the champion before it, or run a plan that passes: noa run {champion}"
        commands: tuple[str, ...] = (f'noa rollback {name} --to {former[-1]} --reason "..."',)
    else:
        remedy, commands = (
            "mend the model, its data or its plan: a version that passes takes its place",
            (f"noa run {champion}",),
        )
    problem = f"{name} is blocked since {expires}: the override that put {champion} in force has expired"
    return Diagnosis("rollout", problem, remedy, f"entry {seq}", commands)
