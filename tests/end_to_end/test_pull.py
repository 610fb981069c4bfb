"""A deployment gets a whole and verified version or keeps the one that it has."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest


@pytest.fixture
def origin(promoted):
    return promoted.done("status", "--json").document["origin"]


@pytest.fixture
def to(tmp_path):
    return tmp_path / "served"


@pytest.fixture
def keys_away(home):
    """A block in which the private keys of some roles are on another machine."""

    @contextlib.contextmanager
    def away(*roles):
        folder = next((home / "keys").iterdir())
        moved = [file for file in folder.glob("*.pem") if file.stem in roles]
        assert len(moved) == len(roles)
        for file in moved:
            file.rename(home / file.name)
        yield
        for file in moved:
            (home / file.name).rename(file)

    return away


def pull(project, to, origin, *more, name="little", status=0):
    return project.done("pull", name, "--to", str(to), "--origin", origin, "--json", *more, status=status)


def test_the_champion_lands_under_its_digest_and_current_leads_to_it(promoted, to, origin):
    pulled = pull(promoted, to, origin).document
    assert (pulled["version"], pulled["changed"]) == (1, True)
    assert os.readlink(to / "current") == pulled["digest"]
    assert (to / "current/model/cut").read_bytes() == next(
        (promoted.path / "storage/artifacts/little").glob("*/1/model/cut")
    ).read_bytes()
    assert sorted(path.name for path in (to / "current").iterdir()) == ["code", "manifest.json", "model", "model.sig"]
    again = pull(promoted, to, origin).document
    assert again == {**pulled, "changed": False}


def test_a_new_champion_is_put_beside_the_old_one_and_an_old_one_can_be_named(promoted, to, origin):
    first = pull(promoted, to, origin).document
    promoted.done("run", "plan.json")
    second = pull(promoted, to, origin).document
    assert (second["version"], second["changed"]) == (2, True)
    assert (to / first["digest"] / "model/cut").exists()
    assert pull(promoted, to, origin, name="little@1").document == {**first, "changed": True}


def test_a_blocked_rollout_brings_nothing_and_what_runs_stays(promoted, to, origin):
    before = pull(promoted, to, origin).document
    lines = ["x,z,label", *(f"{1000 + n},1,{n % 2}" for n in range(200))]
    promoted.write("data/other.csv", "\n".join(lines) + "\n")
    promoted.done("drift", "little", "--current", "data/other.csv", status=3)
    refused = pull(promoted, to, origin, status=3)
    assert "blocked" in refused.said
    assert os.readlink(to / "current") == before["digest"]


def test_a_changed_byte_in_the_store_or_where_it_landed_is_refused_by_name(promoted, to, origin):
    pulled = pull(promoted, to, origin).document
    landed = to / pulled["digest"] / "model/cut"
    landed.chmod(0o644)
    landed.write_text("0.9")
    assert "model/cut is not what was pulled" in pull(promoted, to, origin, status=4).said
    shutil.rmtree(to)
    stored = next((promoted.path / "storage/artifacts/little").glob("*/1/model/cut"))
    stored.chmod(0o644)
    stored.write_text("0.9")
    assert "model/cut" in pull(promoted, to, origin, status=4).said
    assert not to.exists()


def test_another_origin_and_evidence_that_is_too_old_are_refused(promoted, to, origin):
    assert "origin" in pull(promoted, to, "other/00", status=4).said
    assert "hours ago" in pull(promoted, to, origin, "--max-age", "0s", status=4).said
    assert pull(promoted, to, origin, "--max-age", "1d").document["changed"]


def test_what_a_pull_that_was_killed_left_goes_and_something_else_under_the_link_is_left_alone(promoted, to, origin):
    to.mkdir()
    (to / ".0123.abcd.tmp" / "model").mkdir(parents=True)
    (to / "current").write_text("mine")
    assert "is not a link of a pull" in pull(promoted, to, origin, status=5).said
    (to / "current").unlink()
    pull(promoted, to, origin)
    assert not (to / ".0123.abcd.tmp").exists()
    assert not list(to.glob("*.tmp"))


def test_while_versions_are_promoted_current_is_always_one_whole_version(promoted, to, origin):
    pull(promoted, to, origin)
    stop, seen, wrong = threading.Event(), set(), []

    def watch():
        while not stop.is_set():
            folder = os.path.realpath(to / "current")
            if not all(os.path.exists(f"{folder}/{part}") for part in ("model/cut", "manifest.json", "model.sig")):
                wrong.append(folder)
            seen.add(folder)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        runs = [promoted.start("run", "plan.json", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in "12"]
        versions = {pull(promoted, to, origin).document["version"] for _ in range(6)}
        assert [run.wait() for run in runs] == [0, 0]
        versions.add(pull(promoted, to, origin).document["version"])
    finally:
        stop.set()
        watcher.join()
    assert max(versions) > 1  # two runs at once may be one: whoever comes second is told of the first one's version
    assert not wrong


def recorded(project, to, origin, target="production", *more, name="little", status=0):
    return pull(project, to, origin, "--record", target, *more, name=name, status=status)


def test_what_runs_where_is_recorded_once_and_shown_everywhere(promoted, to, origin):
    told = recorded(promoted, to, origin).document
    assert told["record"] == {"target": "production", "entry": len(promoted.entries()) - 1, "missing": None}
    assert promoted.last_entry()[0] == "Deployed"
    assert recorded(promoted, to, origin).document == {**told, "changed": False}
    [runs] = promoted.done("show", "little", "--json").document["rollout"]["deployed"]
    assert (runs["target"], runs["version"], runs["entry"], runs["champion"]) == (
        "production",
        1,
        told["record"]["entry"],
        True,
    )
    assert len(runs["by"]) == 1
    for command in (("show", "little"), ("status",)):
        assert "@1 in production" in promoted.done(*command).said
    assert "Deployed" in promoted.done("watch", "--since", "0", "--no-follow").said
    mirror = (promoted.path / "registry/ml_artifacts.log").read_text().splitlines()
    assert '"type":"Deployed"' in mirror[-1]
    promoted.done("verify")
    promoted.done("gate", "little", "--origin", origin)


def test_what_runs_and_is_not_the_champion_is_noted(promoted, to, origin):
    recorded(promoted, to, origin)
    promoted.done("run", "plan.json")
    assert "@1 in production, not the champion" in promoted.done("show", "little").said
    noted = promoted.tell("audit", "--json").document["notes"]
    assert any("little@1 runs in production" in note and "the champion is little@2" in note for note in noted)
    recorded(promoted, to, origin)
    noted = promoted.tell("audit", "--json").document["notes"]
    assert not any("runs in production" in note for note in noted)


def test_without_a_key_that_may_deploy_it_is_in_place_and_said_not_to_be_recorded(promoted, to, origin, keys_away):
    before = promoted.state()
    with keys_away("operator"):
        refused = recorded(promoted, to, origin, status=5)
    assert "little@1 is in place" in refused.said
    assert "not recorded: the act is not signed by the quorum of 1 of 'operator'" in refused.said
    assert os.path.exists(to / "current/model/cut")
    assert promoted.state() == before


def test_a_host_that_only_reads_signs_there_and_the_project_admits_it(promoted, to, origin, tmp_path, keys_away):
    file = str(tmp_path / "runs.json")
    before = promoted.state()
    with keys_away("verifier", "root", "model"):
        told = recorded(promoted, to, origin, "production", "--request", file).document
    assert (told["record"]["entry"], told["record"]["missing"]) == (None, None)
    assert promoted.state() == before
    admit = ("pull", "little", "--admit", file)
    with keys_away("operator"):
        promoted.done(*admit, "--record", "canary", status=2)
        promoted.done(*admit, "--record", "production", "--to", str(to), status=2)
        assert "runs in production, as entry" in promoted.done(*admit, "--record", "production").said
        assert "answers another entry" in promoted.done(*admit, "--record", "production", status=5).said
    assert promoted.done("show", "little", "--json").document["rollout"]["deployed"][0]["version"] == 1


def test_an_unsigned_record_waits_for_who_may_sign_it(promoted, to, origin, tmp_path, keys_away):
    file = str(tmp_path / "runs.json")
    with keys_away("operator"):
        told = recorded(promoted, to, origin, "production", "--request", file, status=7).document
    assert "operator" in told["record"]["missing"]
    assert recorded(promoted, to, origin, "production", "--request", file).document["record"]["missing"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("--origin", "x"),
        ("--to", "x"),
        ("--to", "x", "--origin", "x", "--request", "f"),
        ("--to", "x", "--origin", "x", "--reason", "why"),
        ("--record", "production", "--admit", "f", "--request", "f"),
    ],
)
def test_options_that_contradict_each_other_pull_nothing(promoted, arguments):
    promoted.done("pull", "little", *arguments, status=2)
    assert not (promoted.path / "x").exists()


def test_a_target_is_a_name(promoted, to, origin):
    assert "must be 1 to 64" in recorded(promoted, to, origin, "../etc", status=5).said


def test_a_hosts_own_key_says_what_runs_there_and_can_do_nothing_else(promoted, to, origin, tmp_path, keys_away):
    asked = str(tmp_path / "host.request")
    promoted.done("keys", "request", "deployer", "--to", asked)
    promoted.done("keys", "admit", asked)
    file = str(tmp_path / "runs.json")
    with keys_away("verifier", "operator", "root", "model"):
        recorded(promoted, to, origin, "production", "--request", file)
        [signature] = json.loads(Path(file).read_text())["act"]["signatures"]
        promoted.done("rollback", "little", "--reason", "x", status=2)
        promoted.done("override", "little@1", "--expires", "1d", "--reason", "x", status=5)
    promoted.done("pull", "little", "--record", "production", "--admit", file)
    roles = {key["keyid"]: key["roles"] for key in promoted.done("keys", "list", "--json").document}
    assert roles[signature["keyid"]] == ["deployer"]
    [runs] = promoted.done("show", "little", "--json").document["rollout"]["deployed"]
    assert runs["by"] == [signature["keyid"]]
    promoted.done("verify")
