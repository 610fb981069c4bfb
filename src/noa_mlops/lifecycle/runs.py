"""The nouns of a run: the version on its way, what its training left, what was measured of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from noa_mlops.agents import Kept, Workspace
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger.ledger import now
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.lifecycle.searching import Found
from noa_mlops.records.dataset import FileDigest
from noa_mlops.records.events import AgentProvisioned, LifecycleEvent, Recorded, TrainingProgress
from noa_mlops.records.layout import address
from noa_mlops.records.overlap import Overlap
from noa_mlops.records.slices import Sliced
from noa_mlops.records.verdict import Estimate, EvaluationReport

OnProgress = Callable[[dict[str, Any]], None]
"""Takes what a trainer says of itself."""

Publish = Callable[[LifecycleEvent], None]
"""Takes events that are shown but not recorded."""


TOLD = "told"
"""An empty file in the workspace of a run whose outcome was told; a decided run without it was cut off."""


@dataclass(slots=True)
class Run:
    """One version on its way, owned by this process as long as its workspace is locked.

    ``model`` are its files, once this process has hashed them; a continued run hashes them again.
    """

    submission: Submission
    version: int
    workspace: Workspace
    history: list[Recorded] = field(default_factory=list)
    model: Kept | None = None

    @property
    def predictions(self) -> Path:
        """Where the predictions that were measured lie, in the order of the dataset."""
        return self.workspace.path / "predictions.parquet"

    @property
    def lifecycle_id(self) -> str:
        """The lifecycle that the version belongs to."""
        return self.submission.plan.lifecycle_id

    @property
    def address(self) -> str:
        """``LIFECYCLE@N``."""
        return address(self.lifecycle_id, self.version)

    def tell(self) -> None:
        """Note that somebody was told how the run ended; when that fails, it is told once more."""
        with contextlib.suppress(OSError):
            self.workspace.mark(TOLD)

    def release(self) -> None:
        """Give the workspace up; another process may continue the run."""
        self.workspace.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class Trained:
    """A model as the dead trainer left it, and what the runtime saw."""

    files: tuple[FileDigest, ...]
    facts: Mapping[str, Any]
    found: Found | None = None
    """What the search before it found; None when there was none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the verifier computed, the digest of the predictions it used, and what the runtime saw.

    ``overlap`` are the rows that training has seen, ``slices`` the metrics by columns as far as the plan asks.
    ``champion`` is the comparison as an entry records it, None without a champion or a threshold to compare by; ``kept``
    are the champion's predictions when they are new, for the objects, and ``champion_anew`` its metrics by them; ``evaluator``
    is the plan's own, as recorded.
    """

    report: EvaluationReport
    predictions_sha256: str
    facts: Mapping[str, Any]
    overlap: Overlap
    slices: Mapping[str, Sliced] = field(default_factory=dict)
    champion: Mapping[str, Any] | None = None
    kept: bytes | None = None
    champion_anew: Mapping[str, Estimate] = field(default_factory=dict)
    evaluator: Mapping[str, Any] | None = None


class Interrupted(LifecycleError):
    """The run was cancelled; nothing is lost, the same plan continues it."""

    exit_code = 130
    hint = "Run the same plan again: it continues where it was."


def provisioned(run: Run, agent: str) -> AgentProvisioned:
    """The event that an agent of a run has its workspace."""
    return AgentProvisioned(
        lifecycle_id=run.lifecycle_id,
        version=run.version,
        seq=None,
        timestamp=now(),
        agent_id=agent,
        profile=run.submission.profile.name,
    )


def progress(run: Run, agent: str, values: Mapping[str, Any]) -> TrainingProgress:
    """The event of what an agent of a run says of itself."""
    return TrainingProgress(
        lifecycle_id=run.lifecycle_id, version=run.version, seq=None, timestamp=now(), agent_id=agent, values=values
    )
