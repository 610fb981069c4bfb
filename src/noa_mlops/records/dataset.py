"""What a dataset is: how its files are to be read, and the identity that the evidence names.

A definition says only what the files cannot say themselves. The identity holds no data: rows are named by
their fingerprint and files by their digest, so evidence can be shown to people who may not see the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from noa_mlops.records.documents import Json

ColumnType: TypeAlias = Literal["text", "int", "float", "bool", "category", "time"]
"""What a column holds: any text; whole numbers of 64 bits; binary64 numbers; true or false; text that names one of
few kinds; a point in time in microseconds (UTC where the data names a zone)."""

COLUMN_TYPES: tuple[ColumnType, ...] = ("text", "int", "float", "bool", "category", "time")
"""Every `ColumnType`, for messages and checks."""

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


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How to read the cells of a delimited text file; what is None keeps the default of the format."""

    delimiter: str | None = None
    """One character between cells; a comma by default, a tab for ``.tsv``."""

    decimal: Literal[".", ","] = "."
    """The mark before the fraction of a number."""

    thousands: str | None = None
    """One character between groups of three digits (``.``, ``,``, ``'``, ``_``, space); none by default."""

    encoding: str = "utf-8"
    """One of `ENCODINGS`; a byte order mark at the start of UTF-8 and UTF-16 is skipped."""

    missing: tuple[str, ...] | None = None
    """Cells that mean *no value*; `MISSING` by default in delimited files, none in JSON Lines."""

    def __post_init__(self) -> None:
        """Refuse marks that contradict each other. Raises `ValueError`."""
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ValueError(f"delimiter must be one character, not a quote or line end; got {self.delimiter!r}")
        if self.thousands is not None and self.thousands not in {".", ",", "'", "_", " ", "\u00a0", "\u202f"}:
            raise ValueError(f"thousands must be one of . , ' _ or a space; got {self.thousands!r}")
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        if self.encoding.lower() not in ENCODINGS:
            raise ValueError(f"encoding {self.encoding!r} is not known; use one of {', '.join(ENCODINGS)}")


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A column of points in time that are not written as ISO 8601."""

    time: str
    """How they are written, in the codes of Python's ``strptime``, for example ``%d.%m.%Y``."""

    def __post_init__(self) -> None:
        """Refuse a format that ``strptime`` does not know. Raises `ValueError`."""
        try:
            written = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).strftime(self.time)
            datetime.strptime(written, self.time)  # noqa: DTZ007 - only the format is on trial
        except ValueError as error:
            raise ValueError(f"time format {self.time!r} is not known: {error}") from error


@dataclass(frozen=True, slots=True)
class DatasetDefinition:
    """How to read a dataset and what its columns are for: the content of a ``*.dataset.yaml``."""

    files: tuple[str, ...]
    """Data files of one format with the same columns, in row order; relative to the project folder."""

    format: TextFormat = field(default_factory=TextFormat)
    """How cells are written, for text files."""

    types: Mapping[str, ColumnType | TimeFormat] = field(default_factory=dict)
    """Types by column name; the other columns keep the type of the file, or the one all their cells agree on."""

    target: str | None = None
    """The column to predict, when the plan names none."""

    ignore: tuple[str, ...] = ()
    """Columns that no agent sees; they count in the fingerprint."""

    key: str | None = None
    """The column that identifies a row."""

    time: str | None = None
    """The column that says when a row happened."""

    group: str | None = None
    """The column whose equal values make rows dependent on each other."""

    slices: tuple[str, ...] = ()
    """Columns by whose values results are also reported."""

    ordered: bool = False
    """Whether the order of rows has a meaning, so that it must not be shuffled."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself. Raises `ValueError`."""
        if not self.files:
            raise ValueError("files must name at least one data file")
        if len(set(self.files)) != len(self.files):
            raise ValueError("files names a data file twice")
        if self.target is not None and self.target in self.ignore:
            raise ValueError(f"target {self.target!r} is also ignored")

    def named_columns(self) -> tuple[tuple[str, str], ...]:
        """Every column the definition speaks of, each with the field that names it."""
        single = ((name, getattr(self, name)) for name in ("target", "key", "time", "group"))
        several = (("types", self.types), ("ignore", self.ignore), ("slices", self.slices))
        return (
            *((role, column) for role, column in single if column is not None),
            *((role, column) for role, columns in several for column in columns),
        )


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
        }
        return {name: value for name, value in document.items() if value is not None}
