"""All columns together: found where no column alone shows it, silent where nothing changed, whatever the order of rows."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.draws import autoregressive

from drift.data import signs
from noa_mlops.datasets import DatasetReader, samples, summarise, write_parquet
from noa_mlops.drift import read_report, scan, tell_apart
from noa_mlops.drift.report import TOGETHER
from noa_mlops.records.drift import DriftSettings

ROWS = 2000


@pytest.fixture
def read(tmp_path):
    """Writes a table and reads it as a dataset."""

    def write(table, definition=""):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        write_parquet(table, folder / "a.parquet")
        folder.joinpath("a.dataset.yaml").write_text(f"files: [a.parquet]\n{definition}\n")
        return DatasetReader(folder).read("a.dataset.yaml")

    return write


def going_together(correlation, seed, rows=ROWS):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=rows)
    return pa.table({"x": x, "y": correlation * x + math.sqrt(1 - correlation**2) * draw.normal(size=rows)})


def test_a_correlation_that_turned_is_seen_by_no_column_and_by_the_classifier(read):
    before, now = read(going_together(0.8, 1)), read(going_together(-0.8, 2))
    summaries = summarise(before), summarise(now)
    assert scan(*summaries).outcome == "pass"
    joint = tell_apart(*samples(before, now, ()))
    assert 0.85 < joint.area < 0.92
    report = scan(*summaries, DriftSettings(joint=True), joint)
    assert (report.outcome, report.is_certain, signs(report)) == ("fail", True, ((TOGETHER, "joint", "up"),))
    assert report.columns[0].tests[0].effect == pytest.approx(joint.area - 0.5)
    assert report.columns[0].tests[0].q == pytest.approx(joint.p * 5)
    document = json.loads(json.dumps(report.to_document()))
    assert read_report(document).to_document() == report.to_document()


def test_texts_that_go_together_in_another_way_are_seen_though_their_rows_repeat(read):
    draw = np.random.default_rng(3)
    flags = draw.integers(0, 2, (2, ROWS))
    same = pa.table({"a": flags[0].astype(str), "b": flags[0].astype(str)})
    other = pa.table({"a": flags[1].astype(str), "b": (1 - flags[1]).astype(str)})
    assert tell_apart(*samples(read(same), read(other), ())).area == pytest.approx(1.0)


def test_a_change_of_all_columns_below_the_margin_is_certain_and_no_drift(read):
    before, now = read(going_together(0.5, 1, 20_000)), read(going_together(0.3, 2, 20_000))
    joint = tell_apart(*samples(before, now, ()))
    assert joint.p < 1e-6
    report = scan(summarise(before), summarise(now), DriftSettings(joint=True), joint)
    assert (report.outcome, report.drifted) == ("pass", ())


def test_chance_alone_is_as_rare_as_its_p_says(read):
    chances = [
        tell_apart(*samples(*(read(going_together(0.8, 2 * turn + side, 500)) for side in (0, 1)), ())).p
        for turn in range(12)
    ]
    assert sum(p < 0.05 for p in chances) <= 2
    assert min(chances) > 0.001
    assert max(chances) > 0.5


def test_the_order_of_rows_says_nothing_and_one_dataset_is_like_itself(read):
    table, now = going_together(0.8, 1), read(going_together(0.2, 2))
    shuffled = table.take(np.random.default_rng(4).permutation(ROWS))
    first, second = (tell_apart(*samples(read(rows), now, ())) for rows in (table, shuffled))
    assert first == second
    assert tell_apart(*samples(now, now, ())).area == 0.5


def in_time(seed, rows):
    values = autoregressive(np.random.default_rng(seed), rows, 0.9, 4)
    at = pa.array(np.arange(rows) * 3_600_000_000, pa.timestamp("us"))
    return pa.table({"at": at, **{f"x{place}": values[:, place] for place in range(4)}})


def in_groups(seed, rows):
    draw = np.random.default_rng(seed)
    of = np.repeat(np.arange(rows // 20), 20)
    values = draw.normal(size=(rows // 20, 4))[of] + draw.normal(size=(rows, 4))
    return pa.table(
        {"who": [f"{seed}-{group}" for group in of], **{f"x{place}": values[:, place] for place in range(4)}}
    )


@pytest.mark.parametrize(("make", "definition"), [(in_time, "time: at"), (in_groups, "group: who")])
def test_rows_that_depend_on_each_other_are_learnt_from_or_asked_about_together(read, make, definition):
    before, windows = read(make(0, 8000), definition), [read(make(seed, 1000), definition) for seed in range(1, 5)]
    found = [tell_apart(*samples(before, window, ())) for window in windows]
    assert all(joint.dependence > 1.5 for joint in found)
    assert all(joint.p > 0.005 for joint in found)


def test_the_label_and_what_no_agent_sees_are_not_looked_at(read):
    table, definition = going_together(0.8, 1), "ignore: [batch]\ntarget: label\n"
    before, now = (
        read(
            table.append_column("batch", [pa.array([side] * ROWS)]).append_column("label", [pa.array([side] * ROWS)]),
            definition,
        )
        for side in (0, 1)
    )
    assert tell_apart(*samples(before, now, ())).area == 0.5
    assert tell_apart(*samples(before, now, ("x", "y"))) == "no column is left for it"


def test_values_without_end_missing_ones_and_names_without_number_are_no_trouble(read):
    draw = np.random.default_rng(5)
    odd = {
        "endless": draw.choice([np.inf, -np.inf, 0.0, 1e308, -1e308], ROWS),
        "none": pa.array([None] * ROWS, pa.float64()),
        "some": pa.array(draw.normal(size=ROWS), mask=draw.random(ROWS) < 0.5),
        "names": draw.integers(0, 10**9, ROWS).astype(str),
        "flag": pa.array(draw.random(ROWS) < 0.5, mask=draw.random(ROWS) < 0.1),
    }
    before, now = read(pa.table(odd)), read(pa.table({**odd, "names": [f"n{row}" for row in range(ROWS)]}))
    assert tell_apart(*samples(before, now, ())).p > 0.01


@pytest.mark.parametrize(
    ("reference", "current", "definition", "said"),
    [
        (ROWS, 150, "", "and 100 are needed"),
        (1, ROWS, "", "a half of one side has 0 rows"),
        (ROWS, ROWS, "time: at", "fewer than 30 groups or stretches of time"),
    ],
)
def test_too_few_rows_or_groups_are_not_asked_about(read, reference, current, definition, said):
    before, now = read(in_time(1, reference), definition), read(in_time(2, current), definition)
    why = tell_apart(*samples(before, now, ()))
    assert said in why
    report = scan(summarise(before), summarise(now), DriftSettings(joint=True), why)
    assert f"all columns together were not looked at: {why}" in report.notes
