"""``noa run``: carry a plan to its end and say what it came to."""

from __future__ import annotations

import contextlib
import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noa_mlops.cli import annotating, options, output
from noa_mlops.cli.arrow import load_arrow
from noa_mlops.cli.reproducing import reproduce
from noa_mlops.errors import NotFound
from noa_mlops.records.floors import PlanTooLoose
from noa_mlops.records.layout import Layout
from noa_mlops.records.names import name_problem
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.report import PipelineReport

if TYPE_CHECKING:
    from noa_mlops.agents import RuntimeManager


@click.command(epilog="Example: noa run plans/rainfall.yaml, or noa run rainfall@2 --reproduce")
@click.argument("plan", type=click.Path(path_type=Path), metavar="PLAN")
@click.option(
    "--reproduce",
    "again",
    is_flag=True,
    help="Train the recorded version that is named in place of PLAN (LIFECYCLE@N) again, and say whether the same model "
    "comes out. Nothing is recorded.",
)
@options.dry_run
@options.common
def run(plan: Path, folder: Path, *, again: bool, dry_run: bool, as_json: bool) -> int:
    """Train PLAN, measure the model without showing it the labels, decide, and promote it if it may be.

    LIFECYCLE@N in place of a file is the recorded plan of that version: one that failed is tried again, with the code and
    the data of now, as the next version; one that was cut off goes on.

    With --reproduce the exit status is 0 when the same bytes come out, or a model that is shown to be as good in every
    metric that the plan has a threshold for, and 4 when a different one does.
    """
    layout = options.project(folder)
    if again:
        return reproduce(layout, str(plan), dry_run=dry_run, as_json=as_json)
    if not os.path.lexists(layout.project / plan) and (named := _version_named(str(plan))) is not None:
        return _again(layout, *named, dry_run=dry_run, as_json=as_json)
    file = _file(plan, layout)
    with annotating.mistakes(layout, file):
        return _run_file(layout, file, dry_run=dry_run, as_json=as_json)


def _run_file(layout: Layout, file: Path, *, dry_run: bool, as_json: bool) -> int:
    loaded = TrainingPlan.load(file, project=layout.project)
    try:
        if dry_run:
            return _check(layout, loaded, as_json=as_json)
        report = execute(layout, loaded, quiet=as_json)
    except PlanTooLoose as error:
        TrainingPlan.load(file, project=layout.project, faults=error.faults)  # raises it with its lines
        raise
    annotating.violations(layout, report, file)
    return _told(report, as_json=as_json)


def _version_named(text: str) -> tuple[str, int] | None:
    """Lifecycle and number when the text is ``LIFECYCLE@N``."""
    lifecycle_id, at, number = text.partition("@")
    named = at and name_problem(lifecycle_id) is None and number.isascii() and number.isdigit()
    return (lifecycle_id, int(number)) if named else None


def _again(layout: Layout, lifecycle_id: str, version: int, *, dry_run: bool, as_json: bool) -> int:
    """Run the recorded plan of a version: goes on with it when it is unfinished, else makes the next one.

    Raises `NotFound` when there is no such version, or its plan was redacted.
    """
    from noa_mlops.ledger import Ledger

    load_arrow()
    from noa_mlops.lifecycle.recalling import recorded_plan

    plan = recorded_plan(Ledger.read_only(layout), lifecycle_id, version)
    if dry_run:
        return _check(layout, plan, as_json=as_json)
    report = execute(layout, plan, quiet=as_json)
    annotating.violations(layout, report)
    return _told(report, as_json=as_json)


def _told(report: PipelineReport, *, as_json: bool) -> int:
    if as_json:
        output.emit(report.to_document())
    else:
        show_report(report)
    return report.exit_code


def _file(plan: Path, layout: Layout) -> Path:
    """The plan that was named; one that is not there is answered with the one that was meant. Raises `NotFound`."""
    if os.path.lexists(layout.project / plan):
        return plan
    known = {str(file.relative_to(layout.project)): file.stem for file in sorted(layout.plans.glob("*.*"))}
    named = [name for name, stem in known.items() if stem == plan.stem]
    near = named or difflib.get_close_matches(str(plan), known, n=1)
    if not near:
        return plan
    raise NotFound(
        f"there is no plan {str(plan)!r} in {layout.project}",
        hint=f"Did you mean {near[0]}? Paths begin in the project.",
    )


