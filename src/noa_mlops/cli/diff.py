"""``noa diff``: two datasets side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import options, output

if TYPE_CHECKING:
    from noa_mlops.audit.difference import Difference


@click.command(epilog="Example: noa diff data/train.parquet data/november.parquet --html november.html")
@click.argument("reference", metavar="DATASET|LIFECYCLE")
@click.argument("current", metavar="[DATASET]", required=False)
@click.option("--key", metavar="COLUMN", help="The column that identifies rows; by default the one both declare.")
@click.option("--joint", is_flag=True, help="Ask a classifier whether rows can be told apart by all columns together.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one page with pictures as well.")
@click.option("--all", "everything", is_flag=True, help="Show the columns that hardly moved as well.")
@options.common
def diff(
    reference: str,
    current: str | None,
    key: str | None,
    html: Path | None,
    folder: Path,
    *,
    joint: bool,
    everything: bool,
    as_json: bool,
) -> int:
    """Compare two data files or definitions: schema, rows, and every column by how far it moved. Needs no ledger.

    With LIFECYCLE alone: what blocks its rollout, as the scan that blocked it was recorded.
    """
    found = (
        _incident(reference, folder) if current is None else _datasets(folder, (reference, current), key, joint=joint)
    )
    if html is not None:
        from noa_mlops.audit.pages import difference_page

        html.write_text(difference_page(found), encoding="utf-8")
    if as_json:
        output.emit(found.to_document())
    else:
        _tell(found, everything=everything)
    return 0


def _incident(name: str, folder: Path) -> Difference:
    from noa_mlops.audit.difference import compare_incident
    from noa_mlops.ledger import Ledger

    lifecycle_id, version = options.address(name)
    if version is not None:
        raise click.BadParameter(f"an incident is one of the lifecycle: noa diff {lifecycle_id}")
    return compare_incident(Ledger.read_only(options.project(folder)), lifecycle_id)


def _datasets(folder: Path, paths: tuple[str, str], key: str | None, *, joint: bool) -> Difference:
    from noa_mlops.audit.difference import compare_datasets
    from noa_mlops.records.drift import DriftSettings

    return compare_datasets(folder.absolute(), paths, DriftSettings(joint=joint), key)


def _tell(found: Difference, *, everything: bool) -> None:
    from noa_mlops.cli import drifting

    before, now = (output.foreign(path) for path in found.paths)
    output.say(f"{drifting.verdict(found.report)}  {before} → {now}")
    output.say()
    output.field("Rows", f"{found.report.rows[0]} → {found.report.rows[1]}")
    if found.rows is not None:
        matched = found.rows
        output.field(
            f"By {output.foreign(matched.key)}",
            f"{matched.added} added, {matched.removed} removed, {matched.changed} changed, {matched.same} the same",
        )
        for name, count in sorted(matched.by_column.items(), key=lambda item: (-item[1], item[0]))[:10]:
            output.field("", f"{output.foreign(name)} changed in {count}")
    output.say()
    drifting.tell(found.report, everything=everything)
