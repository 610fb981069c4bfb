"""Where everything lies: every path of a project as a pure function of its root and of checked names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one project; `Layout.of` gives the usual ones."""

    project: Path
    artifacts: Path
    ledger: Path
    capabilities: Path

    @classmethod
    def of(cls, project: Path) -> Layout:
        """The layout of a project folder made by ``noa init``."""
        return cls(
            project=project,
            artifacts=project / "storage" / "artifacts",
            ledger=project / "storage" / "db" / "evidence" / "ledger.jsonl",
            capabilities=project / "registry" / "capabilities.json",
        )

    @property
    def settings(self) -> Path:
        """Settings nobody signs."""
        return self.project / "noa.yaml"

    @property
    def policy(self) -> Path:
        """The policy that people edit and root signs."""
        return self.project / "policy.yaml"

    @property
    def plans(self) -> Path:
        """Training plans."""
        return self.project / "plans"

    @property
    def evidence(self) -> Path:
        """The folder of the ledger."""
        return self.ledger.parent

    @property
    def lock(self) -> Path:
        """The ledger's lock, never unlinked."""
        return self.evidence / "ledger.lock"

    @property
    def log_checkpoints(self) -> Path:
        """Every signed tree head."""
        return self.evidence / "checkpoints.log"

    @property
    def objects(self) -> Path:
        """What a ledger line only names by digest."""
        return self.evidence / "objects"

    @property
    def workspaces(self) -> Path:
        """The folder of the agents' workspaces."""
        return self.artifacts / "workspaces"

    @property
    def loop(self) -> Path:
        """The lock of the loop, and what it is doing; never unlinked."""
        return self.artifacts.parent / "operate.lock"

    @property
    def mirror(self) -> Path:
        """The registry log that CI reads."""
        return self.capabilities.parent / "ml_artifacts.log"

    @property
    def mirror_checkpoint(self) -> Path:
        """The signed head of the registry log."""
        return self.capabilities.parent / "checkpoint"

    @property
    def ci(self) -> Path:
        """Jobs and reports for CI."""
        return self.project / "cicd" / "ml"

    def workspace(self, agent_id: str) -> Path:
        """The workspace of one agent."""
        return self.workspaces / agent_id

    def version(self, lifecycle_id: str, profile: str, version: int) -> Path:
        """The folder of one promoted version."""
        return self.artifacts / lifecycle_id / profile / str(version)


def agent_id(lifecycle_id: str, version: int) -> str:
    """The agent that trains ``LIFECYCLE@N``; the last hyphen separates, so no two versions share one."""
    return f"{lifecycle_id}-{version}"


PREDICTOR = ".predict"
"""What follows the name of a version's trainer in that of its predictor."""


def predictor_id(trainer: str) -> str:
    """The agent that predicts for the version of a trainer."""
    return f"{trainer}{PREDICTOR}"


EVALUATOR = ".evaluate"
"""What follows the name of a version's trainer in that of the plan's own evaluator."""


def evaluator_id(trainer: str) -> str:
    """The agent that runs the plan's own evaluator for the version of a trainer."""
    return f"{trainer}{EVALUATOR}"


TRIAL = ".trial-"
"""What stands between the name of a version's trainer and the number of a trial in that of the trial's trainer."""


def trial_id(trainer: str, number: int) -> str:
    """The agent that trains one trial of a search, for the version of a trainer."""
    return f"{trainer}{TRIAL}{number}"


REPRODUCER = ".reproduce"
"""What follows the name of a version's trainer in that of the agent that trains the version again."""


def reproducer_id(trainer: str) -> str:
    """The agent that trains the version of a trainer again, in a workspace of its own."""
    return f"{trainer}{REPRODUCER}"


def address(lifecycle_id: str, version: int) -> str:
    """How people name a version: ``LIFECYCLE@N``."""
    return f"{lifecycle_id}@{version}"
