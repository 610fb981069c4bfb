"""``noa redact``: take an object out of the evidence, and say so in the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import options, output


@click.command(epilog='Example: noa redact 3f2a... --reason "asked to be forgotten"')
@click.argument("digest", metavar="OBJECT")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept as an object of its own.")
@options.dry_run
@options.common
def redact(digest: str, reason: str, folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """Remove one object (a plan, a log, a text) for good; a signed entry says who decided it, and the chain holds."""
    from noa_mlops.lifecycle.redaction import redact as take_out

    layout = options.project(folder)
    entry = None if dry_run else take_out(layout, digest, reason).seq
    if as_json:
        output.emit({"object": digest, "entry": entry, "dry_run": dry_run})
    else:
        done = "nothing was changed" if entry is None else f"removed, as entry {entry} says"
        output.say(f"object {output.foreign(digest[:16])}: {done}")
    return 0
