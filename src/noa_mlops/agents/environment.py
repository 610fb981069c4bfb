"""The environment of agents: a short list of what is taken over, what their folder says, and how many threads they use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noa_mlops.agents.jobs import Job

_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false", "OMP_WAIT_POLICY": "PASSIVE"}

_SEALED = {"JOBLIB_MULTIPROCESSING": "0"}
"""Joblib asks for semaphores, which a sealed agent may not make; it decides so when it is imported."""


def of_job(job: Job) -> dict[str, str]:
    """The variables of an agent."""
    home = str(job.cwd / "tmp")
    own = {"HOME": home, "TMPDIR": home, "NOA_PAYLOAD": str(job.cwd / "payload.json")}
    quiet = _SEALED if job.isolation == "sealed" else {}
    return {**_kept(), **_threads(job.limits.cpus), **quiet, **own, **job.environment}


def of_zygote() -> dict[str, str]:
    """The variables of a process that imports for agents, and starts no thread while it does; each sets its own number."""
    return {**_kept(), **_threads(1), **_NO_THREADS, **_SEALED}


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def _threads(cpus: int) -> dict[str, str]:
    return dict.fromkeys(_THREADS, str(cpus))
