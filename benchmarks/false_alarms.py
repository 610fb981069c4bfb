"""How often drift is wrong: `python -m benchmarks.false_alarms [PART...]`, seeded, so that it says the same every time.

Data are drawn, summarised and scanned as `noa drift` does it. Nothing changed where an alarm is a false one; where something
did, it is known what. With every share stands how high (or low) it could be by chance (one-sided 95 %, Clopper and Pearson).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from scipy.stats import beta, chi2

from benchmarks.draws import alike, days, groups, missing, series, sold, texts, wide
from noa_mlops.datasets import samples
from noa_mlops.drift import DriftReport, Labelled, judge_labels, scan, tell_apart, weigh
from noa_mlops.drift.joint import as_column
from noa_mlops.ledger import LifecycleState
from noa_mlops.ledger.drift_law import BLIND, confirmed, read_signs
from noa_mlops.ledger.state import Suspicion
from noa_mlops.records.drift import DriftSettings
from noa_mlops.records.spread import Proportion
from noa_mlops.records.summary import DatasetSummary
from noa_mlops.records.thresholds import Threshold
from noa_mlops.records.verdict import Estimate

Draw: TypeAlias = Callable[[np.random.Generator, int], DatasetSummary]
"""The summary of so many rows."""


@dataclass(frozen=True, slots=True)
class Share:
    """One row of the output: ``hits`` of ``of``; ``most`` or ``least`` is the share we promise, None where nothing is."""

    what: str
    hits: int
    of: int
    most: float | None = None
    least: float | None = None

    def __str__(self) -> str:
        share = self.hits / self.of
        kept = (self.most is None or share <= self.most) and (self.least is None or share >= self.least)
        goal = self.most if self.least is None else self.least
        judged = "" if goal is None else f"goal {goal:.0%}  {'ok' if kept else 'MISSED'}"
        return f"  {self.what:<68}{share:8.1%}  {self._bound()}  of {self.of:<5}  {judged}".rstrip()

    def _bound(self) -> str:
        if self.least is None:
            high = 1.0 if self.hits == self.of else float(beta.ppf(0.95, self.hits + 1, self.of - self.hits))
            return f"(at most {high:5.1%})"
        low = 0.0 if not self.hits else float(beta.ppf(0.05, self.hits, self.of - self.hits + 1))
        return f"(at least {low:5.1%})"


@dataclass(frozen=True, slots=True)
class Years:
    """One row of the output: false blocks of a lifecycle in each of ``blocks`` simulated years; one a year is promised."""

    what: str
    blocks: list[int]
    suspects: int

    def __str__(self) -> str:
        total, years = sum(self.blocks), len(self.blocks)
        high = float(chi2.ppf(0.95, 2 * total + 2)) / 2 / years
        rate = f"{total / years:7.2f}  (at most {high:.2f})  a year, {max(self.blocks)} in the worst of {years}"
        kept = "ok" if total <= years else "MISSED"
        return f"  {self.what:<68}{rate}; {self.suspects / years:.1f} suspect windows   goal 1  {kept}"


Line: TypeAlias = Callable[[], object]
"""One row of the output, not yet computed."""


def unchanged() -> Iterator[Line]:
    """Two draws of one distribution, 40 columns of numbers and 10 of texts with 2 to 100 levels."""
    for rows, draws in ((200, 200), (1000, 200), (10_000, 200), (100_000, 40), (1_000_000, 8)):
        yield partial(flagged, f"{rows:,} rows of 50 columns, twice", wide, (rows, rows), draws)
    for first, second in ((10_000, 100), (200, 1000), (1000, 200)):
        yield partial(flagged, f"{first:,} rows of 50 columns against {second:,}", wide, (first, second), 200)


def categories() -> Iterator[Line]:
    """The same where chance has most to say: many levels, and missing values."""
    for first, second in ((1000, 1000), (200, 1000), (10_000, 100)):
        yield partial(
            flagged, f"50 columns of 50 levels, {first:,} rows against {second:,}", texts, (first, second), 200
        )
    yield partial(flagged, "40 columns, 1 to 40 % missing, 1,000 rows twice", missing, (1000, 1000), 200)
    yield partial(flagged, "20 columns of identifiers and rare names, 1,000 twice", sold, (1000, 1000), 200)


DEPENDENT: Mapping[str, Draw] = {
    "AR(1) 0.5, time declared": partial(series, 0.5),
    "AR(1) 0.8, time declared": partial(series, 0.8),
    "groups of 20, correlation 0.2, group declared": groups,
}


def dependent() -> Iterator[Line]:
    """The same where rows depend on each other, 16 columns of numbers, truth values, texts and missing values."""
    for name, draw in DEPENDENT.items():
        for second, draws in ((500, 200), (5000, 40)):
            yield partial(flagged, f"{name}, 5,000 against {second:,}", draw, (5000, second), draws)


def together() -> Iterator[Line]:
    """All columns together, by the classifier alone: 8 columns that go together as before, or in another way."""
    for name, share in (("independent", 0.0), ("AR(1) 0.8, time declared", 0.8)):
        yield partial(told_apart, f"nothing changed, {name}, 8,000 rows against 1,000", share, 0.0, 60, most=0.05)
    yield partial(told_apart, "a correlation from 0 to 0.8, 8,000 rows against 1,000", 0.0, 0.8, 20, least=0.95)


def power() -> Iterator[Line]:
    """Columns that moved and were found, of those that moved: 5 of 50, or all 12 of numbers of dependent ones."""
    for rows, shift, draws, least in ((1000, 0.3, 100, 0.95), (1000, 0.2, 100, None), (10_000, 0.2, 30, 0.99)):
        what = f"{shift} spreads, {rows:,} rows twice"
        yield partial(found, what, partial(wide, moved=5), (rows, rows), shift, draws, least)
    for name, draw in DEPENDENT.items():
        for shift in (0.3, 0.5, 1.0):
            least = 0.99 if shift == 1.0 else None
            yield partial(found, f"{shift} spreads, {name}", draw, (5000, 500), shift, 25, least)


def years() -> Iterator[Line]:
    """A year of daily scans against one reference, by the law of repeated scans, nothing changed."""
    for reference, window in ((1000, 200), (5000, 500), (5000, 1000)):
        yield partial(year, f"{reference:,} rows against {window} a day", days, reference, window, 8)
    for promoted, amount in ((1000, 100), (3000, 100), (3000, 500), (3000, 2000)):
        what = f"labels of {amount:,} rows a day, promoted on {promoted:,}, accuracy 0.85"
        yield partial(labelled, what, promoted, amount, 100)
    yield partial(
        year, "5,000 rows against 500 a day, AR(1) 0.8, time declared", partial(days, share=0.8), 5000, 500, 8
    )


def flagged(what: str, draw: Draw, rows: tuple[int, int], draws: int) -> Share:
    """Of ``draws`` pairs of data of one distribution, how many fail."""
    random = generator(what)
    hits = sum(scan(draw(random, rows[0]), draw(random, rows[1])).outcome == "fail" for _ in range(draws))
    return Share(what, hits, draws, most=0.05)


def found(
    what: str, draw: Callable[..., DatasetSummary], rows: tuple[int, int], shift: float, draws: int, least: float | None
) -> Share:
    """Of the columns that moved in ``draws`` pairs of data, how many are said to have drifted."""
    random = generator(what)
    reports = [scan(draw(random, rows[0]), draw(random, rows[1], shift=shift)) for _ in range(draws)]
    moved = [column.drifted for report in reports for column in report.columns if column.name.startswith("moved")]
    return Share(what, sum(moved), len(moved), least=least)


def told_apart(
    what: str,
    share: float,
    correlation: float,
    draws: int,
    *,
    most: float | None = None,
    least: float | None = None,
) -> Share:
    """Of ``draws`` pairs of data, how many the classifier tells apart at the rate and margin of a scan."""
    random, hits = generator(what), 0
    for _ in range(draws):
        reference, current = alike(random, 8000, share), alike(random, 1000, share, correlation)
        joint = tell_apart(*samples(reference, current, ()))
        hits += not isinstance(joint, str) and as_column(joint, joint.p, DriftSettings().fdr).drifted
    return Share(what, hits, draws, most, least)


def year(what: str, draw: Callable[..., Iterator[DatasetSummary]], reference: int, window: int, count: int) -> Years:
    """So many simulated years of a lifecycle, each with a reference of its own."""
    random = generator(what)
    blocks, suspects = [], 0
    for _ in range(count):
        windows = draw(random, reference, window)
        first = next(windows)
        told = list(by_the_law(scan(first, current) for current in windows))
        blocks.append(told.count("blocked"))
        suspects += told.count("suspect")
    return Years(what, blocks, suspects)


def by_the_law(reports: Iterable[DriftReport]) -> Iterator[str]:
    """What `noa_mlops.ledger.drift_law` makes of each scan in turn; a block is investigated and enabled before the next."""
    suspicion: Suspicion | None = None
    blind = 0
    for day, report in enumerate(reports):
        signs = read_signs(weigh(report, None).signs)
        before = LifecycleState(champion=1, suspicion=suspicion)
        blind = blind + 1 if report.outcome == "inconclusive" else 0
        if report.outcome == "fail":
            blocks = report.is_certain or confirmed(before, report.current, signs) is not None
            suspicion = None if blocks else Suspicion(day, 1, report.current, signs)
            yield "blocked" if blocks else "suspect"
        else:
            suspicion = suspicion if 0 < blind < BLIND else None
            yield "quiet"


def labelled(what: str, promoted: int, window: int, count: int) -> Years:
    """So many years of daily windows with labels, of a champion that is right on 85 % of rows, then and now."""
    random, blocks, suspects = generator(what), [], 0
    threshold, rows = [Threshold("accuracy", minimum=0.5)], Labelled(window, window, window)
    for _ in range(count):
        then, suspect, blocked = _right(random, promoted), False, 0
        for _ in range(365):
            report = judge_labels(threshold, _right(random, window), then, rows)
            hurts = report.finding == "hurts"
            suspects += hurts
            if report.is_certain or (hurts and suspect):
                blocked, suspect = blocked + 1, False
            else:
                suspect = hurts or (suspect and report.finding != "clears")
        blocks.append(blocked)
    return Years(what, blocks, suspects)


def _right(random: np.random.Generator, rows: int) -> Mapping[str, Estimate]:
    hits = int(random.binomial(rows, 0.85))
    return {"accuracy": Estimate(hits / rows, rows, spread=Proportion(hits, rows))}


def generator(what: str) -> np.random.Generator:
    """Every line has its own draws, whatever others are asked for."""
    return np.random.default_rng(list(what.encode()))


PARTS: Mapping[str, Callable[[], Iterable[Line]]] = {
    "Unchanged": unchanged,
    "Categories": categories,
    "Dependent": dependent,
    "Together": together,
    "Power": power,
    "Years": years,
}


def main() -> int:
    """Run all parts, or those that the command line names."""
    wanted = {name.lower() for name in sys.argv[1:]}
    with ProcessPoolExecutor() as pool:
        asked = {title: lines for title, lines in PARTS.items() if not wanted or title.lower() in wanted}
        for title, told in {title: [pool.submit(line) for line in lines()] for title, lines in asked.items()}.items():
            print(title)
            for line in told:
                print(line.result(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
