"""``noa run LIFECYCLE@N``: the recorded plan of a version, run again without its file."""

from __future__ import annotations

from end_to_end.projects import TRAIN


def test_a_version_that_failed_is_tried_again_with_the_code_of_now(folder):
    folder.done("init")
    folder.programs(train="exit 3\n")
    folder.done("run", folder.plan(), status=6)
    folder.programs(train=TRAIN)
    (folder.path / "plan.json").unlink()
    again = folder.done("run", "little@1", "--json").document
    assert (again["version"], again["state"]) == (2, "champion")
    plans = {
        entry["predicate"]["plan"]["digest"]["sha256"] for entry in folder.entries() if "plan" in entry["predicate"]
    }
    assert len(plans) == 1


def test_what_would_be_run_is_checked_first_and_a_version_that_is_not_there_is_named(folder):
    folder.done("init")
    folder.done("run", folder.plan())
    assert folder.done("run", "little@1", "--dry-run", "--json").document["lifecycle_id"] == "little"
    assert "there is no little@9" in folder.done("run", "little@9", status=2).err
    assert "there is no other@1" in folder.done("run", "other@1", status=2).err
