"""What a dataset is: how its files are to be read, and the identity that the evidence names.

A definition says only what the files cannot say themselves. The identity holds no data: rows are named by
their fingerprint and files by their digest, so evidence can be shown to people who may not see the data.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from noa_mlops.records.documents import Json
from noa_mlops.records.paths import path_problem
from noa_mlops.records.reading.fields import (
    Fault,
    FieldInvalid,
    Form,
    Rule,
    check_fields,
    instance_of,
    one_of,
    shown,
    whole,
)
from noa_mlops.records.reading.values import text_problem

ColumnType: TypeAlias = Literal["text", "int", "float", "bool", "category", "time"]
"""What a column holds: any text; whole numbers of 64 bits; binary64 numbers; true or false; text that names one of
few kinds; a point in time in microseconds (UTC where the data names a zone)."""

COLUMN_TYPES: tuple[ColumnType, ...] = ("text", "int", "float", "bool", "category", "time")
"""Every `ColumnType`, for messages and checks."""

DEFINITION_SUFFIXES = (".dataset.yaml", ".dataset.yml", ".dataset.json")
"""What the name of a dataset definition ends with."""

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""Cells of a text file that mean *no value* unless the definition says otherwise, quoted or not.

``None``, ``-`` and ``?`` are not among them: they are values in real data, and are named when they stand in the way.
"""

