"""A promoted model in the hands of whoever uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noa_mlops.delivery.source import Source
from noa_mlops.records.layout import address
from noa_mlops.records.manifest import Manifest
from noa_mlops.records.report_html import table_html

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Model:
    """A promoted version: ``path`` is its folder in the store, ``checksum`` names its files as in the ledger.

    The bytes at ``path`` were checked when the model was loaded. Who opens them later opens what is there then;
    `predict` checks again what it uses.
    """

    path: Path
    lifecycle_id: str
    version: int
    manifest: Manifest = field(repr=False)
    checksum: str
    source: Source = field(repr=False, compare=False)

    def _repr_html_(self) -> str:
        """As notebooks show it: which version it is, and the features that it asks for."""
        contract = self.manifest.predict
        of = ", ".join(str(label) for label in contract.get("classes") or ())
        what = escape(
            f"{address(self.lifecycle_id, self.version)}   predicts {contract.get('target')}{of and f' ({of})'}"
        )
        features = table_html(("feature", "type"), [(f["name"], f["type"]) for f in contract["features"]])
        return f"<div><strong>{what}</strong><div>sha256 {escape(self.checksum)}</div>{features}</div>"

    def predict(self, rows: Any) -> Any:
        """The model's answers, one per row and in the order of ``rows``.

        ``rows`` holds the features of ``manifest.predict``, without the target, each in its type: an Arrow table or
        what offers itself as one, a pandas ``DataFrame``, a mapping from name to values, or a NumPy array (structured,
        or of two dimensions with the features in their order). The answer is an Arrow table, for a ``DataFrame`` one
        with the same index: the column ``prediction`` with a class or a number, and for a classifier that gives
        probabilities ``p_0``, ``p_1`` ... in the order of the classes; for a model that answers quantiles ``q_5``,
        ``q_50`` ... instead. The class is chosen as it was measured.

        The model runs in an isolated process, with the limits of its plan, on a private copy that is gone afterwards.
        Raises `DatasetInvalid` for other features than the model's, `ArtifactTampered` naming the file when the stored
        bytes are no longer the promoted ones, `NotFound` when this machine has not what its profile needs,
        `StepFailed` when the predictor gives no usable answer.
        """
        from noa_mlops.delivery.predicting import predict

        return predict(self.source, rows)

    def answers(self, features: pa.Table) -> pa.Table:
        """What the model's predictor wrote for each row, unjudged: ``prediction``, or ``p_0`` .. of its classes, or ``q_..``.

        ``features`` hold at least the features of ``manifest.predict``. Raises as `predict`.
        """
        from noa_mlops.delivery.predicting import answers

        return answers(self.source, features)
