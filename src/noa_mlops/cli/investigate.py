"""``noa investigate``: say what was found of an incident, in the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import deciding, options, output


@click.command(epilog='Example: noa investigate rainfall --finding "the visibility sensor was replaced in May"')
@click.argument("lifecycle_id", metavar="LIFECYCLE")
@deciding.elsewhere_saying("--finding", "What was found; kept as an object of its own.")
@options.dry_run
@options.common
def investigate(
    lifecycle_id: str,
    reason: str | None,
    request: Path | None,
    admit: Path | None,
    folder: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Say, by a signed act of an operator, what was found of the incident that blocks a rollout; it stays blocked."""
    from noa_mlops.lifecycle.incidents import INVESTIGATE, perform, request_investigation

    name, version = options.address(lifecycle_id)
    if version is not None:
        raise click.BadParameter(f"an incident is one of the lifecycle: noa investigate {name}")
    where = deciding.files(reason, request, admit, "--finding")
    decided = deciding.decide(
        options.project(folder),
        where,
        lambda ledger: request_investigation(ledger, name, reason or ""),
        lambda scope: scope.get("lifecycle_id") == name and "incident" in scope,
        perform,
        dry_run=dry_run,
    )
    scope = decided.request.signed.act.scope
    if as_json:
        output.emit(
            {**scope, "act": INVESTIGATE, "missing": decided.lacking, "entry": decided.entry, "dry_run": dry_run}
        )
        return deciding.exit_status(decided, where)
    done = "is not yet recorded" if decided.entry is None else f"was recorded as entry {decided.entry}"
    output.say(f"The investigation of {name}, incident {scope['incident']}, {done}")
    status = deciding.tell_on(f"noa investigate {name}", decided, where)
    if decided.entry is not None:
        output.field("Next", f'noa run PLAN, then noa enable {name}@N --reason "..."')
    return status
