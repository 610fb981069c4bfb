"""The work that one agent was given, as its trainer sees it.

Only the standard library is loaded until data is asked for, so that a trainer which brings its own tools starts
quickly. Nothing here is trusted by the runtime: what a job reports is shown, what it writes is checked again.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.files import read_capped
from noa_mlops.records import documents
from noa_mlops.trainers.contract import Column, JobInvalid
from noa_mlops.trainers.data import Data

if TYPE_CHECKING:
    import pyarrow as pa

PAYLOAD_LIMIT = 64 << 20
"""Bytes of the largest payload that is read; the classes of a target are listed in it."""

MESSAGE_LIMIT = 500
"""Characters of a progress message that are kept."""


class Job:
    """One training or one prediction: what is asked, where the data lies, where the results go.

    Made by `Job.read`; the code of a user gets it as the only argument of ``train(job)`` and ``predict(job)``.
    """

    def __init__(self, payload: Mapping[str, Any], workspace: Path) -> None:
        self._payload = payload
        self._folders: Mapping[str, str] = payload["folders"]
        self.workspace = workspace
        """The folder of this agent."""
        self.step: str = payload["step"]
        """``train``, ``predict`` or ``evaluate``."""
        self.task: str | None = payload.get("task")
        """``classification`` or ``regression``."""
        self.profile: str = payload["profile"]
        """The agent profile that the plan names."""
        self.params: Mapping[str, Any] = payload.get("hyperparameters") or {}
        """The hyperparameters of the plan."""
        self.positive: Any = payload.get("positive")
        """The class that counts, None when there is none."""
        self.seed: int = payload.get("seed", 0)
        """Seed of every random choice."""
        self.cpus: int = max(1, payload.get("cpus") or 1)
        """Processors this job may use."""
        self.gpus: int = payload.get("gpus", 0)
        """GPUs that were leased for this job; ``CUDA_VISIBLE_DEVICES`` names them."""
        self.plan_digest: str = payload.get("plan_digest", "")
        """What the plan is known by."""
        self.time_limit: int | None = (payload.get("limits") or {}).get("time")
        """Seconds after which this step is killed; None when nobody says."""
        self.target: str | None = payload.get("target")
        """Name of the column to learn; it is not in the data of a prediction."""
        self.classes: tuple[Any, ...] = tuple(payload.get("classes") or ())
        """The values of the target in training, sorted; probability ``p_i`` belongs to ``classes[i]``."""
        self.evaluator: str | None = payload.get("evaluator")
        """The plan's own evaluator, ``MODULE:FUNCTION``; None in the other steps."""
        self.columns: tuple[Column, ...] = tuple(Column(c["name"], c["type"]) for c in payload["columns"])
        """The columns of the training data, the target among them."""
        self.quantiles: tuple[float, ...] = tuple(payload.get("quantiles") or ())
        """The levels whose quantiles a regression answers, ascending; empty when it answers one number."""

    @classmethod
    def read(cls, path: Path | None = None) -> Job:
        """The job described by the payload file ``path``, by default the one that ``NOA_PAYLOAD`` names.

        Raises `JobInvalid` when there is none or it does not keep the contract.
        """
        named = path or os.environ.get("NOA_PAYLOAD")
        if not named:
            raise JobInvalid("NOA_PAYLOAD is not set; this program is started by 'noa run', in a workspace")
        source = Path(named).absolute()
        try:
            with source.open("rb") as stream:
                data = read_capped(stream, PAYLOAD_LIMIT)
            payload = documents.parse_object(data or b"", limit=PAYLOAD_LIMIT)
            if payload.get("schema") != 1:
                raise JobInvalid(f"payload.json has schema {payload.get('schema')!r}; this version reads schema 1")
            return cls(payload, source.parent)
        except OSError as error:
            raise JobInvalid(f"payload.json cannot be read: {error.strerror}") from error
        except documents.DocumentInvalid as error:
            raise JobInvalid(f"payload.json {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise JobInvalid(f"payload.json lacks or misuses {error}") from error

    @cached_property
    def data(self) -> Data:
        """The rows: to train on, features to predict from, or labelled rows to measure on; see `Data`."""
        part = {"predict": "features", "evaluate": "rows"}.get(self.step, "train")
        path = self.workspace / str(self._payload["data"][part])
        return Data(path, str(self._payload.get("data_format", "parquet")), self.columns)

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns without the target."""
        return tuple(column for column in self.columns if column.name != self.target)

    @property
    def out(self) -> Path:
        """Where the model or the predictions are written."""
        return self.workspace / self._folders["out"]

    @property
    def checkpoint(self) -> Path:
        """State that is kept and handed back when the job is tried again."""
        return self.workspace / self._folders["checkpoint"]

    @property
    def code(self) -> Path:
        """The code files that the plan names."""
        return self.workspace / self._folders["code"]

    @property
    def code_files(self) -> tuple[str, ...]:
        """The code files in the order of the plan, relative to `code`; empty when the payload does not list them."""
        return tuple(self._payload.get("code") or ())

    @property
    def tmp(self) -> Path:
        """For anything that nobody needs afterwards."""
        return self.workspace / self._folders["tmp"]

    @property
    def model(self) -> Path:
        """In a prediction the folder that training filled, read-only. Raises `JobInvalid` in a training."""
        if (folder := self.model_or_none) is None:
            raise JobInvalid("a training has no model yet; job.model is there in predict(job)")
        return folder

    @property
    def model_or_none(self) -> Path | None:
        """Like `model`, but None in a training."""
        folder = self._folders.get("model")
        return self.workspace / folder if folder else None

    def predictions(self) -> pa.Table:
        """In an evaluation what the model answered, row by row as in `data`: ``prediction``, or ``p_0``, ``p_1`` and so on.

        Raises `JobInvalid` in the other steps.
        """
        from noa_mlops.trainers.tables import read_table

        if self.step != "evaluate":
            raise JobInvalid("job.predictions() belongs in an evaluator, not in train(job) or predict(job)")
        return read_table(self.workspace / str(self._payload["data"]["predictions"]), "parquet", ())

    def progress(
        self, *, step: float | None = None, of: float | None = None, message: str | None = None, **metrics: float
    ) -> None:
        """Tell the operator how far the job is: step ``step`` of ``of``, a short message, numbers by name.

        Shown live, never trusted. Numbers that are not finite are left out.
        """
        report = {"time": time.time(), "step": step, "of": of, **metrics}
        line: dict[str, Any] = {k: v for k, value in report.items() if (v := _finite(value)) is not None}
        if message is not None:
            line["message"] = str(message)[:MESSAGE_LIMIT]
        with (self.workspace / self._payload["progress"]).open("ab", buffering=0) as stream:
            stream.write(json.dumps(line).encode() + b"\n")

    def write_predictions(self, values: Any) -> None:
        """Write ``values``, one per row of the data and in its order, as the answer of this prediction.

        Regression: an array (n,) of finite numbers, or (n, k) in the order of ``job.quantiles``. Classification: an array (n, k) of probabilities in the order
        of ``job.classes``, or (n,) values out of ``job.classes``. Also an Arrow table with such columns. Raises
        `JobInvalid` when the values have another shape, count or kind.
        """
        from noa_mlops.trainers.predictions import as_predictions, write_predictions

        if self.step != "predict":
            raise JobInvalid("job.write_predictions() belongs in predict(job), not in train(job)")
        answer = as_predictions(values, self.classes if self.task == "classification" else None, self.quantiles)
        write_predictions(answer, self.data.rows, self.out)


def _finite(value: object) -> float | int | None:
    if isinstance(value, int):
        return int(value)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
