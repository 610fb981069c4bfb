"""``noa enable``: make a held version the champion, and the rollout ready."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    """Make a version that is held the champion, by a signed act of an operator; the rollout is ready.

    Where its plan asks for the approval of several people, each enables it with a key of their own, and the last one makes
    it the champion. Exit status 7 until then.
    """
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.incidents import ENABLE, perform, request_enabling

    lifecycle_id, version = options.address(name)
    if version is None:
        raise click.BadParameter(f"name the version: noa enable {lifecycle_id}@N")
    where = deciding.files(reason, request, admit)
    layout = options.project(folder)
    decided = deciding.decide(
        layout,
        where,
        lambda ledger: request_enabling(ledger, lifecycle_id, version, reason or ""),
        lambda scope: (scope.get("lifecycle_id"), scope.get("version")) == (lifecycle_id, version),
        perform,
        dry_run=dry_run,
    )
    awaited = Ledger.read_only(layout).state.lifecycle(lifecycle_id).awaited(version)
    approvals = None if awaited is None else awaited.to_document()
    waits = 7 if decided.entry is not None and awaited is not None else 0
    if as_json:
        told = {"act": ENABLE, "missing": decided.lacking, "entry": decided.entry, "dry_run": dry_run}
        output.emit({**decided.request.signed.act.scope, **told, "approvals": approvals})
        return deciding.exit_status(decided, where) or waits
    output.say(f"{name} {_done(decided.entry, approvals)}")
    return deciding.tell_on(f"noa enable {name}", decided, where) or waits


def _done(entry: int | None, approvals: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "is not yet recorded as the champion"
    if approvals is None:
        return f"is the champion, as entry {entry} says"
    left = approvals["required"] - len(approvals["approved"])
    return f"has {len(approvals['approved'])} of {approvals['required']} approvals, as entry {entry} says; {left} more key{'s' if left > 1 else ''} must enable it"
