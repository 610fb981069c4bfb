"""Imports what agents of the profile lightgbm need, once, in the process that they are forked from.

Loading LightGBM starts no thread; its OpenMP runtime makes them in the first agent that uses more than one.
"""

from noa_mlops.trainers import (  # noqa: F401
    boosting,
    encoding,
    launch,
    model_facts,
    predictions,
    tables,
    targets,
)
