"""Blocked rollouts of the past: by which scan, who looked, and what ended them. The ledger's own state says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from noa_mlops.ledger import LedgerEntry, LedgerState
from noa_mlops.records.layout import address


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an incident: its entry and when that was written."""

    entry: int
    ts: str


@dataclass(frozen=True, slots=True)
class PastIncident:
    """A blocked rollout: the champion and the data that were scanned, and its steps; None while a step was not gone."""

    champion: str
    data: str
    opened: Step
    investigated: Step | None = None
    ended: Step | None = None
    enabled: str | None = None

    def __str__(self) -> str:
        looked = (
            "nobody has investigated it"
            if self.investigated is None
            else f"investigated by entry {self.investigated.entry}"
        )
        end = "it is open" if self.ended is None else f"ended by entry {self.ended.entry}, which enabled {self.enabled}"
        return (
            f"{self.champion}, entry {self.opened.entry} ({self.opened.ts}), the scan of {self.data}; {looked}; {end}"
        )


@dataclass(slots=True)
class IncidentLog:
    """Collects the incidents of a ledger, entry by entry."""

    _found: list[PastIncident] = field(default_factory=list)
    _open: dict[str, int] = field(default_factory=dict)

    def take(self, entry: LedgerEntry, before: LedgerState, after: LedgerState) -> None:
        """Follow one entry, by the states before and after it."""
        name = entry.lifecycle_id
        if name is None:
            return
        was, now = before.lifecycle(name).incident, after.lifecycle(name).incident
        if was == now:
            return
        step = Step(entry.seq, entry.ts)
        if was is None:
            self._open[name] = len(self._found)
            data = str(entry.predicate["dataset"]["path"])
            self._found.append(PastIncident(address(name, entry.version or 0), data, step))
            return
        place = self._open[name]
        known = self._found[place]
        if now is not None:
            self._found[place] = replace(known, investigated=step)
        else:
            self._found[place] = replace(known, ended=step, enabled=address(name, entry.version or 0))

    def since(self, moment: str | None) -> tuple[PastIncident, ...]:
        """Those that were open at ``moment``, RFC 3339 in UTC, or later; all when it is not given."""
        return tuple(
            found
            for found in self._found
            if moment is None or found.ended is None or found.ended.ts[:19] >= moment[:19]
        )
