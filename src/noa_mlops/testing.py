"""Testing a contract: ``train(job)`` and ``predict(job)`` run in this process, without project, ledger or isolation.

What is read, handed over, checked and measured, and the words in which it is refused, are those of a real run, whose code
this calls. What a real run adds is the isolation: a process and a folder of its own for each step, limits, no network.
"""

from __future__ import annotations

import atexit
import contextlib
import inspect
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from noa_mlops.errors import EvaluationFailed, PlanInvalid
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.python import UserCodeFailed

if TYPE_CHECKING:
    import pyarrow as pa

    from noa_mlops.agents import Workspace
    from noa_mlops.lifecycle.intake import Submission

__all__ = ["Contract", "ContractRun", "JobInvalid", "UserCodeFailed", "run_contract"]

Contract: TypeAlias = str | PathLike[str] | ModuleType | tuple[Callable[[Job], Any], Callable[[Job], Any]]
"""A Python file or module with ``train(job)`` and ``predict(job)``, or the two functions.

A file or module is loaded afresh for each step, as a real run does: what ``train`` leaves in a variable is gone.
"""


@dataclass(frozen=True, slots=True)
class ContractRun:
    """What a training and a prediction left.

    ``model`` is the folder that ``train(job)`` filled. ``predictions`` answers the rows held back, or without ``split`` the
    training rows, in their order: columns ``prediction``, ``p_0`` and so on, or ``q_5`` and so on. ``progress`` is what
    ``job.progress`` told in training, in its order. ``metrics`` are those of the rows held back that can be computed, by
    the names of docs/metrics.md; empty without ``split``.
    """

    model: Path
    predictions: pa.Table
    progress: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def run_contract(  # noqa: PLR0913 - the fields of a plan, by keyword
    contract: Contract,
    data: Any,
    *,
    target: str,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
    task: Literal["classification", "regression"] | None = None,
    positive: str | int | bool | None = None,
    quantiles: Sequence[float] = (),
    split: Mapping[str, Any] | None = None,
    folder: str | PathLike[str] | None = None,
) -> ContractRun:
    """Train on ``data``, predict, and give what came of it.

    ``data`` is a table in memory (a DataFrame of pandas or polars, an Arrow table, a mapping from names to values or NumPy
    arrays) or the path of a data file. ``split`` holds rows back to measure on, as in a plan: ``{"share": "20%"}``;
    without it the model answers the rows that it was trained on, and nothing is measured. ``task`` is that of the
    target's type unless given: a regression for fractions, else a classification. The other arguments are fields of a
    plan. Everything is written below ``folder``, a new temporary one unless given.

    Raises `PlanInvalid` or `DatasetInvalid` for arguments and data that a run would refuse, and for the contract what
    ends an agent of a run: `JobInvalid` (no file written; predictions of a wrong number, class or kind), `UserCodeFailed`
    from what the code raised, `TrainingFailed` for files that cannot be kept, `EvaluationFailed` for a file of predictions.
    """
    from noa_mlops.lifecycle import measuring

    root = Path(folder) if folder is not None else _temporary()
    steps = _Steps.of(contract)
    fields = {"target": target, "hyperparameters": dict(params or {}), "seed": seed, "positive": positive}
    given = _submission(root, data, {**fields, "quantiles": list(quantiles), "split": split}, task)
    with _workspace(root, "train") as workspace:
        model, progress = _train(given, workspace, steps)
    withheld = measuring.withhold(given.evaluation or given.train, given.target)
    with _workspace(root, "predict") as workspace:
        predictions = withheld.restore(_predict(given, workspace, steps, withheld.features, model))
    report = measuring.measure(predictions, withheld.labels, given)
    found = {name: estimate.value for name, estimate in report.metrics.items()} if split is not None else {}
    metrics = {name: value for name, value in found.items() if value is not None}
    return ContractRun(model, predictions, progress, MappingProxyType(metrics))


@dataclass(frozen=True, slots=True)
class _Steps:
    """The two functions, by the file that they are of."""

    source: Path
    functions: Mapping[str, Callable[[Job], Any]] | None

    @classmethod
    def of(cls, contract: Contract) -> _Steps:
        """Raises `PlanInvalid` for what is no contract."""
        if isinstance(contract, tuple):
            functions: tuple[Any, ...] = contract
            if len(functions) != 2 or not all(map(callable, functions)):
                raise PlanInvalid("a contract of functions is (train, predict)", hint="Give two functions.")
            source = Path(inspect.getsourcefile(inspect.unwrap(contract[0])) or "functions")
            return cls(source, dict(zip(("train", "predict"), functions, strict=True)))
        path = contract.__file__ if isinstance(contract, ModuleType) else contract
        if path is None or not Path(path).is_file():
            raise PlanInvalid(
                f"{path} is no file", hint="Give the path of the Python file with train(job) and predict(job)."
            )
        return cls(Path(path).absolute(), None)

    def call(self, name: str, job: Job) -> Any:
        """What ``train`` or ``predict`` returns, run in the folder of the job. Raises as `run_contract` does."""
        from noa_mlops.trainers import python

        with contextlib.chdir(job.workspace), _imports_forgotten(self.source.parent):
            if self.functions is not None:
                return python.call_function(self.functions[name], self.source, name, job)
            return python.call(self.source, name, job)


