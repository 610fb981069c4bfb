"""The part of a version's page that tells of its search: which trial won, what mattered, and every trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from noa_mlops.audit import drawing
from noa_mlops.audit.pages import facts, number, table, written
from noa_mlops.records.search import outcome_text, ranked

MOST_TRIALS = 100
"""Trials that a page lists, the best first."""


def search_parts(found: Mapping[str, Any] | None) -> Iterator[str]:
    """HTML from the member ``search`` of a version's view; nothing when nothing was searched for."""
    if found is None:
        return
    trials, metric = found["trials"], found["metric"]
    yield "<h2>Search</h2>"
    if trials is None:
        yield f"<p>Trial {found['best']} was the best; the table of trials is not here any more.</p>"
        return
    scored = sum(trial["value"] is not None for trial in trials)
    yield facts(
        [
            ("trials", f"{len(trials)}, {scored} scored by {written(metric)} on rows split off the training data"),
            ("best", f"trial {found['best']}, {written(metric)} {number(found['value'])}"),
        ]
    )
    if found["importance"]:
        words = ", ".join(f"{name} {share:.0%}" for name, share in found["importance"].items())
        yield drawing.shares(f"Importance: {words}", found["importance"])
        yield "<p class=few>How much of the differences between trials each hyperparameter accounts for (PED-ANOVA).</p>"
    names = sorted(found["hyperparameters"])
    shown = ranked(metric, trials)[:MOST_TRIALS]
    yield table(("trial", written(metric), *map(written, names), ""), (_row(trial, names) for trial in shown))
    if len(shown) < len(trials):
        yield f"<p class=few>{len(trials) - len(shown)} more trials were worse.</p>"


def _row(trial: Mapping[str, Any], names: Sequence[str]) -> Sequence[str]:
    tried = (_value(trial["hyperparameters"][name]) for name in names)
    return str(trial["number"]), number(trial["value"]), *tried, written(outcome_text(trial))


def _value(value: Any) -> str:
    return number(value) if isinstance(value, float) else written(value)
