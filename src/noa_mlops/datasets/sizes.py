"""How much memory a dataset may take: compressed formats can claim more than any machine has."""

from __future__ import annotations

from noa_mlops.datasets.messages import invalid

MAX_CELLS = 1 << 31
"""Rows times columns that are read, about 16 GiB of numbers."""


def check_cells(path: str, rows: int, columns: int) -> None:
    """Refuse a table by its claimed size, before it is unpacked. Raises `DatasetInvalid`."""
    if rows * columns > MAX_CELLS:
        raise invalid(
            path, f"claims {rows} rows of {columns} columns; at most {MAX_CELLS} cells are read", "Thin it out."
        )
