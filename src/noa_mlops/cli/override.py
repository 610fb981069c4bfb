"""``noa override``: put a version in force against the gate's word, for a time."""

from __future__ import annotations

from pathlib import Path

import click

from noa_mlops.cli import deciding, options, output


@click.command(epilog='Example: noa override rainfall@8 --expires 7d --reason "the old sensor is gone; CHG-1042"')
@click.argument("name", metavar="LIFECYCLE@N")
@click.option("--expires", metavar="DURATION", help="For how long, like 12h or 7d; at most 90 days.")
@deciding.elsewhere
@options.dry_run
@options.common
def override(
    name: str,
    expires: str | None,
    reason: str | None,
    request: Path | None,
    admit: Path | None,
    folder: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make a version the champion that the gate or a scan has stopped, by a signed act of an operator, for a time.

    It must have been measured again since: noa evaluate LIFECYCLE@N. Until the override expires it is shown wherever the
    model is; from then on the rollout is blocked, and the version stays the champion.
    """
    from noa_mlops.lifecycle.overriding import OVERRIDE, request_override
    from noa_mlops.lifecycle.overriding import override as perform

    lifecycle_id, version = options.address(name)
    if version is None:
        raise click.BadParameter(f"name the version: noa override {lifecycle_id}@N")
    where = deciding.files(reason, request, admit)
    if (expires is None) == (where.known is None):
        raise click.UsageError(
            "an override needs an end: --expires 7d"
            if where.known is None
            else f"the end stands in {where.known} already"
        )
    seconds = options.duration(expires) if expires is not None else 0
    decided = deciding.decide(
        options.project(folder),
        where,
        lambda ledger: request_override(ledger, lifecycle_id, version, seconds, reason or ""),
        lambda scope: (scope.get("lifecycle_id"), scope.get("version")) == (lifecycle_id, version),
        perform,
        dry_run=dry_run,
    )
    scope = decided.request.signed.act.scope
    if as_json:
        output.emit({**scope, "act": OVERRIDE, "missing": decided.lacking, "entry": decided.entry, "dry_run": dry_run})
        return deciding.exit_status(decided, where)
    done = (
        "is not yet recorded"
        if decided.entry is None
        else f"is the champion by override, as entry {decided.entry} says"
    )
    output.say(f"{name} {done}")
    output.field("Until", f"{scope['expires']}; the rollout is blocked from then on")
    return deciding.tell_on(f"noa override {name}", decided, where)
