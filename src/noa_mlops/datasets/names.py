"""Names of columns: present, and each once, or no one can say which column is meant."""

from __future__ import annotations

from collections.abc import Sequence

from noa_mlops.datasets.messages import invalid, listed

MAX_COLUMNS = 100_000
"""Columns that a dataset may have."""


def check_names(path: str, names: Sequence[str]) -> None:
    """Refuse a file without columns, with too many, or with empty or equal names. Raises `DatasetInvalid`."""
    if not names or list(names) == [""]:
        raise invalid(path, "has no columns", "Write a header line with a name for each column, then the rows.")
    if len(names) > MAX_COLUMNS:
        raise invalid(path, f"has {len(names)} columns; at most {MAX_COLUMNS} are read")
    empty = [index for index, name in enumerate(names, 1) if not name.strip()]
    if empty:
        raise invalid(path, f"column {empty[0]} has an empty name", _advice(names, empty))
    if len(set(names)) != len(names):
        seen: set[str] = set()
        twice = dict.fromkeys(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise invalid(path, f"has more than one column named {listed(twice)}", "Give every column its own name.")


def _advice(names: Sequence[str], empty: Sequence[int]) -> str:
    """What usually makes a name empty: a title above the header, a delimiter at the end of each line, an index."""
    if len(names) > 2 and empty == list(range(2, len(names) + 1)):
        return "The names are the first line: if a title stands above them, delete it."
    if empty == [len(names)]:
        return "Give every column a name. If each line ends with a delimiter, take that away."
    index = " The first one may be an index that pandas wrote: index=False leaves it out." if empty[0] == 1 else ""
    return f"Give every column a name.{index}"
