"""The jobs that ``noa init --ci`` puts into a project, for GitHub and GitLab; nothing that is there is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Literal, TypeAlias

from noa_mlops.files import make_directories
from noa_mlops.lifecycle.founding import write_if_absent
from noa_mlops.records.layout import Layout
from noa_mlops.version import VERSION

System: TypeAlias = Literal["github", "gitlab"]

JOBS = ("rollout_gate", "drift_detection")
"""The folders below ``cicd/ml``; the parts of a job that differ by system lie in it side by side."""


def write_jobs(layout: Layout, system: System, origin: str) -> tuple[tuple[Path, bool], ...]:
    """Write the jobs and the workflow that triggers them; each path with whether it was written."""
    written = []
    for path, text in jobs(layout, system, origin):
        make_directories(path.parent)
        written.append((path, write_if_absent(path, text)))
    return tuple(written)


def jobs(layout: Layout, system: System, origin: str) -> Iterator[tuple[Path, str]]:
    """The files of a CI system, by where they go."""
    name = "action.yml" if system == "github" else "gitlab.yml"
    for job in JOBS:
        yield layout.ci / job / name, _template(system, job, origin)
    workflow = ".github/workflows/noa.yml" if system == "github" else ".gitlab-ci.yml"
    yield layout.project / workflow, _template(system, "workflow", origin)


def _template(system: System, name: str, origin: str) -> str:
    text = resources.files(__name__).joinpath(system, f"{name}.yml").read_text(encoding="utf-8")
    return text.replace("@ORIGIN@", origin).replace("@VERSION@", VERSION)
