"""Other data, other languages, other models: all of them go the same way and are promoted."""

import json
import os
import shutil
import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from end_to_end.projects import PLAN, rows

FOLDER = {"train": slice(0, 340), "eval": slice(340, None)}


@pytest.fixture
def diabetes(folder):
    """The diabetes data that scikit-learn brings along: 442 people, ten measurements, the disease a year later."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(as_frame=True, scaled=False).frame
    for name, part in FOLDER.items():
        data.iloc[part].to_csv(folder.path / f"data/{name}.csv", index=False)
        pq.write_table(
            pa.Table.from_pandas(data.iloc[part], preserve_index=False), folder.path / f"data/{name}.parquet"
        )
    assert folder.tell("init").status == 0
    return folder


def run(project, **changes):
    """Run the usual plan with changes; the report."""
    result = project.tell("run", project.plan(**changes), "--json")
    assert result.status == 0, result.said
    assert result.document["state"] == "champion"
    assert project.verifies()
    return result.document


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_regression_on_real_data(diabetes, form):
    report = run(
        diabetes,
        agent_profile="sklearn-regressor",
        dataset_path=f"data/train.{form}",
        target="target",
        hyperparameters={"estimator": "ridge"},
        code=None,
        evaluation={"dataset_path": f"data/eval.{form}", "metric_thresholds": {"r2": 0.35, "rmse": 65}},
    )
    assert report["metrics"]["rmse"] < 65
    manifest = json.loads((diabetes.path / report["artifact"] / "manifest.json").read_bytes())
    assert manifest["predict"]["task"] == "regression"
    assert manifest["predict"]["classes"] is None


GERMAN = """\
files: [data/{name}.csv]
format: {{delimiter: ";", decimal: ",", thousands: ".", encoding: cp1252, missing: ["", "k.A.", "?"]}}
types: {{plz: text, anmeldung: {{time: "%d.%m.%Y"}}, größe: category}}
target: gekündigt
{role}
"""


def german_rows(first: int, count: int) -> bytes:
    """Customers of a German shop: semicolons, decimal commas, German dates and words, and gaps of three kinds."""
    sizes = ["klein", "mittel", "groß", "?"]
    lines = ["kunde;plz;anmeldung;größe;umsatz;besuche;gekündigt"]
    for number in range(first, first + count):
        turnover = (number * 7919) % 2500
        amount = (
            ""
            if number % 17 == 0
            else f"{turnover // 1000}.{turnover % 1000:03},5"
            if turnover > 999
            else f"{turnover},25"
        )
        visits = "k.A." if number % 13 == 0 else str(number % 9)
        day, month = number % 28 + 1, number % 12 + 1
        gone = "ja" if turnover < 900 and number % 9 < 7 else "nein"
        fields = (number, f"0{number % 9}123", f"{day:02}.{month:02}.2024", sizes[number % 4], amount, visits, gone)
        lines.append(";".join(map(str, fields)))
    return "\n".join([*lines, ""]).encode("cp1252")


@pytest.mark.parametrize("role", ["ignore: [kunde]", "key: kunde"])
def test_a_file_with_semicolons_decimal_commas_dates_categories_and_gaps(folder, role):
    for name, first, count in (("kunden", 0, 600), ("neue", 600, 300)):
        folder.write(f"data/{name}.csv", german_rows(first, count))
        folder.write(f"data/{name}.dataset.yaml", GERMAN.format(name=name, role=role))
    assert folder.tell("init").status == 0
    report = run(
        folder,
        agent_profile="sklearn-classifier",
        dataset_path="data/kunden.dataset.yaml",
        target=None,
        positive="ja",
        hyperparameters={"estimator": "hist_gradient_boosting"},
        code=None,
        evaluation={"dataset_path": "data/neue.dataset.yaml", "metric_thresholds": {"roc_auc": 0.9, "recall": 0.8}},
    )
    manifest = json.loads((folder.path / report["artifact"] / "manifest.json").read_bytes())
    features = {feature["name"]: feature["type"] for feature in manifest["predict"]["features"]}
    assert features == {"plz": "text", "anmeldung": "time", "größe": "category", "umsatz": "float", "besuche": "int"}
    assert manifest["predict"]["positive"] == "ja"
    columns = pq.read_schema(folder.workspace("little-1") / "data/train.parquet")
    assert columns.field("anmeldung").type == pa.timestamp("us")
    assert columns.field("umsatz").type == pa.float64()


PERL = (
    """
use strict; my (%sum, %n);
open(my $in, '<', $ENV{NOA_DATA}) or die; <$in>;
while (<$in>) { chomp; my ($x, $y, $label) = split /,/; $sum{$label} += $x; $n{$label}++ }
open(my $out, '>', "$ENV{NOA_OUT}/cut") or die;
print $out ($sum{0} / $n{0} + $sum{1} / $n{1}) / 2;
""",
    """
