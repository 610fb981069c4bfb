"""What training a recorded version again came to: the same bytes, other bytes that answer as well, or another model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Sameness: TypeAlias = Literal["bit-equal", "equal", "different"]
"""``bit-equal``: the recorded checksum; ``equal``: other files, shown to be as good in every metric; else ``different``."""

EXIT_CODES: Mapping[Sameness, int] = {"bit-equal": 0, "equal": 0, "different": 4}
"""The exit status of ``noa run LIFECYCLE@N --reproduce``."""

REDACTED = "redacted"
"""What is recorded in a `Change` where the object that said it was taken out of the evidence."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not as it was recorded; None on the side where there is no such thing."""

    name: str
    recorded: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class MetricAgain:
    """One metric of a recorded version and of the model that was trained again, on the same rows.

    ``improvement`` says how much better the new model is, its sign turned so that more is better, with the 90 % interval
    from ``lower`` to ``upper``; ``margin`` is half the width of the recorded metric's own 90 % interval. ``equal`` when
    the difference is shown to be smaller than that, or nothing moved on any row, which needs no interval; ``reason`` says
    why it is or is not.
    """

    metric: str
    recorded: float | None
    now: float | None
    equal: bool
    reason: str
    improvement: float | None = None
    lower: float | None = None
    upper: float | None = None
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """The answers of both models to the recorded evaluation rows, ``differing`` of which they answer otherwise.

    ``differing`` is None when the recorded answers are not here any more.
    """

    rows: int
    differing: int | None
    metrics: tuple[MetricAgain, ...]

    @property
    def equal(self) -> bool:
        """Whether the new model is shown to be as good as the recorded one; without any metric nothing is shown."""
        return self.differing == 0 or (bool(self.metrics) and all(metric.equal for metric in self.metrics))


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A version trained again from its record; nothing but a workspace was written.

    ``recorded`` and ``checksum`` are the checksums of the models' file lists; ``files`` are the files that differ, by their
    SHA-256; ``environment`` what differs in it. ``measured`` is None for the same bytes, and where nothing could be
    measured: ``unmeasured`` says why. ``model`` is the folder of the new model, ``entry`` the index of the training's entry.
    """

    lifecycle_id: str
    version: int
    entry: int
    recorded: str
    checksum: str
    isolation: str
    model: str
    files: tuple[Change, ...] = ()
    environment: tuple[Change, ...] = ()
    measured: Measurement | None = None
    unmeasured: str | None = None

    @property
    def sameness(self) -> Sameness:
        """How it came out."""
        if self.checksum == self.recorded:
            return "bit-equal"
        return "equal" if self.measured is not None and self.measured.equal else "different"

    @property
    def exit_code(self) -> int:
        """The exit status of the command that asked."""
        return EXIT_CODES[self.sameness]

    def to_document(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "sameness": self.sameness, "exit": self.exit_code}
