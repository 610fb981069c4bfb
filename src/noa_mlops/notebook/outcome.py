"""How a run from a notebook ended: a report to look at, and the plan to keep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.report import PipelineReport
from noa_mlops.records.threshold_text import threshold_text
from noa_mlops.records.yaml_text import scalar

_COLOURS = {"champion": "#1a7f37", "rejected": "#cf222e", "failed": "#cf222e"}
_CELL = "style='text-align:left;padding:2px 12px 2px 0'"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The plan that was run and what it came to."""

    plan: TrainingPlan
    report: PipelineReport
    layout: Layout = field(repr=False)

    @property
    def state(self) -> str:
        """champion, rejected, inconclusive, held or failed."""
        return self.report.state

    @property
    def address(self) -> str:
        """``LIFECYCLE@N``."""
        return self.report.address

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """Every measured metric; None where it could not be computed."""
        return self.report.metrics

    def save_plan(self, path: str | Path) -> Path:
        """Write the plan to ``path``, relative to the project; running it is running this again, with one digest.

        A file with this plan is left as it is. Raises `PlanInvalid` when the file holds anything else.
        """
        target = self.layout.project / path
        if target.exists():
            if TrainingPlan.load(target).digest == self.plan.digest:
                return target
            raise PlanInvalid(f"{path} holds another plan, and nothing is overwritten", hint="Save under another name.")
        from noa_mlops.files import make_directories, write_durably

        text = "\n".join(_yaml(self.plan.to_document(), 0)) + "\n"
        if TrainingPlan.parse(text.encode(), target.name).digest != self.plan.digest:
            raise PlanInvalid(f"{path} would not be read as this plan", hint="Save it as a .yaml file.")
        make_directories(target.parent)
        write_durably(target, text.encode())
        return target

    def __str__(self) -> str:
        return f"{self.state.upper()}  {self.address}   {', '.join(self._told())}".rstrip()

    def _repr_html_(self) -> str:
        """The verdict as notebooks show it; everything foreign is escaped, nothing is fetched or run."""
        colour = _COLOURS.get(self.state, "#9a6700")
        rows = "".join(
            f"<tr>{''.join(f'<td {_CELL}>{escape(cell)}</td>' for cell in row)}</tr>" for row in self._rows()
        )
        heads = "".join(f"<th {_CELL}>{head}</th>" for head in ("metric", "value", "threshold"))
        told = "".join(f"<div>{escape(text)}</div>" for text in self._told())
        return (
            f"<div><strong style='color:{colour}'>{escape(self.state.upper())}</strong> {escape(self.address)}{told}"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
            f"<div>evidence: entry {self.report.entry}, isolation: {escape(str(self.report.isolation))}</div></div>"
        )

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        """Metrics with a threshold first, as many others as fit a glance."""
        thresholds = self.report.thresholds
        for name in thresholds:
            yield name, _number(self.metrics.get(name)), threshold_text(thresholds[name])
        for name in [name for name in self.metrics if name not in thresholds][:6]:
            yield name, _number(self.metrics[name]), ""

    def _told(self) -> tuple[str, ...]:
        report = self.report
        failure = () if report.failure is None else (f"{report.failure['cause']}: {report.failure['message']}",)
        missed = tuple(f"{violation['metric']}: {violation['reason']}" for violation in report.violations)
        reasons = (f"blocked: {', '.join(report.reasons)}",) if report.reasons else ()
        return (*failure, *reasons, *missed, *report.unsure, *report.notes)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _yaml(document: Mapping[str, Any], indent: int) -> Iterator[str]:
    """A plan as YAML: mappings by lines, everything else as JSON, which is YAML."""
    for name, value in document.items():
        start = f"{' ' * indent}{scalar(name)}:"
        if isinstance(value, Mapping) and value:
            yield start
            yield from _yaml(value, indent + 2)
        else:
            yield f"{start} {scalar(value) if isinstance(value, str) else json.dumps(value)}"
