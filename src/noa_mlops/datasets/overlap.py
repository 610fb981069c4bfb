"""Have rows of the evaluation data been seen in training?

By the key, where the data has one: a key in both is a row in both. Without a key, by the rows themselves; but rows of
few columns repeat by nature. How many an unseen row would find in the training data by chance alone is what the training
data says of itself: the share of its rows that are not unique (Good 1953: the mass of what was seen only once is that of
what was not seen yet). Only a clear excess over that is a leak.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from noa_mlops.records.overlap import Overlap

_Hashes = npt.NDArray[np.uint64]


FEW = 6
"""The least error of the estimate in rows: when hardly any row of the training data repeats, its own formula is too sure."""


def overlap(train: pa.Table, evaluation: pa.Table, key: str | None = None) -> Overlap:
    """How many rows of ``evaluation`` are rows of ``train``, by the column ``key`` or by all columns that both have.

    Rows are compared by a 64-bit hash; a missing key is nobody's. Types must agree column by column.
    """
    names = [key] if key is not None else [name for name in train.column_names if name in evaluation.column_names]
    if key is not None:
        train, evaluation = (table.filter(pc.is_valid(table.column(key))) for table in (train, evaluation))
    known, counts = np.unique(row_hashes(train, names), return_counts=True)
    asked = row_hashes(evaluation, names)
    shared = int(np.count_nonzero(_within(asked, known))) if known.size else 0
    if key is not None or not known.size:
        return Overlap(shared, asked.size, 0.0, 0.0, by_key=key is not None)
    return Overlap(shared, asked.size, *_by_chance(counts, train.num_rows, asked.size), by_key=False)


def _by_chance(counts: npt.NDArray[np.int64], rows: int, asked: int) -> tuple[float, float]:
    """The share of new rows that training has seen by chance, and its error, with repeated rows in clumps."""
    unique, twice = int(np.count_nonzero(counts == 1)), int(np.count_nonzero(counts == 2))
    share = 1 - unique / rows
    of_estimate = max(unique * (1 - unique / rows) + 2 * twice, FEW**2) / rows**2  # Esty 1983
    return share, math.sqrt(of_estimate + max(share * (1 - share), 1 / max(asked, 1)) / max(asked, 1))


def _within(asked: _Hashes, known: _Hashes) -> npt.NDArray[np.bool_]:
    places = np.minimum(np.searchsorted(known, np.sort(asked)), known.size - 1)
    return np.asarray(known[places] == np.sort(asked))


def row_hashes(table: pa.Table, names: list[str]) -> _Hashes:
    """One hash per row, made column by column, so that memory holds one column at a time."""
    hashes = np.full(table.num_rows, _SEED, dtype=np.uint64)
    for name in names:
        hashes ^= _column_hashes(table.column(name))
        mix(hashes)
    return hashes


def _column_hashes(column: pa.ChunkedArray) -> _Hashes:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _column_hashes(column.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text_hashes(column)
    missing = np.asarray(pc.is_null(column, nan_is_null=True).to_numpy())
    if pa.types.is_floating(kind):
        bits = (pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy() + 0.0).view(np.uint64)  # -0.0 is 0.0
    else:
        whole = column.cast(pa.int8()) if pa.types.is_boolean(kind) else column
        bits = pc.fill_null(whole.cast(pa.int64()), 0).to_numpy().astype(np.uint64)
    bits = np.asarray(bits, dtype=np.uint64)
    bits[missing] = _MISSING
    mix(bits)
    return bits


def _text_hashes(column: pa.ChunkedArray) -> _Hashes:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    table = np.array(
        [
            _MISSING if text is None else int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
            for text in encoded.dictionary.to_pylist()
        ],
        dtype=np.uint64,
    )
    return np.asarray(table[encoded.indices.to_numpy()])


def mix(values: _Hashes) -> None:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014), in place."""
    values += np.uint64(0x9E3779B97F4A7C15)
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)


_SEED = 0x6E6F61
_MISSING = 0x6D697373696E6700
