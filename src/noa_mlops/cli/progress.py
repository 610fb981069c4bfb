"""What a run shows while it runs: a line per step, and on a terminal what the trainer says, live."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from noa_mlops.cli import output
from noa_mlops.lifecycle.bus import Subscription
from noa_mlops.records.events import (
    AgentProvisioned,
    EvaluationLogged,
    LifecycleEvent,
    Submitted,
    TrainingCompleted,
    TrainingProgress,
)
from noa_mlops.records.layout import address


class Progress:
    """Prints a subscription's events on standard error until it is left; ``quiet`` prints nothing."""

    def __init__(self, events: Subscription, *, quiet: bool) -> None:
        self._events = events
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._thread = threading.Thread(target=self._print, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()
        self._thread.join(timeout=2)

    def _print(self) -> None:
        while (event := self._events.get()) is not None:
            text = "" if self._quiet else line_of(event)
            if isinstance(event, TrainingProgress):
                if self._live and text:
                    sys.stderr.write(f"\r\x1b[K{text}")
                    sys.stderr.flush()
            elif text:
                sys.stderr.write("\r\x1b[K" if self._live else "")
                output.note(text)


def line_of(event: LifecycleEvent) -> str:
    """An event as a short line; empty for those that the report tells anyway."""
    name = address(event.lifecycle_id, event.version)
    match event:
        case Submitted(profile=profile):
            return f"{name}  submitted    {profile}, entry {event.seq}"
        case AgentProvisioned(agent_id=agent):
            return f"{name}  running      agent {agent}"
        case TrainingProgress(values=values):
            return output.foreign(f"{name}  training     {_said(values)}")[:160].replace("\n", " ")
        case TrainingCompleted(checksum=checksum):
            return f"{name}  trained      sha256 {checksum[:12]}, entry {event.seq}"
        case EvaluationLogged(rows=rows):
            return f"{name}  measured     {rows} rows, labels withheld, entry {event.seq}"
        case _:
            return ""


def _said(values: Mapping[str, object]) -> str:
    """How far a trainer is: the step, its message, the first of its numbers."""
    left = {key: value for key, value in values.items() if key not in ("step", "of", "message", "time")}
    step, of, message = (values.get(key) for key in ("step", "of", "message"))
    told = [] if step is None else [f"step {_short(step)}" if of is None else f"{_short(step)}/{_short(of)}"]
    told += [] if message is None else [str(message)]
    return "  ".join([*told, *(f"{key} {_short(value)}" for key, value in list(left.items())[:5])])


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
