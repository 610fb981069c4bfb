"""Old workspaces go; evidence, promoted versions and whatever a version still needs stay."""

from __future__ import annotations

import os
import time

from audit.conftest import orchestrator_of, run
from ledger.writing import submitted
from noa_mlops.agents import Workspace
from noa_mlops.audit import clean, old_workspaces, verify
from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout


def old(layout: Layout, before: float | None = None) -> list[str]:
    ledger = Ledger.read_only(layout)
    return [found.agent_id for found in old_workspaces(layout, ledger, before or time.time() + 60)]


def test_the_workspaces_of_versions_that_ended_go_and_everything_still_verifies(audited):
    names = old(audited.layout)
    assert {"little-1", "little-1.predict", "little-2", "little-3"} <= set(names)
    evidence = {path: path.read_bytes() for path in audited.layout.evidence.rglob("*") if path.is_file()}
    assert audited.project.tell("doctor", "--clean", "--older-than", "0s", "--dry-run").said.count("\n") >= len(names)
    assert old(audited.layout) == names
    audited.project.tell("doctor", "--clean", "--older-than", "0s")
    assert list(audited.layout.workspaces.iterdir()) == []
    assert {path: path.read_bytes() for path in audited.layout.evidence.rglob("*") if path.is_file()} == evidence
    assert verify(audited.layout).holds
    assert "its workspace is gone" in audited.project.tell("logs", "little@1").said
    with orchestrator_of(audited.project) as orchestrator:
        assert run(orchestrator, audited.project).address == "little@4"


def test_what_changed_lately_stays(audited):
    assert old(audited.layout, time.time() - 3600) == []
    said = audited.project.tell("doctor", "--clean").said
    assert "0 workspaces removed" in said


def test_what_a_version_on_its_way_needs_stays(audited):
    with Ledger.open(audited.layout, KeyStore()) as ledger:
        version = ledger.append(submitted("little")).version
        assert f"little-{version}" not in old(audited.layout)
    (audited.layout.workspaces / f"little-{version}").mkdir()
    assert f"little-{version}" not in old(audited.layout)


def test_a_workspace_that_somebody_owns_stays(audited):
    owned = Workspace.claim(audited.layout, "little-1")
    assert owned is not None
    with owned:
        assert "little-1" not in old(audited.layout)


def test_a_link_among_the_workspaces_is_not_followed(audited, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept").write_text("kept")
    (audited.layout.workspaces / "elsewhere").symlink_to(tmp_path / "mine")
    os.symlink(tmp_path / "mine", audited.layout.workspace("little-1") / "inside")
    found = old_workspaces(audited.layout, Ledger.read_only(audited.layout), time.time() + 60)
    assert "elsewhere" not in [workspace.agent_id for workspace in found]
    assert clean(audited.layout, found) > 0
    assert (tmp_path / "mine" / "kept").read_text() == "kept"
    assert not audited.layout.workspace("little-1").exists()


def test_an_age_that_is_none_is_refused(audited):
    result = audited.project.tell("doctor", "--clean", "--older-than", "soon")
    assert (result.status, "must be a duration" in result.said) == (2, True)
