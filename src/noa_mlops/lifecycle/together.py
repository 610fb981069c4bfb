"""The rows that a champion was trained on, read once more, for the question that summaries cannot answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from noa_mlops.errors import LifecycleError
from noa_mlops.files import raise_trouble_behind
from noa_mlops.records.plan import TrainingPlan

if TYPE_CHECKING:
    from noa_mlops.datasets import Dataset, DatasetReader
    from noa_mlops.drift import Joint


def look_together(
    reader: DatasetReader, plan: TrainingPlan, recorded: Mapping[str, Any], current: Dataset, target: str | None
) -> Joint | str:
    """Ask a classifier about ``current`` and the training rows of a plan, or say why it cannot be asked.

    ``recorded`` is what the ledger says of the training data. Rows that are not those any more are no reference.
    """
    from noa_mlops.datasets import samples, split
    from noa_mlops.drift import tell_apart

    evaluation = plan.evaluation
    try:
        rows = reader.read(plan.dataset_path)
        if evaluation is not None and evaluation.split is not None and target is not None:
            rows = split(rows, evaluation.split, target).train
    except (OSError, LifecycleError) as error:
        raise_trouble_behind(error)
        return f"the training data cannot be read again: {error}"
    if rows.identity.fingerprint != recorded["fingerprint"]:
        return f"{plan.dataset_path} does not hold the training data any more"
    known = {target, None if evaluation is None else evaluation.key}
    return tell_apart(*samples(rows, current, (*plan.drift.ungated, *(name for name in known if name is not None))))
