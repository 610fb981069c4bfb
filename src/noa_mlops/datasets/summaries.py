"""One pass over a dataset, and what is remembered of it: counts by bin and by name, and how much rows depend on each other.

Whatever the order of rows, batches, files and row groups, the summary is the same to the byte; parts that were counted
apart merge into the summary of the whole. Memory is bounded by the number of columns, not of rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.datasets.bins import Bins, Keys, keys_of_numbers
from noa_mlops.datasets.blocks import (
    ENOUGH_BLOCKS,
    Cells,
    Grid,
    dependence,
    dependence_of_categories,
    stretches,
)
from noa_mlops.datasets.dataset import Dataset
from noa_mlops.datasets.normal import normal_table
from noa_mlops.datasets.typed import columns_of
from noa_mlops.records.dataset import Column, ColumnType, DatasetDefinition
from noa_mlops.records.summary import (
    MAX_BINS,
    MAX_CATEGORIES,
    BlockRole,
    Blocks,
    Categories,
    ColumnSummary,
    DatasetSummary,
    category_key,
)

PREDICTION = "prediction"
"""The name under which the answers of a model are counted."""

BLOCK = "block"
"""The name under which the group or the time of an answer is counted beside it."""

ROWS = 1 << 18
"""Rows that are looked at together."""


def summarise(dataset: Dataset, target: str | None = None) -> DatasetSummary:
    """The summary of every column that agents see, and of the target."""
    definition = dataset.definition
    names = [name for name in dataset.table.column_names if name not in definition.hidden]
    target = definition.target if target is None else target
    needed = [*names, *(name for name in (definition.group, definition.time) if name is not None and name not in names)]
    counting = Counting(columns_of(dataset.table.select(names), definition), definition)
    for batch in dataset.table.select(needed).to_batches(max_chunksize=ROWS):
        counting.add(batch)
    return counting.summary(target if target in names else None)


def summarise_answers(answers: pa.Array | pa.ChunkedArray, dataset: Dataset) -> ColumnSummary:
    """The summary of what a model says of the rows of ``dataset``, which depend on each other as its definition says."""
    declared, table = dataset.definition, pa.table({PREDICTION: answers})
    beside = DatasetDefinition(files=("predictions.parquet",))
    by = declared.group or declared.time
    if by is not None and by in dataset.table.column_names:
        table = table.append_column(BLOCK, dataset.table.column(by))
        beside = replace(beside, group=BLOCK) if declared.group else replace(beside, time=BLOCK)
    kind: ColumnType = "category" if pa.types.is_string(table.schema.field(PREDICTION).type) else "float"
    counting = Counting([Column(PREDICTION, kind)], beside)
    for batch in table.to_batches(max_chunksize=ROWS):
        counting.add(batch)
    return counting.summary().columns[0]


def summarise_table(table: pa.Table) -> DatasetSummary:
    """The summary of every column of any Arrow table, rows assumed independent."""
    normal = normal_table(table)
    definition = DatasetDefinition(files=("table.arrow",))
    counting = Counting(columns_of(normal, definition), definition)
    for batch in normal.to_batches(max_chunksize=ROWS):
        counting.add(batch)
    return counting.summary()


class Counting:
    """Counts of batches in normal form; another counting of the same columns can be merged in."""

    def __init__(self, columns: Iterable[Column], definition: DatasetDefinition) -> None:
        self._role: BlockRole | None = "group" if definition.group else "time" if definition.time else None
        self._by = definition.group or definition.time
        aside = {name for name in (definition.time, definition.group) if name is not None}
        self._aside = tuple(sorted(aside | set(definition.hidden)))
        self._columns = [_ColumnCount(column) for column in columns if column.name not in aside]
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch."""
        self._rows += batch.num_rows
        blocks = None if self._by is None else _keys(batch.column(self._by))
        for column in self._columns:
            column.add(batch.column(column.name), blocks)

    def merge(self, other: Counting) -> None:
        """Count what ``other``, of the same columns and definition, counted."""
        self._rows += other._rows
        for mine, theirs in zip(self._columns, other._columns, strict=True):
            mine.merge(theirs)

    def summary(self, target: str | None = None) -> DatasetSummary:
        """What was counted so far."""
        columns = tuple(column.summary(self._rows, self._role) for column in self._columns)
        if self._role is None or self._by is None:
            return DatasetSummary(self._rows, columns, target, aside=self._aside)
        counts = [len(column.blocks(self._role)) for column in self._columns]
        blocks = Blocks(self._role, self._by, min(counts, default=0))
        return DatasetSummary(self._rows, columns, target, blocks, self._aside)


