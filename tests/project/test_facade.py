"""The public names: few, sorted, there, and free until they are used."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import noa_mlops

HEAVY = [
    "click",
    "cryptography",
    "joblib",
    "numpy",
    "pyarrow",
    "pydantic",
    "rich",
    "ruamel",
    "scipy",
    "sklearn",
    "skops",
]


def modules_loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after ``statement`` and had not before."""
    program = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_lists_exactly_these_names():
    assert noa_mlops.__all__ == [
        "AgentFactory",
        "AgentLifecycleController",
        "ArtifactTampered",
        "CapabilityRegistry",
        "DatasetInvalid",
        "EvaluationFailed",
        "EvaluationPlan",
        "FilesystemArtifactStore",
        "LedgerConflict",
        "LedgerTampered",
        "LifecycleError",
        "LifecycleEvent",
        "NotAuthorised",
        "NotFound",
        "PipelineReport",
        "PlanInvalid",
        "RegistryConflict",
        "RuntimeManager",
        "TrainingFailed",
        "TrainingOrchestrator",
        "TrainingPlan",
        "__version__",
        "bootstrap_default_orchestrator",
        "load",
        "run",
    ]


@pytest.mark.parametrize("name", noa_mlops.__all__)
def test_finds_every_name_it_lists_and_keeps_it(name):
    value = getattr(noa_mlops, name)
    assert getattr(noa_mlops, name) is value
    assert name in dir(noa_mlops)


def test_public_errors_are_one_tree():
    errors = import_module("noa_mlops.errors")
    for name in noa_mlops.__all__:
        value = getattr(noa_mlops, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert value is getattr(errors, name)
            assert issubclass(value, noa_mlops.LifecycleError)


def test_says_which_name_it_does_not_have():
    with pytest.raises(AttributeError, match="'TrainingPlam'"):
        _ = noa_mlops.TrainingPlam


def test_importing_it_loads_three_modules():
    assert modules_loaded_by("import noa_mlops") <= {"__future__", "noa_mlops", "noa_mlops.version"}


@pytest.mark.parametrize("room", ["errors", "files", "records", "evidence", "gate", "ledger", "registry"])
def test_rooms_that_verify_and_decide_load_no_data_library(room):
    loaded = {name.partition(".")[0] for name in modules_loaded_by(f"import noa_mlops.{room}")}
    assert loaded.isdisjoint({"joblib", "numpy", "pyarrow", "pydantic", "ruamel", "scipy", "sklearn", "skops"})


def test_the_records_load_no_third_party_library():
    files = Path(noa_mlops.__file__).parent.joinpath("records").glob("*.py")
    imports = "; ".join(f"import noa_mlops.records.{file.stem}" for file in files if file.stem != "__init__")
    loaded = {name.partition(".")[0] for name in modules_loaded_by(imports)}
    assert loaded.isdisjoint(HEAVY)


def test_the_version_is_answered_without_a_command_line_library():
    program = (
        "import json, sys; sys.argv = ['noa', '--version']; before = set(sys.modules); "
        "from noa_mlops.__main__ import main; status = main(); "
        "print(json.dumps([status, sorted(set(sys.modules) - before)]))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    version, facts = result.stdout.splitlines()
    assert version == f"noa {noa_mlops.__version__}"
    assert json.loads(facts) == [0, ["__future__", "noa_mlops", "noa_mlops.__main__", "noa_mlops.version"]]


def test_the_package_answers_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "noa_mlops", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"noa {noa_mlops.__version__}\n"
