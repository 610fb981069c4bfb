"""``noa doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output

if TYPE_CHECKING:
    from noa_mlops.audit import Diagnosis
    from noa_mlops.records.layout import Layout


@click.command(epilog="Example: noa doctor --repair")
@click.option(
    "--repair", is_flag=True, help="Rebuild the registry mirror from the ledger; the ledger is never touched."
)
@click.option("--clean", is_flag=True, help="Remove old workspaces that no version needs; evidence is never touched.")
@click.option(
    "--older-than", default="7d", metavar="TIME", show_default=True, help="What is old for --clean: 12h, 30d, 0s."
)
@options.dry_run
@options.common
def doctor(folder: Path, older_than: str, *, repair: bool, clean: bool, dry_run: bool, as_json: bool) -> int:
    """Name what is wrong and the command that mends it."""
    from noa_mlops.audit import diagnose
    from noa_mlops.audit import repair as mend

    layout = _layout(folder)
    if repair and not dry_run:
        lines = mend(layout)
        if not as_json:
            output.say(f"mirror rebuilt from the ledger: {lines} lines")
    if clean:
        _clean(layout, older_than, dry_run=dry_run, as_json=as_json)
    found = diagnose(layout)
    if as_json:
        output.emit([diagnosis.to_document() for diagnosis in found])
    else:
        for diagnosis in found:
            _show(diagnosis)
        if not found:
            output.say("nothing is wrong")
    return 4 if any(diagnosis.area == "evidence" for diagnosis in found) else 5 if found else 0


def _layout(folder: Path) -> Layout:
    """The project, also one whose folders are closed to this process. Raises `NotFound`."""
    from noa_mlops.records.layout import Layout

    try:
        return options.project(folder)
    except PermissionError:
        return Layout.of(folder.absolute())


def _show(diagnosis: Diagnosis) -> None:
    output.field(diagnosis.area, output.foreign(diagnosis.problem))
    for detail in diagnosis.details:
        output.field("", f"   {output.foreign(detail)}")
    output.field("", f"by {output.foreign(diagnosis.evidence)}")
    output.field("", f"-> {output.foreign(diagnosis.remedy)}")
    for command in diagnosis.commands:
        output.field("", f"   $ {output.foreign(command)}")
    output.field("", f"see {diagnosis.runbook}")
    output.say()


def _clean(layout: Layout, older_than: str, *, dry_run: bool, as_json: bool) -> None:
    from noa_mlops.audit import clean, old_workspaces
    from noa_mlops.ledger import Ledger

    old = old_workspaces(layout, Ledger.read_only(layout), time.time() - options.duration(older_than))
    if not dry_run:
        clean(layout, old)
    if as_json:
        return
    for workspace in old:
        output.say(f"{output.foreign(workspace.agent_id)}   {workspace.size >> 10} KiB")
    freed = sum(workspace.size for workspace in old)
    done = "would be removed" if dry_run else "removed"
    output.say(f"{len(old)} workspaces {done}, {freed >> 20} MiB")