class _ColumnCount:
    """What is counted of one column."""

    def __init__(self, column: Column) -> None:
        self.name = column.name
        self._type = column.type
        self._missing = 0
        self._numbers = Bins(MAX_BINS)
        self._names: dict[str, int] | None = {}
        self._hashed = Bins(MAX_CATEGORIES)
        self._lengths = Bins(MAX_BINS)
        self._by_block = Grid()
        self._missing_by_block = Grid()

    @property
    def _is_number(self) -> bool:
        return self._type in ("int", "float", "time")

    def add(self, column: pa.Array, blocks: Keys | None) -> None:
        self._missing += column.null_count
        if blocks is not None:
            absent = column.is_null().to_numpy(zero_copy_only=False)
            self._missing_by_block.add(blocks, absent.astype(np.uint64))
            blocks = blocks[~absent]
        present = column.drop_null()
        if not len(present):
            return
        if self._is_number:
            self._add_numbers(present, blocks)
        else:
            self._add_texts(present, blocks)

    def _add_numbers(self, present: pa.Array, blocks: Keys | None) -> None:
        keys = _keys(present)
        self._numbers.add(keys)
        if blocks is not None:
            self._by_block.add(blocks, keys)

    def _add_texts(self, present: pa.Array, blocks: Keys | None) -> None:
        if self._type != "bool":
            self._lengths.add(_keys(pc.utf8_length(present)))
        coded = present.cast(pa.string()).dictionary_encode()
        names = coded.dictionary.to_pylist()
        counts = np.bincount(coded.indices.to_numpy(), minlength=len(names))
        self._count_names(dict(zip(names, counts.tolist(), strict=True)))
        if blocks is not None:
            self._by_block.add(blocks, _name_keys(names)[coded.indices.to_numpy()])

    def _count_names(self, counts: dict[str, int]) -> None:
        if self._names is None:
            self._count_hashed(counts)
            return
        for name, count in counts.items():
            self._names[name] = self._names.get(name, 0) + count
        if len(self._names) > MAX_CATEGORIES:
            self._count_hashed(self._names)
            self._names = None

    def _count_hashed(self, counts: dict[str, int]) -> None:
        bins = _name_keys(list(counts)) >> np.uint64(self._hashed.level)
        order = np.argsort(bins, kind="stable")
        distinct, first = np.unique(bins[order], return_index=True)
        summed = np.add.reduceat(np.fromiter(counts.values(), np.int64, len(counts))[order], first)
        self._hashed.add_counted(distinct, summed)

    def merge(self, other: _ColumnCount) -> None:
        self._missing += other._missing
        self._numbers.merge(other._numbers)
        self._lengths.merge(other._lengths)
        self._by_block.merge(other._by_block)
        self._missing_by_block.merge(other._missing_by_block)
        if other._names is None and self._names is not None:
            self._count_hashed(self._names)
            self._names = None
        if other._names is None:
            self._hashed.merge(other._hashed)
        else:
            self._count_names(other._names)

    def summary(self, rows: int, role: BlockRole | None) -> ColumnSummary:
        number = self._is_number
        named = None if self._names is None else tuple(sorted(self._names.items()))
        hashed = None if self._names is not None else self._hashed.histogram()
        values = _joined(self._by_block, role)
        measure = dependence if number else dependence_of_categories
        return ColumnSummary(
            self.name,
            self._type,
            rows,
            self._missing,
            numbers=self._numbers.histogram() if number else None,
            categories=None if number else Categories(named, hashed),
            lengths=self._lengths.histogram() if self._type in ("text", "category") else None,
            dependence=measure(values) if len(values) >= ENOUGH_BLOCKS else 1.0,
            missing_dependence=_missing_dependence(self._missing_by_block, role),
        )

    def blocks(self, role: BlockRole) -> Cells:
        return _joined(self._missing_by_block, role)


def _missing_dependence(grid: Grid, role: BlockRole | None) -> float:
    cells = _joined(grid, role)
    return dependence(cells) if len(cells) >= ENOUGH_BLOCKS else 1.0


def _joined(grid: Grid, role: BlockRole | None) -> Cells:
    """The counts by block: groups as they are, times in stretches."""
    if role != "time" or not len(grid.cells):
        return grid.cells
    cells: Cells = np.add.reduceat(grid.cells, stretches(grid.cells.sum(axis=1)), axis=0)
    return cells


def _keys(column: pa.Array) -> Keys:
    """Keys of numbers and times in their order, of texts by digest; a missing block is a block of its own."""
    if pa.types.is_string(column.type) or pa.types.is_boolean(column.type):
        coded = column.cast(pa.string()).fill_null("").dictionary_encode()
        keys: Keys = _name_keys(coded.dictionary.to_pylist())[coded.indices.to_numpy()]
        return keys
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    filled = column.fill_null(0) if column.null_count else column
    return keys_of_numbers(filled.to_numpy(zero_copy_only=False).astype(np.float64, copy=False))


def _name_keys(names: list[str]) -> Keys:
    return np.array([category_key(name) for name in names], np.uint64)
