"""How a job ended, in words for the operator."""

from __future__ import annotations

from noa_mlops.agents.jobs import Outcome
from noa_mlops.records.masking import masked

_WORDS = {
    "time_limit": "was killed at its time limit",
    "memory_limit": "ran out of memory and was killed",
    "disk_limit": "wrote more than its disk limit",
    "process_limit": "started too many processes and was killed",
    "left_processes": "left processes running in the background; they were killed",
    "lost": "was lost together with its supervisor",
}

_TOLD = ("exit_status", "memory_limit", "time_limit")
"""Causes that the last line of what a job printed may explain."""


def ending(outcome: Outcome, log: str) -> str:
    """What became of a job that did not complete, to follow a name; ``log`` is the end of what it printed.

    It is recorded, so secrets in it are masked.
    """
    if outcome.cause == "exit_status":
        text = f"exited with status {outcome.exit_status}"
        if outcome.detail != f"exit status {outcome.exit_status}":
            return f"was not started: {outcome.detail}"
    elif outcome.cause == "signal":
        text = f"was killed by signal {outcome.signal}"
    else:
        text = _WORDS.get(outcome.cause, outcome.cause)
    said = f": {last}" if (last := _last_words(log)) and outcome.cause in _TOLD else ""
    detail = f" ({outcome.detail})" if outcome.detail and outcome.cause not in ("exit_status", "signal") else ""
    return f"{text}{detail}{said}"


def _last_words(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return masked(lines[-1])[:300] if lines else ""
