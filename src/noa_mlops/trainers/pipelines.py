"""A scikit-learn pipeline around the estimator that a plan names: fill, scale, one-hot, fit."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from noa_mlops.trainers.estimators import MANAGED, Estimator

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from noa_mlops.trainers.encoding import Feature

ONE_HOT = 64
"""Columns that one category column becomes at most; rarer categories share the last one."""

RARE = 2
"""A category seen in fewer training rows has no one-hot column of its own."""

SPARSE = 10
"""Values that a numeric column needs before histogram gradient boosting is given its gaps."""

SPARSE_SHARE = 10_000
"""... and one row of this many, since its bins are made from a sample that may miss rarer values altogether."""


def build(
    estimator: Estimator, values: Mapping[str, Any], features: Sequence[Feature], *, rows: int, seed: int, cpus: int
) -> BaseEstimator:
    """An unfitted pipeline for a matrix with the columns ``features`` and ``rows`` rows.

    ``values`` are the checked hyperparameters. The seed and the processors are set where the estimator takes them.
    """
    settings = dict(values)
    codes = [i for i, feature in enumerate(features) if feature.category]
    numbers = [i for i, feature in enumerate(features) if not feature.category]
    if estimator.input == "native":
        needed = max(SPARSE, rows // SPARSE_SHARE)
        sparse = [i for i in numbers if features[i].present < needed]
        dense = [i for i in numbers if features[i].present >= needed]
        preparation = _native(codes, dense, sparse)
        settings["categorical_features"] = list(range(len(codes))) or None
    else:
        preparation = _filled(codes, numbers, scale=estimator.input == "scaled")
    pipeline = make_pipeline(preparation, _instance(estimator, settings, seed, cpus))
    if estimator.scales_target and values.get("loss") != "poisson":
        return TransformedTargetRegressor(regressor=pipeline, transformer=StandardScaler())
    return pipeline


def _instance(estimator: Estimator, settings: Mapping[str, Any], seed: int, cpus: int) -> BaseEstimator:
    instance = getattr(importlib.import_module(estimator.module), estimator.class_name)(**settings)
    takes = MANAGED.keys() & instance.get_params(deep=False).keys()
    if "random_state" in takes:
        instance.set_params(random_state=seed)
    if "n_jobs" in takes and cpus > 1 and estimator.input == "plain":
        instance.set_params(n_jobs=cpus)
    return instance


def _native(codes: list[int], dense: list[int], sparse: list[int]) -> ColumnTransformer:
    steps = [("codes", "passthrough", codes), ("numbers", "passthrough", dense), ("sparse", _imputer(), sparse)]
    return ColumnTransformer([step for step in steps if step[2]])


def _filled(codes: list[int], numbers: list[int], *, scale: bool) -> ColumnTransformer:
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=RARE, max_categories=ONE_HOT, sparse_output=False
    )
    filled = make_pipeline(_imputer(), StandardScaler()) if scale else _imputer()
    steps = [("codes", one_hot, codes), ("numbers", filled, numbers)]
    return ColumnTransformer([step for step in steps if step[2]])


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
