"""The doctor names what is wrong and the command that mends it, and changes nothing by looking."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from audit.conftest import orchestrator_of, run
from end_to_end.projects import with_permissions
from ledger.writing import submitted
from noa_mlops.agents import Workspace
from noa_mlops.audit import diagnose, repair, room, verify
from noa_mlops.audit.findings import RUNBOOKS
from noa_mlops.errors import LedgerTampered, NotAuthorised, RegistryConflict
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout


def diagnosed(audited):
    """The diagnosis of each area; looking must change nothing."""
    before = audited.digest()
    found = diagnose(audited.layout)
    assert audited.digest() == before
    return {diagnosis.area: diagnosis for diagnosis in found}


def test_every_area_has_a_page_and_a_place_in_their_list():
    folder = Path(__file__).parents[2] / "docs/runbooks"
    listed = folder.joinpath("README.md").read_text()
    for area, page in RUNBOOKS.items():
        assert folder.joinpath(f"{page}.md").is_file()
        assert re.search(rf"\| [^|]*`{area}`[^|]* \| \[{page}\]", listed), area


def test_nothing_is_wrong_with_a_project_whose_newest_version_is_its_champion(healthy):
    assert diagnosed(healthy) == {}


def test_a_failed_training_is_named_with_its_cause_its_workspace_and_its_logs(audited):
    found = diagnosed(audited)
    assert found.keys() == {"training"}
    failed = found["training"]
    assert failed.problem.startswith("little@3 failed (exit_status): the trainer exited with status 3: no luck")
    assert failed.details == ("it said: no luck",)
    assert failed.evidence == f"entry 10, {audited.layout.workspace('little-3')}"
    assert failed.commands == ("noa logs little@3", "noa run little@3")


def test_a_rejected_version_is_named_with_metrics_thresholds_and_the_state_of_its_data(healthy):
    out_of_reach = {"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.9999}}
    with orchestrator_of(healthy.project) as orchestrator:
        assert run(orchestrator, healthy.project, evaluation=out_of_reach).state == "rejected"
    found = diagnosed(healthy)["gate"]
    assert found.problem.startswith("little@5 was not promoted (fail): roc_auc ")
    assert "0.9999" in found.problem
    assert found.problem.endswith("data/eval.csv is still the data that it was measured on")
    [metric] = found.details
    assert re.fullmatch(r"roc_auc 0\.99\d\d, asked: at least 0\.9999", metric)
    assert "the champion stays in force" in found.remedy
    healthy.project.write("data/eval.csv", "x,y,label\n0,0,0\n")
    assert diagnosed(healthy)["gate"].problem.endswith("data/eval.csv changed since it was measured")


def test_an_interrupted_run_is_named_also_when_no_checkpoint_knows_it(healthy):
    """As a killed process leaves it: submitted, synced, not sealed."""
    with Ledger.open(healthy.layout, KeyStore()) as ledger:
        ledger.append(submitted("little"))
        before = ledger.sealed_size
        ledger.append(submitted("other"))
        assert ledger.sealed_size == before
        interrupted = diagnosed(healthy)["run"]
        assert (interrupted.problem, interrupted.commands) == ("other@1 was interrupted", ("noa run other@1",))
    found = [found.problem for found in diagnose(healthy.layout) if found.area == "run"]
    assert sorted(found) == ["little@5 was interrupted", "other@1 was interrupted"]


def test_a_run_that_somebody_owns_is_not_called_interrupted(healthy):
    with Ledger.open(healthy.layout, KeyStore()) as ledger:
        ledger.append(submitted("other"))
    with Workspace.claim(healthy.layout, "other-1"):
        assert "run" not in diagnosed(healthy)
    assert "run" in diagnosed(healthy)


def test_keys_that_are_not_here_are_named(healthy, tmp_path):
    shutil.rmtree(tmp_path / "keys")
    found = diagnosed(healthy)["keys"]
    assert "private keys of this project" in found.problem
    assert "NOA_KEYS" in found.remedy


def test_a_key_that_others_can_read_is_named_with_the_command(healthy, tmp_path):
    (key,) = (tmp_path / "keys").glob("*/verifier.pem")
    key.chmod(0o644)
    found = diagnosed(healthy)["keys"]
    assert f"{key} is open to others" in found.problem
    assert found.commands == (f"chmod 600 {key}",)


def test_a_registry_conflict_is_named_with_path_mode_owner_and_command(healthy):
    healthy.layout.capabilities.write_text("not json")
    found = diagnosed(healthy)
    assert found.keys() == {"registry"}, "and is no damage of the evidence"
    assert str(healthy.layout.capabilities) in found["registry"].problem
    assert "move it away" in found["registry"].remedy


def test_both_files_of_the_registry_are_looked_at(healthy):
    for path in (healthy.layout.capabilities, healthy.layout.mirror):
        path.unlink()
        path.mkdir()
    found = [found.problem for found in diagnose(healthy.layout) if found.area == "registry"]
    assert [str(path) in problem for path, problem in zip(_conflicts(healthy), found, strict=True)] == [True, True]


def _conflicts(audited):
    return (audited.layout.capabilities, audited.layout.mirror)


def test_damaged_evidence_is_named_and_a_copy_is_the_remedy(healthy):
    (healthy.stored / "model" / "cut").unlink()
    found = diagnosed(healthy)["evidence"]
    assert "model/cut" in found.problem
    assert found.evidence == str(healthy.stored)
    assert "restore" in found.remedy


@pytest.mark.parametrize("name", ["mirror", "mirror_checkpoint"])
def test_a_damaged_mirror_is_named_and_repair_is_the_remedy(healthy, name):
    getattr(healthy.layout, name).write_bytes(b"rubbish\n")
    assert diagnosed(healthy)["evidence"].commands == ("noa doctor --repair",)


def test_a_ledger_that_does_not_verify_is_named_and_stops_no_other_look(healthy):
    healthy.flip(healthy.layout.ledger, 5000)
    healthy.layout.capabilities.write_text("not json")
    assert {"evidence", "registry"} <= diagnosed(healthy).keys()


def test_a_ledger_that_was_lost_is_named(healthy):
    healthy.layout.ledger.unlink()
    found = [found for found in diagnose(healthy.layout) if found.evidence == str(healthy.layout.ledger)]
    assert ["ledger.jsonl: is gone or empty" in diagnosis.problem for diagnosis in found] == [True]
    assert "restore" in found[0].remedy


def test_a_line_that_a_crash_tore_is_left_to_the_next_run(healthy):
    with healthy.layout.ledger.open("ab") as stream:
        stream.write(b'{"_type":')
    found = diagnosed(healthy)["evidence"]
    assert "torn, as a write that was cut off leaves it" in found.problem
    assert "what a crash tore is moved aside" in found.remedy
    assert found.commands == ("noa doctor --repair",)


def test_a_torn_line_that_a_checkpoint_vouches_for_needs_a_copy(healthy):
    os.truncate(healthy.layout.ledger, healthy.layout.ledger.stat().st_size - 9)
    remedies = [found.remedy for found in diagnose(healthy.layout) if "ledger.jsonl" in found.problem]
    assert remedies
    assert all("restore" in remedy for remedy in remedies)


def test_a_folder_without_a_ledger_is_named(tmp_path):
    found = diagnose(Layout.of(tmp_path))
    assert [diagnosis.problem.startswith("there is no ledger") for diagnosis in found] == [True]
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_named(healthy, monkeypatch):
    monkeypatch.setattr(room, "LOW_DISK", 1 << 60)
    found = diagnosed(healthy)["disk"]
    assert "MiB are free" in found.problem
    assert "free some space" in found.remedy


def test_storage_that_may_not_be_written_is_named_with_the_command(healthy):
    healthy.layout.artifacts.chmod(0o555)
    result = with_permissions(healthy.project, "doctor", "--json")
    healthy.layout.artifacts.chmod(0o755)
    (found,) = [found for found in json.loads(result.out) if found["area"] == "storage"]
    assert found["problem"].startswith(f"{healthy.layout.artifacts} is not writable (mode 555, owner ")
    assert found["commands"][0].startswith(f"chown {os.geteuid()}:{os.getegid()} {healthy.layout.artifacts} ")
    assert result.status == 5


def test_repair_rebuilds_the_mirror_byte_for_byte_and_never_touches_the_ledger(healthy):
    layout = healthy.layout
    before = {path: path.read_bytes() for path in (layout.mirror, layout.mirror_checkpoint, layout.ledger)}
    layout.mirror.write_bytes(b"rubbish\n")
    layout.mirror_checkpoint.unlink()
    lines = repair(layout)
    assert {path: path.read_bytes() for path in before} == before
    assert lines == len(before[layout.mirror].splitlines())
    repair(layout)
    assert {path: path.read_bytes() for path in before} == before
    assert verify(layout).holds


def test_repair_restores_our_capability_and_keeps_those_of_others(healthy):
    capabilities = healthy.layout.capabilities
    capabilities.write_text('{"version": 1, "capabilities": [{"id": "theirs", "x": 1}]}')
    assert not verify(healthy.layout).holds
    repair(healthy.layout)
    assert verify(healthy.layout).holds
    assert json.loads(capabilities.read_bytes())["capabilities"][0] == {"id": "theirs", "x": 1}


def test_repair_refuses_a_ledger_that_does_not_verify(healthy):
    healthy.flip(healthy.layout.ledger, 5000)
    healthy.layout.mirror.unlink()
    with pytest.raises(LedgerTampered):
        repair(healthy.layout)
    assert not healthy.layout.mirror.exists()


def test_repair_needs_the_keys(healthy, tmp_path):
    shutil.rmtree(tmp_path / "keys")
    with pytest.raises(NotAuthorised):
        repair(healthy.layout)


def test_repair_needs_a_registry_that_can_be_written(healthy):
    healthy.layout.capabilities.write_text("not json")
    with pytest.raises(RegistryConflict):
        repair(healthy.layout)
