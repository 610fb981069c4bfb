"""``noa export``: evidence for people who have no project: attestations, a portable proof, static tiles, the verifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output

if TYPE_CHECKING:
    from noa_mlops.records.layout import Layout

FORMS = ("--attestations", "--proof", "--tiles", "--verifier")


@click.command(epilog="Example: noa export rainfall@1 --proof rainfall-1.noa-proof")
@click.argument("name", metavar="[LIFECYCLE@N]", required=False)
@click.option("--attestations", is_flag=True, help="Print the version's DSSE envelopes, a line each (.intoto.jsonl).")
@click.option("--proof", type=click.Path(path_type=Path), metavar="FILE", help="Write the version's portable proof.")
@click.option("--tiles", type=click.Path(path_type=Path), metavar="DIR", help="Write the whole log as static tiles.")
@click.option("--verifier", type=click.Path(path_type=Path), metavar="FILE", help="Write the one-file proof verifier.")
@options.common
def export(
    name: str | None,
    proof: Path | None,
    tiles: Path | None,
    verifier: Path | None,
    folder: Path,
    *,
    attestations: bool,
    as_json: bool,
) -> int:
    """Hand evidence out in forms that need no project around them; nothing that is there is overwritten."""
    if [attestations, proof is not None, tiles is not None, verifier is not None].count(True) != 1:
        raise click.UsageError(f"name exactly one of {', '.join(FORMS)}")
    if (name is not None) != (attestations or proof is not None):
        raise click.UsageError("--attestations and --proof need LIFECYCLE@N; --tiles and --verifier take none")
    if verifier is not None:
        return _verifier(verifier, as_json=as_json)
    layout = options.project(folder)
    if tiles is not None:
        return _tiles(layout, tiles, as_json=as_json)
    lifecycle_id, version = options.address(name or "")
    if version is None:
        raise click.UsageError(f"which version of {lifecycle_id}? Name it as {lifecycle_id}@N")
    if proof is not None:
        return _proof(layout, (lifecycle_id, version), proof, as_json=as_json)
    from noa_mlops.audit import attestations as envelopes

    for envelope in envelopes(layout, lifecycle_id, version):
        click.echo(envelope)
    return 0


def _proof(layout: Layout, version: tuple[str, int], file: Path, *, as_json: bool) -> int:
    from noa_mlops.audit import proof_of, put_file

    data = proof_of(layout, *version).to_bytes()
    written = put_file(file.parent, file.name, data)
    return _told(file, {"written": int(written), "present": int(not written), "bytes": len(data)}, as_json=as_json)


def _tiles(layout: Layout, target: Path, *, as_json: bool) -> int:
    from noa_mlops.audit import export_tiles

    tiles = export_tiles(layout, target)
    facts = {"entries": tiles.entries, "written": tiles.written, "present": tiles.present}
    return _told(target, facts, as_json=as_json)


def _verifier(file: Path, *, as_json: bool) -> int:
    from noa_mlops.audit import put_file, verifier_source

    written = put_file(file.parent, file.name, verifier_source())
    return _told(file, {"written": int(written), "present": int(not written)}, as_json=as_json)


def _told(path: Path, facts: dict[str, int], *, as_json: bool) -> int:
    if as_json:
        output.emit({"path": str(path), **facts})
    else:
        output.say(output.foreign(f"{path}: {', '.join(f'{count} {what}' for what, count in facts.items())}"))
    return 0
