"""``noa operate``: the long-running agent of a project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import click

from noa_mlops.cli import options, output
from noa_mlops.cli.arrow import load_arrow
from noa_mlops.cli.drift import scanner
from noa_mlops.errors import LedgerTampered, LifecycleError, NotFound

if TYPE_CHECKING:
    import threading

    from noa_mlops.lifecycle.operating import Told
    from noa_mlops.lifecycle.outlook import Outlook
    from noa_mlops.lifecycle.presence import Presence
    from noa_mlops.records.layout import Layout
    from noa_mlops.records.settings import Settings


@click.command(epilog="Example: noa operate --poll 1m")
@click.option("--once", is_flag=True, help="Do what is due now, and end.")
@click.option(
    "--poll", default="10s", metavar="DURATION", help="How often to look, and how long a file lies still first."
)
@options.dry_run
@options.common
def operate(poll: str, folder: Path, *, once: bool, dry_run: bool, as_json: bool) -> int:
    """Scan, block, retrain by the declared plan, verify and propose, as the schedule of noa.yaml says, until it is stopped.

    Everything it does is a signed entry, so it can be stopped or killed at any moment and started again. It waits for people
    where the procedure does: they investigate, and they enable, unless the policy grants that to the loop. One loop runs in a
    project. With --json each event is one line. Exit status with --once: 3 when a rollout is blocked, else that of the first
    failure.
    """
    layout, seconds = options.project(folder), options.duration(poll)
    if seconds < 1 and not (once or dry_run):
        raise click.BadParameter("--poll must be at least 1s; with --once, 0s takes every file for whole")
    settings = _settings(layout)
    load_arrow()
    if dry_run:
        return _would(layout, settings, seconds, as_json=as_json)
    from noa_mlops.cli.interrupts import interruptible
    from noa_mlops.lifecycle import Interrupted
    from noa_mlops.lifecycle.presence import Presence

    with Presence.taken(layout) as presence:
        try:
            with interruptible() as cancel:
                return _run(layout, presence, cancel, seconds, once=once, as_json=as_json)
        except Interrupted as stopped:
            if as_json:
                output.emit_line({"event": "stopped", "exit": stopped.exit_code})
            else:
                output.note("stopped; noa operate goes on where it was")
            return stopped.exit_code


def _run(layout: Layout, presence: Presence, cancel: threading.Event, poll: int, *, once: bool, as_json: bool) -> int:
    """Round after round, with the settings as they are."""
    from noa_mlops.agents import RuntimeManager
    from noa_mlops.ledger import KeyStore, Ledger
    from noa_mlops.lifecycle import Interrupted
    from noa_mlops.lifecycle.operating import Loop, Means
    from noa_mlops.lifecycle.outlook import Outlook

    current = _Current(layout, as_json=as_json)
    means = Means(scanner(layout), lambda told: _tell(layout, told, as_json=as_json), cancel)
    runtime = RuntimeManager()
    with Ledger.open(layout, KeyStore()) as ledger:
        loop = Loop(layout, ledger, runtime, Outlook(layout, ledger, runtime, poll), presence, means)
        loop.prepare()
        while True:
            loop.tend(current.settings())
            if once:
                return loop.exit_code
            if cancel.wait(poll):
                raise Interrupted("the loop was stopped")


class _Current:
    """The settings, read again when their file changed; while they cannot be used, the last good ones hold."""

    def __init__(self, layout: Layout, *, as_json: bool) -> None:
        self._layout = layout
        self._as_json = as_json
        self._seen = self._look()
        self._good = _settings(layout)

    def settings(self) -> Settings:
        if (seen := self._look()) != self._seen:
            self._seen = seen
            try:
                self._good = _settings(self._layout)
            except LifecycleError as error:
                self._complain(error)
        return self._good

    def _look(self) -> tuple[int, int]:
        try:
            status = self._layout.settings.stat()
        except OSError:
            return -1, -1
        return status.st_mtime_ns, status.st_ino

    def _complain(self, error: LifecycleError) -> None:
        if self._as_json:
            output.emit_line({"event": "failed", "lifecycle_id": None, "text": str(error), "hint": error.hint})
        else:
            output.note(output.foreign(f"{error}; the settings before it hold"))


def _settings(layout: Layout) -> Settings:
    """The settings of the project. Raises `NotFound` when nothing is scheduled, `PlanInvalid`."""
    from noa_mlops.records.settings import Settings

    settings = Settings.load(layout.settings) if layout.settings.exists() else None
    if settings is None or not settings.schedule:
        raise NotFound(
            "noa.yaml schedules nothing, so there is nothing to operate",
            hint="Say under 'schedule' what is scanned and by which plan it is retrained: noa schema settings.",
        )
    return settings


def _tell(layout: Layout, told: Told, *, as_json: bool) -> None:
    from noa_mlops.audit.reports import append_drift_report
    from noa_mlops.ledger.ledger import now

    if told.scan is not None:
        append_drift_report(layout, told.scan.to_document())
    if as_json:
        line = {"ts": now(), "event": told.kind, "lifecycle_id": told.lifecycle_id, "text": told.text}
        output.emit_line({**line, **told.facts})
        return
    output.say(f"{now()}  {told.lifecycle_id}  {output.foreign(told.text)}")
    if hint := told.facts.get("hint"):
        output.say(f"{'':26}{output.foreign(str(hint))}")


def _would(layout: Layout, settings: Settings, poll: int, *, as_json: bool) -> int:
    """What would be done now, from what is sealed; nothing is done."""
    from noa_mlops.agents import RuntimeManager
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.outlook import Outlook

    outlook = Outlook(layout, Ledger.read_only(layout), RuntimeManager(), poll)
    outlook.refresh()
    told = [_outlook(outlook, settings, name) for name in settings.schedule]
    if as_json:
        output.emit({"dry_run": True, "lifecycles": told})
        return 0
    for one in told:
        for path in one["scans"]:
            output.say(f"{one['lifecycle_id']}  would scan {output.foreign(path)}")
        for path in one["unsettled"]:
            output.say(f"{one['lifecycle_id']}  {output.foreign(path)} is still being written")
        output.say(f"{one['lifecycle_id']}  {output.foreign(one['next'])}")
    output.say("nothing was done")
    return 0


def _outlook(outlook: Outlook, settings: Settings, name: str) -> dict[str, Any]:
    """What would be done for one lifecycle."""
    from noa_mlops.lifecycle.due import Propose, Retrain, Wait

    task = settings.schedule[name]
    told: dict[str, Any] = {"lifecycle_id": name, "scans": [], "unsettled": [], "next": ""}
    try:
        for path in outlook.windows(name, task):
            told["scans" if outlook.is_settled(outlook.stamp(path)) else "unsettled"].append(path)
        match outlook.step(name, task):
            case Retrain(plan, why):
                told["next"] = f"would run {plan}: {why}"
            case Propose(version):
                told["next"] = f"proposes {name}@{version}, which passed and is held"
            case Wait(why):
                told["next"] = f"waits: {why}"
            case never:
                assert_never(never)
    except LedgerTampered:
        raise
    except LifecycleError as error:
        told["next"] = f"cannot go on: {error}"
    return told
