"""``noa drift`` without ``--current``: the data that the schedule of ``noa.yaml`` names, of one lifecycle or of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.cli import options, output
from noa_mlops.errors import DatasetInvalid, LedgerTampered, LifecycleError, NotFound

if TYPE_CHECKING:
    from noa_mlops.audit.ci_reports import Check
    from noa_mlops.ledger import LedgerReader
    from noa_mlops.lifecycle.scanning import Scan
    from noa_mlops.records.layout import Layout
    from noa_mlops.records.settings import Scheduled

SETTINGS = "noa.yaml"


@dataclass(frozen=True, slots=True)
class Ways:
    """How ``noa drift`` does what it does for one window: scanning it, telling of it, and naming what was checked."""

    scan: Callable[[str, str], Scan]
    tell: Callable[[Scan], None]
    checks_of: Callable[[Scan], Sequence[Check]]


@dataclass(slots=True)
class _Done:
    """What was scanned, what could not be, and how each rollout stands after it."""

    scans: list[Scan] = field(default_factory=list)
    problems: list[tuple[str, LifecycleError]] = field(default_factory=list)
    rollouts: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """3 when a rollout is blocked; else that of the first problem."""
        if "blocked" in self.rollouts.values():
            return 3
        return self.problems[0][1].exit_code if self.problems else 0


def scan_scheduled(
    layout: Layout,
    name: str | None,
    written: Mapping[str, Path | None],
    ways: Ways,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Scan what is scheduled and say what came of it; the exit status. Data that cannot be read stop no other scan.

    Raises `NotFound` when nothing is scheduled, `PlanInvalid` for settings that cannot be used.
    """
    done = _Done()
    for lifecycle_id, task in _scheduled(layout, name).items():
        _scan(layout, lifecycle_id, task, done, ways.scan, alone=name is not None, dry_run=dry_run)
    if written["html"] is not None and done.scans:
        from noa_mlops.audit.pages import scan_page

        worst = max(done.scans, key=lambda scan: (scan.blocks, scan.verdict == "fail", scan.verdict != "pass"))
        title, path = f"{worst.lifecycle_id}@{worst.champion}", str(worst.dataset["path"])
        written["html"].write_text(scan_page(title, path, worst.report), encoding="utf-8")
    options.tell_ci("drift", _checks(layout, done, ways), layout.project, written["junit"], written["sarif"])
    if as_json:
        output.emit(_document(done))
    else:
        _tell(done, ways)
    return done.exit_code


def _scheduled(layout: Layout, name: str | None) -> Mapping[str, Scheduled]:
    """The tasks that are meant."""
    from noa_mlops.records.settings import Settings

    schedule = Settings.load(layout.settings).schedule if layout.settings.exists() else {}
    if name is not None and name in schedule:
        return {name: schedule[name]}
    if name is None and schedule:
        return schedule
    raise NotFound(
        f"{SETTINGS} schedules {'nothing' if name is None else f'nothing for {name}'}, so there are no data to scan",
        hint="Name them with --current DATASET, or under 'schedule' in noa.yaml: noa schema settings.",
    )


def _scan(
    layout: Layout,
    lifecycle_id: str,
    task: Scheduled,
    done: _Done,
    scan: Callable[[str, str], Scan],
    *,
    alone: bool,
    dry_run: bool,
) -> None:
    """Scan the windows of one lifecycle. Only of one that was named it is an error that it has no champion."""
    from noa_mlops.audit.reports import append_drift_report
    from noa_mlops.ledger import Ledger
    from noa_mlops.ledger.ledger import now
    from noa_mlops.lifecycle.scanning import champion_of

    ledger = Ledger.read_only(layout)
    if ledger.state.lifecycle(lifecycle_id).champion is None:
        if alone:
            champion_of(ledger, lifecycle_id)
        done.rollouts[lifecycle_id] = "no champion"
        return
    blocks = False
    for path in _windows(layout, ledger, lifecycle_id, task, done):
        try:
            scanned = scan(lifecycle_id, path)
        except LedgerTampered:
            raise
        except LifecycleError as error:
            done.problems.append((lifecycle_id, error))
            continue
        done.scans.append(scanned)
        blocks = blocks or scanned.rollout == "blocked"
        if not dry_run:
            append_drift_report(layout, scanned.to_document())
    stands = Ledger.read_only(layout).state.lifecycle(lifecycle_id).rollout_at(now())
    done.rollouts[lifecycle_id] = "blocked" if dry_run and blocks else stands


def _windows(layout: Layout, ledger: LedgerReader, lifecycle_id: str, task: Scheduled, done: _Done) -> Sequence[str]:
    """A data file always; of the files that a name fits, those that were not scanned yet."""
    if not task.is_pattern:
        return (task.data,)
    from noa_mlops.lifecycle.windows import Past, Sight, unscanned

    past = Past(ledger)
    past.read_on()
    try:
        return tuple(unscanned(Sight(layout.project, ledger.data_roots), past, lifecycle_id, task))
    except DatasetInvalid as error:
        done.problems.append((lifecycle_id, error))
        return ()


def _checks(layout: Layout, done: _Done, ways: Ways) -> list[Check]:
    """What was checked: the scans, and at the lines of the schedule its data and rollouts."""
    from noa_mlops.audit.ci_reports import Check
    from noa_mlops.audit.plan_places import PlanText

    settings = PlanText.read(layout.project, SETTINGS)

    def scheduled(name: str, rule: str, problem: str | None) -> Check:
        check = Check(f"{name} {rule}", rule, problem, SETTINGS)
        return check.at(None if settings is None else settings.place("schedule", name))

    found = [check for scan in done.scans for check in ways.checks_of(scan)]
    found += [scheduled(name, "data", str(error)) for name, error in done.problems]
    for name, status in done.rollouts.items():
        problem = f"{name} is blocked: noa show {name} says why" if status == "blocked" else None
        found.append(scheduled(name, "rollout", problem))
    return found


def _document(done: _Done) -> dict[str, Any]:
    return {
        "scans": [scan.to_document() for scan in done.scans],
        "problems": [{"lifecycle_id": name, "error": str(error), "hint": error.hint} for name, error in done.problems],
        "rollouts": done.rollouts,
    }


def _tell(done: _Done, ways: Ways) -> None:
    for scan in done.scans:
        ways.tell(scan)
        output.say()
    for name, error in done.problems:
        output.note(output.foreign(f"{name}: {error}"))
        output.note(output.foreign(f"     {error.hint}"))
    for name, status in done.rollouts.items():
        scanned = sum(scan.lifecycle_id == name for scan in done.scans)
        output.say(
            f"{output.status(status)}  {name}   {scanned or 'no new'} window{'s' if scanned != 1 else ''} scanned"
        )
    output.field("Exit", done.exit_code)
