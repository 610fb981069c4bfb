"""``noa_mlops.run``: an unfitted pipeline, data and a bar, carried through the gate."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from noa_mlops.errors import PlanInvalid
from noa_mlops.files import make_directories, write_durably
from noa_mlops.notebook.outcome import Outcome
from noa_mlops.records.documents import sha256
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan

if TYPE_CHECKING:
    from noa_mlops.records.report import PipelineReport

PIPELINES = "plans/pipelines"
"""Where unfitted pipelines are kept, in the project."""

_T = TypeVar("_T")


def run(  # noqa: PLR0913 - the fields of a plan, by keyword
    pipeline: Any,
    *,
    lifecycle: str,
    data: Any,
    target: str | None = None,
    thresholds: Mapping[str, Any] | None = None,
    split: Mapping[str, Any] | None = None,
    evaluation: Any = None,
    positive: str | int | bool | None = None,
    code: Sequence[str] = (),
    trusted: Sequence[str] = (),
    seed: int = 0,
    search: Mapping[str, Any] | None = None,
    resources: Mapping[str, Any] | None = None,
    notes: str | None = None,
    project: str | os.PathLike[str] | None = None,
) -> Outcome:
    """Train an unfitted scikit-learn estimator or pipeline in isolation, measure it, decide, promote it if it may be.

    ``data`` and ``evaluation`` are paths in the project, of data files or dataset definitions, or tables in memory (a
    DataFrame of pandas or polars, an Arrow table, a mapping of columns), which are kept as Parquet under ``data/``.
    ``split`` and ``thresholds`` are written as in a plan; without ``split`` and ``evaluation`` a fifth of the rows is
    held back. Own classes and functions stand in files that ``code`` names; ``trusted`` lists types of other libraries.
    The project is the folder given, else the one that the current folder lies in; a new one is begun here.

    ``search`` is written as in a plan; its space names parameters of the pipeline as ``set_params`` does (``step__parameter``).

    Returns an `Outcome`; a rejected or failed model is one too. Raises `PlanInvalid` with what to change before
    anything is run, and what `TrainingOrchestrator.run_plan` raises. It may be called while an event loop is running;
    an interrupt stops the run at a safe place, and the same call continues it.
    """
    layout = _layout(project)
    from noa_mlops.notebook.tables import place
    from noa_mlops.trainers.packing import pack

    _check_space(pipeline, search)
    archive = pack(pipeline, code, trusted)
    kept = _keep(layout, archive)
    document = {
        "lifecycle_id": lifecycle,
        "agent_profile": "sklearn-pipeline",
        "dataset_path": place(layout, data),
        "target": target,
        "positive": positive,
        "seed": seed,
        "code": [kept, *code],
        "hyperparameters": {"pipeline": kept, "trusted": list(trusted)},
        "evaluation": {
            "dataset_path": None if evaluation is None else place(layout, evaluation),
            "split": _split(split, evaluation),
            "metric_thresholds": dict(thresholds or {}),
            "notes": notes,
        },
        "search": dict(search or {}),
        "resources": dict(resources or {}),
    }
    plan = TrainingPlan.from_document(_without_nothing(document), name=f"noa.run(lifecycle={lifecycle!r})")
    return Outcome(plan, _elsewhere(lambda cancel: _carry_out(layout, plan, cancel)), layout)


def _check_space(pipeline: Any, search: Mapping[str, Any] | None) -> None:
    """Refuse to search for what the pipeline does not have. Raises `PlanInvalid`."""
    space = (search or {}).get("space")
    if not isinstance(space, Mapping) or not hasattr(pipeline, "get_params"):
        return
    known = pipeline.get_params()
    for name in space:
        if name not in known:
            near = get_close_matches(str(name), list(known), n=1, cutoff=0.5)
            meant = f", did you mean {near[0]!r}?" if near else ""
            raise PlanInvalid(f"search.space: the pipeline has no parameter {name!r}{meant}", hint=_PARAMETERS)


_PARAMETERS = "pipeline.get_params() lists its parameters: the step, two underscores, the parameter."


def _carry_out(layout: Layout, plan: TrainingPlan, cancel: threading.Event) -> PipelineReport:
    from noa_mlops.agents import AgentFactory, RuntimeManager
    from noa_mlops.lifecycle import open_orchestrator

    with open_orchestrator(layout, AgentFactory(), RuntimeManager()) as orchestrator:
        return orchestrator.run_plan(plan, cancel)


def _elsewhere(work: Callable[[threading.Event], _T]) -> _T:
    """Do ``work`` in a thread of its own, so that an interrupt can stop it; wait until it has stopped."""
    cancel = threading.Event()
    with ThreadPoolExecutor(1, "noa-run") as pool:
        done = pool.submit(work, cancel)
        try:
            return done.result()
        except KeyboardInterrupt:
            cancel.set()
            raise


def _layout(project: str | os.PathLike[str] | None) -> Layout:
    here = Path.cwd() if project is None else Path(project).absolute()
    around = (here, *here.parents) if project is None else (here,)
    return next((layout for folder in around if (layout := Layout.of(folder)).ledger.exists()), Layout.of(here))


def _keep(layout: Layout, archive: bytes) -> str:
    """Keep the pipeline under the digest of its content; its path in the project."""
    path = f"{PIPELINES}/{sha256(archive)[:16]}.skops"
    target = layout.project / path
    make_directories(target.parent)
    if not target.exists():
        write_durably(target, archive)
    elif target.read_bytes() != archive:
        raise PlanInvalid(f"{path} is not the pipeline it is named after", hint="Delete it and run again.")
    return path


def _split(split: Mapping[str, Any] | None, evaluation: Any) -> Mapping[str, Any] | None:
    if split is not None:
        return dict(split)
    return {"share": "20%"} if evaluation is None else None


def _without_nothing(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without members that say nothing, which a plan leaves out."""
    cleaned = {name: _without_nothing(value) if isinstance(value, dict) else value for name, value in document.items()}
    return {name: value for name, value in cleaned.items() if value is not None and value not in ({}, [])}
