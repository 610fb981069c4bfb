"""What one run needs of agents, data and measures: provision, train, predict, evaluate, check, stage.

The controller gives facts, never entries: it cannot promote. The evaluation labels stay in this process; the
predictor is handed features only, in an order of our choosing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from noa_mlops.agents import (
    AgentFactory,
    Kept,
    RuntimeManager,
    Work,
    Workspace,
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
    NotAuthorised,
    NotFound,
    StepFailed,
    TrainingFailed,
)
from noa_mlops.evaluation import Answers, check_own_metrics, grouped, measurable, read_own_metrics, read_predictions
from noa_mlops.files import raise_trouble_behind
from noa_mlops.gate import judge_recorded, thresholds
from noa_mlops.lifecycle import beside, handover, intake, measuring, own_evaluation
from noa_mlops.lifecycle.accounting import Held, facts_of, left_no_writer, manifest_of
from noa_mlops.lifecycle.intake import CodeFile, Submission
from noa_mlops.lifecycle.runs import (
    TOLD,
    Measured,
    OnProgress,
    Publish,
    Run,
    Trained,
    progress,
    provisioned,
)
from noa_mlops.lifecycle.searching import Found, Stop, as_trained, search, settled
from noa_mlops.lifecycle.workers import Workers, raise_unless_completed, with_facts
from noa_mlops.records.dataset import Column, FileDigest
from noa_mlops.records.documents import sha256
from noa_mlops.records.events import (
    EvaluationLogged,
    Recorded,
    TrainingCompleted,
)
from noa_mlops.records.layout import Layout, agent_id, evaluator_id, predictor_id, reproducer_id, trial_id
from noa_mlops.records.manifest import ArtifactRecord, Manifest, checksum
from noa_mlops.records.plan import TrainingPlan
from noa_mlops.records.proven import NOTHING_PROVEN, Proven
from noa_mlops.records.verdict import Estimate, EvaluationReport, Verdict


class AgentLifecycleController:
    """One run's work with agents: every method does one step and returns facts or raises what stopped it."""

    def __init__(
        self, factory: AgentFactory, runtime: RuntimeManager, layout: Layout, data_roots: Sequence[Path] = ()
    ) -> None:
        self._factory = factory
        self._runtime = runtime
        self._layout = layout
        self._data_roots = tuple(data_roots)
        self._workers = Workers(factory, runtime, layout, data_roots)

    def accept(self, plan: TrainingPlan, code: Sequence[CodeFile] | None = None) -> Submission:
        """Check the plan and read what it names; see `intake.accept`. Meanwhile the runtime gets ready.

        Raises `PlanInvalid` too when this machine has fewer GPUs than the plan asks for.
        """
        self._runtime.gpus.check(plan.resources.gpus)
        with contextlib.suppress(NotFound):  # intake says it with the place in the plan
            self._runtime.warm(self._factory.profile(plan.agent_profile).preload_for(plan.resources.gpus))
        return intake.accept(plan, self._layout.project, self._data_roots, self._factory, code)

    def own(self, submission: Submission, version: int) -> Run:
        """Lock and make the workspace of a version that is about to be submitted. Raises `LedgerConflict`."""
        return self._own_new(submission, version, agent_id(submission.plan.lifecycle_id, version))

    def own_reproduction(self, submission: Submission, version: int) -> Run:
        """Lock and make the workspace in which a recorded version is trained again; its own one is left alone.

        Raises `LedgerConflict`.
        """
        return self._own_new(submission, version, reproducer_id(agent_id(submission.plan.lifecycle_id, version)))

    def _own_new(self, submission: Submission, version: int, agent: str) -> Run:
        workspace = self._workers.workspace(agent)
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
        return (
            None if workspace is None else Run(as_trained(submission, history), first.version, workspace, list(history))
        )

    def left_untold(self, agent: str) -> bool:
        """Whether the workspace of an agent is there and nobody was told how its run ended."""
        workspace = self._layout.workspace(agent)
        return workspace.is_dir() and not os.path.lexists(workspace / TOLD)

    def train(self, run: Run, publish: Publish, cancel: threading.Event) -> Trained:
        """Run the trainer in its workspace; its files, hashed once it and all it started are dead.

        Raises `TrainingFailed` with the cause, `Interrupted` when ``cancel`` was set.
        """
        if changed := intake.changed(run.submission.train, self._layout.project, self._data_roots):
            raise TrainingFailed(changed, cause="dataset_changed")
        found = self._search(run, publish, cancel)
        workspace, agent = run.workspace, run.workspace.agent_id
        publish(provisioned(run, agent))
        trainer = agent_id(run.lifecycle_id, run.version)  # also of one that is trained again, elsewhere
        facts = self._fit(run, trainer, cancel, lambda said: publish(progress(run, agent, said)))
        with with_facts(TrainingFailed, facts, workspace):
            workspace.check()
            run.model = _kept(run, facts, workspace.leading)
        return Trained(run.model.files, facts, found)

    def _fit(self, run: Run, trainer: str, cancel: threading.Event, tell: OnProgress) -> Mapping[str, Any]:
        """Run a trainer, told that it is ``trainer``, in the workspace of ``run``; what the runtime saw of it.

        Raises `TrainingFailed`, `Interrupted`.
        """
        given, workspace = run.submission, run.workspace
        workspace.prepare()
        handover.lay_out_training(given, workspace)
        workspace.write_payload(training_payload(handover.work(given, run.version), trainer))
        job = handover.job(given, workspace, given.profile.train, hidden=self._workers.hidden)
        outcome = self._workers.run(job, workspace, run, cancel, tell)
        raise_unless_completed(outcome, TrainingFailed, workspace, "trainer")
        return facts_of(outcome)

    def _search(self, run: Run, publish: Publish, cancel: threading.Event) -> Found | None:
        """Make the trials that the plan asks for; the run goes on with what they found. None when it asks for none."""
        given, agent = run.submission, run.workspace.agent_id
        if given.trials is None:
            return None

        def attempt(number: int, trial: Submission, stop: Stop, tell: OnProgress) -> EvaluationReport:
            return self._try(replace(run, submission=trial), trial_id(agent, number), stop, tell)

        def told(said: Mapping[str, Any]) -> None:
            publish(progress(run, agent, said))

        found = search(given, given.trials, run.workspace.path, attempt, told, cancel)
        run.submission = settled(given, found.best.hyperparameters)
        return found

    def _try(self, run: Run, agent: str, stop: Stop, tell: OnProgress) -> EvaluationReport:
        """Train and measure one trial in workspaces of its own, which go when it has ended. Raises `StepFailed`, `Interrupted`."""
        given = run.submission
        if given.evaluation is None:
            raise ValueError("a trial is measured")
        try:
            with self._workers.workspace(agent) as workspace:
                trial = replace(run, workspace=workspace)
                self._fit(trial, agent, stop, tell)
                workspace.check()
                withheld = measuring.withhold(given.evaluation, given.target)
                return self._predict(trial, withheld, stop)[1]
        finally:
            if not stop.ends_all:
                self._workers.remove(agent)
                self._workers.remove(predictor_id(agent))

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
        predictions, report, facts = self._predict(run, withheld, cancel)
        kept = measuring.keep_predictions(predictions, run.predictions)
        said = self._own(run, predictions, withheld, cancel)
        measured = _measured(given, report, kept, facts, said)
        challenger = beside.Challenger(trained.checksum, predictions, None if said is None else said.metrics)
        measured = replace(measured, slices=measuring.measure_apart(predictions, withheld.labels, given))
        return self._beside(run, measured, champion, challenger, withheld, cancel)

    def _predict(
        self, run: Run, withheld: measuring.Withheld, cancel: threading.Event
    ) -> tuple[pa.Table, EvaluationReport, Mapping[str, Any]]:
        """What the model in the run's workspace says of the withheld rows, how good that is, and what the runtime saw."""
        given = run.submission
        with self._workers.workspace(predictor_id(run.workspace.agent_id)) as workspace:
            workspace.prepare()
            handover.lay_out_prediction(given, withheld.features, workspace)
            model, code = run.workspace.out, run.workspace.code
            work = handover.work(given, run.version)
            workspace.write_payload(prediction_payload(work, workspace.agent_id, model=model, code=code))
            job = handover.job(
                given, workspace, given.profile.predict, hidden=self._workers.hidden, readable=(model, code)
            )
            outcome = self._workers.run(job, workspace, run, cancel)
            facts = facts_of(outcome)
            raise_unless_completed(outcome, EvaluationFailed, workspace, "predictor")
            with with_facts(EvaluationFailed, facts, workspace):
                answered = read_predictions(workspace.out, len(withheld.order), given.classes)
                predictions = withheld.restore(answered)
                return predictions, measuring.measure(predictions, withheld.labels, given), facts

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

    def improvement(
        self, run: Run, measured: Measured, recorded: pa.Table, cancel: threading.Event
    ) -> Mapping[str, Estimate]:
        """How much better what was just ``measured`` of a run is than ``recorded`` predictions for the same rows.

        Raises `EvaluationFailed`, `Interrupted`.
        """
        given, withheld = run.submission, self._withheld(run.submission)
        new = measuring.kept_predictions(run.predictions, measured.predictions_sha256)
        asked, threshold = measuring.asked_of(given), given.plan.decision_threshold
        ours, theirs = (
            (Answers(said, given.classes, threshold, asked), self._own(run, said, withheld, cancel))
            for said in (new, recorded)
        )
        return beside.improved(
            given,
            (ours[0], None if ours[1] is None else ours[1].metrics),
            (theirs[0], None if theirs[1] is None else theirs[1].metrics),
            withheld.labels,
        )

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
        with self._workers.workspace(evaluator_id(run.workspace.agent_id)) as workspace:
            workspace.prepare()
            own_evaluation.lay_out(given, workspace, predictions, rows)
            work = handover.work(given, run.version)
            workspace.write_payload(evaluation_payload(work, workspace.agent_id, evaluator))
            outcome = self._workers.run(
                own_evaluation.job(given, workspace, self._workers.hidden), workspace, run, cancel
            )
            facts = facts_of(outcome)
            raise_unless_completed(outcome, EvaluationFailed, workspace, "plan's own evaluator")
            with with_facts(EvaluationFailed, facts, workspace):
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
            compared = beside.compared(given, champion, challenger, theirs, withheld.labels)
        except (StepFailed, DatasetInvalid, ArtifactTampered, NotFound, NotAuthorised) as error:
            raise_trouble_behind(error)
            manifest = champion.manifest
            compared = beside.Compared(beside.silent(manifest.version, manifest.checksum, str(error)))
        anew = {} if compared.kept is None else compared.metrics
        return replace(measured, champion=compared.document, kept=compared.kept, champion_anew=anew)

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
        with self._workers.workspace(agent) as workspace:
            workspace.prepare()
            given = workspace.renew("given")
            FilesystemArtifactStore(self._layout).copy_out(stored, given)
            write_rows(rows, workspace.data / "features", work.data_format)
            model, code = given / "model", given / "code"
            workspace.write_payload(prediction_payload(work, workspace.agent_id, model=model, code=code))
            job = handover.job(
                run.submission, workspace, profile.predict, hidden=self._workers.hidden, readable=(model, code)
            )
            outcome = self._workers.run(job, workspace, run, cancel, profile=profile.name)
            raise_unless_completed(outcome, EvaluationFailed, workspace, f"predictor of @{manifest.version}")
            facts = facts_of(outcome)
            with with_facts(EvaluationFailed, facts, workspace):
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


def _kept(run: Run, facts: Mapping[str, Any], leading: tuple[Path, ...] = ()) -> Kept:
    """The dead trainer's files, hashed and durable; by what the runtime saw of it, read-only from then on too."""
    keep = freeze_output if left_no_writer(facts) else keep_output
    return keep(run.workspace.out, run.submission.plan.resources.disk, leading)
