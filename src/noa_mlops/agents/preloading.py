"""Importing once for many: what a zygote does before it forks the agents of a profile."""

from __future__ import annotations

import gc
import importlib
import os
import runpy  # noqa: F401  every agent needs it, and it is imported once here
import select
import signal

_LOOK = 0.02
"""Seconds between two looks for the runtime while importing, which is waited for by nobody else."""


def preload(module: str, runtime: int) -> None:
    """Import ``module``; end this process when the runtime, a descriptor of a process, ends meanwhile.

    Without success agents start as if nothing had been tried, and say themselves what is wrong with what they import.
    """
    gone = select.poll()
    gone.register(runtime, select.POLLIN)
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0) if gone.poll(0) else None)
    signal.setitimer(signal.ITIMER_REAL, _LOOK, _LOOK)
    try:
        importlib.import_module(module)
    except Exception:  # noqa: BLE001  whatever a package does when it is imported, agents can do without
        return
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    gc.collect()
    gc.freeze()
