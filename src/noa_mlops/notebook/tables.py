"""Data as people hold it in a notebook: a path, or a table in memory that is kept under its fingerprint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from noa_mlops.errors import PlanInvalid
from noa_mlops.files import make_directories
from noa_mlops.records.layout import Layout


def place(layout: Layout, data: Any) -> str:
    """The path, in the project, of ``data``: as given, or where a table was kept. Raises `PlanInvalid`."""
    if isinstance(data, str | os.PathLike):
        return _inside(layout, Path(data))
    from noa_mlops.datasets import fingerprint, write_parquet
    from noa_mlops.datasets.normal import normal_table
    from noa_mlops.delivery.rows import as_table

    table = normal_table(as_table(data, [f"x{column}" for column in range(_width(data))]))
    path = f"data/{fingerprint(table)[:16]}.parquet"
    target = layout.project / path
    if not target.exists():
        make_directories(target.parent)
        write_parquet(table, target)
    return path


def _inside(layout: Layout, path: Path) -> str:
    """A path as a plan writes it: relative to the project where it lies there, from wherever the notebook runs."""
    here = path.absolute()
    if not (layout.project / path).exists() and here.exists() and here.is_relative_to(layout.project):
        return str(here.relative_to(layout.project))
    return str(path)


def _width(data: Any) -> int:
    """Columns of a plain NumPy array, which have no names; 0 for everything else."""
    shape: tuple[int, ...] = getattr(data, "shape", ())
    if not hasattr(data, "columns") and getattr(data, "dtype", None) is not None and len(shape) != 2:
        raise PlanInvalid(
            f"an array of shape {shape} is no table", hint="Give a DataFrame, or an array of two dimensions."
        )
    return int(shape[1]) if len(shape) == 2 else 0
