"""``noa evaluate``: measure a version again, or ask whether it would have passed by another plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from noa_mlops.cli import options, output
from noa_mlops.cli.arrow import load_arrow

if TYPE_CHECKING:
    from noa_mlops.records.layout import Layout

EXIT_CODES = {"pass": 0, "fail": 3, "inconclusive": 7}


@click.command(epilog="Example: noa evaluate rainfall@2 --as plans/stricter.yaml")
@click.argument("name", metavar="LIFECYCLE@N")
@click.option(
    "--as",
    "plan",
    type=click.Path(path_type=Path),
    metavar="PLAN",
    help="Judge what was recorded by the thresholds of PLAN; measure and write nothing.",
)
@options.common
def evaluate(name: str, plan: Path | None, folder: Path, *, as_json: bool) -> int:
    """Measure a version again that was decided on, on the data that its plan names, as they are now.

    The measurement is an entry, with the verdict of the plan over it, and one look more; no decision is changed by it.
    Exit status 0 when it passes, 3 when it fails, 7 when it cannot be known.
    """
    lifecycle_id, version = options.address(name)
    if version is None:
        raise click.BadParameter(f"name the version: noa evaluate {lifecycle_id}@N")
    layout = options.project(folder)
    told = _measured(layout, lifecycle_id, version) if plan is None else _as(layout, lifecycle_id, version, plan)
    if as_json:
        output.emit(told)
    else:
        _show(name, told)
    return EXIT_CODES[told["verdict"]["verdict"]]


def _measured(layout: Layout, lifecycle_id: str, version: int) -> Mapping[str, Any]:
    """Measure and record."""
    from noa_mlops.agents import AgentFactory, RuntimeManager

    load_arrow()
    from noa_mlops.cli.interrupts import interruptible
    from noa_mlops.lifecycle import open_orchestrator

    with interruptible() as cancel, open_orchestrator(layout, AgentFactory(), RuntimeManager()) as orchestrator:
        event = orchestrator.evaluate_version(lifecycle_id, version, cancel)
        plan = (event.verdict or {})["plan"]
        thresholds = _thresholds(orchestrator.ledger.get_object(plan))
    return {
        "lifecycle_id": lifecycle_id,
        "version": version,
        "entry": event.seq,
        "look": event.look,
        "rows": event.rows,
        "dataset": event.dataset,
        "metrics": dict(event.metrics),
        "thresholds": thresholds,
        "verdict": dict(event.verdict or {}),
    }


def _thresholds(plan: bytes) -> Mapping[str, Any]:
    from noa_mlops.gate import threshold_document
    from noa_mlops.records.plan import TrainingPlan

    return threshold_document(TrainingPlan.parse(plan, "plan.json"))


def _as(layout: Layout, lifecycle_id: str, version: int, path: Path) -> Mapping[str, Any]:
    """What the thresholds of another plan say of the measurement that the version was decided on."""
    from noa_mlops.ledger import Ledger
    from noa_mlops.lifecycle.reevaluation import judged_as
    from noa_mlops.records.plan import TrainingPlan

    plan = TrainingPlan.load(path, project=layout.project)
    return judged_as(Ledger.read_only(layout), lifecycle_id, version, plan)


def _show(name: str, told: Mapping[str, Any]) -> None:
    verdict = told["verdict"]
    output.say(f"{output.status(verdict['verdict'])}  {name}   {told['rows']} rows of {told['dataset']['path']}")
    output.reached(told["metrics"], told["thresholds"], name)
    output.say()
    for violation in verdict["violations"]:
        output.field("", f"{violation['metric']}: {output.foreign(violation['reason'])}")
    for reason in verdict["reasons"]:
        output.field("", output.foreign(reason))
    if told["entry"] is None:
        output.field("Evidence", f"as entry {told['measured']} recorded it; nothing was written")
    else:
        output.field("Evidence", f"entry {told['entry']}, look {told['look']}")
