"""The notebook of the examples, run by a real kernel, and what a person sees below its cells."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from end_to_end.projects import Project
from end_to_end.test_examples import EXAMPLES

EXECUTE = [sys.executable, "-c", "from nbclient.cli import main; main()", "--inplace", "churn.ipynb"]
"""What ``jupyter execute`` runs; a process of its own, so the sockets of kernel and client are none of ours."""

LOOP = "import asyncio; assert asyncio.get_running_loop().is_running()"
IN_A_CELL = """\
from sklearn.base import BaseEstimator
class Squared(BaseEstimator):
    pass
noa.run(make_pipeline(Squared()), lifecycle="other", data="data/customers.csv", target="churned")
"""


def cell(source):
    return {"cell_type": "code", "execution_count": None, "id": f"c{len(source)}", "metadata": {}, "outputs": []} | {
        "source": source
    }


@pytest.fixture
def shop(home):
    """A copy of the example's folder."""
    shutil.copytree(EXAMPLES / "notebook", home / "shop")
    (home / "home").mkdir()
    return Project(home / "shop")


def executed(shop, before, after, own=None):
    """Run the notebook, or its first ``own`` cells, between others; how it ended, and the outputs of every cell of code."""
    path = shop.path / "churn.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"] = [*map(cell, before), *notebook["cells"][:own], *map(cell, after)]
    path.write_text(json.dumps(notebook))
    done = subprocess.run(EXECUTE, cwd=shop.path, capture_output=True, text=True, timeout=150, check=False)
    notebook = json.loads(path.read_text())
    return done, [each["outputs"] for each in notebook["cells"] if each["cell_type"] == "code"]


def shown(outputs, kind):
    return "".join("".join(output["data"].get(kind, "")) for output in outputs if "data" in output)


def printed(outputs):
    return "".join("".join(output["text"]) for output in outputs if output.get("name") == "stdout")


def test_a_notebook_shows_the_verdict_keeps_its_plan_and_asks_the_champion(shop):
    done, outputs = executed(shop, [LOOP], ["noa.load('churn')", "print(r); r.report"])
    assert done.returncode == 0, done.stderr
    _, _, verdict, saved, answers, model, report = outputs
    html = shown(verdict, "text/html")
    assert "CHAMPION</strong> churn@1" in html
    assert "<td style='text-align:left;padding:2px 12px 2px 0'>at least 0.7</td>" in html
    assert shown(verdict, "text/plain").startswith("<Outcome CHAMPION  churn@1   roc_auc 0.")
    assert "lifecycle_id: churn" in printed(saved)
    assert "<th>p_1</th>" in shown(answers, "text/html")
    assert "churn@1   predicts churned (no, yes)" in shown(model, "text/html")
    assert printed(report).startswith("CHAMPION  churn@1")
    assert shown(report, "text/html") == html
    told = shop.done("run", "plans/churn.yaml", "--dry-run", "--json").document
    (submitted,) = [e for e in shop.entries() if e["noa_entry"]["type"] == "Submitted"]
    assert told["plan_digest"] == submitted["subject"][0]["digest"]["sha256"]


def test_a_class_in_a_cell_is_told_where_to_go(shop):
    done, _ = executed(shop, [], [IN_A_CELL], own=2)
    assert done.returncode != 0
    assert "'Squared' is defined in a cell of the notebook" in done.stderr
    assert "from features import Squared" in done.stderr
    assert not (shop.path / "storage").exists()


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads((EXAMPLES / "notebook" / "churn.ipynb").read_text())["cells"]
    assert [each for each in cells if each.get("outputs") or each.get("execution_count")] == []
