"""A workspace as the runtime makes one, and trainers run in it as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

TYPES = {
    "age": "float",
    "visits": "int",
    "member": "bool",
    "colour": "text",
    "size": "category",
    "since": "time",
    "birthday": "time",
    "remark": "text",
    "empty": "float",
    "nothing": "text",
    "constant": "int",
}
WORDS = ["red", "green", "blue"]


def mixed_table(rows: int = 300, seed: int = 0, *, colours: list[str] | None = None) -> pa.Table:
    """A small table of every column type, with gaps, and two targets that depend on it."""
    random = np.random.default_rng(seed)
    age = random.normal(40, 12, rows)
    colour = random.choice(colours or WORDS, rows)
    score = (age - 40) / 12 + (colour == "red") + random.normal(0, 0.3, rows)
    start = datetime(2024, 1, 1)  # noqa: DTZ001
    table = {
        "age": _gaps(age.tolist(), random),
        "visits": _gaps(random.integers(0, 9, rows).tolist(), random),
        "member": _gaps((random.random(rows) < 0.5).tolist(), random),
        "colour": _gaps(colour.tolist(), random),
        "size": pa.array(_gaps(random.choice(["s", "m", "l"], rows).tolist(), random)).dictionary_encode(),
        "since": _gaps([start + timedelta(hours=int(h)) for h in random.integers(0, 9999, rows)], random),
        "birthday": pa.array(_gaps([(start - timedelta(days=int(365 * a))).date() for a in age], random)),
        "remark": [f"remark {i}" for i in range(rows)],
        "empty": pa.nulls(rows, pa.float64()),
        "nothing": pa.nulls(rows, pa.string()),
        "constant": [7] * rows,
        "bought": np.where(score > 0.3, "yes", "no").tolist(),
        "spent": (np.exp(score) * 10).tolist(),
    }
    return pa.table(table)


def _gaps(values: list, random: np.random.Generator) -> list:
    return [None if random.random() < 0.1 else value for value in values]


@dataclass
class Workspace:
    """One agent's folder; `run` starts a trainer in it."""

    path: Path
    payload: dict

    def run(self, module: str, step: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return run(
            [sys.executable, "-I", "-m", f"noa_mlops.trainers.{module}", step or self.payload["step"]],
            self,
            **environment,
        )

    def change(self, **fields) -> None:
        self.payload.update(fields)
        (self.path / "payload.json").write_text(json.dumps(self.payload))

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def answers(self) -> pa.Table:
        return parquet.read_table(self.out / "predictions.parquet")

    @property
    def progress(self) -> list[dict]:
        return [json.loads(line) for line in (self.path / "progress.jsonl").read_text().splitlines()]


def run(argv: list[str], workspace: Workspace, **environment: str) -> subprocess.CompletedProcess[str]:
    allowed = {"PATH": os.environ["PATH"], "NOA_PAYLOAD": str(workspace.path / "payload.json"), **environment}
    return subprocess.run(
        argv, cwd=workspace.path, env=allowed, capture_output=True, text=True, timeout=120, check=False
    )


def make_workspace(path: Path, table: pa.Table, *, step: str, folders: dict | None = None, **fields) -> Workspace:
    for folder in ("out", "checkpoint", "code", "tmp", "data"):
        (path / folder).mkdir(parents=True)
    form = fields.get("data_format", "parquet")
    data = f"data/{'train' if step == 'train' else 'features'}.{form}"
    if form == "csv":
        flat = [c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in table.columns]
        csv.write_csv(pa.table(flat, names=table.column_names), path / data)
    else:
        parquet.write_table(table, path / data)
    payload = {
        "schema": 1,
        "step": step,
        "agent_id": "shop-1",
        "lifecycle_id": "shop",
        "version": 1,
        "profile": "sklearn-classifier",
        "plan_digest": "0" * 64,
        "positive": None,
        "data": {"train" if step == "train" else "features": data},
        "data_format": form,
        "hyperparameters": {},
        "seed": 0,
        "cpus": 1,
        "folders": {"out": "out", "checkpoint": "checkpoint", "code": "code", "tmp": "tmp", **(folders or {})},
        "progress": "progress.jsonl",
        "limits": {"memory": 2 << 30, "time": 600, "disk": 5 << 30},
        **fields,
    }
    workspace = Workspace(path, payload)
    workspace.change()
    return workspace
