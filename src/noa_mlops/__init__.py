"""noa: train in isolation, measure without showing the labels, gate, promote, keep signed evidence.

A plan says what to train, on which data, and what the model must reach. Running it trains the model in an isolated
process, has another process predict without the labels, computes the metrics here, and decides by the plan's thresholds.
Each step is a signed entry of the ledger, and nothing but a recorded decision promotes a model.

    import asyncio
    from noa_mlops import AgentFactory, RuntimeManager, TrainingPlan, bootstrap_default_orchestrator

    plan = TrainingPlan.load("plans/rainfall.yaml")
    with bootstrap_default_orchestrator(
        AgentFactory(),
        RuntimeManager(),
        storage_root="storage/artifacts",
        ledger_path="storage/db/evidence/ledger.jsonl",
        registry_manifest="registry/capabilities.json",
    ) as orchestrator:
        report = asyncio.run(orchestrator.execute_plan(plan))

In a notebook, `run` takes an unfitted scikit-learn pipeline through the same gate.

`TrainingOrchestrator.subscribe` gives the events of a run as they become durable. A rejected model is a report, not an
exception; what could not be done raises a `LifecycleError` that says what to do next.

The names below are the public ones. Each is imported when it is first asked for, so that importing this package costs
nothing.
"""

from __future__ import annotations

from noa_mlops.version import VERSION as __version__  # noqa: N811 - the name that Python tools look for

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all else that `noa --version` needs
if TYPE_CHECKING:
    from noa_mlops.agents import AgentFactory, RuntimeManager
    from noa_mlops.artifacts import FilesystemArtifactStore
    from noa_mlops.delivery import load
    from noa_mlops.errors import (
        ArtifactTampered,
        DatasetInvalid,
        EvaluationFailed,
        LedgerConflict,
        LedgerTampered,
        LifecycleError,
        NotAuthorised,
        NotFound,
        PlanInvalid,
        RegistryConflict,
        TrainingFailed,
    )
    from noa_mlops.lifecycle import AgentLifecycleController, TrainingOrchestrator, bootstrap_default_orchestrator
    from noa_mlops.notebook import run
    from noa_mlops.records.events import LifecycleEvent
    from noa_mlops.records.plan import EvaluationPlan, TrainingPlan
    from noa_mlops.records.report import PipelineReport
    from noa_mlops.registry import CapabilityRegistry

__all__ = [
    "AgentFactory",
    "AgentLifecycleController",
    "ArtifactTampered",
    "CapabilityRegistry",
    "DatasetInvalid",
    "EvaluationFailed",
    "EvaluationPlan",
    "FilesystemArtifactStore",
    "LedgerConflict",
    "LedgerTampered",
    "LifecycleError",
    "LifecycleEvent",
    "NotAuthorised",
    "NotFound",
    "PipelineReport",
    "PlanInvalid",
    "RegistryConflict",
    "RuntimeManager",
    "TrainingFailed",
    "TrainingOrchestrator",
    "TrainingPlan",
    "__version__",
    "bootstrap_default_orchestrator",
    "load",
    "run",
]

_ROOMS = {
    "agents": ("AgentFactory", "RuntimeManager"),
    "artifacts": ("FilesystemArtifactStore",),
    "delivery": ("load",),
    "errors": (
        "ArtifactTampered",
        "DatasetInvalid",
        "EvaluationFailed",
        "LedgerConflict",
        "LedgerTampered",
        "LifecycleError",
        "NotAuthorised",
        "NotFound",
        "PlanInvalid",
        "RegistryConflict",
        "TrainingFailed",
    ),
    "lifecycle": ("AgentLifecycleController", "TrainingOrchestrator", "bootstrap_default_orchestrator"),
    "notebook": ("run",),
    "records.events": ("LifecycleEvent",),
    "records.plan": ("EvaluationPlan", "TrainingPlan"),
    "records.report": ("PipelineReport",),
    "registry": ("CapabilityRegistry",),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}

if not TYPE_CHECKING:  # type checkers read the imports above, and so find misspelt names

    def __getattr__(name: str) -> object:
        """Import a public name from its room, once (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
