"""Two versions side by side: their plans, the data they were trained on, and what was measured of them.

All of it is recorded: plans, measurements and the summaries of training data that lie beside promoted models. What a
version has none of is said. Metrics were measured on each version's own evaluation data; that these are other data is
said too, for then a difference need not be one of the models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from noa_mlops.audit.label_rates import label_rates
from noa_mlops.audit.measured_difference import Measured, measured_metrics, measured_slices
from noa_mlops.audit.recorded_data import summary_of
from noa_mlops.audit.views import version_view
from noa_mlops.ledger import LedgerReader, plan_of
from noa_mlops.records.documents import Json
from noa_mlops.records.layout import address

if TYPE_CHECKING:
    from noa_mlops.drift import DriftReport

Address: TypeAlias = tuple[str, int]
"""Lifecycle and number of a version."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A field of the plan with its value on both sides; None where a side does not say it."""

    field: str
    before: Json
    now: Json

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        return {"field": self.field, "before": self.before, "now": self.now}


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """The comparison of two versions; ``views`` are those that `noa show` prints.

    ``plan`` is None where a plan was taken out of the evidence; ``training`` where there are not two summaries to compare.
    """

    names: tuple[str, str]
    views: tuple[Mapping[str, Any], Mapping[str, Any]]
    plan: tuple[Changed, ...] | None
    training: DriftReport | None
    metrics: tuple[Measured, ...]
    slices: tuple[Measured, ...]
    notes: tuple[str, ...]

    def data(self, part: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """The data of both versions, ``train`` or ``evaluation``, as they were submitted."""
        before, now = (view.get("submitted", {}).get("datasets", {}).get(part) for view in self.views)
        return before, now

    def to_document(self) -> dict[str, Json]:
        """JSON form."""
        labels = None if self.training is None else label_rates(self.training)
        return {
            "before": _side(self.views[0]),
            "now": _side(self.views[1]),
            "plan": None if self.plan is None else [field.to_document() for field in self.plan],
            "data": {part: list(self.data(part)) for part in ("train", "evaluation")},
            "training": None if self.training is None else self.training.to_document(),
            "label_rates": None if labels is None else labels.to_document(),
            "metrics": [metric.to_document() for metric in self.metrics],
            "slices": [metric.to_document() for metric in self.slices],
            "not_compared": list(self.notes),
        }


def compare_versions(ledger: LedgerReader, before: Address, now: Address) -> VersionDifference:
    """Compare two versions, of one lifecycle or of two. Raises `NotFound` for one that there is not.

    Raises `ArtifactTampered` or `LedgerTampered` for a record that is not what was signed.
    """
    views = version_view(ledger, *before), version_view(ledger, *now)
    names = address(*before), address(*now)
    notes: list[str] = []
    return VersionDifference(
        names=names,
        views=views,
        plan=_plans(ledger, (before, now), notes),
        training=_training(ledger, (before, now), notes),
        metrics=measured_metrics(views),
        slices=measured_slices(views),
        notes=(*notes, *_measured_notes(names, views)),
    )


def _side(view: Mapping[str, Any]) -> dict[str, Json]:
    told = ("lifecycle_id", "version", "state", "profile", "plan_digest", "checksum")
    return {name: view[name] for name in told}


def _plans(ledger: LedgerReader, pair: tuple[Address, Address], notes: list[str]) -> tuple[Changed, ...] | None:
    """Each field that the plans do not say alike."""
    documents = []
    for one in pair:
        version = ledger.state.version(*one)
        plan = None if version is None else plan_of(ledger, version)
        if plan is None:
            notes.append(f"the plan of {address(*one)} is not to be had: plans are not compared")
            return None
        documents.append(dict(_flat(plan.to_document())))
    before, now = documents
    names = sorted(before.keys() | now.keys(), key=lambda name: (_PARTS.get(name.partition(".")[0], 9), name))
    changed = (Changed(name, before.get(name), now.get(name)) for name in names)
    return tuple(one for one in changed if one.before != one.now)


_PARTS = {"agent_profile": 0, "dataset_path": 1, "target": 2, "hyperparameters": 3, "search": 4, "evaluation": 5}
"""The order in which a plan's fields are told; the others come after these."""


def _flat(document: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Json]]:
    """Every field that is no mapping, by its path."""
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", value


def _training(ledger: LedgerReader, pair: tuple[Address, Address], notes: list[str]) -> DriftReport | None:
    """The training data of both by their summaries, by the rule of the first version's plan.

    What each model said of its own evaluation rows is left out: that two models say other things is no drift of data.
    """
    from noa_mlops.drift import scan
    from noa_mlops.records.drift import DriftSettings

    found = []
    for one in pair:
        version = ledger.state.version(*one)
        summary = None if version is None else summary_of(ledger, one[0], version)
        if summary is None:
            notes.append(f"{address(*one)} has no stored summary of its training data: they are not compared")
        else:
            found.append(replace(summary, predictions=None, calibration=None))
    if len(found) < len(pair):
        return None
    first = ledger.state.version(*pair[0])
    plan = None if first is None else plan_of(ledger, first)
    return scan(found[0], found[1], DriftSettings() if plan is None else plan.drift)


def _measured_notes(names: tuple[str, str], views: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Iterator[str]:
    for name, view in zip(names, views, strict=True):
        if "evaluation" not in view:
            yield f"{name} was not measured"
    prints = [view["evaluation"]["dataset"]["fingerprint"] for view in views if "evaluation" in view]
    if len(prints) == len(views) and prints[0] != prints[1]:
        yield "the two were measured on different data, so a difference need not be one of the models"
