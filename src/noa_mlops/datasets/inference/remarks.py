"""What was noticed about data that a person should know of, in sentences that stand beside the choice they explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from noa_mlops.records.dataset import ColumnType, TimeFormat

About: TypeAlias = Literal[
    "header", "encoding", "numbers", "missing", "type", "key", "time", "group", "ignore", "target"
]
"""The choice that a remark explains."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Why something was chosen; with ``doubtful`` somebody should look at it."""

    about: About
    text: str
    column: str | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Guess:
    """The type that all cells of a column agree on.

    ``markers`` are the cells that had to mean *no value* for it. With ``plain`` the reader finds the same type by itself.
    """

    kind: ColumnType | TimeFormat
    why: str | None = None
    doubtful: bool = False
    markers: tuple[str, ...] = ()
    plain: bool = True