use strict; open(my $model, '<', "$ENV{NOA_MODEL}/cut") or die; my $cut = <$model>;
open(my $in, '<', $ENV{NOA_DATA}) or die; <$in>;
open(my $out, '>', "$ENV{NOA_OUT}/predictions.csv") or die; print $out "p_0,p_1\\n";
while (<$in>) { my ($x) = split /,/; my $p = 1 / (1 + exp(-20 * ($x - $cut))); printf $out "%.9f,%.9f\\n", 1 - $p, $p }
""",
)
AWK = (
    """NR > 1 { sum[$3] += $1; n[$3]++ }
END { print (sum[0] / n[0] + sum[1] / n[1]) / 2 > (ENVIRON["NOA_OUT"] "/cut") }
""",
    """BEGIN { getline cut < (ENVIRON["NOA_MODEL"] "/cut"); out = ENVIRON["NOA_OUT"] "/predictions.csv"; print "p_0,p_1" > out }
NR > 1 { p = 1 / (1 + exp(-20 * ($1 - cut))); printf "%.9f,%.9f\\n", 1 - p, p > out }
""",
)
NODE = (
    """
const fs = require("fs"), job = JSON.parse(fs.readFileSync(process.env.NOA_PAYLOAD));
const rows = fs.readFileSync(job.data.train, "utf8").trim().split("\\n").slice(1).map(line => line.split(",").map(Number));
const mean = label => { const of = rows.filter(row => row[2] === label); return of.reduce((s, r) => s + r[0], 0) / of.length };
fs.appendFileSync(job.progress, JSON.stringify({step: 1, of: 1, message: "means"}) + "\\n");
fs.writeFileSync(job.folders.out + "/cut", String((mean(job.classes[0]) + mean(job.classes[1])) / 2));
""",
    """
const fs = require("fs"), job = JSON.parse(fs.readFileSync(process.env.NOA_PAYLOAD));
const cut = Number(fs.readFileSync(job.folders.model + "/cut", "utf8"));
const rows = fs.readFileSync(job.data.features, "utf8").trim().split("\\n").slice(1);
const p = rows.map(line => 1 / (1 + Math.exp(-20 * (Number(line.split(",")[0]) - cut))));
fs.writeFileSync(job.folders.out + "/predictions.csv", ["p_0,p_1", ...p.map(q => `${1 - q},${q}`)].join("\\n") + "\\n");
""",
)


@pytest.mark.parametrize(
    ("program", "data", "sources"),
    [
        (["perl"], {"train": [], "predict": []}, PERL),
        (["awk", "-F,", "-f"], {"train": ["data/train.csv"], "predict": ["data/features.csv"]}, AWK),
        (["node"], {"train": [], "predict": []}, NODE),
    ],
    ids=["perl", "awk", "node"],
)
def test_a_trainer_in_another_language(folder, program, data, sources):
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed here")
    folder.write("src/train", sources[0])
    folder.write("src/predict", sources[1])
    assert folder.tell("init").status == 0
    report = run(
        folder,
        hyperparameters={
            "command": [*program, "code/src/train", *data["train"]],
            "predict": [*program, "code/src/predict", *data["predict"]],
            "data_format": "csv",
        },
        code=["src/train", "src/predict"],
        resources={"memory": "4GiB"},
    )
    assert report["metrics"]["roc_auc"] > 0.9
    assert (folder.path / report["artifact"] / "code/src/train").read_text() == sources[0]


MODULE = '''
"""A threshold on one column, with a helper of its own beside it."""
import json
import numpy as np
from steps import middle


def train(job):
    table = job.data.table()
    x, y = (np.asarray(table.column(name)) for name in (job.features[0].name, job.target))
    job.progress(step=1, of=1, rows=len(x))
    (job.out / "model.json").write_text(json.dumps({"cut": middle(x, y), "gain": job.params["gain"]}))


def predict(job):
    model = json.loads((job.model / "model.json").read_text())
    x = np.asarray(job.data.table().column(job.features[0].name))
    p = 1 / (1 + np.exp(-model["gain"] * (x - model["cut"])))
    return np.column_stack([1 - p, p])
'''
STEPS = """
def middle(x, y):
    return float((x[y == 0].mean() + x[y == 1].mean()) / 2)
"""


def test_a_python_module_with_a_file_beside_it(folder):
    folder.write("src/threshold.py", MODULE)
    folder.write("src/steps.py", STEPS)
    assert folder.tell("init").status == 0
    report = run(
        folder,
        agent_profile="python",
        hyperparameters={"module": "threshold", "gain": 20},
        code=["src/threshold.py", "src/steps.py"],
    )
    artifact = folder.path / report["artifact"]
    assert json.loads((artifact / "model/model.json").read_text())["gain"] == 20
    assert (artifact / "code/src/steps.py").read_text() == STEPS
    assert json.loads((artifact / "manifest.json").read_bytes())["code_bearing"] is True


ANSWER = """
import numpy as np


