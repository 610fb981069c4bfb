from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from pyarrow import parquet

from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.job import MESSAGE_LIMIT, Job
from trainers.workspaces import mixed_table


def read(workspace):
    return Job.read(workspace.path / "payload.json")


def test_a_job_says_what_is_asked_and_where_things_lie(training):
    workspace = training(hyperparameters={"depth": 3}, seed=7, cpus=2)
    job = read(workspace)
    assert (job.step, job.task, job.target, job.classes) == ("train", "classification", "bought", ("no", "yes"))
    assert (job.params["depth"], job.seed, job.cpus) == (3, 7, 2)
    assert job.out == workspace.out
    assert job.data.path == workspace.path / "data/train.parquet"
    assert "bought" not in [column.name for column in job.features]


def test_a_prediction_has_a_model_and_no_target_column(training, prediction):
    trained = training()
    job = read(prediction(trained))
    assert job.model == trained.out
    assert "bought" not in job.data.table().column_names


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_arrays_keep_types_and_gaps_in_both_formats(form, training):
    job = read(training(table=mixed_table(50), data_format=form))
    arrays = job.data.arrays()
    assert arrays["age"].dtype == np.float64
    assert np.isnan(arrays["age"]).any()
    assert arrays["since"].dtype.kind == "M"
    assert np.isnat(arrays["since"]).any()
    assert {"red", None} <= set(arrays["colour"])
    assert {"s", None} <= set(arrays["size"])
    assert {True, None} <= set(arrays["member"])
    assert all(len(array) == 50 for array in arrays.values())


def test_a_frame_is_there_where_pandas_is(training):
    pytest.importorskip("pandas")
    assert len(read(training()).data.frame()) == 300


def test_the_data_is_a_path_for_whoever_reads_it_in_another_way(training):
    job = read(training())
    assert parquet.read_table(job.data).num_rows == 300
    with open(job.data, "rb") as stream:
        assert stream.read(4) == b"PAR1"
    assert pa.csv.read_csv(read(training("csv", data_format="csv")).data).num_rows == 300
    assert (job.data.path.name, job.data.format, str(job.data)) == ("train.parquet", "parquet", os.fspath(job.data))


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_batches_are_the_rows_in_their_order_a_few_at_a_time(form, training):
    job = read(training(data_format=form))
    batches = list(job.data.batches(70))
    assert all(0 < batch.num_rows <= 70 for batch in batches)
    table = pa.Table.from_batches(batches)
    assert table.column("age").to_pylist() == job.data.table().column("age").to_pylist()
    assert table.column_names == job.data.table().column_names
    assert job.data.rows == 300
    with pytest.raises(ValueError, match="at least 1 row"):
        job.data.batches(0)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_data_larger_than_memory_is_read_by_batches_and_answered(form, training, prediction, tmp_path):
    """Hundreds of megabytes of numbers pass through a process that grows by less."""
    trained = training(profile="python", data_format=form, target="spent")
    (trained.path / "code" / "model.py").write_text(
        "import resource, numpy as np\n"
        "def predict(job):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    sums = [np.asarray(batch['a']).sum() for batch in job.data.batches(50_000)]\n"
        "    answer = np.full(job.data.rows, sum(sums))\n"
        "    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "    assert grown < 200_000, grown\n"
        "    return answer\n"
    )
    asked = prediction(trained, columns=[{"name": name, "type": "float"} for name in "abcdefghij"])
    random = np.random.default_rng(0)
    block = pa.table({name: random.random(250_000) for name in "abcdefghij"})
    target = asked.path / "data" / f"features.{form}"
    kind = parquet.ParquetWriter if form == "parquet" else pa.csv.CSVWriter
    with kind(target, block.schema) as writer:
        for _ in range(20 if form == "parquet" else 4):
            writer.write_table(block)
    done = asked.run("python")
    assert done.returncode == 0, done.stderr


def test_without_pandas_the_frame_names_what_to_use_instead(training):
    code = (
        "import sys\nfrom noa_mlops.trainers.job import Job\n"
        "sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "try:\n    Job.read().data.frame()\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    environment = {"NOA_PAYLOAD": str(training().path / "payload.json")}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(
        "JobInvalid job.data.frame() needs pandas, which is not installed; use job.data.table()"
    )


def test_progress_is_one_line_of_json_each_and_drops_what_is_not_finite(training):
    workspace = training()
    job = read(workspace)
    job.progress(step=1, of=10, message="x" * 10_000, loss=np.float32(0.5), accuracy=float("nan"), odd="text")
    job.progress(message='line\nbreak "quoted" \ud800')
    first, second = workspace.progress
    assert first.keys() == {"time", "step", "of", "loss", "message"}
    assert len(first["message"]) == MESSAGE_LIMIT
    assert second["message"].startswith("line\nbreak")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"schema": 2}', "has schema 2; this version reads schema 1"),
        ('{"schema": 1}', "lacks or misuses 'folders'"),
        ('{"schema": 1, "folders": {}, "step": "train", "profile": "python", "columns": [1]}', "lacks or misuses"),
    ],
)
def test_a_payload_that_breaks_the_contract_is_refused(text, said, tmp_path):
    (tmp_path / "payload.json").write_text(text)
    with pytest.raises(JobInvalid, match=said):
        Job.read(tmp_path / "payload.json")


def test_a_missing_payload_is_named(tmp_path, monkeypatch):
    with pytest.raises(JobInvalid, match=r"payload\.json cannot be read: No such file"):
        Job.read(tmp_path / "payload.json")
    monkeypatch.delenv("NOA_PAYLOAD", raising=False)
    with pytest.raises(JobInvalid, match="NOA_PAYLOAD is not set"):
        Job.read()


def test_the_payload_must_be_for_the_step_of_the_command_line(training):
    done = training(profile="python").run("python", "predict")
    assert done.returncode == 2
    assert done.stderr == "noa: the payload is for the step 'train', not 'predict'\n"


def test_starting_a_job_loads_only_the_standard_library():
    code = "import sys, noa_mlops.trainers.job, noa_mlops.trainers.command; print({'numpy', 'pyarrow', 'sklearn'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
        == "set()\n"
    )


def test_facts_about_the_columns_are_json_that_reads_back(training):
    from noa_mlops.trainers import encoding

    job = read(training())
    learnt = encoding.learn(job.data.table(), job.features, 2)
    again = encoding.from_document(json.loads(json.dumps(encoding.to_document(learnt))))
    assert again == learnt
    assert np.array_equal(
        encoding.encode(job.data.table(), again), encoding.encode(job.data.table(), learnt), equal_nan=True
    )
