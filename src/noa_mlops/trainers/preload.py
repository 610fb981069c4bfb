"""Imports what agents of the scikit-learn profiles need, once, in the process that they are forked from.

Each of them gets random numbers of its own from numpy's global generator, as a process that imported it would.
"""

from __future__ import annotations

import os

import numpy as np
import sklearn.ensemble
import sklearn.linear_model
import sklearn.tree  # noqa: F401

from noa_mlops.trainers import (  # noqa: F401
    encoding,
    launch,
    model_archive,
    model_facts,
    pipelines,
    predictions,
    tables,
    targets,
)

os.register_at_fork(after_in_child=np.random.seed)
