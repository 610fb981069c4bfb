"""A loaded model answers as it was measured, from verified bytes only, and leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import noa_mlops
from delivery.conftest import folder_of
from noa_mlops.errors import ArtifactTampered, DatasetInvalid, StepFailed


@pytest.mark.parametrize("name", ["little", "trees"])
def test_a_classifier_gives_the_probabilities_that_were_measured(project, asked, scratch, name):
    model = noa_mlops.load(name, project.path)
    answers = model.predict(asked)
    measured = pq.read_table(model.path / "predictions.parquet")
    assert answers.column_names == ["prediction", "p_0", "p_1"]
    for column in ("p_0", "p_1"):
        assert np.allclose(answers.column(column), measured.column(column), rtol=0, atol=1e-9)
    assert scratch() == []


def test_a_class_is_chosen_by_the_threshold_of_the_plan(project, asked):
    answers = noa_mlops.load("little", project.path).predict(asked)
    positive = answers.column("p_1").to_numpy() >= 0.9
    assert answers.column("prediction").to_pylist() == positive.astype(int).tolist()
    assert (answers.column("p_1").to_numpy()[~positive] > 0.5).any()


def test_a_regressor_gives_the_numbers_that_were_measured(project, asked):
    model = noa_mlops.load("line", project.path)
    answers = model.predict(asked)
    measured = pq.read_table(model.path / "predictions.parquet")
    assert answers.column_names == ["prediction"]
    assert np.allclose(answers.column("prediction"), measured.column("prediction"), rtol=0, atol=1e-9)


FORMS = {
    "record batch": lambda table: table.combine_chunks().to_batches()[0],
    "mapping": lambda table: table.to_pydict(),
    "other order and wider type": lambda table: table.select(["city", "x", "n"]).set_column(
        2, "n", table.column("n").cast(pa.float64())
    ),
    "array of objects": lambda table: np.array([list(row.values()) for row in table.to_pylist()], dtype=object),
    "structured array": lambda table: table.to_pandas().to_records(index=False),
    "dictionary-encoded": lambda table: table.set_column(2, "city", table.column("city").dictionary_encode()),
}


@pytest.mark.parametrize("form", FORMS)
def test_takes_rows_in_many_forms(project, asked, form):
    model = noa_mlops.load("little", project.path)
    assert model.predict(FORMS[form](asked)).equals(model.predict(asked))


def test_answers_a_data_frame_with_a_data_frame_of_the_same_index(project, asked):
    model = noa_mlops.load("little", project.path)
    frame = asked.to_pandas()
    frame.index = [f"row {number}" for number in range(len(frame))][::-1]
    answers = model.predict(frame)
    assert isinstance(answers, pd.DataFrame)
    assert list(answers.index) == list(frame.index)
    assert pa.Table.from_pandas(answers, preserve_index=False).to_pydict() == model.predict(asked).to_pydict()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"x": [0.5, 0.6], "n": [1, 2]}, "(?m)it lacks 'city'$"),
        ({"x": [0.5], "n": [1], "city": ["Oslo"], "label": [1]}, "it has 'label' beyond them"),
        ({"x": ["high"], "n": [1], "city": ["Oslo"]}, "has 'x' as text, not float"),
        ({"x": [0.5], "n": [1.5], "city": ["Oslo"]}, "has 'n' as float, not int"),
        ({"x": [0.5], "n": [1], "city": [7]}, "has 'city' as int, not text"),
        ({"x": [[0.5]], "n": [1], "city": ["Oslo"]}, "column 'x' holds"),
        ({"x": [0.5, 0.6], "n": [1], "city": ["Oslo"]}, "cannot be read as a table"),
        ({"x": [], "n": [], "city": []}, "there are no rows"),
        ({}, "it lacks 'x', 'n', 'city'"),
        (np.zeros((3, 2)), r"shape \(3, 2\) has not the 3 features x, n, city"),
        (np.zeros(3), r"shape \(3,\)"),
        (7, "type int"),
        ("rows.csv", "type str"),
        (None, "type NoneType"),
        (pa.table([[1.0], [2.0]], names=["x", "x"]), "the column 'x' twice"),
    ],
)
def test_refuses_other_features_than_the_model_has(project, scratch, rows, said):
    with pytest.raises(DatasetInvalid, match=said):
        noa_mlops.load("little", project.path).predict(rows)
    assert scratch() == []


@pytest.mark.parametrize("name", ["model/cut", "code/src/predict.sh"])
def test_refuses_bytes_that_changed_after_the_model_was_loaded(project, asked, scratch, name):
    model = noa_mlops.load("little", project.path)
    path = folder_of(project) / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))
    with pytest.raises(ArtifactTampered, match=name):
        model.predict(asked)
    assert scratch() == []


def test_a_predictor_that_fails_is_told_with_its_last_words(project, asked, scratch):
    model = noa_mlops.load("little", project.path)
    with pytest.raises(StepFailed, match=r"exited with status 3: one row is not enough") as caught:
        model.predict(asked.slice(0, 1))
    assert caught.value.cause == "exit_status"
    assert scratch() == []
    assert model.predict(asked).num_rows == asked.num_rows


def test_writes_nothing_into_the_project(project, asked):
    model = noa_mlops.load("little", project.path)
    before = project.state()
    model.predict(asked)
    assert project.state() == before
