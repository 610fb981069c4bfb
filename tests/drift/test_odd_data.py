"""Odd data have a verdict, and the same rows have the same report, however they are written."""

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from drift.data import normal, summary
from noa_mlops.datasets import DatasetReader, summarise
from noa_mlops.drift import scan

ROWS = 2000


def asked(report, name="x"):
    return {test.subject: test for column in report.columns if column.name == name for test in column.tests}


@pytest.mark.parametrize(("new", "outcome"), [(200, "fail"), (199, "pass"), (1, "pass")])
def test_a_new_category_counts_from_one_row_in_a_hundred(new, outcome):
    reference = np.repeat(["a", "b"], 10_000)
    current = reference.copy()
    current[:new] = "c"
    report = scan(summary(x=reference), summary(x=current))
    assert (report.outcome, asked(report)["new categories"].drifted) == (outcome, outcome == "fail")
    assert report.columns[0].new_share == pytest.approx(new / 20_000)


@pytest.mark.parametrize("gone", ["b", "b and c"])
def test_categories_that_vanish_are_named_by_the_share_that_they_had(gone):
    reference = np.repeat(["a", "b", "c", "d"], 500)
    kept = reference[~np.isin(reference, gone.split(" and "))]
    report = scan(summary(x=reference), summary(x=kept))
    assert report.outcome == "fail"
    assert report.columns[0].gone_share == pytest.approx(1 - len(kept) / len(reference))


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("reference", "current", "outcome"),
    [
        (normal(ROWS), [NAN] * ROWS, "fail"),
        ([NAN] * ROWS, [NAN] * ROWS, "inconclusive"),
        (normal(ROWS), [INF] * ROWS, "fail"),
        (normal(ROWS), [INF, -INF] * (ROWS // 2), "fail"),
        ([INF, -INF] * (ROWS // 2), normal(ROWS), "fail"),
        ([INF, -INF] * (ROWS // 2), [INF, -INF] * (ROWS // 2), "pass"),
        (np.concatenate((normal(ROWS), [INF])), normal(ROWS, seed=1), "pass"),
        (normal(ROWS), [1e308, -1e308] * (ROWS // 2), "fail"),
        ([1e308, -1e308] * (ROWS // 2), normal(ROWS), "fail"),
        (normal(ROWS) * 1e-320, normal(ROWS, seed=1) * 1e-320, "pass"),
        (normal(ROWS), [0.1], "inconclusive"),
        ([0.1], [0.1], "inconclusive"),
        ([0.1], normal(ROWS), "inconclusive"),
        (normal(ROWS), [], "inconclusive"),
        ([], normal(ROWS), "inconclusive"),
        ([], [], "inconclusive"),
    ],
)
def test_values_without_end_or_number_one_row_and_none_have_a_verdict(reference, current, outcome):
    report = scan(*(summary(x=pa.array(values, pa.float64())) for values in (reference, current)))
    assert report.outcome == outcome
    assert all(0 <= test.q <= 1 and np.isfinite(test.effect) for test in asked(report).values())


def test_nan_is_a_missing_value():
    values = np.where(np.arange(ROWS) % 5 == 0, NAN, normal(ROWS))
    missing = asked(scan(summary(x=normal(ROWS)), summary(x=values)))["missing"]
    assert (missing.effect, missing.drifted) == (pytest.approx(0.2), True)


def test_data_without_a_column_are_inconclusive():
    assert scan(summary(), summary()).outcome == "inconclusive"


def table(rows, seed, moved):
    draw = np.random.default_rng(seed)
    return pa.table(
        {
            "x": pa.array(draw.normal(size=rows) + moved, mask=draw.random(rows) < 0.1),
            "whole": draw.poisson(4, rows),
            "town": pa.array(draw.choice(["Ulm", "Köln", "Bonn"], rows), mask=draw.random(rows) < 0.02),
            "flag": draw.random(rows) < 0.3,
            "on": pa.array(draw.integers(0, 10**15, rows), pa.timestamp("us")),
        }
    )


def written(table, folder, form):
    """The same rows in another form."""
    shuffled = table.take(np.random.default_rng(9).permutation(table.num_rows))
    match form:
        case "parquet":
            pa.parquet.write_table(table, folder / "a.parquet")
        case "other row groups":
            pa.parquet.write_table(table, folder / "a.parquet", row_group_size=77)
        case "shuffled":
            pa.parquet.write_table(shuffled, folder / "a.parquet", row_group_size=1001)
        case "recompressed":
            pa.parquet.write_table(table, folder / "a.parquet", compression="zstd", use_dictionary=False)
        case "arrow":
            pa.feather.write_feather(shuffled, folder / "a.arrow", compression="lz4", chunksize=500)
        case "csv":
            pa.csv.write_csv(shuffled, folder / "a.csv")
    return next(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", ["other row groups", "shuffled", "recompressed", "arrow", "csv"])
def test_the_same_rows_have_the_same_report_to_the_byte_however_they_are_written(tmp_path, form):
    digests = []
    for way in ("parquet", form):
        summaries = []
        for name, seed, moved in (("reference", 1, 0.0), ("current", 2, 0.4)):
            folder = tmp_path / way / name
            folder.mkdir(parents=True)
            file = written(table(ROWS, seed, moved), folder, way)
            summaries.append(summarise(DatasetReader(folder).read(file)))
        report = scan(*summaries)
        assert report.outcome == "fail"
        digests.append(report.digest)
    assert digests[0] == digests[1]
