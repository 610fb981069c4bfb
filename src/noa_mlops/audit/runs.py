"""What ended badly or not at all: interrupted runs, failures, versions that the gate did not let through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from noa_mlops.agents import is_owned
from noa_mlops.audit.closed_gates import diagnose_closed_gate
from noa_mlops.audit.findings import Diagnosis
from noa_mlops.errors import LifecycleError
from noa_mlops.files import open_beneath
from noa_mlops.ledger import LedgerReader, VersionState
from noa_mlops.records.events import RUN
from noa_mlops.records.layout import Layout, address, evaluator_id, predictor_id
from noa_mlops.records.masking import masked
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.reading.quantities import duration_text, size_text

LAST_LINES = 5
"""Lines of what an agent printed that are shown."""

_TAIL = 4 << 10
_LIMITS: Mapping[str, tuple[str, Callable[[int], object]]] = {
    "time_limit": ("time", duration_text),
    "memory_limit": ("memory", size_text),
    "disk_limit": ("disk", size_text),
}
"""The limit of a plan's resources that each cause speaks of, and how it is written."""


def diagnose_runs(layout: Layout, ledger: LedgerReader) -> Iterator[Diagnosis]:
    """The newest version of each lifecycle when nobody continues it, it failed, or it was not let through."""
    unfinished = _unfinished(ledger)
    newest = {name: len(lifecycle.versions) for name, lifecycle in ledger.state.lifecycles.items()}
    for name, number in unfinished:
        newest[name] = max(number, newest.get(name, 0))
    for name, number in newest.items():
        where = address(name, number)
        if (name, number) in unfinished:
            yield from _interrupted(layout, where, *unfinished[name, number])
            continue
        version = ledger.state.lifecycle(name).versions[number]
        if version.status == "failed":
            yield _failure(layout, ledger, where, version)
        if version.status in ("rejected", "inconclusive"):
            yield diagnose_closed_gate(layout, ledger, where, ledger.history(name, number))


def _interrupted(layout: Layout, where: str, agent: str, seq: int) -> Iterator[Diagnosis]:
    if not is_owned(layout.workspace(agent)):
        remedy = "run its plan again: it continues"
        yield Diagnosis("run", f"{where} was interrupted", remedy, f"entry {seq}", (f"noa run {where}",))


def _unfinished(ledger: LedgerReader) -> Mapping[tuple[str, int], tuple[str, int]]:
    """Agent and submission of versions that have no end yet, also of those that no checkpoint vouches for."""
    found = {
        (name, version.version): (version.agent_id, version.first_seq)
        for name, lifecycle in ledger.state.lifecycles.items()
        for version in lifecycle.versions.values()
        if version.on_its_way
    }
    for entry in ledger.pending:
        key = (entry.lifecycle_id or "", entry.version or 0)
        if entry.type == "Submitted":
            found[key] = entry.predicate["agent_id"], entry.seq
        elif entry.status is not None:
            found.pop(key, None)
    return found


def _failure(layout: Layout, ledger: LedgerReader, where: str, version: VersionState) -> Diagnosis:
    """Cause and last words of a failed version; a limit that struck wants another plan, all else only another run."""
    last = ledger.entry(version.last_seq)
    training = last.type == "TrainingFailed"
    facts = last.predicate[RUN] if training else last.predicate
    agents = (version.agent_id,) if training else (predictor_id(version.agent_id), evaluator_id(version.agent_id))
    remedy, again = "correct the code or the data, then train again", f"noa run {where}"
    if facts["cause"] in _LIMITS:
        remedy = f"raise {_limit(ledger, version, facts['cause'])} in the plan, whose file is `...`, and run it"
        again = "noa run ..."
    elif facts["cause"] in ("signal", "lost"):
        remedy = "something ended it from outside, or it crashed: read what it said, then train again"
    return Diagnosis(
        "training" if training else "evaluation",
        f"{where} failed ({facts['cause']}): {facts['message']}",
        remedy,
        f"entry {last.seq}, {layout.workspace(agents[0])}",
        (f"noa logs {where}", again),
        tuple(f"it said: {line}" for agent in agents for line in _last_lines(layout.workspace(agent))),
    )


def _limit(ledger: LedgerReader, version: VersionState, cause: str) -> str:
    """The limit that struck, with what the recorded plan allows, unless nobody can read that any more."""
    name, written = _LIMITS[cause]
    try:
        resources = TrainingPlan.parse(ledger.get_object(version.plan_digest), "plan.json").resources
    except LifecycleError:
        return f"resources.{name}"
    return f"resources.{name} ({written(getattr(resources, name))} now)"


def _last_lines(workspace: Path) -> Sequence[str]:
    """The end of what an agent printed, on standard error if there is any; secrets are masked."""
    for name in ("stderr.log", "stdout.log"):
        try:
            with open_beneath(workspace, name) as stream:
                stream.seek(max(0, stream.seek(0, 2) - _TAIL))
                said = stream.read(_TAIL).decode(errors="replace").split("\n")
        except (OSError, LifecycleError):
            continue
        if lines := [line.strip() for line in said if line.strip()]:
            return [masked(line)[:300] for line in lines[-LAST_LINES:]]
    return ()
