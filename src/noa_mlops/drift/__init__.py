"""Drift: did the data move away from those that the model was made on, and by enough to matter?

Everything here is a pure function over two summaries, and for all columns together over rows of both. Nothing reads a file, a clock or the network, so a verdict can be
computed again from what was stored, years later, and comes out the same.
"""

from noa_mlops.drift.joint import Joint, tell_apart
from noa_mlops.drift.labels import Labelled, LabelReport, MetricNow, judge_labels
from noa_mlops.drift.reading import read_labels, read_report
from noa_mlops.drift.report import ColumnDrift, DriftReport, SchemaChange, Test
from noa_mlops.drift.scanning import scan
from noa_mlops.drift.weighing import Weighed, weigh

__all__ = [
    "ColumnDrift",
    "DriftReport",
    "Joint",
    "LabelReport",
    "Labelled",
    "MetricNow",
    "SchemaChange",
    "Test",
    "Weighed",
    "judge_labels",
    "read_labels",
    "read_report",
    "scan",
    "tell_apart",
    "weigh",
]
