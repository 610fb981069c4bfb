from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from noa_mlops.trainers.estimators import DEFAULT, KINDS, MANAGED, estimators
from noa_mlops.trainers.hyperparameters import check_hyperparameters
from noa_mlops.trainers.rules import accepts

EVERY = [(kind, name) for kind in KINDS.values() for name in estimators(kind)]


@pytest.mark.parametrize("profile", KINDS)
def test_every_profile_has_a_default_and_a_choice_of_estimators(profile):
    assert next(iter(estimators(KINDS[profile]))) == DEFAULT
    assert len(estimators(KINDS[profile])) >= 11
    assert check_hyperparameters(profile, {}) == ()


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_listed_hyperparameter_exists_in_scikit_learn_and_accepts_its_default(kind, name):
    estimator = estimators(kind)[name]
    defaults = getattr(importlib.import_module(estimator.module), estimator.class_name)().get_params()
    assert estimator.parameters.keys() <= defaults.keys()
    assert not estimator.parameters.keys() & MANAGED.keys()
    for parameter, rule in estimator.parameters.items():
        default = list(defaults[parameter]) if isinstance(defaults[parameter], tuple) else defaults[parameter]
        assert accepts(rule, default), parameter


def test_names_the_hyperparameter_the_estimator_and_the_nearest_name():
    (problem,) = check_hyperparameters("sklearn-classifier", {"learning_rat": 0.1})
    assert "hist_gradient_boosting" in problem
    assert "'learning_rat'" in problem.replace('"', "'")
    assert "did you mean learning_rate" in problem


def test_names_the_nearest_estimator():
    (problem,) = check_hyperparameters("sklearn-regressor", {"estimator": "randomforest"})
    assert "did you mean random_forest" in problem


@pytest.mark.parametrize(
    "value", ["abc", 0, -1, 1.5, True, [1], {"a": 1}, float("nan"), float("inf"), "__import__('os')"]
)
def test_says_what_a_wrong_value_must_be(value):
    (problem,) = check_hyperparameters("sklearn-classifier", {"max_depth": value})
    assert "hyperparameter 'max_depth' of hist_gradient_boosting must be integer [1, inf) | null" in problem


@pytest.mark.parametrize("name", ["__class__", "__init__", "; touch CANARY", "", "fit", "max_depth\0", "MAX_DEPTH"])
def test_refuses_a_name_that_is_no_hyperparameter(name):
    assert len(check_hyperparameters("sklearn-classifier", {name: 1})) == 1


@pytest.mark.parametrize("estimator", ["__class__", "os.system", "../../etc/passwd", "", None, 1, ["mlp"], {}])
def test_refuses_an_estimator_that_is_not_in_the_table(estimator):
    (problem,) = check_hyperparameters("sklearn-classifier", {"estimator": estimator, "x": 1})
    assert "is not known" in problem


def test_says_which_field_of_the_plan_sets_a_managed_parameter():
    problems = check_hyperparameters("sklearn-classifier", {"random_state": 1, "n_jobs": 2})
    assert "'seed'" in problems[0]
    assert "'cpus'" in problems[1]


def test_finds_all_problems_at_once():
    assert len(check_hyperparameters("sklearn-regressor", {"a": 1, "max_bins": 1000, "max_iter": "ten"})) == 3


@pytest.mark.parametrize(
    ("rule", "value", "accepted"),
    [
        ("number (0, 1]", 1, True),
        ("number (0, 1]", 0, False),
        ("number [0, 1)", 1, False),
        ("number [0, inf)", 10**400, False),
        ('integer [1, inf) | "sqrt"', "sqrt", True),
        ('integer [1, inf) | "sqrt"', "log2", False),
        ("list of integer [1, inf)", [3, 4], True),
        ("list of integer [1, inf)", [3, "4"], False),
        ("list of integer [1, inf)", [], False),
        ("boolean", 1, False),
        ("mapping | null", {"a": 1}, True),
    ],
)
def test_a_rule_accepts_what_it_says(rule, value, accepted):
    assert accepts(rule, value) is accepted


@pytest.mark.parametrize("argv", [None, "sh train.sh", [], [""], ["sh", 1], {"sh": 1}, ["a\0b"]])
def test_a_command_must_be_a_list_of_texts(argv):
    problems = check_hyperparameters("command", {"command": argv, "predict": ["sh"]})
    assert problems == ("hyperparameter 'command' must be a program and its arguments, as a list of texts",)


def test_a_command_may_ask_for_csv_and_nothing_else():
    argv = {"command": ["sh"], "predict": ["sh"]}
    assert check_hyperparameters("command", {**argv, "data_format": "csv"}) == ()
    assert "must be parquet or csv" in check_hyperparameters("command", {**argv, "data_format": "xlsx"})[0]


@pytest.mark.parametrize("module", ["../x", "a b", "", 3, "os;x"])
def test_a_module_must_be_a_name(module):
    assert "'module' must be the name" in check_hyperparameters("python", {"module": module})[0]


def test_a_module_given_by_its_path_is_answered_with_its_name():
    (problem,) = check_hyperparameters("import", {"path": "made", "module": "code/src/serve.py"})
    assert problem.endswith("not \"code/src/serve.py\"; write 'serve.py'")


def test_an_import_needs_a_path_and_at_most_one_way_to_predict():
    problems = check_hyperparameters("import", {"predict": ["sh"], "module": "m"})
    assert len(problems) == 2


def test_profiles_of_others_are_not_judged():
    assert check_hyperparameters("theirs", {"anything": object}) == ()


def test_checking_loads_neither_scikit_learn_nor_numpy():
    code = (
        "import sys; from noa_mlops.trainers.hyperparameters import check_hyperparameters as check;"
        "check('sklearn-classifier', {'x': 1}); print({'numpy', 'sklearn', 'pyarrow'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
        == "set()\n"
    )
