"""What is loaded was promoted by keys of its time that are still trusted for it."""

from __future__ import annotations

import os
import shutil

import pytest

import noa_mlops
from delivery.conftest import COMMAND, folder_of, forest
from noa_mlops.errors import ArtifactTampered, LedgerTampered
from noa_mlops.ledger import Ledger
from noa_mlops.records.layout import Layout


@pytest.fixture
def project(project, tmp_path, monkeypatch):
    """The copy, with copies of its keys, so that they can be changed."""
    shutil.copytree(os.environ["NOA_KEYS"], tmp_path / "keys")
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    return project


def told(project, *arguments):
    result = project.tell(*arguments)
    assert result.status == 0, result.said


def state_of(project):
    return Ledger.read_only(Layout.of(project.path)).state


def holder(project, role):
    return state_of(project).policy.roles[role].keys[0]


def decision_of(project, version):
    return state_of(project).version("little", version).last_seq


def test_loads_a_version_of_before_a_rotation_of_every_key_that_signed_it(project):
    for role in ("model", "verifier"):
        told(project, "keys", "rotate", role)
    for name, version in (("little", 2), ("little@1", 1)):
        assert noa_mlops.load(name, project.path).version == version


def test_loads_a_version_that_new_keys_signed(project):
    for role in ("model", "verifier"):
        told(project, "keys", "rotate", role)
    told(project, "run", project.plan(**forest("little", **COMMAND, seed=3)))
    assert noa_mlops.load("little", project.path).version == 4
    assert noa_mlops.load("little@2", project.path).version == 2


def test_loads_what_was_decided_before_the_last_trusted_entry_and_refuses_what_came_after(project):
    last = decision_of(project, 1)
    told(project, "keys", "revoke", holder(project, "verifier"), "--last", str(last))
    assert noa_mlops.load("little@1", project.path).version == 1
    with pytest.raises(LedgerTampered, match=r"little@2 is not trusted any more: .* revoked key .* up to entry"):
        noa_mlops.load("little", project.path)


def test_refuses_a_decision_that_rests_on_a_measurement_not_trusted_any_more(project):
    last = state_of(project).version("little", 2).seqs[-3]
    told(project, "keys", "revoke", holder(project, "verifier"), "--last", str(last))
    with pytest.raises(LedgerTampered, match=r"its entry \d+ \(EvaluationLogged\) is signed by the revoked key"):
        noa_mlops.load("little", project.path)


def test_refuses_a_model_whose_signature_is_not_trusted_any_more_and_names_the_file(project):
    last = decision_of(project, 1)
    told(project, "keys", "revoke", holder(project, "model"), "--last", str(last))
    assert noa_mlops.load("little@1", project.path).version == 1
    with pytest.raises(ArtifactTampered, match=r"model\.sig is signed by the revoked key") as refused:
        noa_mlops.load("little", project.path)
    assert str(folder_of(project)) in str(refused.value)


def test_a_revocation_after_the_decision_takes_nothing_away(project):
    for role in ("model", "verifier", "operator"):
        told(project, "keys", "revoke", holder(project, role))
    assert noa_mlops.load("little", project.path).version == 2


def test_refuses_a_champion_that_a_revoked_operator_brought_back_but_not_the_version_by_its_number(project):
    before = state_of(project).size - 1
    told(project, "rollback", "little", "--reason", "users are hurt")
    assert noa_mlops.load("little", project.path).version == 1
    told(project, "keys", "revoke", holder(project, "operator"), "--last", str(before))
    with pytest.raises(LedgerTampered, match=r"little@1 is the champion by an act that is not trusted any more"):
        noa_mlops.load("little", project.path)
    assert noa_mlops.load("little@1", project.path).version == 1
