"""Where a loaded model comes from, and what its predictions need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from noa_mlops.agents import RuntimeManager
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import ArtifactRecord


@dataclass(frozen=True, slots=True)
class Source:
    """Its project, its stored version as it was checked, the normal form of its plan.

    ``hidden`` is what a sealed predictor may not see; ``runtime`` runs the predictors.
    """

    layout: Layout
    record: ArtifactRecord
    plan: bytes
    hidden: tuple[Path, ...]
    runtime: RuntimeManager
