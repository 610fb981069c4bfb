"""``noa enable``: make a held version the champion, and the rollout ready."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import deciding, options, output


@click.command(epilog='Example: noa enable rainfall@8 --reason "trained on data since May; coast stations checked"')
@click.argument("name", metavar="LIFECYCLE@N")
@deciding.elsewhere
@options.dry_run
@options.common
def enable(
    name: str,
    reason: str | None,
    request: Path | None,
    admit: Path | None,
    folder: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make a version that is held for a blocked rollout the champion, by a signed act of an operator; the rollout is ready."""
    from noa_mlops.lifecycle.incidents import ENABLE, perform, request_enabling

    lifecycle_id, version = options.address(name)
    if version is None:
        raise click.BadParameter(f"name the version: noa enable {lifecycle_id}@N")
    where = deciding.files(reason, request, admit)
    decided = deciding.decide(
        options.project(folder),
        where,
        lambda ledger: request_enabling(ledger, lifecycle_id, version, reason or ""),
        lambda scope: (scope.get("lifecycle_id"), scope.get("version")) == (lifecycle_id, version),
        perform,
        dry_run=dry_run,
    )
    scope = decided.request.signed.act.scope
    if as_json:
        output.emit({**scope, "act": ENABLE, "missing": decided.lacking, "entry": decided.entry, "dry_run": dry_run})
        return deciding.exit_status(decided, where)
    done = (
        "is not yet recorded as the champion"
        if decided.entry is None
        else f"is the champion, as entry {decided.entry} says"
    )
    output.say(f"{name} {done}")
    return deciding.tell_on(f"noa enable {name}", decided, where)
