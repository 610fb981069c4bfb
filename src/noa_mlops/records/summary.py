"""What is remembered of a dataset: counts, never rows.

A summary is small, whatever the size of the data, and says the same whatever the order of rows, files and row groups
was. It has one canonical form, so it can be named by its digest and signed. Two summaries are all that a comparison
needs: the next check reads only the new data.

Numbers are counted in bins that the data choose. Every number has a whole number of 64 bits as its key, in the same
order; a bin is what the keys share when their last ``level`` bits are dropped. The level is the smallest at which no
more than `MAX_BINS` bins are occupied, so few distinct values are counted exactly, and summaries merge exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Literal, TypeAlias

from noa_mlops.records.calibration import Calibration
from noa_mlops.records.dataset import COLUMN_TYPES, ColumnType
from noa_mlops.records.documents import Json, canonical, parse_object, sha256

MAX_BINS = 4096
"""Bins that numbers are counted in."""

MAX_CATEGORIES = 1024
"""Distinct texts that are counted by name; beyond it they are counted by the first bits of their digests."""

MAX_SUMMARY = 1 << 27
"""Largest summary that is read, in bytes."""

SCHEMA = "noa:dataset-summary/v1"

BlockRole: TypeAlias = Literal["time", "group"]
"""What makes rows depend on each other: nearness in time, or the same group."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by bin: ``keys`` ascend and have their last ``level`` bits dropped; ``counts`` are all above 0."""

    level: int
    keys: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Everything that was counted."""
        return sum(self.counts)

    def to_document(self) -> dict[str, Json]:
        """JSON form; the keys as one text, each but the first by its distance to the one before."""
        gaps = [*self.keys[:1], *(after - before for before, after in pairwise(self.keys))]
        return {"level": self.level, "keys": " ".join(map(str, gaps)), "counts": list(self.counts)}

    @classmethod
    def from_document(cls, document: Any) -> Histogram:
        """The histogram that `to_document` wrote. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        level, counts = document["level"], tuple(document["counts"])
        gaps = [int(gap) for gap in document["keys"].split()]
        if type(level) is not int or not 0 <= level < 64 or len(gaps) != len(counts):
            raise ValueError("a histogram has a level, and as many keys as counts")
        if any(gap <= 0 for gap in gaps[1:]) or not all(type(count) is int and count > 0 for count in counts):
            raise ValueError("the keys of a histogram ascend, and its counts are above 0")
        keys = tuple(accumulate(gaps))
        if keys and not (keys[0] >= 0 and keys[-1] < 1 << (64 - level)):
            raise ValueError("the keys of a histogram have 64 bits at most")
        return cls(level, keys, counts)


@dataclass(frozen=True, slots=True)
class Categories:
    """Counts of texts: by name in ``named`` (ascending), or beyond `MAX_CATEGORIES` by `category_key` in ``hashed``."""

    named: tuple[tuple[str, int], ...] | None
    hashed: Histogram | None

    def __post_init__(self) -> None:
        if (self.named is None) == (self.hashed is None):
            raise ValueError("categories are counted by name or by digest")

    @property
    def total(self) -> int:
        """Everything that was counted."""
        if self.hashed is not None:
            return self.hashed.total
        return sum(count for _, count in self.named or ())

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        if self.hashed is not None:
            return {"hashed": self.hashed.to_document()}
        return {"named": [[name, count] for name, count in self.named or ()]}

    @classmethod
    def from_document(cls, document: Any) -> Categories:
        """The categories that `to_document` wrote. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        if "hashed" in document:
            return cls(None, Histogram.from_document(document["hashed"]))
        named = tuple((name, count) for name, count in document["named"])
        if not all(isinstance(name, str) and type(count) is int and count > 0 for name, count in named):
            raise ValueError("categories have a name and a count above 0")
        if any(before >= after for (before, _), (after, _) in pairwise(named)):
            raise ValueError("categories ascend")
        return cls(named, None)


def category_key(name: str) -> int:
    """The key, of 64 bits, that a text is counted by when there are too many to name."""
    return int.from_bytes(hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """One column by its counts.

    ``numbers`` are counted for numbers and times (microseconds since 1970), ``categories`` for texts and truth values
    (``false``, ``true``), ``lengths`` (in characters) for texts.

    ``dependence`` is by how much rows that depend on each other make the column's mean rank less certain than as many
    independent rows would: at least 1, and 1 where no time or group column was declared; ``missing_dependence`` the
    same for being missing.
    """

    name: str
    type: ColumnType
    rows: int
    missing: int
    numbers: Histogram | None = None
    categories: Categories | None = None
    lengths: Histogram | None = None
    dependence: float = 1.0
    missing_dependence: float = 1.0

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return self.rows - self.missing

    def to_document(self) -> dict[str, Json]:
        """JSON form, without what there is none of."""
        parts = {"numbers": self.numbers, "categories": self.categories, "lengths": self.lengths}
        return {
            "name": self.name,
            "type": self.type,
            "missing": self.missing,
            "dependence": self.dependence,
            "missing_dependence": self.missing_dependence,
            **{name: part.to_document() for name, part in parts.items() if part is not None},
        }

    @classmethod
    def from_document(cls, document: Any, rows: int) -> ColumnSummary:
        """The column that `to_document` wrote. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        missing, dependences = document["missing"], (document["dependence"], document["missing_dependence"])
        if document["type"] not in COLUMN_TYPES or not isinstance(document["name"], str):
            raise ValueError("a column has a name and a known type")
        if type(missing) is not int or not 0 <= missing <= rows:
            raise ValueError("a column has as many missing values as rows at most")
        if not all(type(dependence) in (int, float) and dependence >= 1 for dependence in dependences):
            raise ValueError("dependence is at least 1")
        column = cls(
            document["name"],
            document["type"],
            rows,
            missing,
            numbers=_optional(Histogram, document, "numbers"),
            categories=_optional(Categories, document, "categories"),
            lengths=_optional(Histogram, document, "lengths"),
            dependence=float(dependences[0]),
            missing_dependence=float(dependences[1]),
        )
        counted = [part.total for part in (column.numbers, column.categories, column.lengths) if part is not None]
        if not counted or any(total != column.present for total in counted):
            raise ValueError("what is counted of a column are its rows that are not missing")
        return column


