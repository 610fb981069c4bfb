"""Which hyperparameters a built-in profile accepts, checked before anything runs.

Only the standard library is loaded, so a plan can be checked where nothing can be trained. A name or a value is
only ever compared and passed on as data.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from noa_mlops.records.documents import Json
from noa_mlops.trainers import lightgbm_parameters as lightgbm
from noa_mlops.trainers.estimators import DEFAULT, KINDS, MANAGED, QUANTILE_SETTINGS, Estimator, estimators
from noa_mlops.trainers.network_settings import NAMES, elsewhere, settings_problems
from noa_mlops.trainers.rules import accepts

FORMATS = ("parquet", "csv")
"""The forms in which a program may ask for its data."""

SHOWN = 80
"""Characters of a wrong value that a message repeats."""


def check_hyperparameters(profile: str, hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    """Everything that is wrong with the hyperparameters of a plan, one message each; empty when nothing is.

    Says nothing about profiles that are not built in.
    """
    match profile:
        case "sklearn-classifier" | "sklearn-regressor":
            return _check_sklearn(KINDS[profile], hyperparameters)
        case "lightgbm":
            return _check_lightgbm(hyperparameters)
        case "sklearn-pipeline":
            return _check_pipeline(hyperparameters)
        case "python":
            return _check_python(hyperparameters)
        case "torch":
            return _check_torch(hyperparameters)
        case "command":
            return _check_command(hyperparameters)
        case "import":
            return _check_import(hyperparameters)
        case _:
            return ()


def check_quantiles(profile: str, hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    """Why a built-in profile cannot answer quantiles with these hyperparameters; empty when it can, or may."""
    if profile == "lightgbm":
        return _managed(dict.fromkeys(("objective", "alpha"), _QUANTILES), hyperparameters)
    if profile == "torch":
        return ("torch learns one number for each row; sklearn-regressor and python can answer quantiles",)
    if profile != "sklearn-regressor":
        return ()
    name = hyperparameters.get("estimator", DEFAULT)
    if name not in QUANTILE_SETTINGS:
        return (f"{_shown(name)} cannot learn quantiles; {', '.join(QUANTILE_SETTINGS)} can",)
    fixed, level = QUANTILE_SETTINGS[str(name)]
    return _managed(dict.fromkeys((*fixed, level), _QUANTILES), hyperparameters)


_QUANTILES = "the quantiles are the plan's own field 'quantiles'"


def check_classes(profile: str, hyperparameters: Mapping[str, Json], classes: int) -> tuple[str, ...]:
    """Why a built-in profile cannot learn so many classes, 0 for a regression, with these hyperparameters; empty when it can."""
    if profile != "lightgbm" or (objective := hyperparameters.get("objective")) is None:
        return ()
    if (objective in lightgbm.OF_CLASSES) != (classes > 0):
        learnt = f"a classification of {classes} classes" if classes else "a regression"
        return (f"objective {_shown(objective)} cannot learn {learnt}; leave it out for the usual one",)
    if objective == "binary" and classes != 2:
        return (f'objective "binary" is for two classes, not {classes}; leave it out, or take "multiclass"',)
    return ()


def _managed(managed: Mapping[str, str], hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    """The hyperparameters that are set elsewhere, and where."""
    return tuple(
        f"hyperparameter {name!r} cannot be set: {where}" for name, where in managed.items() if name in hyperparameters
    )


def check_beside(
    profile: str, hyperparameters: Mapping[str, Json], *, code: Sequence[str], gpus: int
) -> tuple[str, ...]:
    """Why hyperparameters that are right do not go with the plan's ``code`` and ``gpus``, each with the field it is about."""
    if profile.startswith("sklearn-") and gpus:
        return (f"resources.gpus: {profile} uses no GPU; leave 'gpus' out",)
    if profile != "torch":
        return ()
    problems, files = [], [name.rpartition("/")[2] for name in code if name.endswith(".py")]
    wanted = hyperparameters.get("module")
    if not files:
        problems.append("code: torch needs the Python file with the network; name it here, as in [src/net.py]")
    elif wanted is not None and f"{str(wanted).removesuffix('.py')}.py" not in files:
        problems.append(f"hyperparameters.module: {_shown(wanted)} is not among the code files: {', '.join(files)}")
    if gpus > 1:
        problems.append(f"resources.gpus: torch trains on one GPU, not {gpus}; ask for 1")
    if not gpus and hyperparameters.get("precision") == "fp16":
        problems.append("hyperparameters.precision: fp16 needs a GPU; add resources: {gpus: 1}, or use bf16")
    return tuple(problems)


