"""``noa doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from noa_mlops.cli import options, output


@click.command(epilog="Example: noa doctor --repair")
@click.option(
    "--repair", is_flag=True, help="Rebuild the registry mirror from the ledger; the ledger is never touched."
)
@options.dry_run
@options.common
def doctor(folder: Path, *, repair: bool, dry_run: bool, as_json: bool) -> int:
    """Name what is wrong and the command that mends it."""
    from noa_mlops.audit import diagnose
    from noa_mlops.audit import repair as mend

    layout = options.project(folder)
    if repair and not dry_run:
        lines = mend(layout)
        if not as_json:
            output.say(f"mirror rebuilt from the ledger: {lines} lines")
    found = diagnose(layout)
    if as_json:
        output.emit([asdict(diagnosis) for diagnosis in found])
    else:
        for diagnosis in found:
            output.field(diagnosis.area, output.foreign(diagnosis.problem))
            output.field("", f"-> {output.foreign(diagnosis.remedy)}")
        if not found:
            output.say("nothing is wrong")
    return 4 if any(diagnosis.area == "evidence" for diagnosis in found) else 5 if found else 0
