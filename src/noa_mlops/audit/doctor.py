"""``noa doctor``: what is wrong, and the next command for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from noa_mlops.audit.findings import Diagnosis
from noa_mlops.audit.folding import TORN
from noa_mlops.audit.incidents import diagnose_incidents
from noa_mlops.audit.runs import diagnose_runs
from noa_mlops.audit.verification import verify
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger import KeyStore, Ledger, LedgerReader, ledger_lines
from noa_mlops.records.layout import Layout
from noa_mlops.registry import (
    CAPABILITY,
    CapabilityRegistry,
    Mirror,
    capability_entry,
    describe,
    offers,
    ownership_hint,
)

LOW_DISK = 1 << 30
"""Free bytes under which the disk is named."""


def diagnose(layout: Layout) -> tuple[Diagnosis, ...]:
    """Everything wrong with a project that can be seen from here; nothing is changed."""
    looks = (_registry, _evidence, _ledger, _storage, _disk)
    return tuple(found for look in looks for found in look(layout))


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


def _registry(layout: Layout) -> Iterator[Diagnosis]:
    mirror = Mirror(layout.mirror, layout.mirror_checkpoint, origin="")
    for check in (CapabilityRegistry(layout.capabilities).check_writable, mirror.check_writable):
        try:
            check()
        except LifecycleError as error:
            yield Diagnosis("registry", str(error), error.hint)


def _evidence(layout: Layout) -> Iterator[Diagnosis]:
    derived = {str(path) for path in (layout.mirror, layout.mirror_checkpoint, layout.capabilities)}
    try:
        checked = verify(layout)
    except LifecycleError as error:
        yield Diagnosis("evidence", str(error), error.hint)
        return
    for finding in checked.findings:
        remedy = "restore the file from a copy you trust, then: noa verify"
        if finding.file in derived:
            remedy = "noa doctor --repair"
        elif finding.reason == TORN and checked.sealed <= checked.entries:
            remedy = "nothing that was acknowledged is lost: the next noa run moves the torn line aside"
        yield Diagnosis("evidence", str(finding), remedy)


def _ledger(layout: Layout) -> Iterator[Diagnosis]:
    """What only a ledger that holds can tell: the keys it needs, and how its runs ended."""
    try:
        ledger = Ledger.read_only(layout)
    except LifecycleError:
        return  # named above
    yield from _keys(ledger)
    yield from diagnose_runs(layout, ledger)
    yield from diagnose_incidents(ledger)


def _keys(ledger: LedgerReader) -> Iterator[Diagnosis]:
    policy = ledger.state.policy
    if policy is None:
        return
    try:
        KeyStore().find(policy, ledger.state.policies[0].policy).signing_key("verifier")
    except LifecycleError as error:
        yield Diagnosis("keys", str(error), error.hint)


def _storage(layout: Layout) -> Iterator[Diagnosis]:
    promoted = (path for path in layout.artifacts.glob("*/*") if path.is_dir() and path.parent != layout.workspaces)
    folders = (layout.project, layout.artifacts, layout.workspaces, layout.evidence, layout.objects)
    for path in (*folders, layout.ledger, layout.log_checkpoints, layout.lock, *promoted):
        if _not_writable(path):
            yield Diagnosis("storage", f"{path} is not writable{describe(path)}", ownership_hint(path))


def _not_writable(path: Path) -> bool:
    return path.exists() and not os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK)


def _disk(layout: Layout) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(layout.project).free
    if free < LOW_DISK:
        yield Diagnosis("disk", f"{free >> 20} MiB are free at {layout.project}", "free some space before the next run")