def chosen_estimator(kind: str, hyperparameters: Mapping[str, Json]) -> Estimator | None:
    """The estimator that the hyperparameters name, by default the first; None when there is none of that name."""
    name = hyperparameters.get("estimator", DEFAULT)
    return estimators(kind).get(name) if isinstance(name, str) else None


def _check_sklearn(kind: str, hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    known = estimators(kind)
    estimator = chosen_estimator(kind, hyperparameters)
    if estimator is None:
        wrong = hyperparameters["estimator"]
        return (f"estimator {_shown(wrong)} is not known{_nearest(wrong, known)}; there are {', '.join(known)}",)
    given = {name: value for name, value in hyperparameters.items() if name != "estimator"}
    return (*_managed(MANAGED, given), *_broken(estimator.name, estimator.parameters, MANAGED, given))


def _broken(
    who: str, rules: Mapping[str, str], managed: Mapping[str, str], given: Mapping[str, Json]
) -> tuple[str, ...]:
    """The hyperparameters that are neither ``managed`` nor known, or break their rule."""
    found = (_problem(who, rules, name, value) for name, value in given.items() if name not in managed)
    return tuple(problem for problem in found if problem is not None)


def _problem(who: str, rules: Mapping[str, str], name: str, value: Json) -> str | None:
    rule = rules.get(name)
    if rule is None:
        listed = ", ".join(rules) or "none"
        return f"{who} has no hyperparameter {_shown(name)}{_nearest(name, rules)}; it has {listed}"
    if not accepts(rule, value):
        return f"hyperparameter {name!r} of {who} must be {rule}, not {_shown(value)}"
    return None


def _check_lightgbm(given: Mapping[str, Json]) -> tuple[str, ...]:
    managed = lightgbm.MANAGED
    renamed = tuple(
        f"hyperparameter {name!r} is written {lightgbm.ALIASES[name]}" for name in given if name in lightgbm.ALIASES
    )
    if given.get("objective") == "quantile":
        return (f"hyperparameter 'objective' cannot be \"quantile\": {_QUANTILES}",)
    rest = {name: value for name, value in given.items() if name not in lightgbm.ALIASES}
    wrong = (*_managed(managed, rest), *renamed, *_broken("lightgbm", lightgbm.PARAMETERS, managed, rest))
    return wrong or tuple(_apart(given))


def _apart(given: Mapping[str, Json]) -> Iterator[str]:
    """What each parameter allows and LightGBM cannot do together."""
    boosting = given.get("boosting")
    if boosting == "dart" and given.get("early_stopping_round"):
        yield 'boosting "dart" cannot stop early: it changes trees that it has grown; leave out early_stopping_round'
    drawn = _below_one(given, "feature_fraction") or (
        given.get("bagging_freq") and _below_one(given, "bagging_fraction")
    )
    if boosting == "rf" and not drawn:
        yield 'boosting "rf" needs feature_fraction below 1, or bagging_fraction below 1 with bagging_freq of at least 1'
    if given.get("is_unbalance") and "scale_pos_weight" in given:
        yield "is_unbalance and scale_pos_weight exclude each other"
    if not given.get("early_stopping_round"):
        for name in ("validation_fraction", "early_stopping_min_delta"):
            if name in given:
                yield f"hyperparameter {name!r} needs early_stopping_round, the rounds without improvement after which it stops"


def _below_one(given: Mapping[str, Json], name: str) -> bool:
    return isinstance(value := given.get(name), float) and value < 1


def _check_pipeline(hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    problems = [
        f"sklearn-pipeline has no hyperparameter {_shown(name)}{_nearest(name, _PIPELINE)}; it has {', '.join(_PIPELINE)} "
        "and the parameters of the pipeline, such as step__parameter"
        for name in hyperparameters
        if name not in _PIPELINE and (not name.isidentifier() or _nearest(name, _PIPELINE))
    ]
    if not isinstance(path := hyperparameters.get("pipeline"), str) or not path.endswith(".skops"):
        problems.append("hyperparameter 'pipeline' must name the .skops file, which stands under 'code' too")
    trusted = hyperparameters.get("trusted", ())
    if isinstance(trusted, str) or not isinstance(trusted, Sequence) or not all(isinstance(t, str) for t in trusted):
        problems.append("hyperparameter 'trusted' must be a list of types, such as package.module.Name")
    return tuple(problems)


_PIPELINE = ("pipeline", "trusted")


def pipeline_parameters(hyperparameters: Mapping[str, Json]) -> dict[str, Json]:
    """Those of the hyperparameters of sklearn-pipeline that are parameters of the pipeline itself."""
    return {name: value for name, value in hyperparameters.items() if name not in _PIPELINE}


def _check_python(hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    module = hyperparameters.get("module")
    if module is None or (isinstance(module, str) and module.removesuffix(".py").isidentifier()):
        return ()
    file = module.rpartition("/")[2] if isinstance(module, str) else ""
    meant = f"; write {file!r}" if file.removesuffix(".py").isidentifier() else ""
    return (
        f"hyperparameter 'module' must be the name of a Python file among the code files, not {_shown(module)}{meant}",
    )


def _check_torch(hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    strangers = [
        f"torch has no hyperparameter {_shown(name)}{elsewhere(name) or _nearest(name, NAMES)}; it has {', '.join(NAMES)}"
        for name in hyperparameters
        if name not in NAMES
    ]
    return (*strangers, *_check_python(hyperparameters), *settings_problems(hyperparameters))


def _check_command(hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    problems = [
        f"hyperparameter {name!r} must be a program and its arguments, as a list of texts{_meant(name, hyperparameters)}"
        for name in ("command", "predict")
        if not _is_argument_list(hyperparameters.get(name))
    ]
    return (*problems, *_check_format(hyperparameters))


def _check_import(hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    problems = []
    if not isinstance(path := hyperparameters.get("path"), str) or not path:
        problems.append("hyperparameter 'path' must name the folder of the model, beneath the project")
    if "predict" in hyperparameters and not _is_argument_list(hyperparameters["predict"]):
        problems.append("hyperparameter 'predict' must be a program and its arguments, as a list of texts")
    if "predict" in hyperparameters and "module" in hyperparameters:
        problems.append("hyperparameters 'predict' and 'module' exclude each other")
    return (*problems, *_check_python(hyperparameters), *_check_format(hyperparameters))


def _check_format(hyperparameters: Mapping[str, Json]) -> tuple[str, ...]:
    if (form := hyperparameters.get("data_format", "parquet")) in FORMATS:
        return ()
    return (f"hyperparameter 'data_format' must be {' or '.join(FORMATS)}, not {_shown(form)}",)


def _is_argument_list(value: Json) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value or value[0] == "":
        return False
    return all(isinstance(item, str) and "\0" not in item for item in value)


def _nearest(wrong: Json, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(wrong, list(known), n=2, cutoff=0.6) if isinstance(wrong, str) else []
    return f", did you mean {' or '.join(near)}" if near else ""


def _meant(name: str, given: Mapping[str, Json]) -> str:
    near = () if name in given else difflib.get_close_matches(name, list(given), n=1, cutoff=0.7)
    return f"; is {near[0]!r} meant for it?" if near else ""


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
