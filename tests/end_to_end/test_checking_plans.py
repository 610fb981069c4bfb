"""Plans are checked before they are committed: by their text alone, with no project, no key, no data and no trainer."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from end_to_end.projects import told

ROOT = Path(__file__).parents[2]
(HOOK,) = YAML(typ="safe").load(ROOT.joinpath(".pre-commit-hooks.yaml").read_text())

GOOD = """\
lifecycle_id: rainfall
agent_profile: sklearn-classifier
dataset_path: data/train.parquet
target: rain
hyperparameters:
  estimator: hist_gradient_boosting
evaluation:
  dataset_path: data/holdout.parquet
  metric_thresholds: {roc_auc: 0.80}
"""

BAD = {
    "an unknown field": (GOOD.replace("hyperparameters:", "hyperparamters:"), "5:1  unknown field 'hyperparamters'"),
    "a threshold that is no number": (GOOD.replace("0.80", '"0.8x"'), "9:32  evaluation.metric_thresholds.roc_auc"),
    "a hyperparameter of another estimator": (
        GOOD.replace("  estimator: hist_gradient_boosting", "  estimator: hist_gradient_boosting\n  n_neighbors: 3"),
        "5:1  'hyperparameters': ",
    ),
    "an unknown profile": (
        GOOD.replace("sklearn-classifier", "sklearn-clasifier"),
        "did you mean 'sklearn-classifier'?",
    ),
    "no text at all": ("", "is empty"),
}


def hook(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    """The hook's entry with the names of changed files, as pre-commit runs it at the top of a checkout."""
    program, *arguments = shlex.split(HOOK["entry"])
    command = [str(Path(sys.executable).parent / program), *arguments, *files]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def folder(tmp_path):
    tmp_path.joinpath("plans").mkdir()
    tmp_path.joinpath("plans/rainfall.yaml").write_text(GOOD)
    tmp_path.joinpath("train.dataset.yaml").write_text("files: [train.parquet]\nkey: id\n")
    return tmp_path


def test_the_hook_is_content_with_good_plans_and_definitions_and_leaves_nothing_behind(folder):
    before = sorted(folder.rglob("*"))
    ran = hook(folder, "plans/rainfall.yaml", "train.dataset.yaml")
    assert (ran.returncode, ran.stdout) == (0, "2 checked, no mistake\n"), ran.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_the_hook_stops_a_plan_with_a_mistake_and_names_its_line(folder, text, said):
    folder.joinpath("plans/bad.yaml").write_text(text)
    ran = told("schema", "--check", "plans/rainfall.yaml", "plans/bad.yaml", "-C", str(folder))
    assert ran.status == 2
    assert "plans/bad.yaml" in ran.err
    assert said in ran.err
    assert "rainfall.yaml" not in ran.err


def test_every_mistake_of_every_file_is_told_at_once(folder):
    folder.joinpath("plans/one.yaml").write_text(BAD["an unknown field"][0].replace("0.80", '"0.8x"'))
    folder.joinpath("plans/two.json").write_text("{")
    folder.joinpath("bad.dataset.yaml").write_text("files: [a.csv]\nkeys: id\n")
    folder.joinpath("noa.yaml").write_text("name: churn\nschedules: {}\n")
    names = ("plans/one.yaml", "plans/two.json", "bad.dataset.yaml", "noa.yaml", "plans/gone.yaml")
    ran = hook(folder, *names)
    assert ran.returncode == 2
    assert [ran.stderr.count(f"{name}:") for name in names[:4]] == [2, 1, 1, 1]
    assert "plans/gone.yaml  cannot be read" in ran.stderr
    assert "6 errors, nothing was run" in ran.stderr
    document = told("schema", "--check", *names, "--json", "-C", str(folder)).document
    assert (document["checked"], len(document["problems"])) == (5, 6)


def test_the_hook_is_asked_about_plans_and_definitions_and_nothing_else():
    about = re.compile(HOOK["files"])
    for name in (
        "plans/rainfall.yaml",
        "churn/plans/a.json",
        "data/train.dataset.yaml",
        "x.dataset.json",
        "noa.yaml",
        "churn/noa.yaml",
    ):
        assert about.search(name), name
    for name in (
        "plans/README.md",
        "policy.yaml",
        "my-noa.yaml",
        "plans/src/net.yaml",
        "data/train.yaml",
        "myplans/a.yaml",
    ):
        assert not about.search(name), name


def test_nothing_that_trains_is_needed(folder):
    """What the core alone brings is enough: a commit hook is installed without the extras."""
    names = ["numpy", "pyarrow", "sklearn", "lightgbm", "torch", "optuna", "pandas"]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({names!r})); from noa_mlops.cli.app import main; "
        "sys.exit(main(['schema', '--check', 'plans/rainfall.yaml']))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_on_github_each_mistake_is_annotated_at_its_line(folder, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    folder.joinpath("plans/bad.yaml").write_text(BAD["an unknown field"][0])
    said = told("schema", "--check", "plans/bad.yaml", "-C", str(folder)).err
    assert "::error file=plans/bad.yaml,line=5,col=1,title=noa%3A plan::unknown field 'hyperparamters'" in said


def test_the_schema_is_printed_as_before():
    assert json.loads(told("schema").out) == json.loads(told("schema", "plan").out)
    assert json.loads(told("schema", "dataset").out) != json.loads(told("schema").out)
    assert told("schema", "plans/rainfall.yaml").status == 2
