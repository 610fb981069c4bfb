"""``noa rollback``: bring a former champion back, and say so in the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import deciding, options, output


@click.command(epilog='Example: noa rollback rainfall --to 3 --reason "@4 is wrong on coast stations"')
@click.argument("lifecycle_id", metavar="LIFECYCLE")
@click.option("--to", type=click.IntRange(min=1), metavar="N", help="The version; by default the champion before.")
@deciding.elsewhere
@options.dry_run
@options.common
def rollback(
    lifecycle_id: str,
    to: int | None,
    reason: str | None,
    request: Path | None,
    admit: Path | None,
    folder: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make a former champion the champion again, by a signed act of an operator; a blocked rollout stays blocked."""
    from noa_mlops.lifecycle.rollback import request_rollback, roll_back

    name, version = options.address(lifecycle_id)
    if version is not None:
        raise click.BadParameter(f"name the lifecycle, and the version with --to: noa rollback {name} --to {version}")
    where = deciding.files(reason, request, admit)
    decided = deciding.decide(
        options.project(folder),
        where,
        lambda ledger: request_rollback(ledger, name, to, reason or ""),
        lambda scope: scope.get("lifecycle_id") == name and to in (None, scope.get("version")),
        roll_back,
        dry_run=dry_run,
    )
    scope = decided.request.signed.act.scope
    if as_json:
        output.emit({**scope, "missing": decided.lacking, "entry": decided.entry, "dry_run": dry_run})
        return deciding.exit_status(decided, where)
    done = "not yet recorded" if decided.entry is None else f"is the champion again, as entry {decided.entry} says"
    output.say(f"{name}@{scope['version']} {done}")
    return deciding.tell_on(f"noa rollback {name}", decided, where)
