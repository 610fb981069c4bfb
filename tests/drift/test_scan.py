"""The rule: silent where nothing that matters moved, at any size; loud where it did; defined for odd data."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from drift.data import normal, signs, summary
from noa_mlops.datasets import summarise_table
from noa_mlops.drift import read_report, scan
from noa_mlops.records.drift import ColumnOverride, DriftSettings
from noa_mlops.records.summary import Blocks, DatasetSummary

ROWS = 3000


def column(report, name="x"):
    return next(column for column in report.columns if column.name == name)


def asked(report, subject, name="x"):
    return next(test for test in column(report, name).tests if test.subject == subject)


def test_a_harmless_shift_of_many_rows_is_certain_and_no_drift():
    report = scan(summary(x=normal(1_000_000, seed=1)), summary(x=normal(1_000_000, 0.02, seed=2)))
    test = asked(report, "values")
    assert (report.outcome, test.drifted) == ("pass", False)
    assert test.q < 1e-6
    assert test.effect == pytest.approx(0.02, abs=0.003)


def test_missing_values_are_a_drift_of_their_own():
    values = normal(5000)
    report = scan(summary(x=values), summary(x=pa.array(values, mask=np.arange(5000) % 10 == 0)))
    test = asked(report, "missing")
    assert (report.outcome, test.drifted, test.direction) == ("fail", True, "up")
    assert test.effect == pytest.approx(0.1)
    assert not asked(report, "values").drifted


def test_one_outlier_hides_nothing():
    reference = normal(100_000, seed=1)
    reference[0] = 1e6
    report = scan(summary(x=reference), summary(x=normal(100_000, 1.0, seed=2)))
    assert asked(report, "values").effect == pytest.approx(1.0, abs=0.05)
    assert report.is_certain


def test_a_column_that_is_mostly_one_number_is_compared():
    draw = np.random.default_rng(2)
    rain = [np.where(draw.random(ROWS) < dry, 0.0, draw.exponential(size=ROWS)) for dry in (0.9, 0.9, 0.6)]
    assert scan(summary(x=rain[0]), summary(x=rain[1])).outcome == "pass"
    assert scan(summary(x=rain[0]), summary(x=rain[2])).outcome == "fail"


def texts(rows, *levels):
    return np.array(levels)[np.random.default_rng(len(levels)).integers(0, len(levels), rows)]


def test_a_new_category_is_a_drift_however_small_its_share():
    reference = texts(20_000, "a", "b")
    current = reference.copy()
    current[::50] = "c"
    report = scan(summary(x=reference), summary(x=current))
    test = asked(report, "new categories")
    assert (report.outcome, test.drifted) == ("fail", True)
    assert (column(report).new_categories, column(report).new_share) == (("c",), pytest.approx(0.02))
    assert not asked(report, "values").drifted


def test_rare_categories_and_identifiers_are_no_new_ones():
    draw = np.random.default_rng(3)
    common = [draw.zipf(1.5, ROWS).astype(str) for _ in range(2)]
    unique = [[f"{seed}-{row}" for row in range(ROWS)] for seed in range(2)]
    report = scan(summary(x=common[0], y=unique[0]), summary(x=common[1], y=unique[1]))
    assert report.outcome == "pass"


def test_a_category_that_vanished_is_a_drift_by_its_share():
    reference, current = texts(ROWS, "a", "b", "c", "d"), texts(ROWS, "a", "b", "c")
    report = scan(summary(x=reference), summary(x=current))
    assert (report.outcome, column(report).gone_share) == ("fail", pytest.approx(0.25, abs=0.03))


@pytest.mark.parametrize(
    ("reference", "current", "outcome"),
    [
        ([None] * ROWS, [None] * ROWS, "inconclusive"),
        ([None] * ROWS, [1.0] * ROWS, "fail"),
        ([1.0] * ROWS, [None] * ROWS, "fail"),
        ([5] * ROWS, [5] * ROWS, "pass"),
        ([5] * ROWS, [6] * ROWS, "fail"),
        ([5.0] * ROWS, normal(ROWS), "fail"),
        ([float("inf")] * ROWS, [float("inf")] * ROWS, "pass"),
        ([True, False] * (ROWS // 2), [True] * ROWS, "fail"),
        ([True, False] * (ROWS // 2), [False, True] * (ROWS // 2), "pass"),
    ],
)
def test_odd_columns_have_a_verdict(reference, current, outcome):
    report = scan(summary(x=reference), summary(x=current))
    assert report.outcome == outcome
    json.dumps(report.to_document(), allow_nan=False)


@pytest.mark.parametrize(
    ("current", "change"),
    [
        ({"x": ["1", "2"] * 500}, "x was int and is text"),
        ({"x": [1, 2] * 500, "y": [1] * 1000}, "y is new (int)"),
        ({"y": [1] * 1000}, "x is gone (int)"),
    ],
)
def test_another_schema_fails_at_once(current, change):
    report = scan(summary(x=[1, 2] * 500), summary(**current))
    assert (report.outcome, report.is_certain) == ("fail", True)
    assert change in map(str, report.schema)


def test_whole_numbers_written_with_a_point_and_reordered_columns_are_no_change():
    numbers = np.arange(1000)
    reference, current = summary(x=numbers, y=numbers), summary(y=numbers, x=numbers.astype(float))
    assert scan(reference, current).outcome == "pass"


def test_labels_that_are_not_there_yet_are_no_change_of_the_schema():
    reference = DatasetSummary(1000, summary(x=range(1000), y=[0, 1] * 500).columns, target="y")
    report = scan(reference, summary(x=range(1000)))
    assert report.outcome == "pass"
    assert "the labels ('y') are not there yet" in report.notes


def test_labels_that_come_row_by_row_are_no_missing_values():
    labels = [0, 1] * 500
    reference = DatasetSummary(1000, summary(x=range(1000), y=labels).columns, target="y")
    for some in ([*labels[:20], *[None] * 980], [None] * 1000):
        assert scan(reference, summary(x=range(1000), y=pa.array(some, pa.int64()))).outcome == "pass"


def test_too_few_rows_are_inconclusive_and_never_pass():
    report = scan(summary(x=normal(20)), summary(x=normal(20, seed=1)))
    assert report.outcome == "inconclusive"
    assert "20 rows are too few" in report.notes[1]


def test_a_champion_that_was_measured_on_few_rows_leaves_no_window_inconclusive():
    few, many = (summary(prediction=normal(rows)).columns[0] for rows in (200, ROWS))
    reference = replace(summary(x=normal(ROWS)), predictions=few)
    report = scan(reference, replace(summary(x=normal(ROWS, seed=1)), predictions=many))
    assert (report.outcome, column(report, "prediction").insufficient) == ("pass", True)
    assert "rows are too few to see a change of three margins in what the champion says" in report.notes
    moved = summary(prediction=normal(ROWS, 2.0)).columns[0]
    assert scan(reference, replace(summary(x=normal(ROWS, seed=1)), predictions=moved)).outcome == "fail"


def test_time_goes_on_and_blocks_nothing():
    days = [np.arange(ROWS) * 86_400_000_000 + start * 10**15 for start in (1, 2)]
    first, second = (summary(when=pa.array(day, pa.timestamp("us")), x=normal(ROWS)) for day in days)
    report = scan(first, second)
    assert (report.outcome, column(report, "when").drifted) == ("pass", True)


def test_a_column_that_gates_nothing_is_shown_and_blocks_nothing():
    first, second = summary(x=normal(ROWS), y=normal(ROWS)), summary(x=normal(ROWS, 1.0), y=normal(ROWS))
    report = scan(first, second, DriftSettings(overrides={"x": ColumnOverride(gate=False)}))
    assert (report.outcome, [column.name for column in report.drifted], signs(report)) == ("pass", ["x"], ())


def test_dependent_rows_count_for_fewer():
    reference, current = summary(x=normal(ROWS)), summary(x=normal(200, 0.3, seed=1))
    assert scan(reference, current).outcome == "fail"
    dependent = replace(reference.columns[0], dependence=9.0)
    thinned = replace(reference, columns=(dependent,), blocks=Blocks("time", "t", 60))
    assert scan(thinned, current).outcome == "inconclusive"
    unknown = replace(thinned, blocks=Blocks("time", "t", 29))
    assert "29 blocks" in scan(unknown, reference).notes[0]
    assert scan(unknown, reference).outcome == "inconclusive"


def test_the_report_is_the_same_whatever_the_order_of_rows():
    draw = np.random.default_rng(8)
    table = pa.table({"x": normal(ROWS), "c": texts(ROWS, "a", "b")})
    shuffled = table.take(draw.permutation(ROWS))
    current = summary(x=normal(ROWS, 0.5), c=texts(ROWS, "b", "c"))
    first, second = (scan(summarise_table(rows), current) for rows in (table, shuffled))
    assert first.digest == second.digest
    assert signs(first) == (("c", "new categories", "up"), ("c", "values", "c"), ("x", "values", "up"))


def test_a_report_comes_back_from_its_document():
    report = scan(summary(x=normal(ROWS), c=texts(ROWS, "a", "b")), summary(x=normal(ROWS, 0.5), d=texts(ROWS, "a")))
    document = json.loads(json.dumps(report.to_document()))
    assert read_report(document).to_document() == report.to_document()
    del document["columns"][0]["tests"][0]["q"]
    with pytest.raises(ValueError, match="no report of a scan"):
        read_report(document)
