"""The program that stands between the runtime and its agents: ``python -I -S supervisor.py PID``, or with a module to import.

One is started for each `noa_mlops.agents.RuntimeManager` and kind of job; it forks a supervisor for every job. Without a
module it starts without ``site`` and without the package's own start-up; its neighbours use the standard library only.
"""

from __future__ import annotations

import os
import sys


def _name_the_neighbours() -> None:
    """Make ``noa_mlops.agents.*`` importable, and nothing else of the package."""
    here = os.path.dirname(os.path.abspath(__file__))
    for name, folder in (("noa_mlops", os.path.dirname(here)), ("noa_mlops.agents", here)):
        module = type(sys)(name)
        module.__path__ = [folder]
        sys.modules[name] = module


if __name__ == "__main__":
    if not sys.argv[2:]:
        _name_the_neighbours()
    from noa_mlops.agents.zygote import serve

    serve(int(sys.argv[1]), sys.argv[2:])
    os._exit(0)  # nothing is left to be tidied up
