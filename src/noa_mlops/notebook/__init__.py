"""From a notebook or a script: a pipeline in memory becomes a plan, the plan is run, the outcome can be looked at.

Nothing is run that could not be run again: the pipeline is written beside the plans under the digest of its content, and
the plan that was run can be saved.
"""

from noa_mlops.notebook.outcome import Outcome
from noa_mlops.notebook.running import run

__all__ = ["Outcome", "run"]
