"""What was found in a data file and decided from it, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.cli import output

if TYPE_CHECKING:
    from noa_mlops.lifecycle.beginning import Beginning
    from noa_mlops.records.dataset import TextFormat
    from noa_mlops.records.layout import Layout

Written = Sequence[tuple[Path, bool]] | None
"""The files, each with whether it was written now; None when nothing was to be written."""

SHOWN = 12
"""Doubts that are printed; the definition has them all."""


def document(layout: Layout, beginning: Beginning, written: Written) -> dict[str, Any]:
    """What was found, as JSON."""
    definition = beginning.dataset.definition
    return {
        "data": beginning.dataset.identity.path,
        "rows": beginning.dataset.table.num_rows,
        "columns": [{"name": c.name, "type": c.type} for c in beginning.dataset.identity.columns],
        "target": definition.target,
        "classes": None
        if beginning.classes is None
        else [{"label": label, "rows": rows} for label, rows in beginning.classes],
        "key": definition.key,
        "time": definition.time,
        "group": definition.group,
        "ignore": list(definition.ignore),
        "split": {
            **beginning.split.to_document(),
            "rows": dict(zip(("train", "evaluation"), beginning.rows, strict=True)),
        },
        "remarks": [
            {"about": r.about, "column": r.column, "text": r.text, "doubtful": r.doubtful} for r in beginning.remarks
        ],
        "definition": _relative(layout, beginning.definition[0]),
        "plan": _relative(layout, beginning.plan[0]),
        "written": [_relative(layout, path) for path, new in written or () if new],
    }


def show(layout: Layout, beginning: Beginning, written: Written) -> None:
    """What was found and decided, where it stands, what is in doubt, and the next command."""
    definition, table = beginning.dataset.definition, beginning.dataset.table
    output.say()
    what = "; ".join((output.size(table.num_rows, table.num_columns), *form(definition.format)))
    output.say(output.foreign(f"{beginning.dataset.identity.path}   {what}"))
    output.field("Target", output.foreign(f"{definition.target}: {_target(beginning)}"))
    for label, name in (("Key", definition.key), ("Time", definition.time), ("Group", definition.group)):
        if name is not None:
            output.field(label, output.foreign(name))
    for index, name in enumerate(definition.ignore[:SHOWN]):
        why = next((r.text for r in beginning.remarks if r.about == "ignore" and r.column == name), "")
        output.field("" if index else "Left out", output.foreign(f"{name}: {why}"))
    if len(definition.ignore) > SHOWN:
        output.field("", f"and {len(definition.ignore) - SHOWN} more columns")
    train, held = beginning.rows
    output.field(
        "Split", output.foreign(f"{_split(beginning)}: {train} rows to learn from, {held} held back to measure on")
    )
    doubts = [_doubt(r) for r in beginning.remarks if r.doubtful and r.column not in definition.ignore]
    for index, doubt in enumerate(doubts[:SHOWN]):
        output.field("" if index else "Look at", output.foreign(doubt))
    if len(doubts) > SHOWN:
        output.field("", f"and {len(doubts) - SHOWN} more in the definition")
    _show_files(layout, beginning, written)


def form(style: TextFormat) -> Iterator[str]:
    """How a delimited file is written, where that is worth saying."""
    names = {";": "semicolons", "\t": "tabs", "|": "bars"}
    if style.delimiter in names:
        yield f"{names[style.delimiter]} between cells"
    if style.decimal != ".":
        yield "decimal commas"
    if style.thousands is not None:
        yield f"{style.thousands!r} between thousands"
    if style.encoding != "utf-8":
        yield style.encoding


def _show_files(layout: Layout, beginning: Beginning, written: Written) -> None:
    paths = [_relative(layout, path) for path, _ in (beginning.definition, beginning.plan)]
    if written is None:
        output.field("Would write", output.foreign(", ".join(paths)))
        return
    new = [_relative(layout, path) for path, is_new in written if is_new]
    kept = [path for path in paths if path not in new]
    if new:
        output.field("Wrote", output.foreign(", ".join(new)))
    if kept:
        output.field("Kept", output.foreign(f"{', '.join(kept)}: there already, nothing is overwritten"))
    if beginning.differing():
        output.field("", "what was found now is not what they say: to begin anew, delete them and type this again")
    output.field("Next", output.foreign(f"noa run {paths[1]}"))


def _target(beginning: Beginning) -> str:
    if beginning.classes is None:
        return "a number"
    rows = sum(count for _, count in beginning.classes)
    shares = [f"{label} {output.share(count, rows)}" for label, count in beginning.classes[:6]]
    more = f" and {len(beginning.classes) - 6} more" if beginning.classes[6:] else ""
    return f"{len(beginning.classes)} classes, {', '.join(shares)}{more}"


def _split(beginning: Beginning) -> str:
    split = beginning.split
    if split.by is not None:
        return f"the latest by {split.by}"
    return f"whole groups of {split.by_group}" if split.by_group is not None else "drawn at random from every class"


def _doubt(remark: Any) -> str:
    if remark.about == "key":
        return f"{remark.column} {remark.text}: is it the key?"
    return remark.text if remark.column is None else f"{remark.column}: {remark.text}"


def _relative(layout: Layout, path: Path) -> str:
    return str(path.relative_to(layout.project))
