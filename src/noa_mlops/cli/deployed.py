"""The record of what runs where: `--record` of ``noa pull``, made here or admitted where the project is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from noa_mlops.cli import deciding, output
from noa_mlops.errors import LedgerConflict, LifecycleError
from noa_mlops.records.layout import address

if TYPE_CHECKING:
    from noa_mlops.delivery import Pulled
    from noa_mlops.records.layout import Layout


@dataclass(frozen=True, slots=True)
class Recording:
    """What to record of a pull: that the version runs in the ``target``, and where the request for it is kept."""

    target: str
    reason: str | None
    where: deciding.Files


@dataclass(frozen=True, slots=True)
class Recorded:
    """How far a record is: the ``entry`` that says it, or the decision that is not recorded yet."""

    entry: int | None
    made: deciding.Decided | None = None


def recorded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a record; the command gets them as ``recording``, None when nothing is to be recorded."""

    @functools.wraps(function)
    def command(*given: Any, target: Any, reason: Any, request: Any, admit: Any, **more: Any) -> Any:
        where = deciding.Files(request, admit)
        if target is None and (reason, where.known, request) != (None, None, None):
            raise click.UsageError("--reason, --request and --admit are about a record: name the place, --record NAME")
        if admit is not None and (reason, request) != (None, None):
            raise click.UsageError("--admit records what FILE holds already: leave --reason and --request away")
        return function(*given, recording=None if target is None else Recording(target, reason, where), **more)

    words = "Record that it runs in NAME, like production: a signed act."
    return deciding.elsewhere(click.option("--record", "target", metavar="NAME", help=words)(command))


def record(layout: Layout, pulled: Pulled, recording: Recording) -> Recorded:
    """Record a version that is in place, or keep the record to be signed or admitted elsewhere; once is enough.

    What fails says that the version is in place all the same.
    """
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.deploying import request_deployment, standing

    version, target = pulled.version, recording.target
    try:
        entry = standing(Ledger.read_only(layout), pulled.lifecycle_id, version, target)
        if entry is not None:
            return Recorded(entry)
        return _decide(
            layout,
            recording,
            lambda ledger: request_deployment(ledger, pulled.lifecycle_id, version, target, recording.reason),
            lambda scope: _about(scope, pulled.lifecycle_id, target) and scope.get("version") == version,
        )
    except (LifecycleError, OSError) as error:
        kind = type(error) if isinstance(error, LifecycleError) else LedgerConflict
        name = address(pulled.lifecycle_id, version)
        raise kind(
            f"{name} is in place in {pulled.path}, but that is not recorded: {error}",
            hint=f"Run it again where a key that may deploy is, or sign here and record there: --record {target} --request FILE.",
        ) from error


def admit(layout: Layout, lifecycle_id: str, recording: Recording) -> Recorded:
    """Record what was pulled elsewhere and signed there."""

    def nothing(_: object) -> Any:
        raise LedgerConflict("there is no file to admit")

    return _decide(layout, recording, nothing, lambda scope: _about(scope, lifecycle_id, recording.target))


def _decide(
    layout: Layout,
    recording: Recording,
    propose: Callable[..., Any],
    means: Callable[[Mapping[str, Any]], bool],
) -> Recorded:
    from noa_mlops.lifecycle.deploying import record_deployment

    made = deciding.decide(layout, recording.where, propose, means, record_deployment, dry_run=False)
    return Recorded(made.entry, made)


def _about(scope: Mapping[str, Any], lifecycle_id: str, target: str) -> bool:
    return (scope.get("lifecycle_id"), scope.get("target")) == (lifecycle_id, target)


def document(recording: Recording, told: Recorded) -> dict[str, Any]:
    """What ``--json`` says of a record."""
    return {"target": recording.target, "entry": told.entry, "missing": told.made.lacking if told.made else None}


def tell(lifecycle_id: str, recording: Recording, told: Recorded) -> None:
    """Say what is recorded, or what comes next."""
    if told.entry is not None:
        output.field("Recorded", f"runs in {recording.target}, as entry {told.entry} says")
    if told.made is not None:
        deciding.tell_on(f"noa pull {lifecycle_id} --record {recording.target}", told.made, recording.where)


def exit_status(recording: Recording, told: Recorded) -> int:
    """7 while somebody has yet to sign."""
    return 0 if told.made is None else deciding.exit_status(told.made, recording.where)
