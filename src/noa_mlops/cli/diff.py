"""``noa diff``: two datasets side by side, two versions, or what blocks a rollout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output

if TYPE_CHECKING:
    from noa_mlops.audit.difference import Difference
    from noa_mlops.records.layout import Layout


@click.command(epilog="Example: noa diff data/train.parquet data/november.parquet --html november.html")
@click.argument("reference", metavar="DATASET|LIFECYCLE|LIFECYCLE@N")
@click.argument("current", metavar="[DATASET|LIFECYCLE@N]", required=False)
@click.option("--key", metavar="COLUMN", help="The column that identifies rows; by default the one both declare.")
@click.option("--target", metavar="COLUMN", help="The column of the labels; by default what the first declares.")
@click.option("--joint", is_flag=True, help="Ask a classifier whether rows can be told apart by all columns together.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one page with pictures as well.")
@click.option("--all", "everything", is_flag=True, help="Show what hardly moved as well.")
@options.dry_run
@options.common
def diff(  # noqa: PLR0913 - one for each option
    reference: str,
    current: str | None,
    key: str | None,
    target: str | None,
    html: Path | None,
    folder: Path,
    *,
    joint: bool,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Compare two data files or definitions: schema, rows, labels, and every column by how far it moved. Needs no ledger.

    With two times LIFECYCLE@N: their plans, their training data, and what was measured of each.

    With LIFECYCLE alone: what blocks its rollout, the training data against those of the scan, as the scan was recorded. It
    is kept as an object of the evidence, whose digest is printed; with --dry-run it is not.
    """
    if (versions := _versions(reference, current)) is not None:
        return _compared_versions(*versions, folder, html, everything=everything, as_json=as_json)
    if current is None:
        return _incident(reference, folder, key, html, everything=everything, dry_run=dry_run, as_json=as_json)
    from noa_mlops.audit.difference import compare_datasets
    from noa_mlops.records.drift import DriftSettings

    found = compare_datasets(folder.absolute(), (reference, current), DriftSettings(joint=joint), key, target)
    _write_page(found, html)
    if as_json:
        output.emit(found.to_document())
    else:
        from noa_mlops.cli.diffing import tell

        tell(found, everything=everything)
    return 0


def _versions(reference: str, current: str | None) -> tuple[tuple[str, int], tuple[str, int]] | None:
    """The two versions, when both names are LIFECYCLE@N. Raises `click.UsageError` for a version and something else."""
    if current is None:
        return None
    before, now = _version(reference), _version(current)
    if before is not None and now is not None:
        return before, now
    if (before or now) is not None:
        raise click.UsageError("a version is compared with a version: noa diff LIFECYCLE@N LIFECYCLE@N")
    return None


def _version(name: str) -> tuple[str, int] | None:
    try:
        lifecycle_id, version = options.address(name)
    except click.BadParameter:
        return None
    return None if version is None else (lifecycle_id, version)


def _compared_versions(
    before: tuple[str, int],
    now: tuple[str, int],
    folder: Path,
    html: Path | None,
    *,
    everything: bool,
    as_json: bool,
) -> int:
    from noa_mlops.audit.version_difference import compare_versions
    from noa_mlops.audit.version_difference_page import version_difference_page
    from noa_mlops.cli import diffing_versions
    from noa_mlops.ledger import Ledger

    found = compare_versions(Ledger.read_only(options.project(folder)), before, now)
    if html is not None:
        html.write_text(version_difference_page(found), encoding="utf-8")
    if as_json:
        output.emit(found.to_document())
    else:
        diffing_versions.tell(found, everything=everything)
    return 0


def _incident(
    name: str, folder: Path, key: str | None, html: Path | None, *, everything: bool, dry_run: bool, as_json: bool
) -> int:
    from noa_mlops.audit.incident_difference import compare_incident
    from noa_mlops.cli.diffing import tell
    from noa_mlops.ledger import Ledger

    lifecycle_id, version = options.address(name)
    if version is not None:
        raise click.BadParameter(f"an incident is one of the lifecycle: noa diff {lifecycle_id}")
    layout = options.project(folder)
    ledger = Ledger.read_only(layout)
    found = compare_incident(ledger, lifecycle_id, key)
    _write_page(found, html)
    problem = "nothing was kept (--dry-run)" if dry_run else _keep(layout, found)
    if as_json:
        output.emit({**found.to_document(), "digest": found.digest, "kept": problem is None})
        return 0
    tell(found, everything=everything)
    output.say()
    output.field("Evidence", f"sha256 {found.digest}   {problem or 'kept as an object of the evidence'}")
    incident = ledger.state.lifecycle(lifecycle_id).incident
    if incident is not None and incident.investigated is None:
        output.field("Next", f'noa investigate {lifecycle_id} --finding "..."')
    return 0


def _keep(layout: Layout, found: Difference) -> str | None:
    """Keep the comparison; why that could not be done."""
    from noa_mlops.audit.difference import keep
    from noa_mlops.errors import LedgerConflict

    try:
        keep(layout, found)
    except LedgerConflict as error:
        return output.foreign(f"was not kept: {error}")
    return None


def _write_page(found: Difference, html: Path | None) -> None:
    if html is not None:
        from noa_mlops.audit.difference_page import difference_page

        html.write_text(difference_page(found), encoding="utf-8")
