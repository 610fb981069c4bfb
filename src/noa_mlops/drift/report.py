"""What a scan found, as values with one JSON form: the same summaries and settings give the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from noa_mlops.records.documents import Json, canonical, sha256
from noa_mlops.records.drift import DriftSettings
from noa_mlops.records.verdict import Outcome

Subject: TypeAlias = Literal["values", "missing", "new categories", "length", "joint"]
"""What of a column is compared; ``joint`` is how all columns go together."""

Kind: TypeAlias = Literal["numeric", "time", "discrete", "categorical", "joint"]
"""How a column is compared: by its order, or value by value; ``joint`` stands for all of them."""

TOGETHER = "(all columns together)"
"""The name that the joint check has among the columns."""

CERTAIN = 1e-6
"""The q below which one window is enough."""

LARGE = 3
"""Margins from which one window is enough, and which too little data could not show."""


@dataclass(frozen=True, slots=True)
class Test:
    """One question asked of a column: how large the effect is, and how likely chance is to show as much.

    ``p`` is the chance of it where nothing changed, ``q`` the same adjusted for all questions of the scan.
    ``direction`` is ``up``, ``down``, ``spread`` or the category that gained most; None where nothing moved.
    """

    subject: Subject
    effect: float
    margin: float
    p: float
    q: float
    direction: str | None
    drifted: bool

    @property
    def margins(self) -> float:
        """The effect in margins."""
        return self.effect / self.margin

    @property
    def is_certain(self) -> bool:
        """Whether one window is enough to block."""
        return self.drifted and self.q < CERTAIN and self.margins >= LARGE

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "subject": self.subject,
            "effect": rounded(self.effect),
            "margin": self.margin,
            "p": rounded(self.p),
            "q": rounded(self.q),
            "direction": self.direction,
            "drifted": self.drifted,
        }


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One column in both data. ``rows`` and ``missing`` are counts of reference and current.

    ``is_prediction`` is what the champion says of the rows, before on those that it was promoted on.
    ``picture`` are the shares of both in bins that are alike in the reference, or by category, under ``labels``;
    ``medians`` and ``spread`` are in the unit of the column. ``insufficient``: too few rows to see a change of three
    margins. ``psi`` and ``js`` are shown because people know them; no verdict rests on them.
    """

    name: str
    kind: Kind
    is_label: bool
    gates: bool
    tests: tuple[Test, ...]
    insufficient: bool
    rows: tuple[int, int]
    missing: tuple[int, int]
    dependence: float
    medians: tuple[float, float] | None = None
    spread: float | None = None
    new_categories: tuple[str, ...] = ()
    new_share: float = 0.0
    gone_share: float = 0.0
    psi: float | None = None
    js: float | None = None
    labels: tuple[str, ...] = ()
    picture: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    is_prediction: bool = False

    @property
    def drifted(self) -> bool:
        """Whether any question was answered by a drift."""
        return any(test.drifted for test in self.tests)

    @property
    def margins(self) -> float:
        """The largest effect, in margins."""
        return max((test.margins for test in self.tests), default=0.0)

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "name": self.name,
            "kind": self.kind,
            "is_label": self.is_label,
            **({"is_prediction": True} if self.is_prediction else {}),
            "gates": self.gates,
            "drifted": self.drifted,
            "insufficient": self.insufficient,
            "tests": [test.to_document() for test in self.tests],
            "rows": list(self.rows),
            "missing": list(self.missing),
            "dependence": rounded(self.dependence),
            "medians": None if self.medians is None else [rounded(value) for value in self.medians],
            "spread": None if self.spread is None else rounded(self.spread),
            "new_categories": list(self.new_categories),
            "new_share": rounded(self.new_share),
            "gone_share": rounded(self.gone_share),
            "psi": None if self.psi is None else rounded(self.psi),
            "js": None if self.js is None else rounded(self.js),
            "labels": list(self.labels),
            "picture": [[rounded(share) for share in side] for side in self.picture],
        }


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A column that came, went or changed its type; ``before`` and ``after`` are types, None where there is none."""

    column: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.column} is new ({self.after})"
        if self.after is None:
            return f"{self.column} is gone ({self.before})"
        return f"{self.column} was {self.before} and is {self.after}"

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {"column": self.column, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class DriftReport:
    """A scan: columns with the largest effect first, and what follows.

    ``reference`` and ``current`` are the digests of the two summaries, ``rows`` their rows. ``notes`` say what a reader
    must know, for one that rows were assumed independent.
    """

    outcome: Outcome
    columns: tuple[ColumnDrift, ...]
    schema: tuple[SchemaChange, ...]
    rows: tuple[int, int]
    reference: str
    current: str
    settings: DriftSettings
    notes: tuple[str, ...] = ()

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The columns that drifted, those that gate nothing too."""
        return tuple(column for column in self.columns if column.drifted)

    @property
    def is_certain(self) -> bool:
        """Whether this window alone is enough to block: another schema, an effect that is large and certain, or too few data."""
        if self.outcome != "fail":
            return False
        tests = [test for column in self.columns if column.gates for test in column.tests]
        return bool(self.schema) or any(test.is_certain for test in tests) or not any(test.drifted for test in tests)

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {
            "verdict": self.outcome,
            "rows": list(self.rows),
            "reference": self.reference,
            "current": self.current,
            "schema": [change.to_document() for change in self.schema],
            "columns": [column.to_document() for column in self.columns],
            "settings": self.settings.to_document(),
            "notes": list(self.notes),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in lower-case hex."""
        return sha256(canonical(self.to_document()))


def rounded(value: float) -> float:
    """Six digits: what the counts bear, and every machine computes alike."""
    return float(f"{value:.6g}")
