"""The first minute of a newcomer, as the README tells it, on the demo's data."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import noa_mlops

ROOT = Path(__file__).parents[2]
README = ROOT.joinpath("README.md").read_text()
FEATURES = re.search(r"```python\n(.*?)```", ROOT.joinpath("docs/agents.md").read_text(), re.DOTALL)[1]
PLAN = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1]
PYTHON = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
FIRST_MINUTE = README.partition("## From Python")[0]
COMMANDS = [line.split("#")[0].split()[2:] for line in FIRST_MINUTE.splitlines() if line.startswith("$ noa ")]


@pytest.fixture
def person(tmp_path):
    """Runs a Python program in an empty folder of somebody who has data, and no keys yet."""
    project = tmp_path / "weather"
    for folder in ("data", "plans"):
        project.joinpath(folder).mkdir(parents=True)
    weather = pq.read_table(Path(noa_mlops.__file__).parent / "demo" / "rainfall.parquet")
    pq.write_table(weather.slice(0, 6000), project / "data" / "train.parquet")
    pq.write_table(weather.slice(6000, 3000), project / "data" / "holdout.parquet")
    project.joinpath("plans", "rainfall.yaml").write_text(PLAN)
    environment = {**os.environ, "NOA_KEYS": str(tmp_path / "keys")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_every_command_of_the_quickstart_does_what_it_says(person):
    assert [command[0] for command in COMMANDS] == ["init", "run", "show", "show", "verify"]
    for command in COMMANDS:
        done = person("-m", "noa_mlops", *command)
        assert done.returncode == 0, f"noa {' '.join(command)}\n{done.stdout}{done.stderr}"
    shown = json.loads(person("-m", "noa_mlops", "show", "rainfall", "--json").stdout)
    assert (shown["lifecycle_id"], shown["champion"]["version"]) == ("rainfall", 1)


def test_the_program_of_the_readme_promotes_the_same_model(person):
    done = person("-c", PYTHON)
    assert done.stdout.startswith("champion "), done.stderr
    assert person("-m", "noa_mlops", "verify").returncode == 0


def test_the_trainer_of_the_document_on_agents_is_measured(person, tmp_path):
    project = tmp_path / "weather"
    for name, days in (("train", range(400)), ("holdout", range(400, 600))):
        lines = [f"{day},{('dry', 'wet')[day % 2]},{int(day % 10 < 8) ^ (day % 2 == 0)}" for day in days]
        project.joinpath("data", f"{name}.csv").write_text("\n".join(["day,season,rain", *lines, ""]))
    project.joinpath("features.py").write_text(FEATURES)
    plan = {
        "lifecycle_id": "seasons",
        "agent_profile": "python",
        "dataset_path": "data/train.csv",
        "target": "rain",
        "code": ["features.py"],
        "evaluation": {"dataset_path": "data/holdout.csv", "metric_thresholds": {"accuracy": 0.75}},
    }
    project.joinpath("plans", "seasons.json").write_text(json.dumps(plan))
    assert person("-m", "noa_mlops", "init").returncode == 0
    done = person("-m", "noa_mlops", "run", "plans/seasons.json", "--json")
    report = json.loads(done.stdout)
    assert report["state"] == "champion", done.stdout + done.stderr
