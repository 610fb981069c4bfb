"""A threshold as people read it, wherever it is shown."""

from __future__ import annotations

from typing import Any


def threshold_text(threshold: Any) -> str:
    """A threshold as people read it."""
    if threshold is None:
        return ""
    return ", ".join(_threshold_part(member, value) for member, value in threshold.items())


def _threshold_part(member: str, value: Any) -> str:
    match member, value:
        case (("min" | "max"), _):
            return f"{'at least' if member == 'min' else 'at most'} {value:g}"
        case "confidence", _:
            return f"sure to {value * 100:g} %"
        case _, "none":
            return "not compared with the champion"
        case _, {"max_drop": margin}:
            return f"{margin:g} below the champion at most"
        case _, {"min_gain": margin}:
            return f"{margin:g} above the champion at least"
        case _:
            return _part_about_slices(member, value)


def _part_about_slices(member: str, value: Any) -> str:
    match member, value:
        case "slices", columns:
            return f"in each {' and each '.join(map(str, columns))}"
        case _, {"by": column, "max_difference": most}:
            return f"by {column} at most {most:g} apart"
        case _, {"by": column, "min_ratio": least}:
            return f"by {column} in a ratio of at least {least:g}"
        case "min_rows", rows:
            return f"slices of {rows} rows or more"
        case "on_small_slice", _:
            return "smaller ones noted"
        case _:
            return f"{member} {value}"
