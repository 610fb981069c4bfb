"""One loop carries a plan to its end: ask `next_step`, do it, append its entry, tell the subscribers.

The ledger is the write-ahead log. What a step makes before its entry is harmless when lost; what follows the
entry is a projection. So an interrupted run continues by the same code that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, TypeAlias, assert_never

from noa_mlops.artifacts import FilesystemArtifactStore
from noa_mlops.errors import ArtifactTampered, EvaluationFailed, LifecycleError, NotFound, TrainingFailed
from noa_mlops.evidence import SigningKey, sign_model
from noa_mlops.files import raise_trouble_behind
from noa_mlops.gate import compares, decide_recorded, declared_gate, must_compare_again, thresholds
from noa_mlops.ledger import Draft, Ledger, LedgerState, ledger_lines
from noa_mlops.ledger.drift_law import unaccounted
from noa_mlops.ledger.incident_law import ENABLE
from noa_mlops.lifecycle import dropping, measuring, recording, reevaluation, scanning
from noa_mlops.lifecycle.accounting import summary_of
from noa_mlops.lifecycle.asking import Ask
from noa_mlops.lifecycle.beside import silent
from noa_mlops.lifecycle.bus import EventBus, Subscription
from noa_mlops.lifecycle.claiming import claim_run
from noa_mlops.lifecycle.controller import AgentLifecycleController
from noa_mlops.lifecycle.history import event_of
from noa_mlops.lifecycle.intake import CodeFile, Submission
from noa_mlops.lifecycle.reporting import report_of
from noa_mlops.lifecycle.runs import Interrupted, Run
from noa_mlops.lifecycle.scanning import Scan
from noa_mlops.lifecycle.steps import Decide, Done, Evaluate, Train, next_step
from noa_mlops.lifecycle.storage import check_storage
from noa_mlops.lifecycle.telling import Teller
from noa_mlops.records.events import EvaluationLogged, Recorded, Submitted, TrainingCompleted
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import ArtifactRecord
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.report import PipelineReport
from noa_mlops.registry import CapabilityRegistry, Mirror

Clock: TypeAlias = Callable[[], str]
"""Gives the time as RFC 3339 in UTC."""


class _StateMoved(Exception):
    """The lifecycle has a newer decision than the one this decision was taken on."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts an orchestrator works with; `bootstrap_default_orchestrator` puts the usual ones together."""

    layout: Layout
    ledger: Ledger
    store: FilesystemArtifactStore
    capabilities: CapabilityRegistry
    mirror: Mirror
    model_key: SigningKey
    controller: AgentLifecycleController
    clock: Clock


