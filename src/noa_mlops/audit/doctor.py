"""``noa doctor``: what is wrong, and the next command for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from noa_mlops.audit.cleaning import STALE
from noa_mlops.audit.damage import REPAIR, diagnose_evidence
from noa_mlops.audit.findings import Diagnosis
from noa_mlops.audit.incidents import diagnose_incidents
from noa_mlops.audit.room import diagnose_disk, diagnose_storage, diagnose_workspaces
from noa_mlops.audit.runs import diagnose_runs
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger import KeyStore, Ledger, LedgerReader, ledger_lines
from noa_mlops.ledger.entry import timestamp
from noa_mlops.ledger.ledger import utc_now
from noa_mlops.records.layout import Layout
from noa_mlops.records.policy import Policy
from noa_mlops.records.reading import read_document, read_file
from noa_mlops.registry import (
    CAPABILITY,
    CapabilityRegistry,
    Mirror,
    capability_entry,
    check_writable,
    offers,
)


def diagnose(layout: Layout, moment: datetime | None = None) -> tuple[Diagnosis, ...]:
    """Everything wrong with a project that can be seen from here, at a ``moment``, else now; nothing is changed."""
    conflicts = _conflicts(layout)
    found = [*_registry(conflicts), *diagnose_storage(layout), *diagnose_disk(layout)]
    if _may_be_read(layout.ledger):
        found += diagnose_evidence(layout, {str(path) for path in conflicts})
        found += _ledger(layout, moment or utc_now())
    return tuple(found)


def repair(layout: Layout) -> int:
    """Rebuild the mirror from the ledger, and our capability entry; the number of the mirror's lines.

    The ledger is never touched. Raises `LedgerTampered` when it does not verify, `NotAuthorised` without its keys,
    `RegistryConflict` when the registry cannot be written.
    """
    with Ledger.open(layout, KeyStore()) as ledger:
        capabilities = CapabilityRegistry(layout.capabilities)
        if not offers(capabilities.capabilities()):
            capabilities.ensure(capability_entry(CAPABILITY))
        mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin=ledger.origin, known=ledger.all_head_keys)
        return mirror.rebuild(partial(ledger_lines, ledger), ledger.keys.signing_key("verifier"))


def _conflicts(layout: Layout) -> Mapping[Path, LifecycleError]:
    """Files of the registry that cannot be used, and why."""
    checks = {
        layout.capabilities: partial(_check_takes, CapabilityRegistry(layout.capabilities)),
        layout.mirror: partial(check_writable, layout.mirror),
        layout.mirror_checkpoint: partial(check_writable, layout.mirror_checkpoint),
    }
    found: dict[Path, LifecycleError] = {}
    for path, check in checks.items():
        try:
            check()
        except LifecycleError as error:
            found[path] = error
    return found


def _registry(conflicts: Mapping[Path, LifecycleError]) -> Iterator[Diagnosis]:
    """A diagnosis for each conflict; with the last command all of the registry is written anew."""
    told = {str(error): (path, error) for path, error in conflicts.items()}
    for place, (path, error) in enumerate(told.values(), start=1):
        again = (REPAIR,) if place == len(told) else ()
        yield Diagnosis("registry", str(error), error.hint, str(path), (*error.commands, *again))


def _check_takes(capabilities: CapabilityRegistry) -> None:
    """Raise `RegistryConflict` unless what we offer stands in the file, or could."""
    capabilities.check_writable()
    if not offers(capabilities.capabilities()):
        capabilities.check_takes(capability_entry(CAPABILITY))


def _ledger(layout: Layout, moment: datetime) -> Iterator[Diagnosis]:
    """What only a ledger that holds can tell: the keys it needs, how its runs ended, and which workspaces nobody needs."""
    try:
        ledger = Ledger.read_only(layout)
    except LifecycleError:
        return  # named above
    yield from _policy(layout, ledger)
    yield from _keys(ledger)
    yield from diagnose_runs(layout, ledger)
    yield from diagnose_incidents(ledger, timestamp(moment))
    yield from diagnose_workspaces(layout, ledger, moment.timestamp() - STALE)


def _keys(ledger: LedgerReader) -> Iterator[Diagnosis]:
    policy, store = ledger.state.policy, KeyStore()
    if policy is None:
        return
    founding = ledger.state.policies[0].policy
    try:
        store.find(policy, founding).signing_key("verifier")
    except LifecycleError as error:
        commands = error.commands or ("noa keys list",)
        yield Diagnosis("keys", str(error), error.hint, str(store.folder(founding)), commands)


def _policy(layout: Layout, ledger: LedgerReader) -> Iterator[Diagnosis]:
    """An edit that nobody signed: until somebody does, no run begins."""
    if ledger.state.policy is None or not os.path.lexists(layout.policy):
        return
    try:
        text = read_file(layout.policy, name="policy.yaml")
        edited = Policy.from_document(read_document(text, name="policy.yaml", kind=dict))
    except LifecycleError as error:
        yield _unsigned(layout.policy, f"cannot be used: {error}", ("noa policy diff",))
        return
    if edited.to_document() != ledger.state.policy.to_document():
        problem = "differs from the policy in force, which is signed"
        yield _unsigned(layout.policy, problem, ("noa policy diff", "noa policy sign"))


def _unsigned(path: Path, problem: str, commands: tuple[str, ...]) -> Diagnosis:
    remedy = "look at the difference; sign it when it is meant, else undo the edit"
    return Diagnosis("policy", f"{path} {problem}", remedy, str(path), commands)


def _may_be_read(path: Path) -> bool:
    """Whether nothing but its absence stands in the way of reading a file."""
    try:
        path.open("rb").close()
    except PermissionError:
        return False
    except OSError:
        return True
    return True
