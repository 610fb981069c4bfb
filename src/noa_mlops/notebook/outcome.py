"""How a run from a notebook ended: a report to look at, and the plan to keep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.report import PipelineReport
from noa_mlops.records.yaml_text import scalar


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """The plan that was run and what it came to."""

    plan: TrainingPlan
    report: PipelineReport
    layout: Layout

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
        return str(self.report)

    def __repr__(self) -> str:
        return f"<Outcome {self}>"

    def _repr_html_(self) -> str:
        """The verdict as notebooks show it; everything foreign is escaped, nothing is fetched or run."""
        return self.report._repr_html_()


def _yaml(document: Mapping[str, Any], indent: int) -> Iterator[str]:
    """A plan as YAML: mappings by lines, everything else as JSON, which is YAML."""
    for name, value in document.items():
        start = f"{' ' * indent}{scalar(name)}:"
        if isinstance(value, Mapping) and value:
            yield start
            yield from _yaml(value, indent + 2)
        else:
            yield f"{start} {scalar(value) if isinstance(value, str) else json.dumps(value)}"
