"""``noa show FILE``: a data file as a person likes to see it, before anything is decided about it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noa_mlops.cli import output
from noa_mlops.cli.first_plan import form

SUFFIXES = (
    *(".parquet", ".csv", ".tsv", ".arrow", ".feather", ".ipc", ".jsonl", ".ndjson", ".npz"),
    *(".dataset.yaml", ".dataset.yml", ".dataset.json"),
)
"""What the names of data end with."""

COLUMNS = 60
"""Columns that are printed; ``--json`` has all."""

WIDTH = 34
"""Characters of one cell of the table."""


def names_data(name: str, folder: Path) -> bool:
    """Whether ``name`` means a data file: it has a folder, which no lifecycle has, or ends like one and is there."""
    return "/" in name or (name.lower().endswith(SUFFIXES) and os.path.lexists(folder / name))


def show_data(name: str, folder: Path, *, as_json: bool) -> int:
    """Print what is in the data at ``name``, relative to ``folder``, which need not be a project."""
    from noa_mlops.datasets import DatasetReader, Sources
    from noa_mlops.datasets.inference import Examined, examine, portraits

    root, path = _place(name, folder.absolute())
    if path.lower().endswith((".yaml", ".yml", ".json")):
        examined = Examined(DatasetReader(root).read(path))
    else:
        examined = examine(Sources(root), path)
    dataset = examined.dataset
    document: dict[str, Any] = {
        "path": name,
        "rows": dataset.identity.rows,
        "fingerprint": dataset.identity.fingerprint,
        "format": list(form(dataset.definition.format)),
        "columns": [column.to_document() for column in portraits(dataset)],
        "remarks": [
            {"about": r.about, "column": r.column, "text": r.text, "doubtful": r.doubtful} for r in examined.remarks
        ],
    }
    if as_json:
        output.emit(document)
    else:
        _print(document)
    return 0


def _place(name: str, folder: Path) -> tuple[Path, str]:
    """The folder that the data is read from, and its path there; looking at a file elsewhere does no harm."""
    if not name.startswith(("/", "../")):
        return folder, name
    path = Path(os.path.abspath(folder / name))
    return path.parent, path.name


def _print(document: Mapping[str, Any]) -> None:
    columns, rows = document["columns"], document["rows"]
    what = "; ".join((output.size(rows, len(columns)), *document["format"]))
    output.say(output.foreign(f"{document['path']}   {what}"))
    output.say()
    cells = [_row(column, rows) for column in columns[:COLUMNS]]
    output.table(cells, ("column", "type", "missing", "distinct", "values"))
    if len(columns) > COLUMNS:
        output.say(f"and {len(columns) - COLUMNS} more columns: --json has all of them")
    for index, remark in enumerate(document["remarks"][:COLUMNS]):
        if index == 0:
            output.say()
        text = remark["text"] if remark["column"] is None else f"{remark['column']}: {remark['text']}"
        output.field("" if index else "Remarks", output.foreign(text))


def _row(column: Mapping[str, Any], rows: int) -> tuple[str, str, str, str, str]:
    missing = "" if not column["missing"] else output.share(column["missing"], rows)
    return _cell(column["name"]), column["type"], missing, str(column["distinct"]), _values(column, rows)


def _values(column: Mapping[str, Any], rows: int) -> str:
    """The levels with their shares, else the range, else examples."""
    if column["levels"]:
        told = [f"{_cell(_text(level['value']))} {output.share(level['rows'], rows)}" for level in column["levels"]]
        more = column["distinct"] - len(told)
        return ", ".join((*told, *([f"and {more} more"] if more else [])))
    if "least" in column:
        middle = f"   median {_text(column['middle'])}" if "middle" in column else ""
        return f"{_text(column['least'])} .. {_text(column['greatest'])}{middle}"
    return ", ".join(_cell(_text(value)) for value in column["examples"])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    """A value on one line, shortened."""
    line = " ".join(output.foreign(text).split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
