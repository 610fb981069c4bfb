"""``noa show LIFECYCLE --at TIME``: which model was in force then, who decided it, and on which data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from noa_mlops.cli import options, output


def show_then(name: str, at: str, folder: Path, *, as_json: bool) -> int:
    """Show a lifecycle as it was. Raises `click.BadParameter` for a time that is none, or has no time zone."""
    from noa_mlops.audit.past import lifecycle_then
    from noa_mlops.ledger import Ledger
    from noa_mlops.ledger.entry import timestamp

    lifecycle_id, version = options.address(name)
    if version is not None:
        raise click.BadParameter(f"--at asks which version was in force: noa show {lifecycle_id} --at {at}")
    view = lifecycle_then(Ledger.read_only(options.project(folder)), lifecycle_id, timestamp(_moment(at)))
    if as_json:
        output.emit(view)
    else:
        _show(view)
    return 0


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time like 2026-11-01T12:00Z") from error
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} names no time zone: write {text}Z for UTC, or its offset like +01:00")
    if moment > datetime.now(UTC):
        raise click.BadParameter(f"{text!r} lies in the future")
    return moment


def _show(view: Mapping[str, Any]) -> None:
    champion, rollout = view["champion"], view["rollout"]
    output.say(f"{output.rollout(view)}  {view['lifecycle_id']} at {view['at']}")
    output.say()
    if champion is None:
        output.field("Champion", "none")
    else:
        _show_champion(champion)
    if rollout["incident"] is not None:
        output.field("Incident", f"entry {rollout['incident']}")
    if override := output.overridden(rollout["override"]):
        output.field("Override", override)
    if champion is not None:
        output.reached(champion["metrics"], champion["thresholds"], f"{view['lifecycle_id']}@{champion['version']}")
    output.say()
    output.field(
        "Evidence", f"entries 0 to {view['entry']['seq']}, the last of {view['entry']['ts']} by the runtime's clock"
    )


def _show_champion(champion: Mapping[str, Any]) -> None:
    output.field("Champion", f"@{champion['version']}   {champion['profile']}   sha256 {champion['checksum']}")
    decided = champion["decided"]
    output.field("Since", f"{decided['ts']}   entry {decided['seq']}, {decided['type']}")
    for signer in decided["by"]:
        output.field("Decided by", f"{signer['key']}   {', '.join(signer['roles']) or 'no role then'}")
    if decided["reason"] is not None:
        output.field("Reason", output.foreign(decided["reason"]))
    for part, data in champion["datasets"].items():
        path = output.foreign(str(data["path"]))
        output.field(part.capitalize(), f"{path}   {data['rows']} rows   fingerprint {data['fingerprint'][:16]}")
