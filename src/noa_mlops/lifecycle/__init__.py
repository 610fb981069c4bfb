"""The way of a plan: submitted, trained, measured, judged, promoted or not.

`next_step` is pure and says what comes next; `TrainingOrchestrator` is the one loop that does it;
`AgentLifecycleController` does what one run needs of agents and data. Nothing but a recorded decision
promotes: neither the controller nor the store can.
"""

from noa_mlops.lifecycle.bootstrap import bootstrap_default_orchestrator, open_orchestrator
from noa_mlops.lifecycle.bus import EventBus, Subscription
from noa_mlops.lifecycle.controller import AgentLifecycleController
from noa_mlops.lifecycle.orchestrator import TrainingOrchestrator
from noa_mlops.lifecycle.runs import Interrupted
from noa_mlops.lifecycle.steps import Decide, Done, Evaluate, Step, Train, next_step

__all__ = [
    "AgentLifecycleController",
    "Decide",
    "Done",
    "Evaluate",
    "EventBus",
    "Interrupted",
    "Step",
    "Subscription",
    "Train",
    "TrainingOrchestrator",
    "bootstrap_default_orchestrator",
    "next_step",
    "open_orchestrator",
]
