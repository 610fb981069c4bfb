"""The usual orchestrator over a folder: file ledger, file store, file registry, local agents."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from noa_mlops.agents import AgentFactory, RuntimeManager
from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.ledger import Ledger
from noa_mlops.ledger.ledger import now
from noa_mlops.lifecycle.controller import AgentLifecycleController
from noa_mlops.lifecycle.founding import check_policy, found_project
from noa_mlops.lifecycle.orchestrator import Services, TrainingOrchestrator
from noa_mlops.records.layout import Layout
from noa_mlops.registry import CAPABILITY, CapabilityRegistry, Mirror, capability_entry


def bootstrap_default_orchestrator(
    factory: AgentFactory,
    runtime: RuntimeManager,
    storage_root: str | Path,
    ledger_path: str | Path,
    registry_manifest: str | Path,
    capability_id: str = CAPABILITY,
) -> TrainingOrchestrator:
    """Open the project that these paths belong to, or create what is missing, and register the capability.

    The project folder, to which the paths in plans are relative, is the parent of ``storage/`` in
    ``ledger_path`` (without one: the ledger's own folder). ``ml_artifacts.log`` lies beside the registry
    manifest. Keys are made outside the project when the ledger is. Two orchestrators may share one
    ``runtime``.

    Raises `RegistryConflict` when the registry cannot be written, `LedgerTampered` when the ledger does not
    verify, `NotAuthorised` when its keys are not here.
    """
    ledger_file = Path(ledger_path).absolute()
    layout = Layout(
        project=project_of(ledger_file),
        artifacts=Path(storage_root).absolute(),
        ledger=ledger_file,
        capabilities=Path(registry_manifest).absolute(),
    )
    return open_orchestrator(layout, factory, runtime, capability_id)


def open_orchestrator(
    layout: Layout, factory: AgentFactory, runtime: RuntimeManager, capability_id: str = CAPABILITY
) -> TrainingOrchestrator:
    """The orchestrator of a project given by its layout; see `bootstrap_default_orchestrator`."""
    capabilities = CapabilityRegistry(layout.capabilities)
    capabilities.check_writable()
    ledger = found_project(layout).ledger
    check_policy(layout, ledger)
    mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin, known=ledger.all_head_keys)
    mirror.check_writable()
    capabilities.ensure(capability_entry(capability_id))
    services = Services(
        layout=layout,
        ledger=ledger,
        store=FilesystemArtifactStore(layout, unnamed=partial(_is_unnamed, ledger)),
        capabilities=capabilities,
        mirror=mirror,
        model_key=ledger.keys.signing_key("model"),
        controller=AgentLifecycleController(factory, runtime, layout, ledger.data_roots),
        clock=now,
    )
    orchestrator = TrainingOrchestrator(services)
    orchestrator.prepare()
    return orchestrator


def _is_unnamed(ledger: Ledger, lifecycle_id: str, version: int) -> bool:
    """Whether it is known that no entry says a version is in the store."""
    known = ledger.state.version(lifecycle_id, version)
    return known is not None and known.named is None


def project_of(ledger: Path) -> Path:
    """The project folder of a ledger path: the parent of ``storage/``, else the ledger's folder."""
    return next((parent.parent for parent in ledger.parents if parent.name == "storage"), ledger.parent)
