"""Imports what agents of the profile torch need, once, in the process that they are forked from.

Every generator of random numbers is seeded by the step itself, before the user's code runs. The first optimizer would import
``torch._dynamo``, as long a wait as torch itself.
"""

from __future__ import annotations

import safetensors.torch  # noqa: F401
import torch._dynamo  # noqa: F401

from noa_mlops.trainers import (  # noqa: F401
    encoding,
    fitting,
    launch,
    model_facts,
    network,
    network_inputs,
    predictions,
    tables,
    targets,
)
