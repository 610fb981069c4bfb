"""From the matrix of `noa_mlops.trainers.encoding` to what a network takes: columns of float32 without gaps.

A category becomes a column of 0 and 1 for each of its values, all 0 for one that training has not seen. A number stays one
column, its gaps filled with the mean; where training had gaps, one more column says where they are. What is learnt is
plain data and is kept as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from noa_mlops.trainers.encoding import Categories, Encoding, Matrix, features

MOST_CATEGORIES = 64
"""Columns that one category column becomes at most; rarer categories share the last one."""

Inputs: TypeAlias = "np.ndarray[tuple[int, int], np.dtype[np.float32]]"
Vector: TypeAlias = "np.ndarray[tuple[int], np.dtype[Any]]"


@dataclass(frozen=True, slots=True)
class Scale:
    """Brings numbers to ``(number - centre) / scale``."""

    centre: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, numbers: Vector) -> Scale:
        """The one that gives ``numbers`` mean 0 and variance 1; constant ones become 0."""
        if not numbers.size:
            return cls()
        spread = float(numbers.std())
        return cls(float(numbers.mean()), spread if spread > 0 else 1.0)


@dataclass(frozen=True, slots=True)
class Input:
    """How one column of the matrix is given to the network; ``codes`` counts its categories, 0 for a number."""

    name: str
    codes: int
    fill: float = 0.0
    centre: float = 0.0
    scale: float = 1.0
    gaps: bool = False

    @property
    def width(self) -> int:
        """Columns that it becomes."""
        return self.codes or 1 + self.gaps


def learn_inputs(matrix: Matrix, encodings: Sequence[Encoding], *, standardize: bool) -> tuple[Input, ...]:
    """How each column of ``matrix``, shape (rows, features), is given to the network."""
    counts = (_codes(encoding) for encoding in encodings for _ in features([encoding]))
    return tuple(
        Input(feature.name, codes) if codes else _number(feature.name, column, standardize=standardize)
        for feature, codes, column in zip(features(encodings), counts, matrix.T, strict=True)
    )


def network_inputs(matrix: Matrix, inputs: Sequence[Input]) -> Inputs:
    """What the network is given, shape (rows, sum of the widths of ``inputs``)."""
    given = np.zeros((len(matrix), sum(one.width for one in inputs)), dtype=np.float32)
    place = 0
    for one, column in zip(inputs, matrix.T, strict=True):
        missing = np.isnan(column)
        if one.codes:
            rows = np.flatnonzero(~missing)
            given[rows, place + column[rows].astype(np.int64)] = 1
        else:
            given[:, place] = (np.where(missing, one.fill, column) - one.centre) / one.scale
            if one.gaps:
                given[:, place + 1] = missing
        place += one.width
    return given


def validation_rows(truth: Vector, share: float, seed: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows are held back to validate on: drawn by ``seed``, the same share of every class or range of numbers."""
    drawn = np.random.default_rng(seed).permutation(len(truth))
    ordered = drawn[np.argsort(truth[drawn], kind="stable")]
    steps = np.floor(np.arange(len(truth) + 1) * share)
    held = np.zeros(len(truth), dtype=np.bool_)
    held[ordered[steps[1:] > steps[:-1]]] = True
    return held


def inputs_to_document(inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """The inputs as JSON."""
    return [asdict(one) for one in inputs]


def inputs_from_document(document: Sequence[dict[str, Any]]) -> tuple[Input, ...]:
    """The inputs that `inputs_to_document` wrote. Raises `TypeError` for any other document."""
    return tuple(Input(**facts) for facts in document)


def _codes(encoding: Encoding) -> int:
    return len(encoding.values) + encoding.others if isinstance(encoding, Categories) else 0


def _number(name: str, column: Vector, *, standardize: bool) -> Input:
    known = column[~np.isnan(column)]
    measured = Scale.of(known)
    used = measured if standardize else Scale()
    return Input(name, 0, measured.centre, used.centre, used.scale, gaps=known.size < column.size)
