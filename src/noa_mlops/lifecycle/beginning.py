"""A first plan for data that nobody has described: what to predict, on which rows to measure, what to reach.

The bar it sets is low on purpose, a little above knowing nothing, so that a first run says what is possible; the team
then asks for what it needs. Everything is a file to edit, and no file is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from noa_mlops.datasets import Dataset, Sources, split
from noa_mlops.datasets.inference import Remark, Roles, definition_text, examine, roles
from noa_mlops.datasets.messages import listed
from noa_mlops.files import make_directories
from noa_mlops.lifecycle.first_target import check_features, check_target, labels_of, remarks_on
from noa_mlops.lifecycle.founding import write_if_absent
from noa_mlops.records.layout import Layout
from noa_mlops.records.names import as_name
from noa_mlops.records.split import Split
from noa_mlops.records.verdict import ClassLabel
from noa_mlops.records.yaml_text import one_line, scalar

SHARE = 0.2
"""Share of the rows that a first plan holds back."""

SEED = 7
"""Seed of a first plan."""

AFFIRMATIVE = ("yes", "y", "true", "t", "1", "ja", "oui", "si", "sí", "sim", "da", "positive", "pos")
"""Labels, in lower case, that say that something is the case."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was found in a data file, and the two files that follow from it; nothing is written yet."""

    dataset: Dataset
    remarks: tuple[Remark, ...]
    classes: tuple[tuple[ClassLabel, int], ...] | None
    """The labels of the target with their rows, the commonest first; None for a regression."""
    split: Split
    rows: tuple[int, int]
    """Rows to learn from, and rows held back."""
    definition: tuple[Path, str]
    plan: tuple[Path, str]

    def differing(self) -> bool:
        """Whether a file that is there says something else than what was found now."""
        return any(path.exists() and path.read_bytes() != text.encode() for path, text in (self.definition, self.plan))

    def write(self) -> tuple[tuple[Path, bool], ...]:
        """Write what is not there yet; each path with whether it was written."""
        written = []
        for path, text in (self.definition, self.plan):
            make_directories(path.parent)
            written.append((path, write_if_absent(path, text)))
        return tuple(written)


def begin(layout: Layout, data: str, target: str) -> Beginning:
    """Look at all rows of the data file ``data`` and propose how to predict ``target``.

    Raises `DatasetInvalid` and `UnsafePath` for data that cannot be read, `PlanInvalid` when there is nothing to learn.
    """
    examined = examine(Sources(layout.project), data)
    examined.dataset.require_column(target)
    check_target(examined.dataset, target)
    found = roles(examined.dataset.table, target)
    check_features(examined.dataset, target, found)
    labels = labels_of(examined, target) if found.classes else None
    definition = replace(
        examined.dataset.definition,
        target=target,
        key=found.key,
        time=found.time,
        group=found.group,
        ignore=found.ignore,
    )
    dataset = replace(examined.dataset, definition=definition)
    held, parts = _choose(dataset, found, target)
    remarks = (*examined.remarks, *found.remarks, *remarks_on(target, labels, dataset))
    path = PurePosixPath(data)
    described = path.with_name(f"{path.stem}.dataset.yaml")
    if described.is_absolute():
        described = PurePosixPath("data", described.name)
    name = as_name(path.stem)
    return Beginning(
        dataset=dataset,
        remarks=remarks,
        classes=None if labels is None else tuple(labels),
        split=held,
        rows=parts,
        definition=(layout.project / described, definition_text(definition, dataset.table.num_rows, remarks)),
        plan=(layout.plans / f"{name}.yaml", _plan_text(name, str(described), target, labels, (held, found))),
    )


def columns(layout: Layout, data: str) -> str:
    """The columns of a data file, for a message; raises as `begin` does."""
    return listed(examine(Sources(layout.project), data).dataset.table.column_names, limit=30)


