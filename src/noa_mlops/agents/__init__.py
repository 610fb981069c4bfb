"""Agents: who runs, where, and with what limits.

A trainer or predictor is a program in a folder of its own. It is started by a small supervisor process that
outlives none of its children and is outlived by none; on kernels that allow it the program sees nothing but
its own folder and what it needs to start. The room writes ``storage/artifacts/workspaces`` and nothing else.

`RuntimeManager` runs a `Job` and says what became of it; the supervisor's side (`noa_mlops.agents.supervision` and
what it imports) uses the standard library only, and little of it, because every agent waits for its start.
"""

from noa_mlops.agents.ending import ending
from noa_mlops.agents.factory import Agent, AgentFactory
from noa_mlops.agents.gpus import Gpus
from noa_mlops.agents.jobs import IsolationFacts, Job, Limits, Outcome, Rung
from noa_mlops.agents.keeping import Kept, freeze_output, keep_output
from noa_mlops.agents.output import scan_output
from noa_mlops.agents.payload import Work, evaluation_payload, prediction_payload, training_payload
from noa_mlops.agents.profiles import AgentProfile, Hyperparameter
from noa_mlops.agents.runtime import RuntimeManager, best_isolation, isolation_for
from noa_mlops.agents.workspace import Workspace, is_owned

__all__ = [
    "Agent",
    "AgentFactory",
    "AgentProfile",
    "Gpus",
    "Hyperparameter",
    "IsolationFacts",
    "Job",
    "Kept",
    "Limits",
    "Outcome",
    "Rung",
    "RuntimeManager",
    "Work",
    "Workspace",
    "best_isolation",
    "ending",
    "evaluation_payload",
    "freeze_output",
    "is_owned",
    "isolation_for",
    "keep_output",
    "prediction_payload",
    "scan_output",
    "training_payload",
]
