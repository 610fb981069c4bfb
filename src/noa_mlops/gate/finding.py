"""What one check found: nothing, a violation, or that it cannot know."""

from __future__ import annotations

from dataclasses import dataclass

from noa_mlops.records.verdict import Violation


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check: it failed with ``violation``, or could not decide for the reason ``unsure``, or passed.

    ``noted`` is what it could not know where the plan lets that pass.
    """

    violation: Violation | None = None
    unsure: str | None = None
    noted: str | None = None


def passed() -> Finding:
    """Nothing is against the challenger here."""
    return Finding()


def undecided(reason: str) -> Finding:
    """It cannot be known from these rows."""
    return Finding(unsure=reason)
