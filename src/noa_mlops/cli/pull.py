"""``noa pull``: a promoted version, whole and verified, into a folder of a deployment; and a record of what runs where."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import deployed, options, output
from noa_mlops.records.layout import address

if TYPE_CHECKING:
    from noa_mlops.delivery import Pulled


@click.command(epilog="Example: noa pull rainfall --to /srv/models/rainfall --origin rainfall/1f0c... --max-age 24h")
@click.argument("name", metavar="LIFECYCLE[@N]")
@click.option("--to", metavar="DIR", type=click.Path(path_type=Path), help="The deployment's folder.")
@click.option("--origin", metavar="ORIGIN", help="The origin that the project's owner gave you.")
@click.option("--max-age", metavar="DURATION", help="Refuse a ledger whose newest entry is older, like 24h.")
@deployed.recorded
@options.common
def pull(
    name: str,
    to: Path | None,
    origin: str | None,
    max_age: str | None,
    recording: deployed.Recording | None,
    folder: Path,
    *,
    as_json: bool,
) -> int:
    """Bring the champion of a lifecycle to DIR/DIGEST and let DIR/current lead to it.

    Reads the project and writes nothing to it; no key is needed. Exit status 0 with the version in place, 3 when the
    rollout is blocked (what runs keeps running), 4 when something does not verify.

    With --record, a key that may deploy says in the ledger what runs where. Where the project cannot be written,
    --request FILE keeps the signed record; in the project, --record NAME --admit FILE without a folder appends it.
    """
    from noa_mlops.delivery import pull as perform

    lifecycle_id, _ = options.address(name)
    layout = options.project(folder)
    if recording is not None and recording.where.admit is not None:
        if (to, origin, max_age) != (None, None, None):
            raise click.UsageError("--admit records what was pulled elsewhere: leave --to, --origin and --max-age away")
        return _tell(lifecycle_id, None, recording, deployed.admit(layout, lifecycle_id, recording), as_json=as_json)
    if to is None or origin is None:
        raise click.UsageError("a pull needs --to DIR and --origin ORIGIN")
    seconds = options.duration(max_age) if max_age is not None else None
    pulled = perform(name, to, project=layout.project, origin=origin, max_age=seconds)
    told = None if recording is None else deployed.record(layout, pulled, recording)
    return _tell(lifecycle_id, pulled, recording, told, as_json=as_json)


def _tell(
    lifecycle_id: str,
    pulled: Pulled | None,
    recording: deployed.Recording | None,
    told: deployed.Recorded | None,
    *,
    as_json: bool,
) -> int:
    """Say what is in place and what is recorded; the exit status."""
    if as_json:
        place = {} if pulled is None else {**asdict(pulled), "path": str(pulled.path)}
        more = {} if recording is None or told is None else {"record": deployed.document(recording, told)}
        output.emit(place | more)
    elif pulled is not None:
        name = address(lifecycle_id, pulled.version)
        output.say(f"{name}  {'is in place' if pulled.changed else 'was in place already'}")
        output.field("Digest", pulled.digest)
        output.field("Path", pulled.path)
        if pulled.until is not None:
            output.field("Note", f"the rollout is ready by override, until {pulled.until}")
    if recording is None or told is None:
        return 0
    if not as_json:
        deployed.tell(lifecycle_id, recording, told)
    return deployed.exit_status(recording, told)
