"""Several claims at once, such that the chance of a single wrong one stays what it is for one claim alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


def shown(claims: Sequence[Callable[[float], bool]], error: float) -> Mapping[int, float]:
    """Which ``claims`` are shown, by position, each with the level that it was shown at (Holm 1979).

    A claim tells whether it holds at a level. The first ones must hold at ``error`` over their number, the next at ``error``
    over the number of those that are left, and so on; with probability 1 - ``error`` none of those shown is wrong.
    """
    found: dict[int, float] = {}
    while left := [place for place in range(len(claims)) if place not in found]:
        level = error / len(left)
        holding = [place for place in left if claims[place](level)]
        if not holding:
            break
        found |= dict.fromkeys(holding, level)
    return found
