"""Profiles and the agents made from them."""

import json
import subprocess
import sys

import pytest

from noa_mlops.agents import AgentFactory, AgentProfile
from noa_mlops.errors import NotFound
from noa_mlops.records.names import name_problem
from noa_mlops.trainers.estimators import KINDS, estimators

BUILTIN = {"sklearn-classifier", "sklearn-regressor", "python", "command", "import"}


def test_offers_the_built_in_profiles():
    assert set(AgentFactory().profiles()) >= BUILTIN


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_a_profile_is_complete_and_can_be_shown(name):
    profile = AgentFactory().profile(name)
    assert name_problem(profile.name) is None
    assert profile.summary
    assert profile.train[-1] == "train"
    assert profile.predict[-1] == "predict"
    document = json.loads(json.dumps(profile.to_document()))
    assert document["name"] == name
    assert all(parameter["summary"] for parameter in document["hyperparameters"])


@pytest.mark.parametrize("name", sorted(KINDS))
def test_lists_exactly_the_estimators_that_the_trainer_knows(name):
    estimator = AgentFactory().profile(name).hyperparameters[0]
    assert estimator.name == "estimator"
    assert estimator.choices == tuple(estimators(KINDS[name]))
    assert estimator.default == estimator.choices[0]
    assert len(estimator.choices) >= 6


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_the_programs_of_a_profile_are_there(name):
    for program in (AgentFactory().profile(name).train, AgentFactory().profile(name).predict):
        assert program[:3] == (sys.executable, "-I", "-m")
        done = subprocess.run([*program[:-1], "nonsense"], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "train or predict" in done.stderr


def test_names_the_nearest_profile():
    with pytest.raises(NotFound, match="did you mean 'sklearn-classifier'") as caught:
        AgentFactory().profile("sklearn-clasifier")
    assert "command" in caught.value.hint


def test_takes_a_table_of_its_own():
    own = AgentProfile(name="own", summary="Own", train=("true",), predict=("true",))
    factory = AgentFactory({"own": own})
    assert factory.profile("own") is own
    with pytest.raises(NotFound):
        factory.profile("python")


@pytest.mark.parametrize(("asked", "format"), [({}, "parquet"), ({"data_format": "csv"}, "csv")])
def test_a_command_may_ask_for_csv(asked, format):  # noqa: A002
    assert AgentFactory().profile("command").format_for(asked) == format
    assert AgentFactory().profile("python").format_for(asked) == "parquet"


def test_follows_an_agent_through_its_life(layout):
    factory = AgentFactory()
    agent = factory.provision("rainfall-1", "python", layout)
    assert (agent.state, agent.workspace) == ("created", layout.workspace("rainfall-1"))
    for state in ("running", "failed", "running", "ready", "terminated"):
        agent.advance(state)
        assert factory.agents()["rainfall-1"].state == state
    with pytest.raises(ValueError, match="cannot go from terminated to running"):
        agent.advance("running")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that offers profiles."""
    monkeypatch.syspath_prepend(str(tmp_path))
    info = tmp_path / "foreign-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")

    def offer(name, value, code):
        (info / "entry_points.txt").write_text(f"[noa_mlops.profiles]\n{name} = {value}\n")
        (tmp_path / f"{value.partition(':')[0]}.py").write_text(code)

    return offer


def test_finds_the_profiles_of_installed_packages(package):
    code = "from noa_mlops.agents import AgentProfile\np = AgentProfile('prophet', 'Series', ('a',), ('b',))\n"
    package("prophet", "foreign_one:p", code)
    assert AgentFactory().profile("prophet").summary == "Series"
    assert "prophet" in AgentFactory().profiles()


@pytest.mark.parametrize(
    ("module", "code"),
    [("foreign_two", "raise RuntimeError('broken')"), ("foreign_three", "p = 3"), ("foreign_four", "")],
)
def test_names_an_installed_profile_that_cannot_be_used(package, module, code):
    package("prophet", f"{module}:p", code)
    with pytest.raises(NotFound, match="prophet"):
        AgentFactory().profile("prophet")
    assert AgentFactory().profile("python").name == "python"


def test_an_installed_profile_cannot_take_the_place_of_a_built_in_one(package):
    package(
        "python",
        "foreign_five:p",
        "from noa_mlops.agents import AgentProfile\np = AgentProfile('python', 'x', (), ())\n",
    )
    assert AgentFactory().profile("python").train
    assert AgentFactory().profiles()["python"].train
