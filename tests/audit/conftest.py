"""A project with a champion, a rejected challenger and a failed training, made once by real runs; tests work on copies."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from end_to_end.projects import PREDICT, Project, lay_out, rows
from noa_mlops.agents import AgentFactory, RuntimeManager
from noa_mlops.audit import Finding, verify
from noa_mlops.lifecycle import TrainingOrchestrator, bootstrap_default_orchestrator
from noa_mlops.records.layout import Layout
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.report import PipelineReport

OUTCOMES = ("champion", "rejected", "failed")
"""How the versions 1, 2 and 3 of the lifecycle ``little`` ended."""


class Copy:
    """A copy of the project, open to this test."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout.of(root / "project")
        self.project = Project(root / "project")
        for folder in self.layout.artifacts.rglob("*"):
            if folder.is_dir():
                folder.chmod(0o755)

    @property
    def stored(self) -> Path:
        """The folder of the champion."""
        return self.layout.version("little", "command", 1)

    def findings(self, **anchor: str) -> tuple[Finding, ...]:
        """What verify finds; it must leave every byte as it is."""
        before = self.digest()
        result = verify(self.layout, **anchor)
        assert self.digest() == before
        assert result.holds == (not result.findings)
        return result.findings

    def found(self, **anchor: str) -> set[tuple[str, int | None]]:
        """Files, relative to the project, and entries that verify finds."""
        return {(self.named(finding), finding.entry) for finding in self.findings(**anchor)}

    def named(self, finding: Finding) -> str:
        """The file of a finding, relative to the project."""
        return str(Path(finding.file).relative_to(self.layout.project))

    def digest(self) -> str:
        """A digest over every name, mode and byte of the project."""
        seen = hashlib.sha256()
        for path in sorted(self.layout.project.rglob("*")):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            row = (str(path), status.st_mode, status.st_mtime_ns, hashlib.sha256(content).hexdigest())
            seen.update(repr(row).encode())
        return seen.hexdigest()

    def rewrite(self, path: Path, content: bytes) -> None:
        """Put other bytes into a file, read-only or not."""
        path.chmod(0o644)
        path.write_bytes(content)

    def flip(self, path: Path, place: int) -> None:
        """Flip one bit of a file; a negative place counts from its end."""
        content = bytearray(path.read_bytes())
        content[place] ^= 1 << place % 8
        self.rewrite(path, bytes(content))


def run(orchestrator: TrainingOrchestrator, project: Project, **changes: object) -> PipelineReport:
    """Run the usual plan with some fields changed."""
    name = project.plan(**changes)
    return orchestrator.run_plan(TrainingPlan.load(project.path / name, project.path))


def orchestrator_of(project: Project) -> TrainingOrchestrator:
    """The usual orchestrator of a project folder."""
    storage = project.path / "storage"
    return bootstrap_default_orchestrator(
        AgentFactory(),
        RuntimeManager(),
        storage / "artifacts",
        storage / "db" / "evidence" / "ledger.jsonl",
        project.path / "registry" / "capabilities.json",
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("audited")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(root / "keys"))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        project = lay_out(root / "project")
        out_of_reach = {"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.9999}}
        with orchestrator_of(project) as orchestrator:
            states = [run(orchestrator, project).state, run(orchestrator, project, evaluation=out_of_reach).state]
            project.programs(train="echo 'no luck' >&2; exit 3\n")
            states.append(run(orchestrator, project, seed=1).state)
    assert tuple(states) == OUTCOMES
    return root


@pytest.fixture(scope="session")
def mended(made, tmp_path_factory):
    """The same after one more run that became champion."""
    root = tmp_path_factory.mktemp("mended")
    copy = _copied(made, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(root / "keys"))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        copy.project.programs()
        with orchestrator_of(copy.project) as orchestrator:
            assert run(orchestrator, copy.project, seed=5).state == "champion"
    return root


@pytest.fixture
def audited(made, tmp_path, monkeypatch):
    """A copy of the project, whose keys are found."""
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    return _copied(made, tmp_path)


@pytest.fixture
def healthy(mended, tmp_path, monkeypatch):
    """A copy of the project after one more run that became champion."""
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    return _copied(mended, tmp_path)


def _copied(source: Path, root: Path) -> Copy:
    for name in ("keys", "project"):
        shutil.copytree(source / name, root / name, symlinks=True)
    return Copy(root)


LITTLE = {"roc_auc": {"min": 0.8, "versus_champion": {"max_drop": 0.05}}}


@pytest.fixture(scope="session")
def decided(tmp_path_factory):
    """Three lifecycles' worth of decisions: champions, a failed one, inconclusive ones, one without a gate, one that broke."""
    root = tmp_path_factory.mktemp("decided")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(root / "keys"))
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        project = lay_out(root / "project")
        project.write("data/eval.csv", rows(1200, 2))
        project.write("data/few.csv", rows(60, 5))
        evaluations = [
            {"dataset_path": "data/eval.csv", "metric_thresholds": LITTLE},
            {"dataset_path": "data/eval.csv", "metric_thresholds": LITTLE},
            {"dataset_path": "data/few.csv", "metric_thresholds": LITTLE},
            {"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.9999, "recall": 0.9999}},
            None,
            {"gate": "none", "reason": "a first try"},
        ]
        with orchestrator_of(project) as orchestrator:
            states = []
            for n, evaluation in enumerate(evaluations):
                project.programs(predict=f"# the {n}th, in other bytes\n{PREDICT}")
                states.append(run(orchestrator, project, seed=n, evaluation=evaluation).state)
            project.programs(train="exit 3")
            states.append(run(orchestrator, project, seed=9).state)
    assert states == [*["champion", "champion", "inconclusive", "rejected", "held", "champion", "failed"]]
    return root


@pytest.fixture
def history(decided, tmp_path, monkeypatch):
    """A copy of that project, whose keys are found."""
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    for name in ("keys", "project"):
        shutil.copytree(decided / name, tmp_path / name, symlinks=True)
    return Copy(tmp_path)
