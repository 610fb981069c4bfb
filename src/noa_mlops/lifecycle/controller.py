"""What one run needs of agents, data and measures: provision, train, predict, evaluate, check, stage.

The controller gives facts, never entries: it cannot promote. The evaluation labels stay in this process; the
predictor is handed features only, in an order of our choosing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from noa_mlops.agents import (
    AgentFactory,
    Job,
    Kept,
    Outcome,
    RuntimeManager,
    Work,
    Workspace,
    ending,
    evaluation_payload,
    freeze_output,
    keep_output,
    prediction_payload,
    training_payload,
)
from noa_mlops.artifacts import FilesystemArtifactStore, Staged
from noa_mlops.datasets import conformed, write_rows
from noa_mlops.errors import (
    ArtifactTampered,
    DatasetInvalid,
    EvaluationFailed,
    LedgerConflict,
    LifecycleError,
    NotAuthorised,
    NotFound,
    StepFailed,
    TrainingFailed,
)
from noa_mlops.evaluation import check_own_metrics, grouped, measurable, read_own_metrics, read_predictions
from noa_mlops.files import raise_trouble_behind
from noa_mlops.gate import judge_recorded, thresholds
from noa_mlops.ledger import KeyStore
from noa_mlops.ledger.ledger import now
from noa_mlops.lifecycle import beside, handover, intake, measuring, own_evaluation
from noa_mlops.lifecycle.accounting import Held, facts_of, left_no_writer, manifest_of
from noa_mlops.lifecycle.intake import CodeFile, Submission
from noa_mlops.records.dataset import Column, FileDigest
from noa_mlops.records.documents import sha256
from noa_mlops.records.events import (
    AgentProvisioned,
    EvaluationLogged,
    LifecycleEvent,
    Recorded,
    TrainingCompleted,
    TrainingProgress,
)
from noa_mlops.records.layout import Layout, address, agent_id, evaluator_id, predictor_id
from noa_mlops.records.manifest import ArtifactRecord, Manifest, checksum
from noa_mlops.records.overlap import Overlap
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.proven import NOTHING_PROVEN, Proven
from noa_mlops.records.slices import Sliced
from noa_mlops.records.verdict import EvaluationReport, Verdict

OnProgress = Callable[[dict[str, Any]], None]
"""Takes what a trainer says of itself."""

Publish = Callable[[LifecycleEvent], None]
"""Takes events that are shown but not recorded."""


@dataclass(slots=True)
class Run:
    """One version on its way, owned by this process as long as its workspace is locked.

    ``model`` are its files, once this process has hashed them; a continued run hashes them again.
    """

    submission: Submission
    version: int
    workspace: Workspace
    history: list[Recorded] = field(default_factory=list)
    model: Kept | None = None

    @property
    def predictions(self) -> Path:
        """Where the predictions that were measured lie, in the order of the dataset."""
        return self.workspace.path / "predictions.parquet"

    @property
    def lifecycle_id(self) -> str:
        """The lifecycle that the version belongs to."""
        return self.submission.plan.lifecycle_id

    @property
    def address(self) -> str:
        """``LIFECYCLE@N``."""
        return address(self.lifecycle_id, self.version)

    def tell(self) -> None:
        """Note that somebody was told how the run ended; when that fails, it is told once more."""
        with contextlib.suppress(OSError):
            self.workspace.mark(_TOLD)

    def release(self) -> None:
        """Give the workspace up; another process may continue the run."""
        self.workspace.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


_TOLD = "told"
"""An empty file in the workspace of a run whose outcome was told; a decided run without it was cut off."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model as the dead trainer left it, and what the runtime saw."""

    files: tuple[FileDigest, ...]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the verifier computed, the digest of the predictions it used, and what the runtime saw.

    ``overlap`` are the rows that training has seen, ``slices`` the metrics by columns as far as the plan asks.
    ``champion`` is the comparison as an entry records it, None without a champion or a threshold to compare by; ``kept``
    are the champion's predictions when they are new, for the objects; ``evaluator`` is the plan's own, as recorded.
    """

    report: EvaluationReport
    predictions_sha256: str
    facts: Mapping[str, Any]
    overlap: Overlap
    slices: Mapping[str, Sliced] = field(default_factory=dict)
    champion: Mapping[str, Any] | None = None
    kept: bytes | None = None
    evaluator: Mapping[str, Any] | None = None


class AgentLifecycleController:
    """One run's work with agents: every method does one step and returns facts or raises what stopped it."""

    def __init__(
        self, factory: AgentFactory, runtime: RuntimeManager, layout: Layout, data_roots: Sequence[Path] = ()
    ) -> None:
        self._factory = factory
        self._runtime = runtime
        self._layout = layout
        self._data_roots = tuple(data_roots)

    def accept(self, plan: TrainingPlan, code: Sequence[CodeFile] | None = None) -> Submission:
        """Check the plan and read what it names; see `intake.accept`. Meanwhile the runtime gets ready.

        Raises `PlanInvalid` too when this machine has fewer GPUs than the plan asks for.
        """
        self._runtime.gpus.check(plan.resources.gpus)
        with contextlib.suppress(NotFound):  # intake says it with the place in the plan
            self._runtime.warm(
                self._factory.profile(plan.agent_profile).preload_for(plan.resources.cpus, plan.resources.gpus)
            )
        return intake.accept(plan, self._layout.project, self._data_roots, self._factory, code)

    def own(self, submission: Submission, version: int) -> Run:
        """Lock and make the workspace of a version that is about to be submitted. Raises `LedgerConflict`."""
        agent = agent_id(submission.plan.lifecycle_id, version)
        workspace = Workspace.claim(self._layout, agent)
        if workspace is None:
            raise LedgerConflict(f"the workspace of {agent} is in use by another process")
        try:
            workspace.clear()
        except BaseException:
            workspace.release()
            raise
        return Run(submission, version, workspace)

    def claim(self, submission: Submission, history: Sequence[Recorded]) -> Run | None:
        """Own a run again that was cut off, to continue it; None when a living process owns it."""
        first = history[0]
        workspace = Workspace.claim(self._layout, agent_id(first.lifecycle_id, first.version))
        return None if workspace is None else Run(submission, first.version, workspace, list(history))

    def left_untold(self, agent: str) -> bool:
        """Whether the workspace of an agent is there and nobody was told how its run ended."""
        workspace = self._layout.workspace(agent)
        return workspace.is_dir() and not os.path.lexists(workspace / _TOLD)

    def train(self, run: Run, publish: Publish, cancel: threading.Event) -> Trained:
        """Run the trainer in its workspace; its files, hashed once it and all it started are dead.

        Raises `TrainingFailed` with the cause, `Interrupted` when ``cancel`` was set.
        """
        given, workspace = run.submission, run.workspace
        if changed := intake.changed(given.train, self._layout.project, self._data_roots):
            raise TrainingFailed(changed, cause="dataset_changed")
        workspace.prepare()
        handover.lay_out_training(given, workspace)
        workspace.write_payload(training_payload(handover.work(given, run.version), workspace.agent_id))
        publish(_provisioned(run, workspace.agent_id))
        job = handover.job(given, workspace, given.profile.train, hidden=self._hidden())
        outcome = self._run(job, workspace, run, cancel, lambda said: publish(_progress(run, workspace.agent_id, said)))
        facts = facts_of(outcome)
        _raise_unless_completed(outcome, TrainingFailed, workspace, "trainer")
        with _with_facts(TrainingFailed, facts, workspace):
            workspace.check()
            run.model = _kept(run, facts, workspace.leading)
        return Trained(run.model.files, facts)

    def evaluate(
        self, run: Run, trained: TrainingCompleted, champion: ArtifactRecord | None, cancel: threading.Event
    ) -> Measured:
        """Let the model predict without labels, then measure with them, beside the champion on the same rows.

        The predictor sees the model, the features and nothing else; rows come in an order drawn here, unless
        the dataset is declared as ordered. Raises `EvaluationFailed`, `Interrupted`.
        """
        given = run.submission
        withheld = self._withheld(given)
        self._model_of(run, trained)
        with self._workspace(predictor_id(run.workspace.agent_id)) as workspace:
            workspace.prepare()
            handover.lay_out_prediction(given, withheld.features, workspace)
            model, code = run.workspace.out, run.workspace.code
            work = handover.work(given, run.version)
            workspace.write_payload(prediction_payload(work, workspace.agent_id, model=model, code=code))
            job = handover.job(given, workspace, given.profile.predict, hidden=self._hidden(), readable=(model, code))
            outcome = self._run(job, workspace, run, cancel)
            facts = facts_of(outcome)
            _raise_unless_completed(outcome, EvaluationFailed, workspace, "predictor")
            with _with_facts(EvaluationFailed, facts, workspace):
                answered = read_predictions(workspace.out, len(withheld.order), given.classes)
                predictions = withheld.restore(answered)
                report = measuring.measure(predictions, withheld.labels, given)
        kept = measuring.keep_predictions(predictions, run.predictions)
        said = self._own(run, predictions, withheld, cancel)
        measured = _measured(given, report, kept, facts, said)
        challenger = beside.Challenger(trained.checksum, predictions, None if said is None else said.metrics)
        measured = replace(measured, slices=measuring.measure_apart(predictions, withheld.labels, given))
        return self._beside(run, measured, champion, challenger, withheld, cancel)

    def compare_again(
        self,
        run: Run,
        trained: TrainingCompleted,
        measured: EvaluationLogged,
        champion: ArtifactRecord | None,
        cancel: threading.Event,
    ) -> Measured:
        """Measure what the model has answered already beside another champion, which came into force meanwhile.

        Raises `EvaluationFailed` when the answers or the data are not those that were measured, `Interrupted`.
        """
        given = run.submission
        withheld = self._withheld(given)
        predictions = measuring.kept_predictions(run.predictions, measured.predictions)
        report = measuring.measure(predictions, withheld.labels, given)
        said = self._own(run, predictions, withheld, cancel)
        again = _measured(given, report, measured.predictions or "", measured.run, said)
        challenger = beside.Challenger(trained.checksum, predictions, None if said is None else said.metrics)
        again = replace(again, slices=measuring.measure_apart(predictions, withheld.labels, given))
        return self._beside(run, again, champion, challenger, withheld, cancel)

    def evaluate_stored(
        self,
        run: Run,
        stored: ArtifactRecord,
        champion: ArtifactRecord | None,
        cancel: threading.Event,
    ) -> tuple[Measured, bytes]:
        """Let a version that was decided on predict once more, from the store, on the data that its plan names now.

        Also gives the predictions, for the objects. Raises `EvaluationFailed`, `Interrupted`.
        """
        given = run.submission
        withheld = self._withheld(given)
        answered, facts = self._ask(run, stored, withheld.features, predictor_id(run.workspace.agent_id), cancel)
        predictions = withheld.restore(answered)
        report = measuring.measure(predictions, withheld.labels, given)
        data = measuring.parquet(predictions)
        said = self._own(run, predictions, withheld, cancel)
        measured = _measured(given, report, sha256(data), facts, said)
        measured = replace(measured, slices=measuring.measure_apart(predictions, withheld.labels, given))
        challenger = beside.Challenger(stored.manifest.checksum, predictions, None if said is None else said.metrics)
        return self._beside(run, measured, champion, challenger, withheld, cancel), data

    def _own(
        self, run: Run, predictions: pa.Table, withheld: measuring.Withheld, cancel: threading.Event
    ) -> own_evaluation.Said | None:
        """What the plan's own evaluator says of a model's predictions; None without one, or with nothing to measure.

        Raises `EvaluationFailed` when it fails, or does not give what the plan asks for.
        """
        given, evaluator = run.submission, own_evaluation.evaluator_of(run.submission)
        rows = measurable(predictions, withheld.labels)
        if evaluator is None or rows is None:
            return None
        with self._workspace(evaluator_id(run.workspace.agent_id)) as workspace:
            workspace.prepare()
            own_evaluation.lay_out(given, workspace, predictions, rows)
            work = handover.work(given, run.version)
            workspace.write_payload(evaluation_payload(work, workspace.agent_id, evaluator))
            outcome = self._run(own_evaluation.job(given, workspace, self._hidden()), workspace, run, cancel)
            facts = facts_of(outcome)
            _raise_unless_completed(outcome, EvaluationFailed, workspace, "plan's own evaluator")
            with _with_facts(EvaluationFailed, facts, workspace):
                column = measuring.groups_of(given)
                groups = None if column is None else grouped(column, withheld.labels)
                found = read_own_metrics(workspace.out, int(rows.sum()), groups)
                check_own_metrics(found, thresholds(given.plan))
        return own_evaluation.Said(found, facts)

    def _withheld(self, given: Submission) -> measuring.Withheld:
        """The evaluation data as it was submitted, taken apart. Raises `EvaluationFailed`."""
        if given.evaluation is None:
            raise EvaluationFailed("the plan names no evaluation data", cause="no_data")
        if changed := intake.changed(given.evaluation, self._layout.project, self._data_roots):
            raise EvaluationFailed(changed, cause="dataset_changed")
        return measuring.withhold(given.evaluation, given.target)

    def _beside(
        self,
        run: Run,
        measured: Measured,
        champion: ArtifactRecord | None,
        challenger: beside.Challenger,
        withheld: measuring.Withheld,
        cancel: threading.Event,
    ) -> Measured:
        """``measured`` with the comparison, as an entry records it, and the champion's predictions when they are new.

        On rows that the champion was measured on before, what it said then is what it says.
        """
        if champion is None:
            return measured
        given = run.submission
        try:
            answered = beside.stored(self._layout, champion, given)
            if answered is None:
                agent = f"{run.workspace.agent_id}.champion"
                asked, _ = self._ask(run, champion, withheld.features, agent, cancel)
                answered = beside.Said(withheld.restore(asked), None)
            own = self._own(run, answered.predictions, withheld, cancel) if challenger.own is not None else None
            theirs = replace(answered, own=None if own is None else own.metrics)
            comparison, new = beside.compared(given, champion, challenger, theirs, withheld.labels)
        except (StepFailed, DatasetInvalid, ArtifactTampered, NotFound, NotAuthorised) as error:
            raise_trouble_behind(error)
            manifest = champion.manifest
            comparison, new = beside.silent(manifest.version, manifest.checksum, str(error)), None
        return replace(measured, champion=comparison, kept=new)

    def _ask(
        self, run: Run, stored: ArtifactRecord, features: pa.Table, agent: str, cancel: threading.Event
    ) -> tuple[pa.Table, Mapping[str, Any]]:
        """What a stored version answers to ``features`` in its own view of them, from an isolated process of its own.

        Also what the runtime saw of that.
        """
        manifest = stored.manifest
        profile = self._factory.profile(manifest.profile)
        work = Work.of_stored(manifest, profile, handover.limits(run.submission))
        wanted = [Column(feature["name"], feature["type"]) for feature in manifest.predict["features"]]
        rows = conformed(features.select([c.name for c in wanted if c.name in features.column_names]), wanted)
        with self._workspace(agent) as workspace:
            workspace.prepare()
            given = workspace.renew("given")
            FilesystemArtifactStore(self._layout).copy_out(stored, given)
            write_rows(rows, workspace.data / "features", work.data_format)
            model, code = given / "model", given / "code"
            workspace.write_payload(prediction_payload(work, workspace.agent_id, model=model, code=code))
            job = handover.job(
                run.submission, workspace, profile.predict, hidden=self._hidden(), readable=(model, code)
            )
            outcome = self._run(job, workspace, run, cancel, profile=profile.name)
            _raise_unless_completed(outcome, EvaluationFailed, workspace, f"predictor of @{manifest.version}")
            facts = facts_of(outcome)
            with _with_facts(EvaluationFailed, facts, workspace):
                return read_predictions(workspace.out, rows.num_rows, work.classes), facts

    def check(
        self, run: Run, measured: EvaluationLogged | None, champion: int | None, proven: Proven = NOTHING_PROVEN
    ) -> Verdict:
        """Hold what was measured against the plan's thresholds, ``champion``, the version in force, and what was ``proven``."""
        return judge_recorded(thresholds(run.submission.plan), measured, champion, proven)

    def stage(
        self, run: Run, trained: TrainingCompleted, measured: EvaluationLogged | None, when: str
    ) -> tuple[Staged, Manifest]:
        """The bytes that would be promoted and the manifest that accounts for them. Raises `EvaluationFailed`."""
        kept = self._model_of(run, trained)
        unwritable = left_no_writer(trained.run) and (measured is None or left_no_writer(measured.run))
        code = tuple(FileDigest(file.path, len(file.data), file.sha256) for file in run.submission.code)
        predictions = measured.predictions if measured is not None else None
        staged = Staged(
            model=run.workspace.out,
            code=run.workspace.code,
            predictions=run.predictions if predictions else None,
            predictions_sha256=predictions,
            identities=kept.identities if unwritable else None,
        )
        manifest = manifest_of(run.submission, trained, measured, self._layout, Held(kept.files, code, when))
        return staged, manifest

    def _model_of(self, run: Run, trained: TrainingCompleted) -> Kept:
        """The model's files as the training left them. Raises `EvaluationFailed` when they are other ones now."""
        if run.model is None:
            try:
                found = _kept(run, trained.run)
            except TrainingFailed as error:
                raise EvaluationFailed(str(error), cause="model_changed") from error
            if checksum(found.files) != trained.checksum:
                raise EvaluationFailed(
                    f"the model of {run.address} is not the one that was trained", cause="model_changed"
                )
            run.model = found
        return run.model

    def _workspace(self, agent: str) -> Workspace:
        """A workspace for another agent of a run. Raises `LedgerConflict`."""
        workspace = Workspace.claim(self._layout, agent)
        if workspace is None:
            raise LedgerConflict(f"the workspace of {agent} is in use by another process")
        return workspace

    def _run(
        self,
        job: Job,
        workspace: Workspace,
        run: Run,
        cancel: threading.Event,
        tell: OnProgress | None = None,
        *,
        profile: str | None = None,
    ) -> Outcome:
        agent = self._factory.provision(workspace.agent_id, profile or run.submission.profile.name, self._layout)
        agent.advance("running")
        outcome: Outcome | None = None
        try:
            outcome = self._runtime.run(job, on_progress=tell, cancel=cancel)
        finally:
            agent.advance("ready" if outcome is not None and outcome.completed else "failed")
        if outcome.cause == "cancelled":
            raise Interrupted(f"{run.address} was interrupted")
        return outcome

    def _hidden(self) -> tuple[Path, ...]:
        """What no sealed agent may see, wherever it lies: the project, the data, the keys."""
        return (self._layout.project, self._layout.artifacts, self._layout.evidence, *self._data_roots, KeyStore().root)


