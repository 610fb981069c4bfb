"""The parts, called directly, can do the work of a run, and none of them can make a champion."""

import threading
from dataclasses import replace

import pytest

from end_to_end.projects import PREDICT, until
from noa_mlops import (
    AgentFactory,
    AgentLifecycleController,
    FilesystemArtifactStore,
    LifecycleError,
    RuntimeManager,
    TrainingPlan,
)
from noa_mlops.files import open_beneath
from noa_mlops.records.events import EvaluationLogged, TrainingCompleted
from noa_mlops.records.layout import Layout
from noa_mlops.records.manifest import checksum


@pytest.fixture
def parts(promoted):
    """Controller and store of a project with a champion, and a plan."""
    layout = Layout.of(promoted.path)
    controller = AgentLifecycleController(AgentFactory(), RuntimeManager(), layout)
    return controller, FilesystemArtifactStore(layout), TrainingPlan.load(promoted.path / "plan.json")


def carry_out(controller, plan, version):
    """Everything that a run does but its entries: what it would promote."""
    with controller.own(controller.accept(plan), version) as run:
        trained = controller.train(run, lambda event: None, threading.Event())
        about = {"lifecycle_id": "little", "version": version, "seq": 99, "timestamp": "2026-01-01T00:00:00Z"}
        completed = TrainingCompleted(**about, checksum=checksum(trained.files), run=trained.facts)
        measured = controller.evaluate(run, completed, None, threading.Event())
        logged = EvaluationLogged(
            **about,
            checksum=completed.checksum,
            metrics={name: estimate.value for name, estimate in measured.report.metrics.items()},
            not_computed={},
            rows=100,
            dataset=run.submission.datasets["evaluation"],
            predictions=measured.predictions_sha256,
            run=measured.facts,
        )
        verdict = controller.check(run, logged, None)
        return verdict, *controller.stage(run, completed, logged, "2026-01-01T00:00:00Z")


def test_a_model_that_was_staged_without_a_decision_is_no_champion(promoted, parts):
    controller, store, plan = parts
    ledger = (promoted.path / "storage/db/evidence/ledger.jsonl").read_bytes()
    verdict, staged, manifest = carry_out(controller, plan, 2)
    assert verdict.promotes
    store.stage(staged, manifest, b"{}")
    assert store.path("little", "command", 2).is_dir()
    assert (promoted.path / "storage/db/evidence/ledger.jsonl").read_bytes() == ledger
    view = promoted.tell("show", "little", "--json").document
    assert view["champion"]["version"] == 1
    assert [version["version"] for version in view["versions"]] == [1]
    assert promoted.verifies()


def test_the_next_run_is_promoted_beside_what_nobody_decided_on(promoted, parts):
    controller, store, plan = parts
    _, staged, manifest = carry_out(controller, plan, 2)
    store.stage(staged, manifest, b"{}")
    result = promoted.tell("run", "plan.json", "--json")
    assert (result.status, result.document["champion"]) == (0, 2), result.said
    assert promoted.verifies()


def test_a_champion_cannot_be_overwritten_through_the_store(promoted, parts):
    controller, store, plan = parts
    before = {path: path.read_bytes() for path in store.path("little", "command", 1).rglob("*") if path.is_file()}
    promoted.programs(train='echo 0.1 > "$NOA_OUT/cut"\n')
    _, staged, manifest = carry_out(controller, plan, 2)
    with pytest.raises(LifecycleError):
        store.stage(staged, replace(manifest, version=1), b"{}")
    assert {path: path.read_bytes() for path in before} == before
    assert promoted.champion() == 1
    assert promoted.verifies()


def test_the_store_takes_only_the_bytes_that_were_measured(promoted, parts):
    controller, store, plan = parts
    _, staged, manifest = carry_out(controller, plan, 2)
    (staged.model / "cut").write_text("0.9\n")
    with pytest.raises(LifecycleError, match="changed after"):
        store.stage(staged, manifest, b"{}")
    assert not store.path("little", "command", 2).exists()
    with open_beneath(store.path("little", "command", 1), "model/cut") as stream:
        assert stream.read() != b"0.9\n"
    assert promoted.verifies()


def test_a_model_that_is_changed_between_training_and_measurement_fails_its_run(promoted):
    """A descendant cannot: it is dead. Somebody else on the machine can, and is noticed."""
    waiting = "echo x > out/waiting\nwhile [ ! -e checkpoint/go ]; do sleep 0.02; done\nrm out/waiting\n"
    promoted.programs(predict=waiting + PREDICT)
    command = promoted.start("run", "plan.json")
    until((promoted.workspace("little-2.predict") / "out/waiting").exists)
    (promoted.workspace("little-2") / "out/cut").write_text("0.45\n")
    (promoted.workspace("little-2.predict") / "checkpoint/go").touch()
    out, err = command.communicate(timeout=60)
    assert command.returncode in (4, 6), out + err
    assert promoted.champion() == 1
    assert promoted.verifies()
    promoted.programs()
    assert promoted.tell("run", "plan.json").status == 0
