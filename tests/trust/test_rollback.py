"""A former champion comes back by an operator's act alone, once, and in sight of what is in force."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from end_to_end.projects import lay_out
from ledger.writing import BYTES, decided, evaluated, promote, submitted, trained
from noa_mlops.errors import LedgerConflict
from noa_mlops.evidence import Act, SignedAct
from noa_mlops.ledger import Draft, LedgerState, admit, version_scope
from trust.deciding import changing, new_key, with_key


def rolling_back(version, *keys, envelope=None, scope=None, answers=None, **changes):
    """Compose RolledBack to ``rain@version``, its act signed by ``keys``."""

    def compose(state):
        about = version_scope("rain", version, BYTES) if scope is None else scope
        lifecycle = state.lifecycle("rain")
        signed = SignedAct(Act(state.origin, "rollback", about, answers or lifecycle.answerable))
        for key in keys:
            signed = signed.signed_by(key)
        fields = {
            "type": "RolledBack",
            "predicate_type": "noa:act/v1",
            "predicate": {"act": envelope or signed.envelope()},
            "subject": [{"name": f"rain@{version}", "digest": {"sha256": BYTES}}],
            "lifecycle_id": "rain",
            "version": version,
        }
        return Draft(**{**fields, **changes})

    return compose


def replace_champion(ledger):
    """One version more, champion in the place of the champion."""
    champion = ledger.state.lifecycle("rain").champion
    version = ledger.append(submitted()).version
    for compose in (trained(version), evaluated(version), decided(version, replaces=champion)):
        ledger.append(compose)


@pytest.fixture
def operator(ledger):
    return ledger.keys.signing_key("operator")


@pytest.fixture
def three(ledger):
    """A lifecycle whose third version is the champion."""
    promote(ledger)
    replace_champion(ledger)
    replace_champion(ledger)
    return ledger


def refused(ledger, compose, match):
    size = ledger.state.size
    with pytest.raises(LedgerConflict, match=match):
        ledger.append(compose)
    assert ledger.state.size == size


def statuses(ledger):
    return [version.status for version in ledger.state.lifecycle("rain").versions.values()]


def test_any_former_champion_can_come_back_and_the_next_is_decided_against_it(three, operator, layout):
    entry = three.append(rolling_back(1, operator))
    lifecycle = three.state.lifecycle("rain")
    assert (lifecycle.champion, lifecycle.crowned, lifecycle.rollout) == (1, entry.seq, "ready")
    assert statuses(three) == ["champion", "former", "former"]
    assert three.sealed_size == three.state.size
    three.append(submitted())
    three.append(trained(4))
    three.append(evaluated(4))
    refused(three, decided(4, replaces=3), "another champion than 1")
    three.append(decided(4, replaces=1))
    state = LedgerState()
    for line in layout.ledger.read_bytes().splitlines():
        state = admit(state, line)
    assert state == three.state


def test_an_act_counts_once_and_for_what_was_in_force(three, operator):
    act = rolling_back(2, operator)(three.state).predicate["act"]
    three.append(rolling_back(2, envelope=act))
    three.append(rolling_back(3, operator))
    refused(three, rolling_back(2, envelope=act), "answers another entry")
    late = rolling_back(1, operator)(three.state).predicate["act"]
    replace_champion(three)
    refused(three, rolling_back(1, envelope=late), "answers another entry")


@pytest.mark.parametrize("role", ["verifier", "root"])
def test_no_other_role_can_bring_a_champion_back(three, role):
    refused(three, rolling_back(1, three.keys.signing_key(role)), "without the quorum")


def test_only_what_was_champion_can_come_back(three, operator):
    three.append(submitted())
    three.append(trained(4))
    three.append(evaluated(4))
    three.append(decided(4, status="blocked", verdict="fail", reasons=["threshold"], replaces=3))
    refused(three, rolling_back(4, operator), "is rejected")
    refused(three, rolling_back(3, operator), "is champion")
    refused(three, rolling_back(9, operator), "there is not")


def test_an_act_has_one_form(three, operator):
    named = {"lifecycle_id": "rain", "version": True, "model": {"sha256": BYTES}}
    refused(three, rolling_back(1, operator, scope=named), "decides something else")
    refused(three, rolling_back(1, operator, scope=version_scope("rain", 2, BYTES)), "decides something else")
    refused(three, rolling_back(1, operator, scope=version_scope("rain", 1, "c" * 64)), "decides something else")
    refused(three, rolling_back(1, operator, status="ready"), "the form of RolledBack")
    refused(three, rolling_back(1, operator, predicate_type="noa:trust/v1"), "the form of RolledBack")
    other = [{"name": "rain@1", "digest": {"sha256": "c" * 64}}]
    refused(three, rolling_back(1, operator, subject=other), "other bytes")
    refused(three, rolling_back(1, new_key()), "wrong or of an unknown key")


def test_a_blocked_rollout_stays_blocked_and_a_stolen_promotion_does_not_come_back(three, operator):
    """The runtime's key was stolen after the first promotion: 2 and 3 are not trusted, 1 is."""
    last = three.state.lifecycle("rain").versions[1].last_seq
    revoke(three, "verifier", last)
    assert three.state.lifecycle("rain").rollout == "blocked"
    refused(three, rolling_back(2, operator), "not trusted any more")
    three.append(rolling_back(1, operator))
    assert three.state.lifecycle("rain").rollout == "blocked"


