"""The loop: for each lifecycle of the schedule it scans what is due, and does the next step of the procedure.

It keeps no state of its own. What was done stands in the ledger, and a run that was cut off is continued by the code that
runs every plan; so a loop that was killed anywhere goes on, and does nothing twice. What fails for one lifecycle is told
and tried again when it is due, or when what it read changed; it stops no other lifecycle.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from noa_mlops.agents import AgentFactory, RuntimeManager
from noa_mlops.errors import LedgerTampered, LifecycleError
from noa_mlops.ledger import LedgerReader
from noa_mlops.ledger.incident_law import enabling_problem
from noa_mlops.ledger.ledger import now
from noa_mlops.lifecycle.bootstrap import open_orchestrator
from noa_mlops.lifecycle.due import Propose, Retrain, Step, Wait, pause_after
from noa_mlops.lifecycle.granting import enable_by_grant, grants_loop
from noa_mlops.lifecycle.outlook import Outlook
from noa_mlops.lifecycle.presence import Presence
from noa_mlops.lifecycle.runs import Interrupted
from noa_mlops.lifecycle.scanning import Scan
from noa_mlops.records.layout import Layout, address
from noa_mlops.records.settings import Scheduled, Settings

Kind: TypeAlias = Literal["scanned", "retrains", "retrained", "enabled", "waits", "failed"]
"""What the loop tells of."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that the loop did, or waits for; ``facts`` for machines, ``scan`` what was scanned."""

    lifecycle_id: str
    kind: Kind
    text: str
    facts: Mapping[str, Any]
    scan: Scan | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What the loop works with: how it scans a path for a lifecycle, whom it tells, and the event that stops it."""

    scan: Callable[[str, str], Scan]
    tell: Callable[[Told], None]
    cancel: threading.Event


class Loop:
    """Operates one project; `tend` is one round."""

    def __init__(
        self,
        layout: Layout,
        ledger: LedgerReader,
        runtime: RuntimeManager,
        outlook: Outlook,
        presence: Presence,
        means: Means,
    ) -> None:
        self._layout = layout
        self._ledger = ledger
        self._runtime = runtime
        self._outlook = outlook
        self._presence = presence
        self._means = means
        self._waits: dict[str, str] = {}
        self._failed: dict[str, tuple[object, float]] = {}
        self._may_lag = False
        self.exit_code = 0
        """That of the newest round: 3 when a rollout of the schedule is blocked, else that of the first failure."""

    def prepare(self) -> None:
        """Check that policy and registry allow to go on, and bring the mirror up to the ledger, where a kill left it behind.

        Raises `RegistryConflict`, `NotAuthorised`.
        """
        open_orchestrator(self._layout, AgentFactory(), self._runtime).close()
        self._may_lag = False

    def tend(self, settings: Settings) -> None:
        """Do what is due for every lifecycle. Raises `Interrupted` when it was stopped, `LedgerTampered`."""
        self.exit_code = 0
        if self._may_lag:
            with contextlib.suppress(LifecycleError, OSError):  # told when it failed first
                self.prepare()
        for name in set(self._waits) - set(settings.schedule):
            del self._waits[name]
        for name, task in settings.schedule.items():
            self._check_going_on()
            try:
                self._outlook.refresh()
                self._scan(name, task)
                self._advance(name, task)
            except (Interrupted, LedgerTampered):
                raise
            except (LifecycleError, OSError) as error:
                self._fail(name, name, None, task, error)
            self._presence.say(None, self._waits)
        blocked = (self._outlook.lifecycle(name).rollout_at(now()) == "blocked" for name in settings.schedule)
        self.exit_code = 3 if any(blocked) else self.exit_code

    def _scan(self, name: str, task: Scheduled) -> None:
        """Scan each window that is there and whole; one that cannot be read stops no other."""
        for path in self._outlook.windows(name, task):
            self._check_going_on()
            seen: object = None
            try:
                seen = stamp = self._outlook.stamp(path)
                if not self._outlook.is_settled(stamp) or not self._may_try(f"{name} {path}", seen):
                    continue
                self._presence.say(f"scans {path} for {name}", self._waits)
                scan = self._means.scan(name, path)
            except LedgerTampered:
                raise
            except (LifecycleError, OSError) as error:
                self._fail(name, f"{name} {path}", seen, task, error)
                continue
            self._failed.pop(f"{name} {path}", None)
            self._tell_scan(name, path, scan)
        self._outlook.refresh()

    def _advance(self, name: str, task: Scheduled) -> None:
        """Do the next step of the procedure; after a run, say what it waits for."""
        step, key = self._step(name, task), f"{name} plan"
        if isinstance(step, Retrain):
            seen = self._outlook.touched(name, task)
            if not self._may_try(key, seen):
                return
            try:
                self._retrain(name, task, step)
            except (Interrupted, LedgerTampered):
                raise
            except (LifecycleError, OSError) as error:
                self._fail(name, key, seen, task, error)
                return
            self._failed.pop(key, None)
            self._outlook.refresh()
            step = self._step(name, task)
        if isinstance(step, Propose):
            step = self._propose(name, task, step.version)
        if isinstance(step, Wait):
            self._wait(name, step)

    def _step(self, name: str, task: Scheduled) -> Step | None:
        """The next step; None while what it depends on cannot be read, which is told once."""
        try:
            return self._outlook.step(name, task)
        except LedgerTampered:
            raise
        except (LifecycleError, OSError) as error:
            self._fail(name, f"{name} step", str(error), task, error)
            return None

    def _retrain(self, name: str, task: Scheduled, step: Retrain) -> None:
        """Run the plan to its end. Raises as `TrainingOrchestrator.run_plan` does."""
        self._tell(name, "retrains", f"runs {step.plan}: {step.why}", plan=step.plan)
        self._presence.say(f"runs {step.plan} for {name}", self._waits)
        plan = self._outlook.plan(name, task)
        with open_orchestrator(self._layout, AgentFactory(), self._runtime) as orchestrator:
            report = orchestrator.run_plan(plan, self._means.cancel)
        if report.failure is not None:
            self.exit_code = self.exit_code or report.exit_code
        self._tell(name, "retrained", str(report), version=report.version, state=report.state, entry=report.entry)

    def _propose(self, name: str, task: Scheduled, version: int) -> Step | None:
        """Enable what passed where the policy grants it; else what people have to do."""
        held, key, why = address(name, version), f"{name} enable", ""
        lifecycle = self._outlook.lifecycle(name)
        if (problem := enabling_problem(self._ledger.state, lifecycle, lifecycle.versions[version])) is not None:
            return Wait(f"{held} passed and is held, yet noa enable {held} {problem}", people=True)
        if grants_loop(self._ledger) and self._may_try(key, version):
            try:
                entry = enable_by_grant(self._layout, self._ledger, name, version)
            except LedgerTampered:
                raise
            except (LifecycleError, OSError) as error:
                self._fail(name, key, version, task, error)
            else:
                if not isinstance(entry, str):
                    self._outlook.refresh()
                    self._tell(name, "enabled", f"{held} is the champion", version=version, entry=entry.seq)
                    return self._step(name, task)
                why = f"; not by the loop: {entry}"
        return Wait(f'{held} passed and is held: noa enable {held} --reason "..."{why}', people=True)

    def _wait(self, name: str, step: Wait) -> None:
        if self._waits.get(name) != step.why:
            self._waits[name] = step.why
            self._tell(name, "waits", f"waits: {step.why}", people=step.people)

    def _tell_scan(self, name: str, path: str, scan: Scan) -> None:
        blocked = scan.blocks and scan.rollout == "blocked"
        follows = ", and the rollout is blocked" if blocked else ", suspect" if scan.suspect else ""
        text = f"scanned {path}: {scan.verdict}{follows}, entry {scan.entry}"
        facts = {"path": path, "verdict": scan.verdict, "entry": scan.entry, "rollout": scan.rollout}
        self._means.tell(Told(name, "scanned", text, facts, scan))

    def _tell(self, name: str, kind: Kind, text: str, **facts: object) -> None:
        self._means.tell(Told(name, kind, text, facts))

    def _may_try(self, what: str, seen: object) -> bool:
        """Whether something did not fail lately, or what it read was touched since."""
        failed = self._failed.get(what)
        return failed is None or failed[0] != seen or time.monotonic() >= failed[1]

    def _fail(self, name: str, what: str, seen: object, task: Scheduled, error: LifecycleError | OSError) -> None:
        """Tell of a failure, and leave it alone until it is due or what it read was touched."""
        code = error.exit_code if isinstance(error, LifecycleError) else 5
        self.exit_code = self.exit_code or code
        if not self._may_try(what, seen):
            return  # it was told
        self._failed[what] = (seen, time.monotonic() + pause_after(task, error))
        self._may_lag = True
        self._waits[name] = f"after a failure: {error}"
        hint = error.hint if isinstance(error, LifecycleError) else None
        self._tell(name, "failed", str(error), hint=hint, exit=code)

    def _check_going_on(self) -> None:
        if self._means.cancel.is_set():
            raise Interrupted("the loop was stopped", hint="noa operate goes on where it was.")
