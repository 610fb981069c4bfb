"""Two processes at one lifecycle: both are served, in order, and the later decision knows of the earlier."""

import json

from end_to_end.projects import until

PATIENT = """\
echo 0.5 > out/cut
while [ ! -e checkpoint/go ]; do sleep 0.02; done
"""


def decisions(project):
    """Version and what it replaces, of each decision in the order of the ledger."""
    return [
        (entry["noa_entry"]["version"], entry["predicate"]["noa:decision"]["replaces"])
        for entry in project.entries()
        if entry["noa_entry"]["type"] == "PromotionReady"
    ]


def release(project, *versions):
    for version in versions:
        (project.workspace(f"little-{version}") / "checkpoint/go").touch()


LENIENT = {
    "dataset_path": "data/eval.csv",
    "metric_thresholds": {"roc_auc": {"min": 0.8, "versus_champion": {"max_drop": 0.5}}},
}
"""A hundred rows are enough to pass beside any champion."""


def start(project, seed):
    return project.start("run", project.plan(f"plan-{seed}.json", seed=seed, evaluation=LENIENT), "--json")


def report(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    return json.loads(out)


def test_two_processes_that_promote_at_once_both_do_in_order(promoted):
    promoted.programs(train=PATIENT)
    both = [start(promoted, seed) for seed in (1, 2)]
    for version in (2, 3):
        until((promoted.workspace(f"little-{version}") / "out/cut").exists)
    release(promoted, 2, 3)
    reports = [report(process) for process in both]
    assert sorted(report["version"] for report in reports) == [2, 3]
    assert all(report["state"] == "champion" for report in reports)
    (_, _), (earlier, before), (later, replaced) = decisions(promoted)
    assert {earlier, later} == {2, 3}
    assert (before, replaced) == (1, earlier)
    assert promoted.champion() == later
    assert promoted.verifies()


def test_the_later_decision_replaces_the_newer_champion_although_it_began_earlier(promoted):
    promoted.programs(train=PATIENT)
    early = start(promoted, 1)
    until((promoted.workspace("little-2") / "out/cut").exists)
    late = start(promoted, 2)
    until((promoted.workspace("little-3") / "out/cut").exists)
    release(promoted, 3)
    assert report(late)["champion"] == 3
    release(promoted, 2)
    assert report(early)["champion"] == 2
    assert decisions(promoted) == [(1, None), (3, 1), (2, 3)]
    measured = [entry for entry in promoted.entries() if entry["noa_entry"]["type"] == "EvaluationLogged"]
    assert measured[-1]["predicate"]["champion"]["version"] == 3
    states = {
        version["version"]: version["state"]
        for version in promoted.tell("show", "little", "--json").document["versions"]
    }
    assert states == {1: "former", 2: "champion", 3: "former"}
    assert promoted.verifies()


def test_many_processes_leave_one_chain_and_no_number_twice(promoted):
    processes = [start(promoted, seed) for seed in range(4)]
    reports = [report(process) for process in processes]
    assert sorted(report["version"] for report in reports) == [2, 3, 4, 5]
    entries = promoted.entries()
    assert [entry["noa_entry"]["seq"] for entry in entries] == list(range(len(entries)))
    versions = [version for version, _ in decisions(promoted)]
    assert [replaced for _, replaced in decisions(promoted)] == [None, *versions[:-1]]
    assert promoted.verifies()


def test_two_projects_are_made_in_one_folder_at_once_and_become_one(folder):
    both = [folder.start("init", "--json") for _ in range(2)]
    origins = set()
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        origins.add(json.loads(out)["origin"])
    assert len(origins) == 1
    assert len(folder.entries()) == 1
    assert folder.tell("run", "plan.json").status == 0
    assert folder.verifies()


def test_a_watcher_that_is_killed_disturbs_neither_the_run_nor_another_watcher(promoted):
    promoted.programs(train=PATIENT)
    killed, patient = (promoted.start("watch", "--since", "0", "--json") for _ in range(2))
    for watcher in (killed, patient):
        assert json.loads(watcher.stdout.readline())
    running = start(promoted, 1)
    until((promoted.workspace("little-2") / "out/cut").exists)
    killed.kill()
    release(promoted, 2)
    assert report(running)["champion"] == 2
    seen = []
    while len(seen) < 4:
        event = json.loads(patient.stdout.readline())
        seen += [event["type"]] if event.get("version") == 2 else []
    assert seen == ["Submitted", "TrainingCompleted", "EvaluationLogged", "PromotionReady"]
    assert promoted.verifies()
