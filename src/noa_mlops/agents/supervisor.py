"""The program that stands between the runtime and one agent: ``python -I -S supervisor.py``.

It speaks through its standard streams (see `wire`): the job and later orders come in, a report goes out, and what it
does is written to the error stream, which is the agent's ``controller.log``. It starts without ``site`` and without
the package's own start-up; its neighbours use the standard library only.
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
    _name_the_neighbours()
    from noa_mlops.agents.supervision import supervise

    supervise()
