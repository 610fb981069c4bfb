"""Work on several files side by side: reading, hashing and syncing leave the interpreter to others meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_WORTH_IT = 1 << 19
"""Bytes from which on threads save more than they cost."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def abreast(work: Callable[[_Item], _Result], items: Iterable[_Item], size: int) -> Iterator[_Result]:
    """The result of ``work`` for each item, in the order of the items; the first error in that order is raised.

    ``size`` is how many bytes there are to work on, over all items: for a few, threads cost more than they save.
    """
    listed = list(items)
    if len(listed) < 2 or size < _WORTH_IT:
        yield from map(work, listed)
        return
    with ThreadPoolExecutor(min(len(listed), len(os.sched_getaffinity(0)))) as threads:
        yield from threads.map(work, listed)