def predict(job):
    cut = float((job.model / "weights/cut").read_text())
    p = 1 / (1 + np.exp(-20 * (np.asarray(job.data.table().column("x")) - cut)))
    return np.column_stack([1 - p, p])
"""
ANSWERING = """awk -F, -v cut="$(cat "$NOA_MODEL/weights/cut")" 'NR == 1 { print "prediction" } NR > 1 { print ($1 > cut) }' \\
  "$NOA_DATA" > "$NOA_OUT/predictions.csv"
"""


@pytest.mark.parametrize(
    ("metric", "contract", "file", "source"),
    [
        ("roc_auc", {"module": "answer"}, "answer.py", ANSWER),
        ("accuracy", {"predict": ["sh", "model/answer.sh"], "data_format": "csv"}, "answer.sh", ANSWERING),
    ],
    ids=["module", "program"],
)
def test_a_model_folder_made_elsewhere(folder, metric, contract, file, source):
    folder.write("theirs/weights/cut", "0.5\n")
    folder.write(f"theirs/{file}", source)
    assert folder.tell("init").status == 0
    report = run(
        folder,
        agent_profile="import",
        hyperparameters={"path": "theirs", **contract},
        code=None,
        evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {metric: 0.8}},
    )
    manifest = json.loads((folder.path / report["artifact"] / "manifest.json").read_bytes())
    assert [item["path"] for item in manifest["files"]] == [file, "weights/cut"]


def test_a_model_that_this_project_promoted_is_imported_into_another(folder, home):
    sklearn = {
        "agent_profile": "sklearn-classifier",
        "hyperparameters": {"estimator": "logistic_regression"},
        "code": None,
    }
    assert folder.tell("init").status == 0
    first = run(folder, **sklearn)
    shutil.copytree(folder.path / first["artifact"] / "model", folder.path / "theirs")
    (folder.path / "theirs").chmod(stat.S_IRWXU)
    second = run(folder, lifecycle_id="imported", agent_profile="import", hyperparameters={"path": "theirs"}, code=None)
    assert second["metrics"] == first["metrics"]
    assert second["checksum"] == first["checksum"]


@pytest.mark.parametrize("odd", ["link", "pipe", "outside", "absent"])
def test_a_model_folder_with_anything_but_plain_files_is_refused(promoted, odd):
    theirs = promoted.path / "theirs"
    theirs.mkdir()
    (theirs / "model.bin").write_bytes(b"1")
    path = "theirs"
    match odd:
        case "link":
            (theirs / "passwd").symlink_to("/etc/passwd")
        case "pipe":
            os.mkfifo(theirs / "pipe")
        case "outside":
            path = "../../etc"
        case "absent":
            path = "gone"
    before = promoted.state()
    result = promoted.tell(
        "run", promoted.plan(agent_profile="import", hyperparameters={"path": path, "module": "m"}, code=None)
    )
    assert result.status == 2, result.said
    assert "hyperparameters.path" in result.err
    assert len(result.err.splitlines()) == 2
    assert promoted.state() == before


@pytest.mark.parametrize("form", ["tsv", "jsonl", "arrow", "npz", "parquet"])
def test_every_data_format_goes_the_same_way(folder, form):
    import numpy as np
    from pyarrow import csv

    for name, count, seed in (("train", 200, 1), ("eval", 1200, 2)):
        table = csv.read_csv(pa.BufferReader(rows(count, seed).encode()))
        path = folder.path / f"data/{name}.{form}"
        match form:
            case "tsv":
                csv.write_csv(table, path, csv.WriteOptions(delimiter="\t"))
            case "jsonl":
                path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
            case "arrow":
                with pa.ipc.new_file(path, table.schema) as writer:
                    writer.write_table(table)
            case "npz":
                np.savez(path, **{column: table.column(column).to_numpy() for column in table.column_names})
            case "parquet":
                pq.write_table(table, path)
    folder.tell("init")
    evaluation = {**PLAN["evaluation"], "dataset_path": f"data/eval.{form}"}
    result = folder.tell("run", folder.plan(dataset_path=f"data/train.{form}", evaluation=evaluation), "--json")
    assert result.status == 0, result.said
    reference = folder.tell("run", folder.plan(), "--json")
    assert result.document["metrics"] == reference.document["metrics"]
    train = [
        entry["predicate"]["datasets"]["train"]
        for entry in folder.entries()
        if entry["noa_entry"]["type"] == "Submitted"
    ]
    assert train[0]["fingerprint"] == train[1]["fingerprint"]
