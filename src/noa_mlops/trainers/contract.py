"""The words that every trainer shares: a column of the data, and the one error for a job that cannot be done."""

from __future__ import annotations

from dataclasses import dataclass

from noa_mlops.errors import LifecycleError


class JobInvalid(LifecycleError):
    """A job that cannot be done as it was asked for; the message names what to change."""

    exit_code = 2
    hint = "Correct the plan or the code and run the plan again."


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the data; ``type`` is float, int, bool, text, time or category."""

    name: str
    type: str