@dataclass(frozen=True, slots=True)
class Blocks:
    """How rows depend on each other: by the declared ``column``, whose values make ``count`` blocks."""

    role: BlockRole
    column: str
    count: int


@dataclass(frozen=True)
class DatasetSummary:
    """A dataset by its counts. ``blocks`` is None where rows are assumed independent, as nothing else was declared.

    ``aside`` are columns that the data have and no count was made of: no agent sees them, or they only say which rows
    depend on each other. ``predictions`` are what the model says: in a reference, of the rows that it was measured on when
    it was promoted, and ``calibration`` how that came true; None where nothing was asked, or in summaries of older versions.
    """

    rows: int
    columns: tuple[ColumnSummary, ...]
    target: str | None = None
    blocks: Blocks | None = None
    aside: tuple[str, ...] = ()
    predictions: ColumnSummary | None = None
    calibration: Calibration | None = None

    def column(self, name: str) -> ColumnSummary | None:
        """The column of that name, None when there is none."""
        return next((column for column in self.columns if column.name == name), None)

    def to_document(self) -> dict[str, Json]:
        """JSON form; columns in the order of their names, for their order in a file means nothing."""
        ordered = sorted(self.columns, key=lambda column: column.name)
        blocks = self.blocks
        return {
            "schema": SCHEMA,
            "rows": self.rows,
            "target": self.target,
            "aside": sorted(self.aside),
            "blocks": None if blocks is None else {"role": blocks.role, "column": blocks.column, "count": blocks.count},
            "columns": [column.to_document() for column in ordered],
            **self._answers(),
        }

    def _answers(self) -> dict[str, Json]:
        if self.predictions is None:
            return {}
        said: dict[str, Json] = {"rows": self.predictions.rows, **self.predictions.to_document()}
        return {"predictions": said if self.calibration is None else said | self.calibration.to_document()}

    def to_bytes(self) -> bytes:
        """The canonical form, which the digest is of."""
        return canonical(self.to_document())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in lower-case hex."""
        return sha256(self.to_bytes())

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DatasetSummary:
        """The summary that `to_document` wrote. Raises `ValueError` for anything else."""
        try:
            return cls._read(document)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"is no summary of a dataset: {error}") from error

    @classmethod
    def _read(cls, document: Mapping[str, Any]) -> DatasetSummary:
        rows, target, blocks = document["rows"], document["target"], document["blocks"]
        aside = tuple(document["aside"])
        if document["schema"] != SCHEMA or type(rows) is not int or rows < 0 or not isinstance(target, str | None):
            raise ValueError("is no summary of a dataset that is known to this version")
        if not all(isinstance(name, str) for name in aside):
            raise ValueError("the columns aside have names")
        columns = tuple(ColumnSummary.from_document(column, rows) for column in document["columns"])
        if any(before.name >= after.name for before, after in pairwise(columns)):
            raise ValueError("the columns of a summary ascend by name")
        summary = cls(rows, columns, target, None if blocks is None else _blocks(blocks), aside)
        return replace(summary, **_read_answers(document["predictions"])) if "predictions" in document else summary

    @classmethod
    def from_bytes(cls, data: bytes) -> DatasetSummary:
        """The summary in its canonical form. Raises `ValueError`."""
        document = parse_object(data, limit=MAX_SUMMARY)
        summary = cls.from_document(document)
        if summary.to_bytes() != data:
            raise ValueError("is not written in its one form")
        return summary


def _read_answers(document: Mapping[str, Any]) -> dict[str, Any]:
    rows = document["rows"]
    if type(rows) is not int or rows < 0:
        raise ValueError("predictions have a number of rows")
    calibration = Calibration.from_document(document) if "calibration" in document else None
    return {"predictions": ColumnSummary.from_document(document, rows), "calibration": calibration}


def _blocks(document: Mapping[str, Any]) -> Blocks:
    role, column, count = document["role"], document["column"], document["count"]
    if role not in ("time", "group") or not isinstance(column, str) or type(count) is not int or count < 0:
        raise ValueError("blocks have a role, a column and a count")
    return Blocks(role, column, count)


def _optional(kind: Any, document: Mapping[str, Any], name: str) -> Any:
    return kind.from_document(document[name]) if name in document else None
