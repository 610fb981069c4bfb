"""Reading a dataset: a data file, or a definition that names several, becomes one typed table with an identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.fingerprints import fingerprint
from noa_mlops.datasets.formats import Format, format_of
from noa_mlops.datasets.joining import joined
from noa_mlops.datasets.messages import invalid, no_such_column, quoted
from noa_mlops.datasets.sources import Sources, digest, one_version
from noa_mlops.datasets.typed import BadColumn, columns_of, typed
from noa_mlops.errors import DatasetInvalid
from noa_mlops.files import read_capped
from noa_mlops.records.dataset import DEFINITION_SUFFIXES, MISSING, DatasetDefinition, DatasetIdentity, FileDigest

MAX_DEFINITION_BYTES = 1 << 20
"""Bytes that a dataset definition may have."""


class DatasetReader:
    """Reads datasets that lie below a project folder or below one of the policy's data roots, and no others."""

    def __init__(self, project: Path, data_roots: Sequence[Path] = ()) -> None:
        self._sources = Sources(Path(project), tuple(Path(root) for root in data_roots))

    def read(self, path: str) -> Dataset:
        """Read the data file or definition at ``path``, relative to the project or absolute below a data root.

        Every byte comes from a descriptor opened once; a file that changes meanwhile is refused. Raises `UnsafePath`
        for paths refused by rule, `DatasetInvalid` for data that cannot be used, `PlanInvalid` for a definition that
        cannot be used.
        """
        return self._read(path, *self._definition(path))

    def files(self, path: str) -> tuple[str, ...]:
        """The files that make the dataset at ``path``: itself, and those that it names as a definition.

        Raises as `read` does for a definition.
        """
        if not path.lower().endswith(DEFINITION_SUFFIXES):
            return (path,)
        return (path, *self._definition(path)[0].files)

    def read_as(self, path: str, definition: DatasetDefinition) -> Dataset:
        """Read by a definition that is in no file; ``path`` is what messages and the identity call it."""
        return self._read(path, definition, None)

    def _read(self, path: str, definition: DatasetDefinition, definition_digest: str | None) -> Dataset:
        loaded = self._load(path, definition)
        identity = DatasetIdentity(
            path=path,
            fingerprint=fingerprint(loaded.table),
            rows=loaded.table.num_rows,
            columns=columns_of(loaded.table, definition),
            files=loaded.files,
            target=definition.target,
            definition=definition_digest,
        )
        return Dataset(definition, loaded.table, identity)

    def _definition(self, path: str) -> tuple[DatasetDefinition, str | None]:
        self._sources.place(path)
        if not path.lower().endswith(DEFINITION_SUFFIXES):
            return DatasetDefinition(files=(path,)), None
        from noa_mlops.records.reading import read_document

        with self._sources.open(path) as stream:
            data = read_capped(stream, MAX_DEFINITION_BYTES)
        if data is None:
            raise invalid(
                path, f"is larger than {MAX_DEFINITION_BYTES} bytes", "A definition names files; data goes there."
            )
        definition = read_document(data, name=path, kind=DatasetDefinition)
        return definition, hashlib.sha256(data).hexdigest()

    def _load(self, path: str, definition: DatasetDefinition) -> _Loaded:
        kind = format_of(path, definition.files)
        parts, files = [], []
        for file in definition.files:
            part, file_digest = self._read_file(file, kind, definition)
            parts.append(part)
            files.append(file_digest)
        table = joined(definition.files, parts, widens=kind.widens)
        _check_content(path, definition, table)
        try:
            return _Loaded(typed(table, definition, kind.infer), tuple(files))
        except BadColumn as bad:
            raise self._located(bad, definition, kind, [part.num_rows for part in parts]) from bad
        except DatasetInvalid as error:
            raise invalid(path, str(error), error.hint) from error

    def _read_file(self, file: str, kind: Format, definition: DatasetDefinition) -> tuple[pa.Table, FileDigest]:
        with self._sources.open(file) as stream, one_version(file, stream):
            try:
                part = kind.read(file, stream, definition.format)
            except MemoryError as error:
                hint = "Thin it out; if it is small, it is damaged: write it again."
                raise invalid(file, "does not fit into the memory of this machine", hint) from error
            if part.num_rows == 0:
                raise invalid(file, "has no rows", "Write at least one row of data below the header.")
            return part, digest(file, stream)

    def _located(self, bad: BadColumn, definition: DatasetDefinition, kind: Format, rows: list[int]) -> DatasetInvalid:
        """The error for a bad cell, with the file and the line it stands in."""
        row, index = bad.cell.row, 0
        while row >= rows[index]:
            row, index = row - rows[index], index + 1
        file = definition.files[index]
        with self._sources.open(file) as stream:
            line = kind.line_of(file, stream, definition.format, row)
        place = f"row {row + 1}" if line is None else f"line {line}"
        return invalid(
            file,
            f"{place}, column {quoted(bad.name)}: {quoted(bad.cell.value)} {bad.cell.wrong}",
            _advice(bad, definition),
        )


@dataclass(frozen=True, slots=True)
class _Loaded:
    table: pa.Table
    files: tuple[FileDigest, ...]


def _check_content(path: str, definition: DatasetDefinition, table: pa.Table) -> None:
    for role, name in definition.named_columns():
        if name not in table.column_names:
            raise no_such_column(path, role, name, table.column_names)


def _advice(bad: BadColumn, definition: DatasetDefinition) -> str:
    known = MISSING if definition.format.missing is None else definition.format.missing
    marker = f"format: {{missing: {json.dumps([*known, bad.cell.value])}}}"
    if bad.name in definition.types:
        return f"Correct the cell or the declared type; if it means that there is no value, declare {marker}."
    text = f"types: {{{json.dumps(bad.name)}: text}}"
    return f"Correct it, or write in a definition (*.dataset.yaml) {text} or, if it means no value, {marker}."
