"""``noa run LIFECYCLE@N --reproduce``: a recorded version trained again, and what differs when another model comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output
from noa_mlops.cli.arrow import load_arrow
from noa_mlops.records.reproduction import REDACTED

if TYPE_CHECKING:
    from noa_mlops.lifecycle.reproduction import Reproducible
    from noa_mlops.records.layout import Layout
    from noa_mlops.records.reproduction import Change, Measurement, MetricAgain, Reproduction

SHOWN = 10
"""Differences of the environment, and files, that are listed for people; ``--json`` has all."""


def reproduce(layout: Layout, name: str, *, dry_run: bool, as_json: bool) -> int:
    """Train the version ``name`` again and say how it comes out, or only whether it could be; the exit status."""
    lifecycle_id, version = options.address(name)
    if version is None:
        raise click.BadParameter(f"{name!r} names no recorded version: noa run LIFECYCLE@N --reproduce")
    from noa_mlops.agents import AgentFactory, RuntimeManager

    load_arrow()
    from noa_mlops.cli.interrupts import interruptible
    from noa_mlops.cli.progress import Progress
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.bus import EventBus
    from noa_mlops.lifecycle.reproduction import Reproducer

    bus = EventBus()
    reproducer = Reproducer(Ledger.read_only(layout), AgentFactory(), RuntimeManager(), bus)
    if dry_run:
        return _show_check(reproducer.check(lifecycle_id, version), as_json=as_json)
    with interruptible() as cancel, Progress(bus.subscribe(), quiet=as_json):
        result = reproducer.reproduce(lifecycle_id, version, cancel)
    if as_json:
        output.emit(result.to_document())
    else:
        _show(name, result)
    return result.exit_code


def _show_check(found: Reproducible, *, as_json: bool) -> int:
    given, name = found.recalled.submission, found.recalled.name
    if as_json:
        output.emit(found.to_document())
        return 0
    output.say(f"{name} could be trained again: {given.profile.name}, {given.task} of {given.target!r}")
    output.field("Recorded", f"sha256 {found.trained.checksum[:12]}, entry {found.trained.seq}")
    output.field("Isolation", given.isolation)
    _show_changes("Environment", found.environment, "as recorded")
    output.say("nothing was run")
    return 0


def _show(name: str, result: Reproduction) -> None:
    output.say(f"{output.status(result.sameness)}  {name}   {_came_out(result)}, {result.isolation} agents")
    if result.measured is not None:
        _show_measured(result.measured)
    if result.unmeasured is not None:
        output.field("Measured", f"no: {output.foreign(result.unmeasured)}")
    output.say()
    if result.files:
        _show_changes("Files", result.files, "")
    _show_changes("Environment", result.environment, _same_environment(result))
    output.field("Model", f"{Path(result.model)}   until the next time, or noa doctor --clean")
    output.field(
        "Evidence", f"entry {result.entry} recorded the training; nothing was written   exit {result.exit_code}"
    )


def _came_out(result: Reproduction) -> str:
    if result.sameness == "bit-equal":
        return f"the same files came out: sha256 {result.checksum[:12]}"
    return f"sha256 {result.recorded[:12]} recorded, {result.checksum[:12]} now"


def _same_environment(result: Reproduction) -> str:
    if result.sameness == "bit-equal":
        return "as recorded"
    return "as recorded: the training itself is not repeatable (randomness without the seed, the time, threads)"


def _show_measured(measured: Measurement) -> None:
    if measured.differing is None:
        told = f"{measured.rows} rows; the recorded answers to them are not here any more"
    else:
        told = f"{measured.differing} of {measured.rows} rows are answered otherwise"
    output.say(told)
    if not measured.metrics:
        return
    output.say()
    output.table([_row(metric) for metric in measured.metrics], ("metric", "recorded", "now", "improvement", ""))


def _row(metric: MetricAgain) -> tuple[str, ...]:
    gained = "-" if metric.improvement is None else f"{metric.improvement:+.4g}"
    if metric.lower is not None and metric.upper is not None:
        gained += f" ({metric.lower:.4g} .. {metric.upper:.4g})"
    word = "equal" if metric.equal else "not equal"
    return metric.metric, output.number(metric.recorded), output.number(metric.now), gained, f"{word}: {metric.reason}"


def _show_changes(label: str, changes: Sequence[Change], none: str) -> None:
    """What is not as it was recorded, a line each; ``none`` when all is."""
    if not changes:
        output.field(label, none)
    for index, change in enumerate(changes[:SHOWN]):
        output.field("" if index else label, output.foreign(_change(change)))
    if (more := len(changes) - SHOWN) > 0:
        output.field("", f"{more} more: --json has them all")


def _change(change: Change) -> str:
    if change.recorded == REDACTED:
        return f"{change.name} was redacted, so nothing can be said of it"
    if change.recorded is None:
        return f"{change.name} {_short(change.now)}, which there was not"
    if change.now is None:
        return f"{change.name} is not there, was {_short(change.recorded)}"
    return f"{change.name} {_short(change.now)}, was {_short(change.recorded)}"


def _short(value: str | None) -> str:
    """A digest as people compare it; anything else as it is."""
    text = value or ""
    return text[:12] if len(text) == 64 and text.isalnum() else text
