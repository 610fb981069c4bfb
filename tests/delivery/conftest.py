"""One project with models of several kinds, promoted once and copied for each test."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pyarrow.csv
import pytest

from end_to_end.projects import PLAN, PREDICT, Project, lay_out
from noa_mlops.records.layout import Layout

FEATURES = ["x", "n", "city"]

PICKY = 'if [ "$(wc -l < "$NOA_DATA")" = 2 ]; then echo "one row is not enough" >&2; exit 3; fi\n'
"""Makes a predictor fail that is asked about one row; it answers in any other case."""


def rows(count: int, seed: int) -> str:
    """Rows with a number, a whole number, a text, and both kinds of target."""
    draw = random.Random(seed)
    lines = ["x,n,city,label,amount"]
    for _ in range(count):
        x, n, city = draw.random(), draw.randrange(9), draw.choice(["Oslo", "Rome", "007"])
        label = int(x + 0.2 * draw.random() > 0.6)
        lines.append(f"{x:.4f},{n},{city},{label},{3 * x + n + draw.random():.4f}")
    return "\n".join(lines) + "\n"


def definition(data: str, ignore: str) -> str:
    return f'files: ["{data}"]\nignore: [{ignore}]\n'


def forest(lifecycle_id: str, **changes: object) -> dict[str, object]:
    """A plan of the sklearn profiles."""
    return {
        "lifecycle_id": lifecycle_id,
        "agent_profile": "sklearn-classifier",
        "dataset_path": "data/train.label.dataset.yaml",
        "target": "label",
        "hyperparameters": None,
        "code": None,
        "evaluation": {"dataset_path": "data/eval.label.dataset.yaml", "metric_thresholds": {"roc_auc": 0.8}},
        **changes,
    }


AMOUNT = {
    "agent_profile": "sklearn-regressor",
    "dataset_path": "data/train.amount.dataset.yaml",
    "target": "amount",
    "evaluation": {"dataset_path": "data/eval.amount.dataset.yaml", "metric_thresholds": {"r2": 0.5}},
}

COMMAND = {
    **{name: PLAN[name] for name in ("agent_profile", "code", "hyperparameters")},
    "dataset_path": "data/train.label.dataset.yaml",
    "target": "label",
    "decision_threshold": 0.9,
}

AWK_TRAIN = """\
awk -F, 'NR > 1 { sum[$4] += $1; n[$4]++ } END { print (sum[0] / n[0] + sum[1] / n[1]) / 2 }' "$NOA_DATA" > "$NOA_OUT/cut"
"""


@pytest.fixture(scope="session")
def template(tmp_path_factory, _no_real_home):
    """``little`` (a program; versions 1 and 2 promoted, 3 rejected), ``trees``, ``line``, ``nothing`` (never promoted)."""
    project = lay_out(tmp_path_factory.mktemp("template") / "project")
    for part, count, seed in (("train", 300, 1), ("eval", 120, 2)):
        project.write(f"data/{part}.csv", rows(count, seed))
        project.write(f"data/{part}.label.dataset.yaml", definition(f"data/{part}.csv", "amount"))
        project.write(f"data/{part}.amount.dataset.yaml", definition(f"data/{part}.csv", "label"))
    project.programs(train=AWK_TRAIN, predict=PICKY + PREDICT)
    strict = {"dataset_path": "data/eval.label.dataset.yaml", "metric_thresholds": {"roc_auc": 0.9999999}}
    plans = [
        (forest("little", **COMMAND), 0),
        (forest("little", **COMMAND, seed=2), 0),
        (forest("little", **(COMMAND | {"evaluation": strict})), 3),
        (forest("trees"), 0),
        (forest("line", **AMOUNT), 0),
        (forest("nothing", **(COMMAND | {"evaluation": strict})), 3),
    ]
    assert project.tell("init").status == 0
    for plan, status in plans:
        result = project.tell("run", project.plan(**plan))
        assert result.status == status, result.said
    return project.path


@pytest.fixture
def project(template, tmp_path, monkeypatch):
    """A copy whose folders are open to this test; temporary files go to ``scratch`` beside it."""
    path = tmp_path / "project"
    shutil.copytree(template, path, symlinks=True)
    for folder in (path / "storage").rglob("*"):
        if folder.is_dir():
            folder.chmod(0o755)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    return Project(path)


@pytest.fixture
def scratch(project, tmp_path):
    """What lies in the folder for temporary files."""
    return lambda: list((tmp_path / "scratch").iterdir())


@pytest.fixture
def asked(project):
    """The features of the evaluation rows, in their order."""
    convert = pyarrow.csv.ConvertOptions(column_types={"city": pyarrow.string()})
    return pyarrow.csv.read_csv(project.path / "data" / "eval.csv", convert_options=convert).select(FEATURES)


def folder_of(project: Project, lifecycle_id: str = "little", profile: str = "command", version: int = 2) -> Path:
    """The folder of a version."""
    return Layout.of(project.path).version(lifecycle_id, profile, version)
