"""``noa pull``: a promoted version, whole and verified, into a folder of a deployment."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from noa_mlops.cli import options, output


@click.command(epilog="Example: noa pull rainfall --to /srv/models/rainfall --origin rainfall/1f0c... --max-age 24h")
@click.argument("name", metavar="LIFECYCLE[@N]")
@click.option("--to", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The deployment's folder.")
@click.option("--origin", required=True, metavar="ORIGIN", help="The origin that the project's owner gave you.")
@click.option("--max-age", metavar="DURATION", help="Refuse a ledger whose newest entry is older, like 24h.")
@options.common
def pull(name: str, to: Path, origin: str, max_age: str | None, folder: Path, *, as_json: bool) -> int:
    """Bring the champion of a lifecycle to DIR/DIGEST and let DIR/current lead to it.

    Reads the project and writes nothing to it; no key is needed. Exit status 0 with the version in place, 3 when the
    rollout is blocked (what runs keeps running), 4 when something does not verify.
    """
    from noa_mlops.delivery import pull as perform

    options.address(name)
    seconds = options.duration(max_age) if max_age is not None else None
    pulled = perform(name, to, project=options.project(folder).project, origin=origin, max_age=seconds)
    if as_json:
        output.emit({**asdict(pulled), "path": str(pulled.path)})
        return 0
    output.say(f"{pulled.lifecycle_id}@{pulled.version}  {'is in place' if pulled.changed else 'was in place already'}")
    output.field("Digest", pulled.digest)
    output.field("Path", pulled.path)
    return 0