class Interrupted(LifecycleError):
    """The run was cancelled; nothing is lost, the same plan continues it."""

    exit_code = 130
    hint = "Run the same plan again: it continues where it was."


def _measured(
    given: Submission,
    report: EvaluationReport,
    predictions: str,
    facts: Mapping[str, Any],
    said: own_evaluation.Said | None,
) -> Measured:
    """What was measured of one model, before anything is compared; ``predictions`` is a digest."""
    whole = own_evaluation.added(report, given, said)
    overlap = measuring.seen_in_training(given)
    return Measured(whole, predictions, facts, overlap, evaluator=own_evaluation.recorded(given, said))


def _raise_unless_completed(outcome: Outcome, kind: type[StepFailed], workspace: Workspace, who: str) -> None:
    if outcome.completed:
        return
    log = workspace.tail()
    raise kind(f"the {who} {ending(outcome, log)}", cause=outcome.cause, facts=facts_of(outcome), log=log)


@contextlib.contextmanager
def _with_facts(kind: type[StepFailed], facts: Mapping[str, Any], workspace: Workspace) -> Iterator[None]:
    """Give a failure that was found after the process ended what the runtime saw of that process."""
    try:
        yield
    except StepFailed as error:
        raise kind(str(error), cause=error.cause, facts=facts, log=workspace.tail(), hint=error.hint) from error


def _kept(run: Run, facts: Mapping[str, Any], leading: tuple[Path, ...] = ()) -> Kept:
    """The dead trainer's files, hashed and durable; by what the runtime saw of it, read-only from then on too."""
    keep = freeze_output if left_no_writer(facts) else keep_output
    return keep(run.workspace.out, run.submission.plan.resources.disk, leading)


def _provisioned(run: Run, agent: str) -> AgentProvisioned:
    return AgentProvisioned(
        lifecycle_id=run.lifecycle_id,
        version=run.version,
        seq=None,
        timestamp=now(),
        agent_id=agent,
        profile=run.submission.profile.name,
    )


def _progress(run: Run, agent: str, values: Mapping[str, Any]) -> TrainingProgress:
    return TrainingProgress(
        lifecycle_id=run.lifecycle_id, version=run.version, seq=None, timestamp=now(), agent_id=agent, values=values
    )
