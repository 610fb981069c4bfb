"""Fixtures that make the workspaces of a training and of the prediction that follows it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from trainers.workspaces import TYPES, WORDS, Workspace, make_workspace, mixed_table


@pytest.fixture
def training(tmp_path):
    """Makes the workspace of a training."""

    def make(name: str = "train", *, table: pa.Table | None = None, target: str = "bought", **fields) -> Workspace:
        table = mixed_table() if table is None else table
        table = table.select([c for c in table.column_names if c in TYPES or c == target])
        classes = sorted(table.column(target).drop_null().unique().to_pylist()) if target == "bought" else None
        kind = "text" if target == "bought" else "float"
        return make_workspace(
            tmp_path / name,
            table,
            step="train",
            target=target,
            classes=classes,
            task="classification" if classes else "regression",
            columns=[{"name": c, "type": TYPES.get(c, kind)} for c in table.column_names],
            **fields,
        )

    return make


@pytest.fixture
def prediction(tmp_path):
    """Makes the workspace of a prediction with the model that a training left."""

    def make(trained: Workspace, name: str = "predict", *, table: pa.Table | None = None, **fields) -> Workspace:
        table = mixed_table(80, seed=1, colours=[*WORDS, "never seen"]) if table is None else table
        table = table.select([c for c in table.column_names if c in TYPES])
        given = {k: v for k, v in trained.payload.items() if k not in {"data", "folders", "step"}}
        folders = {"model": str(trained.out), "code": str(trained.path / "code")}
        return make_workspace(tmp_path / name, table, step="predict", folders=folders, **{**given, **fields})

    return make