ENCODINGS = (
    *("utf-8", "utf-16", "ascii", "latin-1", "cp437", "cp850", "cp866", "cp932", "cp936", "cp949", "cp950", "cp1250"),
    *("cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "iso8859-1", "iso8859-2"),
    *("iso8859-5", "iso8859-7", "iso8859-9", "iso8859-15", "koi8-r", "koi8-u", "mac-roman", "shift_jis", "euc-jp"),
    *("euc-kr", "gb2312", "gbk", "gb18030", "big5"),
)
"""Encodings that a definition may name, as Python spells them."""

MAX_SEASON = 100_000
"""Steps of the longest season."""

MAX_FILES = 10_000
"""Data files that a definition may name."""


THOUSANDS = (".", ",", "'", "_", " ", "\u00a0", "\u202f")
"""Marks between groups of three digits; the last two are spaces that do not break a line."""


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """The type of a column of points in time that are not written as ISO 8601."""

    time: str
    """How they are written, in the codes of Python's ``strptime``, for example ``%d.%m.%Y``."""


def _delimiter(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n\0' or ord(value) > 127:
        yield Fault(f"must be one ASCII character, no quote and no line end, got {shown(value)}")


def _thousands(value: Any) -> Iterator[Fault]:
    if value not in THOUSANDS:
        yield Fault(f"must be '.', ',', \"'\", '_' or a space, got {shown(value)}")


def _encoding(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str) or value.lower() not in ENCODINGS:
        near = difflib.get_close_matches(str(value).lower(), ENCODINGS, 1)
        suggestion = f"did you mean '{near[0]}'?" if near else "utf-8, utf-16, cp1252 and latin-1 are the usual ones"
        yield Fault(f"must be a known encoding, got {shown(value)}", suggestion=suggestion)


def _texts(values: Any) -> Iterator[Fault]:
    if not isinstance(values, tuple | list):
        yield Fault(f"must be a list, got {shown(values)}")
        return
    for index, value in enumerate(values):
        yield from (fault.within(index) for fault in _text(value))


def _text(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(f"must be text, got {shown(value)}", suggestion="put it in quotes to make it text")
    elif problem := text_problem(value):
        yield Fault(problem)


def _files(values: Any) -> Iterator[Fault]:
    if not isinstance(values, tuple | list) or not 0 < len(values) <= MAX_FILES:
        yield Fault(f"must be a list of 1 to {MAX_FILES} data files, got {shown(values)}")
        return
    for index, name in enumerate(values):
        problem = path_problem(name) if isinstance(name, str) else "must be text"
        if problem is not None:
            yield Fault(f"{problem}, got {shown(name)}", (index,))
        elif name in values[:index]:
            yield Fault(f"names {shown(name)} a second time", (index,))


def _types(values: Any) -> Iterator[Fault]:
    if not isinstance(values, Mapping):
        yield Fault(f"must be a mapping of columns to types, got {shown(values)}")
        return
    for column, kind in values.items():
        yield from (fault.within(column) for fault in _type(kind))


def _type(kind: Any) -> Iterator[Fault]:
    if isinstance(kind, TimeFormat):
        yield from _time_format(kind.time)
    elif kind not in COLUMN_TYPES:
        near = difflib.get_close_matches(str(kind), COLUMN_TYPES, 1)
        suggestion = f"did you mean '{near[0]}'?" if near else 'a time in another form is {time: "%d.%m.%Y"}'
        yield Fault(f"must be one of {', '.join(COLUMN_TYPES)}, got {shown(kind)}", suggestion=suggestion)


def _time_format(written: Any) -> Iterator[Fault]:
    if not isinstance(written, str) or "%" not in written:
        yield Fault(f'must be a format such as "%d.%m.%Y", got {shown(written)}', ("time",))
        return
    try:
        example = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).strftime(written)
        datetime.strptime(example, written)  # noqa: DTZ007 - only the format is on trial
    except ValueError:
        yield Fault(f"must be a format that strptime knows, got {shown(written)}", ("time",))


def _read_types(written: Any) -> Any:
    """``{time: FORMAT}`` becomes a `TimeFormat`; everything else stays for the rules."""
    if not isinstance(written, Mapping):
        return written
    kinds = {}
    for column, kind in written.items():
        if isinstance(kind, Mapping) and kind.keys() == {"time"}:
            kinds[column] = TimeFormat(kind["time"])
        else:
            kinds[column] = kind
    FieldInvalid.raise_any(_types(kinds))
    return kinds


def _types_schema() -> Mapping[str, Any]:
    written = {"type": "object", "properties": {"time": {"type": "string"}}, "required": ["time"]}
    return {"type": "object", "additionalProperties": {"anyOf": [{"enum": list(COLUMN_TYPES)}, written]}}


_TYPES = Form(_read_types, _types_schema)


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How to read the cells of a delimited text file; what is None keeps the default of the format."""

    delimiter: Annotated[str | None, Rule(_delimiter)] = None
    """One character between cells; a comma by default, a tab for ``.tsv``."""

    decimal: Annotated[Literal[".", ","], one_of(".", ",")] = "."
    """The mark before the fraction of a number."""

    thousands: Annotated[str | None, Rule(_thousands)] = None
    """One of `THOUSANDS` between groups of three digits; none by default."""

    encoding: Annotated[str, Rule(_encoding)] = "utf-8"
    """One of `ENCODINGS`; a byte order mark at the start of UTF-8 and UTF-16 is skipped."""

    missing: Annotated[tuple[str, ...] | None, Rule(_texts)] = None
    """Cells that mean *no value*; `MISSING` by default in delimited files, none in other formats."""

    def __post_init__(self) -> None:
        check_fields(self, self._faults())

    def _faults(self) -> Iterator[Fault]:
        if self.thousands == self.decimal:
            yield Fault(f"must differ from decimal, which is {shown(self.decimal)} too", ("thousands",))


@dataclass(frozen=True, slots=True)
class DatasetDefinition:
    """How to read a dataset and what its columns are for: the content of a ``*.dataset.yaml``."""

    files: Annotated[tuple[str, ...], Rule(_files)]
    """Data files of one format with the same columns, in row order; relative to the project folder."""

    format: Annotated[TextFormat, instance_of(TextFormat)] = field(default_factory=TextFormat)
    """How cells are written, for text files."""

    types: Annotated[Mapping[str, ColumnType | TimeFormat], _TYPES, Rule(_types)] = field(
        default_factory=dict, hash=False
    )
    """Types by column name; the other columns keep the type of the file, or the one all their cells agree on."""

    target: Annotated[str | None, Rule(_text)] = None
    """The column to predict, when the plan names none."""

    ignore: Annotated[tuple[str, ...], Rule(_texts)] = ()
    """Columns that no agent sees; they count in the fingerprint."""

    key: Annotated[str | None, Rule(_text)] = None
    """The column that identifies a row. No agent sees it: it counts in the fingerprint, it is no feature."""

    time: Annotated[str | None, Rule(_text)] = None
    """The column that says when a row happened."""

    group: Annotated[str | None, Rule(_text)] = None
    """The column whose equal values make rows dependent on each other."""

    horizon: Annotated[str | None, Rule(_text)] = None
    """The column that says how many steps ahead a row is forecast; results are also reported by its values."""

    season: Annotated[int, whole(1, MAX_SEASON)] = 1
    """Steps after which a series repeats itself: what a naive forecast looks back, for the scale of 'mase'."""

    slices: Annotated[tuple[str, ...], Rule(_texts)] = ()
    """Columns by whose values results are also reported."""

    ordered: bool = False
    """Whether the order of rows has a meaning, so that it must not be shuffled."""

    def __post_init__(self) -> None:
        check_fields(self, self._faults())

    @property
    def hidden(self) -> tuple[str, ...]:
        """The columns that no agent sees: ignored ones and the key."""
        return self.ignore if self.key is None or self.key in self.ignore else (*self.ignore, self.key)

    def named_columns(self) -> tuple[tuple[str, str], ...]:
        """Every column the definition speaks of, each after the field that names it."""
        single = ((role, getattr(self, role)) for role in ("target", "key", "time", "group", "horizon"))
        several = (("types", self.types), ("ignore", self.ignore), ("slices", self.slices))
        return (
            *((role, column) for role, column in single if column is not None),
            *((role, column) for role, columns in several for column in columns),
        )

    def _faults(self) -> Iterator[Fault]:
        if self.target is not None and self.target in self.ignore:
            yield Fault(f"must not be ignored as well, got {shown(self.target)}", ("target",))
        for role in ("horizon", "season"):
            if self.time is None and getattr(self, role) not in (None, 1):
                yield Fault("needs 'time', the column that says when a row happened", (role,))
        if self.horizon is not None and self.horizon in (self.target, self.time):
            yield Fault(f"must be a column of its own, got {shown(self.horizon)}", ("horizon",))
        if self.target is not None and self.target == self.key:
            yield Fault(f"must not be the key as well, got {shown(self.target)}", ("target",))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a dataset."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One data file as it was read: the path as written, bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DatasetIdentity:
    """Which data it was: enough to recognise it, nothing of its content but names."""

    path: str
    """The data file or definition as the plan names it."""

    fingerprint: str
    """SHA-256 in hex over all rows and columns, independent of the file format."""

    rows: int
    """Rows in the fingerprint."""

    columns: tuple[Column, ...]
    """Every column in the order of the file, ignored ones and the target too."""

    files: tuple[FileDigest, ...]
    """The files that were read, in row order."""

    target: str | None = None
    """The target that the definition declares."""

    definition: str | None = None
    """SHA-256 of the definition's bytes; None for a data file named directly."""

    whole: str | None = None
    """Fingerprint of the dataset that these rows are a part of; None for a dataset that was not split."""

    def to_document(self) -> dict[str, Json]:
        """The identity as JSON, without what is None."""
        document: dict[str, Json] = {
            "path": self.path,
            "fingerprint": self.fingerprint,
            "rows": self.rows,
            "columns": [{"name": column.name, "type": column.type} for column in self.columns],
            "files": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in self.files],
            "target": self.target,
            "definition": self.definition,
            "whole": self.whole,
        }
        return {name: value for name, value in document.items() if value is not None}
