"""The hyperparameters of LightGBM that a plan can set, under LightGBM's names: what people choose by."""

from __future__ import annotations

from collections.abc import Mapping

from noa_mlops.records.documents import Json

LOSSES = ("regression", "regression_l1", "huber", "fair", "poisson", "mape", "gamma", "tweedie")
"""The objectives of a regression."""

CHOICES: Mapping[str, tuple[Json, ...]] = {
    "objective": (*LOSSES, "binary", "multiclass"),
    "boosting": ("gbdt", "rf", "dart"),
    "data_sample_strategy": ("bagging", "goss"),
}
"""Those that are one of a few."""

PARAMETERS: tuple[tuple[str, str, Json], ...] = (
    ("objective", "What is minimised; by default binary, multiclass or regression, as the target is", None),
    ("boosting", "How trees are added", "gbdt"),
    ("data_sample_strategy", "How rows are drawn for a tree", "bagging"),
    ("num_iterations", "Rounds at most: trees, or trees for each class", 100),
    ("learning_rate", "Weight of each tree", 0.1),
    ("num_leaves", "Leaves of a tree at most", 31),
    ("max_depth", "Levels of a tree at most; -1: no limit", -1),
    ("min_data_in_leaf", "Rows in a leaf at least", 20),
    ("min_sum_hessian_in_leaf", "Curvature of the loss in a leaf at least", 0.001),
    ("bagging_fraction", "Share of the rows that a tree is grown on", 1.0),
    ("bagging_freq", "Rounds after which rows are drawn again; 0: all rows always", 0),
    ("pos_bagging_fraction", "The same share, of rows of the second of two classes", 1.0),
    ("neg_bagging_fraction", "The same share, of rows of the first of two classes", 1.0),
    ("feature_fraction", "Share of the columns that a tree is grown on", 1.0),
    ("feature_fraction_bynode", "Share of the columns that a split chooses from", 1.0),
    ("extra_trees", "Try one threshold drawn at random for each column", False),
    ("lambda_l1", "L1 penalty on the values of leaves", 0.0),
    ("lambda_l2", "L2 penalty on the values of leaves", 0.0),
    ("min_gain_to_split", "Gain of a split at least", 0.0),
    ("max_delta_step", "Value of a leaf at most; 0: no limit", 0.0),
    ("path_smooth", "Pull of leaves of few rows towards the node above", 0.0),
    ("top_rate", "goss: share of rows of large gradient that is kept", 0.2),
    ("other_rate", "goss: share of the other rows that is drawn", 0.1),
    ("drop_rate", "dart: share of the trees that a round leaves out", 0.1),
    ("max_drop", "dart: trees left out at most; 0 or less: no limit", 50),
    ("skip_drop", "dart: probability of a round that leaves none out", 0.5),
    ("uniform_drop", "dart: every tree as likely to be left out", False),
    ("max_bin", "Bins of a column of numbers at most", 255),
    ("min_data_in_bin", "Rows in a bin at least", 3),
    ("bin_construct_sample_cnt", "Rows that bins are made from at most", 200000),
    ("min_data_per_group", "Rows of a category at least, to stand in a split", 100),
    ("max_cat_threshold", "Categories on the smaller side of a split at most", 32),
    ("max_cat_to_onehot", "Up to so many categories one is split off at a time", 4),
    ("cat_l2", "L2 penalty in splits of categories", 10.0),
    ("cat_smooth", "Pull of categories of few rows towards all others", 10.0),
    ("is_unbalance", "Two classes weigh the same, however many rows they have", False),
    ("scale_pos_weight", "Weight of the second of two classes", 1.0),
    ("boost_from_average", "Begin at the mean of the labels", True),
    ("reg_sqrt", "Learn the square root of the labels", False),
    ("alpha", "huber: where the loss turns from squares to absolute errors", 0.9),
    ("fair_c", "fair: its constant", 1.0),
    ("poisson_max_delta_step", "poisson: keeps steps small", 0.7),
    ("tweedie_variance_power", "tweedie: 1 is Poisson, towards 2 is gamma", 1.5),
    ("early_stopping_round", "Stop after so many rounds without improvement; 0: never", 0),
    ("early_stopping_min_delta", "What counts as an improvement", 0.0),
    ("validation_fraction", "Share of the training rows that stopping is judged on", 0.1),
)
"""Name, what it means, and LightGBM's default; None where the data decide."""
