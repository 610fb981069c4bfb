"""What a run says of its plan, at the plan's lines, for whoever reads a pull request."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from noa_mlops.cli import options
from noa_mlops.errors import PlanInvalid, Problem
from noa_mlops.records.layout import Layout
from noa_mlops.records.report import PipelineReport


@contextlib.contextmanager
def mistakes(layout: Layout, file: Path) -> Iterator[None]:
    """Annotate the mistakes of the plan in ``file`` that are raised, each at its line."""
    try:
        yield
    except PlanInvalid as error:
        placed = [problem for problem in error.problems if problem.line is not None]
        at_their_lines(placed or [Problem(str(file), str(error))], layout.project)
        raise


def at_their_lines(problems: Iterable[Problem], folder: Path) -> None:
    """Annotate mistakes of documents, each at its line, or at the first where it has none."""
    from noa_mlops.audit.ci_reports import Check

    checks = [Check("plan", "plan", one.message, one.source, one.line or 1, one.column or 1) for one in problems]
    options.tell_ci("plan", checks, folder)


def violations(layout: Layout, report: PipelineReport, file: Path | None = None) -> None:
    """Annotate each threshold that was not met at the line that asks for it, in ``file`` or the lifecycle's only plan."""
    if not report.violations:
        return
    from noa_mlops.audit.ci_reports import Check
    from noa_mlops.audit.plan_places import PlanText, plan_about

    plan = plan_about(layout.project, report.lifecycle_id) if file is None else PlanText.read(layout.project, str(file))
    checks = []
    for violation in report.violations:
        check = Check(report.address, "threshold", f"{violation['metric']}: {violation['reason']}", "plans")
        checks.append(
            check.at(None if plan is None else plan.place("evaluation", "metric_thresholds", violation["metric"]))
        )
    options.tell_ci("run", checks, layout.project)