def execute(
    layout: Layout, plan: TrainingPlan, *, quiet: bool, runtime: RuntimeManager | None = None
) -> PipelineReport:
    """Run a plan with live progress on standard error.

    What its agents need is imported by a process of its own while this one imports what it needs itself.
    """
    from noa_mlops.agents import AgentFactory, RuntimeManager

    factory, runtime = AgentFactory(), runtime or RuntimeManager()
    with contextlib.suppress(NotFound):  # the run says it
        runtime.warm(factory.profile(plan.agent_profile).preload_for(plan.resources.gpus))
    load_arrow()
    from noa_mlops.cli.interrupts import interruptible
    from noa_mlops.cli.progress import Progress
    from noa_mlops.lifecycle import open_orchestrator

    with (
        interruptible() as cancel,
        open_orchestrator(layout, factory, runtime) as orchestrator,
        Progress(orchestrator.subscribe(others=False), quiet=quiet),
    ):
        return orchestrator.run_plan(plan, cancel)


def _check(layout: Layout, plan: TrainingPlan, *, as_json: bool) -> int:
    from noa_mlops.agents import AgentFactory, RuntimeManager
    from noa_mlops.lifecycle import open_orchestrator

    load_arrow()
    with open_orchestrator(layout, AgentFactory(), RuntimeManager()) as orchestrator:
        submission = orchestrator.check_plan(plan)
    document = {
        "lifecycle_id": plan.lifecycle_id,
        "profile": submission.profile.name,
        "task": submission.task,
        "target": submission.target,
        "positive": submission.positive,
        "isolation": submission.isolation,
        "datasets": submission.datasets,
        "plan_digest": plan.digest,
    }
    if as_json:
        output.emit(document)
        return 0
    output.say(f"{plan.lifecycle_id} could run: {submission.profile.name}, {submission.task} of {submission.target!r}")
    for part, data in submission.datasets.items():
        output.field(part, f"{output.foreign(str(data['path']))}  {data['rows']} rows  {data['fingerprint'][:12]}")
    output.field("isolation", submission.isolation)
    output.say("nothing was run")
    return 0


def show_report(report: PipelineReport) -> None:
    """A run's outcome for people: state, metrics beside thresholds, reasons, evidence, what to do next."""
    output.say(f"{output.status(report.state)}  {report.address}   {report.profile}, {report.isolation} agents")
    if report.failure is not None:
        output.say()
        output.field("Cause", f"{report.failure['cause']}: {output.foreign(report.failure['message'])}")
        output.field("Next", f"noa logs {report.address}")
    output.reached(report.metrics, report.thresholds, report.address)
    if report.status is not None:
        _show_reasons(report)
    output.say()
    output.field("Champion", f"{report.lifecycle_id}@{report.champion}" if report.champion else "none")
    if report.artifact is not None:
        output.field("Artifact", report.artifact)
    output.field("Evidence", f"entry {report.entry}   noa show {report.address}   exit {report.exit_code}")
    for text in report.notes:
        output.note(f"note: {text}")


def _who(report: PipelineReport) -> str:
    """Who has to enable a held version, and why."""
    if "champion" in report.reasons:
        return "after a look: its champion could not be asked"
    return (
        "by an operator" if report.approvals == 1 else f"by {report.approvals} operators, each with a key of their own"
    )


def _show_reasons(report: PipelineReport) -> None:
    """Why it is blocked, and what to do about it; of a version that is ready, what the plan lets pass with a note."""
    unsure = report.unsure if "no_gate" not in report.reasons else ()
    if report.status == "ready":
        for reason in unsure:
            output.field("Noted", reason)
        return
    output.say()
    output.field("Blocked", ", ".join(report.reasons))
    for violation in report.violations:
        output.field("", f"{violation['metric']}: {violation['reason']}")
    for reason in unsure:
        output.field("", reason)
    if "no_gate" in report.reasons:
        output.field("Next", "declare evaluation.metric_thresholds in the plan and run it again")
    if "approval" in report.reasons:
        output.field("Next", f'noa enable {report.address} --reason "..."   {_who(report)}')
