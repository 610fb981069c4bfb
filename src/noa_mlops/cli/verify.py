"""``noa verify``: does everything on disk still say what was signed?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from noa_mlops.cli import options, output
from noa_mlops.records.layout import Layout


@click.command(epilog="Example: noa verify --origin rainfall/1f0c...")
@click.option("--origin", default=None, metavar="ORIGIN", help="The origin that the project's owner gave you.")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="CHECKPOINT",
    help="A signed checkpoint that was kept elsewhere: the ledger must go on from it.",
)
@options.common
def verify(origin: str | None, against: Path | None, folder: Path, *, as_json: bool) -> int:
    """Check ledger, checkpoints, signatures, objects, promoted bytes and mirror; nothing is changed."""
    from noa_mlops.audit import verify as check

    note = options.read(against) if against is not None else None
    result = check(Layout.of(folder.absolute()), origin=origin, against=note)
    code = 0 if result.holds else 4
    if as_json:
        output.emit({**asdict(result), "holds": result.holds, "exit": code})
        return code
    for finding in result.findings:
        output.say(output.foreign(str(finding)))
    word = "verified" if result.holds else f"{len(result.findings)} findings"
    output.say(f"{word}: {result.entries} entries, {result.sealed} sealed, {result.versions} versions in the store")
    if result.origin is not None:
        output.field("Origin", result.origin)
    for text in result.notes:
        output.field("Note", text)
    return code
