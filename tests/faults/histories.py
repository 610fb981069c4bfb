"""Histories of a champion, and the one question asked of them: could it all have happened one after the other?

Promotions are totally ordered by the ledger, so each operation has a place: a promotion its own, a read that of the
promotion it saw. A history is linearisable (Herlihy and Wing, 1990) exactly when no operation that had ended before
another one began has the higher place.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

READ, PROMOTED = "read", "promoted"


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that a process did between two moments (nanoseconds of the machine's steady clock).

    ``version`` is what it promoted, or the champion that it read, None when there was none.
    """

    kind: str
    version: int | None
    begun: int
    ended: int


def inversions(history: Iterable[Operation], order: Sequence[int]) -> Iterator[tuple[Operation, Operation]]:
    """Pairs that cannot be put in order: the first had ended before the second began, yet is later in the ledger.

    ``order`` are the versions as they were promoted. A read of what was never promoted raises `KeyError`. Of all
    operations that ended before one begins, the one with the highest place speaks for the others.
    """
    places: dict[int | None, int] = {None: 0} | {version: number for number, version in enumerate(order, 1)}
    placed = [(_place(operation, places), operation) for operation in sorted(history, key=lambda each: each.begun)]
    ending: list[tuple[int, int]] = []
    highest, later = (0, False), None
    for number, (place, operation) in enumerate(placed):
        while ending and ending[0][0] < operation.begun:
            ended_place, ended = placed[heapq.heappop(ending)[1]]
            if ended_place > highest:
                highest, later = ended_place, ended
        if later is not None and highest > place:
            yield later, operation
        heapq.heappush(ending, (operation.ended, number))


def _place(operation: Operation, places: dict[int | None, int]) -> tuple[int, bool]:
    """Reads of a version come after its promotion and before the next one."""
    return places[operation.version], operation.kind == READ