class TrainingOrchestrator:
    """Runs plans: order, ledger, promotion and events. Safe to use from several threads and tasks at once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._bus = EventBus()
        self._teller = Teller(services.ledger, self._bus)

    @property
    def ledger(self) -> Ledger:
        """The evidence ledger, for reading."""
        return self._services.ledger

    @property
    def layout(self) -> Layout:
        """Where this project's files lie."""
        return self._services.layout

    def subscribe(self, since: int | None = None, *, others: bool = True) -> Subscription:
        """The events from now on: each recorded one comes once, after its entry is durable, in ledger order.

        With ``since``, those of the entries from that ledger index on come first; none is missed between the two. What
        other processes record is told as well, unless ``others`` is false.
        """
        return self._teller.subscribe(since, others=others)

    async def execute_plan(self, plan: TrainingPlan) -> PipelineReport:
        """Run ``plan`` to its end without blocking the event loop; cancelling interrupts the run safely.

        Raises `PlanInvalid`, `RegistryConflict`, `NotAuthorised` before anything is run; `LedgerTampered`,
        `LedgerConflict` when evidence cannot be written. A failed training, a rejected model and a blocked
        rollout are reports, not exceptions.
        """
        cancel = threading.Event()
        work = asyncio.get_running_loop().run_in_executor(None, self.run_plan, plan, cancel)
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks after a cancellation
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            cancel.set()
            await asyncio.wait([work])
            raise

    def run_plan(self, plan: TrainingPlan, cancel: threading.Event | None = None) -> PipelineReport:
        """Like `execute_plan`, blocking; also usable where an event loop is already running.

        Setting ``cancel`` from another thread stops the agent and raises `Interrupted`.
        """
        cancel = cancel or threading.Event()
        self.prepare()
        submission = self._accept(plan)
        if cancel.is_set():
            raise Interrupted(f"{plan.lifecycle_id} was interrupted before it was submitted")
        run, notes = self._claim(submission)
        with run, self._mirrored_when_it_ends_early():
            return self._carry_out(run, notes, cancel)

    def evaluate_version(
        self, lifecycle_id: str, version: int, cancel: threading.Event | None = None
    ) -> EvaluationLogged:
        """Measure a version that was decided on once more, on the data that its plan names, as they are now.

        It is an entry, with the verdict of the plan over it, and one look more; no decision is changed by it. A version
        that was not promoted is put into the store, so that it can be put in force by an override. Raises `NotFound` for
        what was never made or is not here any more, `LedgerConflict` for a version on its way or in use, `DatasetInvalid`
        when other data than then would be read to learn from, `EvaluationFailed`, `Interrupted`.
        """
        self.prepare()
        cancel = cancel or threading.Event()
        run = reevaluation.claim(self._services.ledger, self._services.controller, self._read, lifecycle_id, version)
        with run, self._mirrored_when_it_ends_early():
            run.tell()
            event = self._evaluate_again(run, cancel)
        self._catch_up()
        return event

    def _evaluate_again(self, run: Run, cancel: threading.Event) -> EvaluationLogged:
        services, (trained, measured) = self._services, reevaluation.made(run)
        known = services.ledger.state.lifecycle(run.lifecycle_id)
        state = known.versions[run.version]
        if state.named is None:
            self._give_back(run)
            reevaluation.check_model(run)
            record = new = self._store(run, trained, measured)
        else:
            record, new = services.store.record(run.lifecycle_id, state.profile, run.version), None
        champion, gone = (None, None) if known.champion == run.version else self._champion(run)
        result, predictions = services.controller.evaluate_stored(run, record, champion, cancel)
        if gone is not None:
            result = replace(result, champion=gone)
        for kept in filter(None, (predictions, result.kept)):
            services.ledger.put_object(kept)
        event = self._record(partial(recording.evaluated_again, run, trained, result, new))
        if not isinstance(event, EvaluationLogged):
            raise TypeError(f"{event.name} is no measurement")
        return event

    def check_plan(self, plan: TrainingPlan) -> Submission:
        """Everything that can be checked without running or writing anything; see `execute_plan` for what it raises."""
        self._services.capabilities.check_writable()
        self._services.mirror.check_writable()
        return self._accept(plan)

    def scan_drift(self, lifecycle_id: str, path: str, answer: Ask | None = None) -> Scan:
        """Scan the data at ``path`` for drift from what the champion was made on; the scan is an entry, told as an event.

        One that blocks the rollout is told as `PromotionReady` with status blocked. ``answer`` asks the champion about the
        rows; `noa_mlops.delivery.Model.answers` does. Without it nothing is known of what it says, and labels are not asked.
        Raises as `noa_mlops.lifecycle.scanning.scan_drift`.
        """
        services = self._services
        services.ledger.refresh()
        window = scanning.look(services.ledger, services.layout, lifecycle_id, path, answer)
        scan = scanning.record_scan(services.ledger, window, self._teller.append)
        self._catch_up()
        return scan

    def prepare(self) -> None:
        """Check that the registry can be written, and bring its mirror up to the ledger."""
        self._services.capabilities.check_writable()
        self._services.mirror.check_writable()
        self._catch_up()

    def close(self) -> None:
        """Seal the ledger and end all subscriptions."""
        self._teller.close()
        self._services.ledger.close()
        self._bus.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, plan: TrainingPlan) -> Submission:
        check_floors(plan, self._services.ledger.state)
        return self._read(plan)

    def _read(self, plan: TrainingPlan, code: Sequence[CodeFile] | None = None) -> Submission:
        submission = self._services.controller.accept(plan, code)
        check_storage(self._services.layout, submission)
        return submission

    def _claim(self, submission: Submission) -> tuple[Run, Sequence[str]]:
        """The newest run of the same plan, data and code that can go on, else a new version; and what to say of it."""
        services = self._services
        run, notes = claim_run(services.ledger, services.controller, submission)
        return (self._submit(submission), notes) if run is None else (run, notes)

    def _submit(self, submission: Submission) -> Run:
        """Give the plan the next number of its lifecycle, under the ledger's lock, and own its workspace."""
        members = recording.submission(self._services.ledger, submission)
        owned: list[Run] = []

        def compose(state: LedgerState) -> Draft:
            check_floors(submission.plan, state)
            version, draft = recording.submitted(members, state)
            owned.append(self._services.controller.own(submission, version))
            return draft

        try:
            event = self._record(compose)
        except BaseException:
            for run in owned:
                run.release()
            raise
        owned[-1].history.append(event)
        return owned[-1]

    def _carry_out(self, run: Run, notes: Sequence[str], cancel: threading.Event) -> PipelineReport:
        evaluated = run.submission.evaluation is not None
        while True:
            match next_step(run.history, evaluated=evaluated):
                case Train():
                    event = self._train(run, cancel)
                case Evaluate(trained):
                    event = self._evaluate(run, trained, cancel)
                case Decide() as step:
                    event = self._decide(run, step, cancel)
                case Done():
                    return self._finish(run, notes)
                case never:
                    assert_never(never)
            run.history.append(event)
            if cancel.is_set() and not isinstance(next_step(run.history, evaluated=evaluated), Done):
                raise Interrupted(f"{run.address} was interrupted")

    def _train(self, run: Run, cancel: threading.Event) -> Recorded:
        ledger = self._services.ledger
        try:
            draft = recording.trained(ledger, run, self._services.controller.train(run, self._bus.publish, cancel))
        except TrainingFailed as error:
            raise_trouble_behind(error)
            draft = recording.training_failed(ledger, run, error)
        return self._record(lambda _: draft)

    def _evaluate(
        self, run: Run, trained: TrainingCompleted, cancel: threading.Event, before: EvaluationLogged | None = None
    ) -> Recorded:
        """Measure the model; with ``before``, a measurement beside another champion, only what that leaves to be done."""
        controller, (champion, gone) = self._services.controller, self._champion(run)
        try:
            if before is None:
                measured = controller.evaluate(run, trained, champion, cancel)
            else:
                self._give_back(run)
                measured = controller.compare_again(run, trained, before, champion, cancel)
        except EvaluationFailed as error:
            return self._unmeasured(trained, error)
        if gone is not None:
            measured = replace(measured, champion=gone)
        if measured.kept is not None:
            self._services.ledger.put_object(measured.kept)
        if champion is not None:
            measured = dropping.with_drop(self._services.ledger, run.submission, champion.manifest, measured)
        return self._record(partial(recording.evaluated, run.submission, trained, measured))

    def _champion(self, run: Run) -> tuple[ArtifactRecord | None, Mapping[str, Any] | None]:
        """The champion as it lies in the store, to be compared with; None when there is none or the plan does not ask.

        Where it is not there as it was promoted, what a measurement records of that.
        """
        if not compares(thresholds(run.submission.plan)):
            return None, None
        self._services.ledger.refresh()
        lifecycle = self._services.ledger.state.lifecycle(run.lifecycle_id)
        if lifecycle.champion is None:
            return None, None
        champion = lifecycle.versions[lifecycle.champion]
        try:
            return self._services.store.record(run.lifecycle_id, champion.profile, champion.version), None
        except (NotFound, ArtifactTampered) as error:
            return None, silent(champion.version, champion.checksum or "", str(error))

    def _decide(self, run: Run, step: Decide, cancel: threading.Event) -> Recorded:
        """Judge, make the bytes immutable, and append the decision; again, if a newer one has come between.

        Beside a champion that has come between, the model is measured again instead.
        """
        services, trained = self._services, step.trained
        stored: ArtifactRecord | None = None
        while True:
            services.ledger.refresh()
            state = services.ledger.state
            lifecycle = state.lifecycle(trained.lifecycle_id)
            if must_compare_again(thresholds(run.submission.plan), step.measured, lifecycle.champion):
                return self._evaluate(run, trained, cancel, before=step.measured)
            if step.measured is not None and unaccounted(lifecycle, lifecycle.versions[run.version]):
                self._scan_beside(run, step.measured)
                continue
            verdict = services.controller.check(run, step.measured, lifecycle.champion, lifecycle.proven)
            submitter = run.history[0].submitter if isinstance(run.history[0], Submitted) else ()
            decision = decide_recorded(run.submission.plan, verdict, step.measured, lifecycle.admits, submitter)
            if stored is None and decision.admissible:
                try:
                    stored = self._store(run, trained, step.measured)
                except EvaluationFailed as error:
                    return self._unmeasured(trained, error)
            draft = recording.decided(services.ledger, run, step, decision, state, stored)
            try:
                return self._record(partial(_unless_moved, draft, lifecycle.deciding))
            except _StateMoved:
                continue

    def _scan_beside(self, run: Run, measured: EvaluationLogged) -> None:
        """Record that the champion's metrics dropped on the data of this version, as a scan of them."""
        ledger, evaluation = self._services.ledger, run.submission.evaluation
        if evaluation is None:
            raise ValueError("a version without evaluation data was measured beside nobody")
        asked = dropping.asked_beside(measured)
        window = scanning.look_beside(ledger, self._services.layout, run.lifecycle_id, run.version, evaluation, asked)
        scanning.record_scan(ledger, window, self._teller.append)

    def _store(self, run: Run, trained: TrainingCompleted, measured: EvaluationLogged | None) -> ArtifactRecord:
        """Make the measured bytes, signed by the model key, an immutable folder that nothing names yet."""
        services = self._services
        self._give_back(run)
        staged, manifest = services.controller.stage(run, trained, measured, services.clock())
        staged = replace(staged, summary=summary_of(run.submission, measuring.answers_of(run, measured)))
        signature = sign_model(run.address, manifest.files, self._model_key())
        try:
            return services.store.stage(staged, manifest, signature)
        except ArtifactTampered as error:
            raise EvaluationFailed(str(error), cause="model_changed") from error

    def _give_back(self, run: Run) -> None:
        """Have model and predictions in the workspace, also when they were on their way into the store."""
        profile, model = run.submission.profile.name, run.workspace.out
        self._services.store.give_back(run.lifecycle_id, profile, run.version, model=model, predictions=run.predictions)

    def _unmeasured(self, trained: TrainingCompleted, error: EvaluationFailed) -> Recorded:
        raise_trouble_behind(error)
        draft = recording.evaluation_failed(self._services.ledger, trained, error)
        return self._record(lambda _: draft)

    def _record(self, compose: Callable[[LedgerState], Draft]) -> Recorded:
        return event_of(self._teller.append(compose))

    def _finish(self, run: Run, notes: Sequence[str]) -> PipelineReport:
        """Bring the mirror up to the ledger and say how it ended; the outcome counts as told from here on."""
        try:
            self._catch_up()
        except LifecycleError as error:
            notes = (*notes, f"registry mirror pending ({error}): noa doctor --repair")
        if declared_gate(run.submission.plan) == "none" and run.submission.plan.evaluation is not None:
            notes = (*notes, f"the plan declares no gate: {run.submission.plan.evaluation.reason}")
        notes = (*notes, *_too_few(run.submission.plan, self._services.ledger.state), *dropping.notes(run.history))
        run.tell()
        lifecycle = self._services.ledger.state.lifecycle(run.lifecycle_id)
        return report_of(run.history, lifecycle, run.submission.isolation, notes)

    @contextlib.contextmanager
    def _mirrored_when_it_ends_early(self) -> Iterator[None]:
        """Show what was recorded before an error, unless that fails as well: the next command does it then."""
        try:
            yield
        except (LifecycleError, OSError):
            with contextlib.suppress(LifecycleError):
                self._catch_up()
            raise

    def _catch_up(self) -> None:
        ledger = self._services.ledger
        ledger.refresh()  # another process may have changed the policy, and with it the key
        self._services.mirror.catch_up(partial(ledger_lines, ledger), ledger.key)

    def _model_key(self) -> SigningKey:
        """The key for models; another one than at the start when it was rotated meanwhile."""
        keys, key = self._services.ledger.keys, self._services.model_key
        return key if key.public.keyid in keys.policy.keys else keys.signing_key("model")


def _too_few(plan: TrainingPlan, state: LedgerState) -> Iterator[str]:
    """That fewer keys may enable a version than the plan asks for, if so."""
    keys = len(state.policy.keys_for(ENABLE)) if state.policy is not None else 0
    if plan.approvals is not None and keys < plan.approvals.required:
        yield (
            f"the plan asks for {plan.approvals.required} approvals, and the policy lets {keys} "
            f"key{'s' if keys != 1 else ''} approve: noa keys new operator, or noa keys request"
        )


def check_floors(plan: TrainingPlan, state: LedgerState) -> None:
    """Raise `PlanTooLoose` when a plan asks for less than the policy in force asks of its lifecycle."""
    floors = state.policy.lifecycles.get(plan.lifecycle_id) if state.policy is not None else None
    if floors is not None:
        floors.check(plan)


def _unless_moved(draft: Draft, seen: int | None, state: LedgerState) -> Draft:
    if draft.lifecycle_id is None or state.lifecycle(draft.lifecycle_id).deciding != seen:
        raise _StateMoved
    return draft
