"""A report read back from its JSON form, to be shown again as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noa_mlops.drift.labels import Labelled, LabelReport, MetricNow
from noa_mlops.drift.report import ColumnDrift, DriftReport, SchemaChange, Test
from noa_mlops.records.drift import DriftSettings


def read_report(document: Mapping[str, Any]) -> DriftReport:
    """The report whose `to_document` this is; its numbers have the digits that it kept. Raises `ValueError`."""
    try:
        return DriftReport(
            outcome=document["verdict"],
            columns=tuple(_column(column) for column in document["columns"]),
            schema=tuple(SchemaChange(**change) for change in document["schema"]),
            rows=(document["rows"][0], document["rows"][1]),
            reference=document["reference"],
            current=document["current"],
            settings=DriftSettings.from_document(document["settings"]),
            notes=tuple(document["notes"]),
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"is no report of a scan: {error}") from error


def read_labels(document: Mapping[str, Any]) -> LabelReport:
    """The report whose `to_document` this is. Raises `ValueError`."""
    try:
        labelled = Labelled(document["rows"], document["due"], document["window"], document["min_share"])
        metrics = tuple(
            MetricNow(
                one["metric"],
                one["then"],
                one["now"],
                None if one["bounds"] is None else (one["bounds"][0], one["bounds"][1]),
                one["allowed"],
                one["finding"],
                one["why"],
                one["certain"],
            )
            for one in document["metrics"]
        )
        return LabelReport(labelled, metrics, document["problem"])
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"is no report of labels: {error}") from error


def _column(document: Mapping[str, Any]) -> ColumnDrift:
    medians, (before, now) = document["medians"], document["picture"]
    return ColumnDrift(
        name=document["name"],
        kind=document["kind"],
        is_label=document["is_label"],
        is_prediction=document.get("is_prediction", False),
        gates=document["gates"],
        tests=tuple(Test(**test) for test in document["tests"]),
        insufficient=document["insufficient"],
        rows=(document["rows"][0], document["rows"][1]),
        missing=(document["missing"][0], document["missing"][1]),
        dependence=document["dependence"],
        medians=None if medians is None else (medians[0], medians[1]),
        spread=document["spread"],
        new_categories=tuple(document["new_categories"]),
        new_share=document["new_share"],
        gone_share=document["gone_share"],
        psi=document["psi"],
        js=document["js"],
        labels=tuple(document["labels"]),
        picture=(tuple(before), tuple(now)),
    )
