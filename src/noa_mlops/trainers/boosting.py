"""LightGBM held to one job: quiet, equal to the byte for equal jobs, and saying how far it is.

Equal jobs give equal models because sums are always made in one order: by columns (``force_col_wise``), with a fixed
number of threads, and with every random choice drawn from the plan's seed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from noa_mlops.records.metrics import METRICS
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.encoding import Feature, Matrix
from noa_mlops.trainers.lean import without
from noa_mlops.trainers.lightgbm_parameters import ITERATIONS, OF_CLASSES, VALIDATION

with without("dask", "pandas", "sklearn"):  # it has classes for users of these, which take seconds to import
    import lightgbm

Vector: TypeAlias = "np.ndarray[tuple[int], np.dtype[Any]]"

Tell: TypeAlias = Callable[[int, int, Mapping[str, float]], None]
"""Told the number of a round, how many there are at most, and the metrics on the validation rows."""

TOLD_EVERY = 10
"""Rounds between two reports of progress."""

OWN = ("num_iterations", "early_stopping_round", "early_stopping_min_delta", "validation_fraction")
"""Hyperparameters that are handed over another way."""

MEDIANS = ("regression_l1", "huber", "fair", "mape")
"""Objectives that aim at the middle of the labels, so that the mean absolute error says when to stop."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as numbers, and their labels: places of classes, or the values of a regression."""

    matrix: Matrix
    labels: Vector

    def at(self, chosen: Vector) -> Rows:
        """Some of the rows, by place."""
        return Rows(self.matrix[chosen], self.labels[chosen])


@dataclass(frozen=True, slots=True)
class Aim:
    """What is learnt: ``classes`` of them, 0 for a number; with ``quantile`` that one. ``features`` are the columns."""

    classes: int
    features: Sequence[Feature]
    seed: int
    cpus: int
    quantile: float | None = None

    @property
    def objective(self) -> str:
        """LightGBM's objective where the plan does not say."""
        if self.quantile is not None:
            return "quantile"
        return ("binary" if self.classes == 2 else "multiclass") if self.classes else "regression"


def divided(rows: Rows, params: Mapping[str, Any], aim: Aim) -> tuple[Rows, Rows | None]:
    """The rows to learn from, and those that early stopping is judged on; None when the plan does not stop early.

    They are drawn by the seed of the plan, the same share of every class. Raises `JobInvalid` when there are too few.
    """
    if not params.get("early_stopping_round"):
        return rows, None
    count = len(rows.labels)
    drawn = np.random.default_rng(aim.seed).permutation(count)
    groups = [drawn[rows.labels[drawn] == place] for place in range(aim.classes)] if aim.classes else [drawn]
    share = params.get("validation_fraction", VALIDATION)
    held = np.concatenate([group[: round(share * len(group))] for group in groups])
    if not 0 < len(held) < count:
        raise JobInvalid(
            f"early_stopping_round needs rows to judge by, and {share:g} of {count} rows leaves none on one side; "
            f"change validation_fraction or leave early_stopping_round out"
        )
    judged = np.zeros(count, dtype=bool)
    judged[held] = True
    return rows.at(np.flatnonzero(~judged)), rows.at(np.flatnonzero(judged))


def fit(params: Mapping[str, Any], aim: Aim, rows: Rows, judged: Rows | None, tell: Tell) -> lightgbm.Booster:
    """A fitted model of checked hyperparameters; where it is judged, the round that is kept is told last.

    Raises `JobInvalid` with what LightGBM says against it.
    """
    objective = str(params.get("objective", aim.objective))
    wanted = _metrics(objective, aim, judged)
    settings = {
        **{name: value for name, value in params.items() if name not in OWN},
        "objective": objective,
        "metric": list(wanted.values()) or ["none"],
        "seed": aim.seed % (1 << 31),
        "num_threads": aim.cpus,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
        **({"num_class": aim.classes} if objective == "multiclass" else {}),
        **({"alpha": aim.quantile} if aim.quantile is not None else {}),
    }
    rounds = int(params.get("num_iterations", ITERATIONS))
    callbacks: list[Callable[..., Any]] = [_telling(tell, rounds, wanted, judged)]
    if judged is not None and (patience := params.get("early_stopping_round")):
        least = float(params.get("early_stopping_min_delta", 0.0))
        callbacks.append(lightgbm.early_stopping(patience, first_metric_only=True, verbose=False, min_delta=least))
    codes = [place for place, feature in enumerate(aim.features) if feature.category]
    with _calling("LightGBM cannot be fitted"):
        learnt = lightgbm.Dataset(rows.matrix, rows.labels, params=settings, categorical_feature=codes)
        valid = [] if judged is None else [lightgbm.Dataset(judged.matrix, judged.labels, reference=learnt)]
        model = lightgbm.train(settings, learnt, rounds, valid_sets=valid, callbacks=callbacks)
    if judged is not None:
        tell(model.best_iteration, rounds, _ours(model.best_score["valid_0"], wanted, judged))
    return model