def _submission(
    root: Path, data: Any, fields: Mapping[str, Any], task: Literal["classification", "regression"] | None
) -> Submission:
    """What a plan with these fields would be accepted as. Raises `PlanInvalid`, `DatasetInvalid`."""
    from noa_mlops.agents import AgentFactory
    from noa_mlops.lifecycle.intake import accept
    from noa_mlops.notebook.tables import place
    from noa_mlops.records.layout import Layout
    from noa_mlops.records.plan import TrainingPlan

    in_a_file = isinstance(data, str | PathLike)
    path = str(Path(data).absolute()) if in_a_file else place(Layout.of(root), data)
    document = {
        "lifecycle_id": "contract",
        "agent_profile": "python",
        "dataset_path": path,
        **{name: value for name, value in fields.items() if name != "split" and value not in (None, [], {})},
        **({} if fields["split"] is None else {"evaluation": {"split": dict(fields["split"])}}),
    }
    plan = TrainingPlan.from_document(document, name="run_contract")
    factory = AgentFactory({"python": replace(AgentFactory().profile("python"), task=task)})
    return accept(plan, Path.cwd() if in_a_file else root, [Path(path).parent] if in_a_file else [], factory)


def _train(given: Submission, workspace: Workspace, steps: _Steps) -> tuple[Path, tuple[Mapping[str, Any], ...]]:
    """The folder of the model, and what was told on the way."""
    from noa_mlops.agents import scan_output, training_payload
    from noa_mlops.lifecycle import handover
    from noa_mlops.trainers import python

    handover.lay_out_training(given, workspace)
    job = _job(workspace, training_payload(handover.work(given, 1), workspace.agent_id), steps)
    python.check_trained(job, steps.source, steps.call("train", job))
    scan_output(workspace.out, given.plan.resources.disk)
    told = (json.loads(line) for line in workspace.progress.read_text("utf-8").splitlines())
    return workspace.out, tuple(told)


def _predict(given: Submission, workspace: Workspace, steps: _Steps, features: pa.Table, model: Path) -> pa.Table:
    """The answers, in the order of ``features``."""
    from noa_mlops.agents import prediction_payload
    from noa_mlops.evaluation import read_predictions
    from noa_mlops.lifecycle import handover
    from noa_mlops.trainers import python

    handover.lay_out_prediction(given, features, workspace)
    payload = prediction_payload(handover.work(given, 1), workspace.agent_id, model=model, code=steps.source.parent)
    job = _job(workspace, payload, steps)
    python.keep_predicted(job, steps.source, steps.call("predict", job))
    return read_predictions(workspace.out, features.num_rows, given.classes)


def _job(workspace: Workspace, payload: Mapping[str, Any], steps: _Steps) -> Job:
    """The job as its process would read it; its code lies where it is."""
    folders = {**payload["folders"], "code": str(steps.source.parent)}
    workspace.write_payload({**payload, "folders": folders})
    return Job.read(workspace.payload)


@contextlib.contextmanager
def _workspace(root: Path, step: str) -> Iterator[Workspace]:
    from noa_mlops.agents import Workspace
    from noa_mlops.records.layout import Layout

    claimed = Workspace.claim(Layout.of(root), f"contract-1-{step}")
    if claimed is None:
        raise EvaluationFailed(
            f"{root} is used by another run at this moment", hint="Give each run a folder of its own."
        )
    with claimed as workspace:
        workspace.prepare()
        yield workspace


@contextlib.contextmanager
def _imports_forgotten(folder: Path) -> Iterator[None]:
    """Leave the interpreter as it was: its path, and no module of ``folder`` that was not there before."""
    path, quiet, before = list(sys.path), sys.dont_write_bytecode, set(sys.modules)
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, quiet
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder):
                del sys.modules[name]


def _temporary() -> Path:
    """A folder that goes when the interpreter does."""
    folder = Path(tempfile.mkdtemp(prefix="noa-contract-")).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