def _choose(dataset: Dataset, found: Roles, target: str) -> tuple[Split, tuple[int, int]]:
    """The first split, the most honest first, whose parts both know the classes; and its rows."""
    for held in _splits(found):
        train, evaluation = split(dataset, held, target)
        here, there = (set(part.table.column(target).unique().drop_null().to_pylist()) for part in (train, evaluation))
        rows = (train.table.num_rows, evaluation.table.num_rows)
        enough = rows[1] <= rows[0]
        if enough and (not found.classes or (len(here) > 1 and len(there) > 1 and there <= here)):
            return held, rows
    return held, rows


def _splits(found: Roles) -> Iterator[Split]:
    if found.group is not None:
        yield Split(by_group=found.group, share=SHARE, seed=SEED)
        return
    if found.time is not None:
        yield Split(by=found.time, last=SHARE)
    yield Split(share=SHARE, seed=SEED)


def _plan_text(
    name: str, data: str, target: str, labels: Sequence[tuple[ClassLabel, int]] | None, how: tuple[Split, Roles]
) -> str:
    return "\n".join(_plan_lines(name, data, target, labels, how)) + "\n"


def _plan_lines(
    name: str, data: str, target: str, labels: Sequence[tuple[ClassLabel, int]] | None, how: tuple[Split, Roles]
) -> Iterator[str]:
    held, found = how
    yield "# A first plan: it trains one model and measures it on rows that were held back. Every run makes a new version."
    yield f"lifecycle_id: {scalar(name)}"
    yield f"agent_profile: sklearn-{'regressor' if labels is None else 'classifier'}"
    yield f"dataset_path: {scalar(data)}"
    yield f"target: {scalar(target)}"
    if labels is not None and len(labels) == 2:
        yield _positive([label for label, _ in labels])
    yield "hyperparameters: {estimator: hist_gradient_boosting}"
    yield f"seed: {SEED}"
    yield "evaluation:"
    yield f"  split: {split_text(held)}"
    yield from (f"  # or:  {split_text(other)}" for other in _others(held, found))
    yield "  metric_thresholds:"
    yield f"    {_bar(None if labels is None else len(labels))}"


def _positive(labels: Sequence[ClassLabel]) -> str:
    """The line that says which of two classes counts: the one that says yes, else the larger or rarer one."""
    yes = [label for label in labels if str(label).lower() in AFFIRMATIVE]
    if len(yes) == 1:
        return f"positive: {_label(yes[0])}"
    chosen = labels[1] if isinstance(labels[1], str) else max(labels)
    other = next(label for label in labels if label != chosen)
    return f"positive: {_label(chosen)}  # the class that counts; or {one_line(_label(other))}"


def _label(label: ClassLabel) -> str:
    if isinstance(label, bool):
        return "true" if label else "false"
    return scalar(label) if isinstance(label, str) else str(label)


def _others(held: Split, found: Roles) -> Iterator[Split]:
    times = [remark.column for remark in found.remarks if remark.about == "time"]
    choices = (*_splits(found), *(Split(by=name, last=SHARE) for name in times))
    yield from (other for other in dict.fromkeys(choices) if other != held)


def split_text(held: Split) -> str:
    """A split as it stands in a plan."""
    members = (f"{name}: {_member(value)}" for name, value in held.to_document().items())
    return f"{{{', '.join(members)}}}"


def _member(value: object) -> str:
    if isinstance(value, str):
        return scalar(value)
    return f"{100 * value:g}%" if isinstance(value, float) else str(value)


def _bar(classes: int | None) -> str:
    if classes is None:
        return "r2: 0.10  # 0 is always answering the mean; ask for what you need"
    if classes == 2:
        return "roc_auc: 0.60  # 0.5 is guessing; ask for what you need"
    guessing = 1 / classes
    return f"balanced_accuracy: {min(guessing + 0.1, 0.9):.2f}  # {guessing:.2f} is guessing; ask for what you need"