def test_a_champion_that_a_stolen_key_brought_back_is_blocked(three, operator):
    last = three.state.size - 1
    three.append(rolling_back(1, operator))
    revoke(three, "operator", last)
    assert three.state.lifecycle("rain").rollout == "blocked"


def test_a_champion_that_an_operator_had_no_part_in_stays_when_that_key_is_revoked(three):
    revoke(three, "operator", 0)
    assert three.state.lifecycle("rain").rollout == "ready"


def revoke(ledger, role, last):
    """Take a role's key away and put a new one in its place."""
    root, stolen, fresh = ledger.keys.signing_key("root"), ledger.keys.signing_key(role), new_key()
    ledger.keys.add(fresh)
    after = with_key(ledger.state.policy, role, fresh, instead=True)
    ledger.append(changing(replace(after, revoked={stolen.public.keyid: last}), root, fresh))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project whose second version is the champion, and its keys."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(folder / "keys"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        project = lay_out(folder / "project")
        for arguments in (("init",), ("run", "plan.json"), ("run", "plan.json")):
            result = project.tell(*arguments)
            assert result.status == 0, result.said
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.setenv("NOA_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    return type(lay_out(tmp_path / "elsewhere"))(tmp_path / "project")


def done(project, *arguments, status=0):
    result = project.tell(*arguments)
    assert result.status == status, result.said
    return result


def test_the_command_brings_the_champion_before_back(project):
    name = project.entries()[1]["noa_entry"]["lifecycle_id"]
    assert "not yet recorded" in done(project, "rollback", name, "--reason", "worse by the sea", "--dry-run").said
    assert "is the champion again" in done(project, "rollback", name, "--reason", "worse by the sea").said
    assert project.last_entry()[0] == "RolledBack"
    assert "brought back" in done(project, "show", name).said
    done(project, "verify")
    done(project, "run", "plan.json")
    done(project, "verify")
    assert "was never champion" in done(project, "rollback", name, "--to", "9", "--reason", "x", status=2).said


def test_an_operator_signs_elsewhere(project, tmp_path, monkeypatch):
    name = project.entries()[1]["noa_entry"]["lifecycle_id"]
    keys = next((tmp_path / "keys").iterdir())
    away = tmp_path / "away"
    away.mkdir()
    for file in keys.glob("operator*"):
        shutil.move(file, away / file.name)
    request = tmp_path / "request.json"
    asked = ("rollback", name, "--request", str(request))
    assert "the quorum of 1 of 'operator'" in done(project, *asked, "--reason", "worse", status=7).said
    for file in away.iterdir():
        shutil.copy(file, keys / file.name)
    assert "worse" in done(project, *asked).said
    for file in away.iterdir():
        (keys / file.name).unlink()
    assert (
        "decides something else" in done(project, "rollback", name, "--to", "2", "--admit", str(request), status=2).said
    )
    done(project, "rollback", name, "--admit", str(request))
    done(project, "rollback", name, "--admit", str(request), status=5)
    done(project, "rollback", name, "--to", "2", "--reason", "again", status=5)
    request.write_bytes(request.read_bytes().replace(b'"reason":"', b'"reason":"A'))
    done(project, "rollback", name, "--admit", str(request), status=2)
