"""What a plan can set for LightGBM, under LightGBM's own names, and where it sets the rest: known without loading it."""

from __future__ import annotations

from collections.abc import Mapping

PARAMETERS: Mapping[str, str] = {
    "objective": '"regression" | "regression_l1" | "huber" | "fair" | "poisson" | "mape" | "gamma" | "tweedie" | '
    '"binary" | "multiclass"',
    "boosting": '"gbdt" | "rf" | "dart"',
    "data_sample_strategy": '"bagging" | "goss"',
    "num_iterations": "integer [1, 100000]",
    "learning_rate": "number (0, inf)",
    "num_leaves": "integer [2, 131072]",
    "max_depth": "integer [-1, 1000]",
    "min_data_in_leaf": "integer [0, 2147483647]",
    "min_sum_hessian_in_leaf": "number [0, inf)",
    "bagging_fraction": "number (0, 1]",
    "bagging_freq": "integer [0, 100000]",
    "pos_bagging_fraction": "number (0, 1]",
    "neg_bagging_fraction": "number (0, 1]",
    "feature_fraction": "number (0, 1]",
    "feature_fraction_bynode": "number (0, 1]",
    "extra_trees": "boolean",
    "lambda_l1": "number [0, inf)",
    "lambda_l2": "number [0, inf)",
    "min_gain_to_split": "number [0, inf)",
    "max_delta_step": "number [0, inf)",
    "path_smooth": "number [0, inf)",
    "top_rate": "number [0, 1]",
    "other_rate": "number [0, 1]",
    "drop_rate": "number [0, 1]",
    "max_drop": "integer [-1, 100000]",
    "skip_drop": "number [0, 1]",
    "uniform_drop": "boolean",
    "max_bin": "integer [2, 65535]",
    "min_data_in_bin": "integer [1, 2147483647]",
    "bin_construct_sample_cnt": "integer [1, 2147483647]",
    "min_data_per_group": "integer [1, 2147483647]",
    "max_cat_threshold": "integer [1, 2147483647]",
    "max_cat_to_onehot": "integer [1, 2147483647]",
    "cat_l2": "number [0, inf)",
    "cat_smooth": "number [0, inf)",
    "is_unbalance": "boolean",
    "scale_pos_weight": "number (0, inf)",
    "boost_from_average": "boolean",
    "reg_sqrt": "boolean",
    "alpha": "number (0, inf)",
    "fair_c": "number (0, inf)",
    "poisson_max_delta_step": "number (0, inf)",
    "tweedie_variance_power": "number [1, 2)",
    "early_stopping_round": "integer [0, 100000]",
    "early_stopping_min_delta": "number [0, inf)",
    "validation_fraction": "number (0, 1)",
}
"""Each parameter and its rule (`noa_mlops.trainers.rules`). ``validation_fraction`` is ours: LightGBM has no name for it."""

VALIDATION = 0.1
"""Share of the training rows that early stopping is judged on, where the plan does not say."""

ITERATIONS = 100
"""Trees, or rounds of one tree for each class, where the plan does not say."""

MANAGED: Mapping[str, str] = {
    **dict.fromkeys(
        ("seed", "bagging_seed", "data_random_seed", "drop_seed", "extra_seed", "feature_fraction_seed"),
        "the seed is the plan's own field 'seed'",
    ),
    "objective_seed": "the seed is the plan's own field 'seed'",
    "random_state": "the seed is the plan's own field 'seed'",
    "num_threads": "the number of processors is 'cpus' under 'resources'",
    "n_jobs": "the number of processors is 'cpus' under 'resources'",
    "deterministic": "equal runs give equal models anyway",
    "force_col_wise": "equal runs give equal models, so it is always set",
    "force_row_wise": "equal runs give equal models, so force_col_wise is always set",
    "device_type": "training is on the processor",
    "metric": "progress has those of our metrics that LightGBM computes; the verifier computes them all",
    "num_class": "the classes are those of the training data",
    "categorical_feature": "the types of columns are those of the dataset",
    "verbosity": "progress is reported anyway",
}
"""Parameters of LightGBM that the plan sets elsewhere, and where."""

ALIASES: Mapping[str, str] = {
    "n_estimators": "num_iterations",
    "num_boost_round": "num_iterations",
    "num_round": "num_iterations",
    "num_trees": "num_iterations",
    "max_iter": "num_iterations",
    "eta": "learning_rate",
    "loss": "objective",
    "boosting_type": "boosting",
    "max_leaf_nodes": "num_leaves",
    "min_child_samples": "min_data_in_leaf",
    "min_samples_leaf": "min_data_in_leaf",
    "min_child_weight": "min_sum_hessian_in_leaf",
    "min_split_gain": "min_gain_to_split",
    "subsample": "bagging_fraction",
    "subsample_freq": "bagging_freq",
    "subsample_for_bin": "bin_construct_sample_cnt",
    "colsample_bytree": "feature_fraction",
    "colsample_bynode": "feature_fraction_bynode",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
    "max_bins": "max_bin",
    "early_stopping_rounds": "early_stopping_round",
    "n_iter_no_change": "early_stopping_round",
    "class_weight": "is_unbalance or scale_pos_weight",
}
"""Other names that people know parameters by, of LightGBM or of its neighbours; a plan has one name for one thing."""

OF_CLASSES = ("binary", "multiclass")
"""The objectives of a classification; all others are of a regression."""