def answers(model: lightgbm.Booster, matrix: Matrix, classes: int, cpus: int) -> np.ndarray[Any, Any]:
    """Probabilities (n, classes), or numbers (n,). Raises `JobInvalid` when the rows are not those of the model."""
    if not len(matrix):
        return np.empty((0, classes) if classes else 0)
    with _calling("the model cannot predict"):
        found = np.asarray(model.predict(matrix, num_threads=cpus))
    return np.column_stack([1 - found, found]) if classes and found.ndim == 1 else found


def written(model: lightgbm.Booster) -> str:
    """The model as LightGBM's text, up to its best round."""
    return str(model.model_to_string(num_iteration=model.best_iteration or None))


def read(text: str) -> lightgbm.Booster:
    """The model that `written` gave. Raises `JobInvalid` for any other text."""
    with _calling("the model file is damaged or not LightGBM's"):
        return lightgbm.Booster(params={"verbosity": -1}, model_str=text)


@contextmanager
def _calling(failure: str) -> Iterator[None]:
    """Where LightGBM is called: what it raises becomes `JobInvalid`, and is not printed by it as well."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
        raise JobInvalid(f"{failure}: {_plain(error)}") from error
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class _Silent:
    """LightGBM repeats in its log what it raises; its warnings are about parameters, which are checked before."""

    def info(self, _text: str) -> None:
        """Leave it out."""

    warning = info


lightgbm.register_logger(_Silent())


def _metrics(objective: str, aim: Aim, judged: Rows | None) -> dict[str, str]:
    """Our names of the metrics on the rows ``judged``, and LightGBM's; the first one says when to stop."""
    if judged is None:
        return {}
    if aim.quantile is not None:
        return {f"pinball_{100 * aim.quantile:.6g}": "quantile"}
    if objective not in OF_CLASSES:
        first, second = (("mae", "l1"), ("rmse", "rmse")) if objective in MEDIANS else (("rmse", "rmse"), ("mae", "l1"))
        return dict((first, second))
    kind = "binary" if objective == "binary" else "multi"
    area = {"roc_auc": "auc"} if objective == "binary" and len(np.unique(judged.labels)) == 2 else {}
    return {"log_loss": f"{kind}_logloss", **area, "accuracy": f"{kind}_error"}


def _telling(tell: Tell, rounds: int, wanted: Mapping[str, str], judged: Rows | None) -> Callable[..., None]:
    """A callback of LightGBM that tells the first round, the last, and every tenth between.

    They are the same rounds in every training, so that one trial of a search can be held against others.
    """

    def after(state: Any) -> None:
        done = state.iteration + 1
        if done in (1, rounds) or done % TOLD_EVERY == 0:
            found = {name: float(value) for _, name, value, *_ in state.evaluation_result_list}
            tell(done, rounds, _ours(found, wanted, judged))

    after.order = 20  # type: ignore[attr-defined]  # before early stopping, which ends the loop by an exception
    return after


def _ours(found: Mapping[str, float], wanted: Mapping[str, str], judged: Rows | None) -> dict[str, float]:
    """What LightGBM measured, by the names of our metrics and as they are defined."""
    values = {name: found[theirs] for name, theirs in wanted.items() if name in METRICS}
    if "accuracy" in values:
        values["accuracy"] = 1 - values["accuracy"]
    if judged is not None and "rmse" in values and (spread := float(np.var(judged.labels))):
        values["r2"] = 1 - values["rmse"] ** 2 / spread
    return values


def _plain(error: BaseException) -> str:
    """What LightGBM says, in one line and without the place in its own source."""
    return " ".join(str(error).split()).partition(" at /")[0]
