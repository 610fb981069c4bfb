"""`noa diff LIFECYCLE`: what blocks a rollout, down to rows, labels and slices, kept by its digest."""

import json
import random
import shutil

import pytest

from end_to_end.projects import Project, lay_out, with_permissions

EVALUATION = {
    "dataset_path": "data/eval.dataset.yaml",
    "metric_thresholds": {"roc_auc": {"min": 0.8, "slices": ["town"]}},
}


def people(seed, first, count, *, moved=0.0, towns=("Ulm", "Bonn")):
    """Rows with a key and a town that agents do not see; ``moved`` ones have another ``x`` and more labels that are 1."""
    draw = random.Random(seed)
    lines = ["id,town,x,y,label"]
    for key in range(first, first + count):
        x, y = draw.random(), draw.random()
        label = int(x + 0.2 * draw.random() > 0.6 or draw.random() < moved)
        lines.append(f"{key},{draw.choice(towns)},{x + moved:.4f},{y:.4f},{label}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def stopped(once):
    """A project whose rollout a scan has blocked: rows 1000 to 2999 in place of rows 0 to 1999, most of them in a new town."""

    def make(folder):
        project = lay_out(folder / "project")
        parts = {
            "train": people(1, 0, 2000),
            "eval": people(2, 5000, 1200),
            "now": people(3, 1000, 2000, moved=0.5, towns=("Ulm", "Köln", "<b>Köln</b>")),
        }
        for name, text in parts.items():
            project.write(f"data/{name}.csv", text)
            definition = f"files: [data/{name}.csv]\nkey: id\nignore: [town]\n"
            project.write(f"data/{name}.dataset.yaml", definition)
        plan = project.plan(dataset_path="data/train.dataset.yaml", evaluation=EVALUATION)
        project.done("init")
        project.done("run", plan)
        project.done("drift", "little", "--current", "data/now.dataset.yaml", status=3)

    return once("stopped", make)


@pytest.fixture
def blocked(home, stopped):
    for name in ("project", "keys"):
        shutil.copytree(stopped / name, home / name, symlinks=True)
    return Project(home / "project")


def objects(project):
    return {path.name for path in project.path.joinpath("storage/db/evidence/objects").iterdir()}


def test_rows_labels_slices_and_what_the_scan_said_stand_beside_the_distributions(blocked):
    shown = blocked.done("diff", "little")
    assert "1000 added, 1000 removed, 1000 changed, 0 the same" in shown.out
    assert "x changed in 1000" in shown.out
    document = blocked.done("diff", "little", "--json").document
    assert document["not_compared"] == []
    rates = {one["label"]: (one["before"], one["now"]) for one in document["label_rates"]["rates"]}
    assert rates["1"][1] > rates["1"][0] + 0.1
    slices = {one["slice"]: one["shares"] for one in document["slices"]}
    assert slices["town 'Bonn'"][1] == 0 < slices["town 'Bonn'"][0]
    assert slices["town 'Köln'"][0] == 0 < slices["town 'Köln'"][1]
    changes = [abs(now - before) for before, now in slices.values()]
    assert changes == sorted(changes, reverse=True)
    assert [metric["metric"] for metric in document["incident"]["labels"]["metrics"]] == ["roc_auc"]
    assert document["incident"]["report"] == blocked.entries()[-1]["predicate"]["report"]
    assert "Metrics     roc_auc" in shown.out
    assert "town 'Köln'" in shown.out


def test_the_comparison_is_kept_under_its_digest_once_and_nothing_else_is_written(blocked):
    before, there = blocked.entries(), objects(blocked)
    first = blocked.done("diff", "little", "--json").document
    assert objects(blocked) - there == {first["digest"]}
    assert first["kept"] is True
    kept = json.loads(blocked.path.joinpath("storage/db/evidence/objects", first["digest"]).read_bytes())
    assert kept == {name: value for name, value in first.items() if name not in ("digest", "kept")}
    assert first["digest"] in blocked.done("diff", "little").out
    assert objects(blocked) - there == {first["digest"]}
    assert blocked.entries() == before
    assert blocked.verifies()


def test_a_dry_run_keeps_nothing(blocked):
    before = blocked.state()
    assert "nothing was kept" in blocked.done("diff", "little", "--dry-run").out
    assert blocked.state() == before


def test_what_cannot_be_kept_is_shown_all_the_same(blocked):
    folder = blocked.path / "storage/db/evidence/objects"
    folder.chmod(0o555)
    shown = with_permissions(blocked, "diff", "little", "--json")
    folder.chmod(0o755)
    assert shown.status == 0, shown.said
    assert shown.document["kept"] is False
    assert shown.document["digest"] not in objects(blocked)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "cannot be read any more"),
        (lambda path: path.write_text(people(9, 0, 2000)), "has other rows than those that were recorded"),
    ],
    ids=["gone", "changed"],
)
def test_without_the_recorded_files_that_is_said_and_the_record_is_shown(blocked, harm, said):
    whole = blocked.done("diff", "little", "--json").document
    harm(blocked.path / "data/train.csv")
    document = blocked.done("diff", "little", "--json").document
    assert document["matched"] is None
    assert len(document["not_compared"]) == 1
    assert said in document["not_compared"][0]
    assert (document["columns"], document["label_rates"]) == (whole["columns"], whole["label_rates"])
    assert document["digest"] != whole["digest"]
    assert said in blocked.done("diff", "little").out


def test_a_key_that_is_asked_for_is_used_or_refused(blocked):
    assert "another row has named" in blocked.done("diff", "little", "--key", "town", status=2).said
    assert "matched" in blocked.done("diff", "little", "--key", "id", "--json").document


def test_a_plan_that_splits_its_data_is_compared_by_its_training_part(folder):
    folder.write("data/train.csv", people(1, 0, 3000))
    folder.write("data/now.csv", people(3, 100, 2000, moved=0.5))
    for name in ("train", "now"):
        folder.write(f"data/{name}.dataset.yaml", f"files: [data/{name}.csv]\nkey: id\nignore: [town]\n")
    evaluation = {"split": {"share": 0.4}, "metric_thresholds": {"roc_auc": 0.8}}
    plan = folder.plan(dataset_path="data/train.dataset.yaml", evaluation=evaluation)
    folder.done("init")
    folder.done("run", plan)
    folder.done("drift", "little", "--current", "data/now.dataset.yaml", status=3)
    document = folder.done("diff", "little", "--json").document
    assert document["not_compared"] == []
    matched = document["matched"]
    assert matched["removed"] + matched["changed"] + matched["same"] == 1800


def test_the_page_is_one_file_that_loads_nothing_and_holds_no_foreign_markup(blocked):
    path = blocked.path / "incident.html"
    blocked.done("diff", "little", "--html", str(path))
    page = path.read_text()
    assert "<b>Köln" not in page
    assert "&lt;b&gt;Köln" in page
    assert "http" not in page
    assert "<script" not in page
    for part in ("Labels: label", "Slices", "1000 rows added", "roc_auc"):
        assert part in page
    assert page.count("<svg") > 8


def test_what_was_redacted_is_not_shown_and_the_rest_is(blocked):
    whole = blocked.done("diff", "little", "--json").document
    blocked.done("redact", whole["digest"], "--reason", "names a town")
    assert whole["digest"] not in objects(blocked)
    plan = blocked.done("show", "little@1", "--json").document["plan_digest"]
    blocked.done("redact", plan, "--reason", "names a customer")
    document = blocked.done("diff", "little", "--json").document
    assert (document["columns"], document["matched"]) == (whole["columns"], whole["matched"])
    assert document["slices"] == [], "only the plan named them"
    blocked.done("redact", whole["incident"]["report"], "--reason", "names a town")
    assert "was redacted, so nothing is left" in blocked.done("diff", "little", status=2).said


def test_an_incident_beside_a_challenger_is_compared_by_the_rows_that_the_challengers_plan_split_off(folder):
    def turned(lines):
        return "\n".join([lines[0], *(f"{line[:-1]}{1 - int(line[-1])}" for line in lines[1:])]) + "\n"

    texts = {"then": people(1, 0, 3000), "now": turned(people(3, 2000, 3000).splitlines())}
    for name, text in texts.items():
        folder.write(f"data/{name}.csv", text)
        folder.write(f"data/{name}.dataset.yaml", f"files: [data/{name}.csv]\nkey: id\nignore: [town]\n")
    split = {"split": {"share": 0.4}, "metric_thresholds": {"roc_auc": 0.8}}
    folder.done("init")
    folder.done("run", folder.plan(dataset_path="data/then.dataset.yaml", evaluation=split))
    folder.tell("run", folder.plan(dataset_path="data/now.dataset.yaml", evaluation=split))
    scan = next(entry for entry in folder.entries() if entry["noa_entry"]["type"] == "DriftScanned")
    assert (scan["noa_entry"]["status"], scan["predicate"]["beside"]) == ("blocked", 2)
    document = folder.done("diff", "little", "--json").document
    assert document["not_compared"] == []
    matched = document["matched"]
    assert matched["added"] + matched["changed"] + matched["same"] == 1200
    assert matched["removed"] + matched["changed"] + matched["same"] == 1800


def test_without_labels_what_the_champion_expects_of_itself_is_shown(folder):
    folder.write("data/train.csv", people(1, 0, 2000))
    unlabelled = [line.rpartition(",")[0] for line in people(3, 1000, 2000, moved=0.5).splitlines()]
    folder.write("data/now.csv", "\n".join(unlabelled) + "\n")
    for name in ("train", "now"):
        folder.write(f"data/{name}.dataset.yaml", f"files: [data/{name}.csv]\nkey: id\nignore: [town]\n")
    evaluation = {"split": {"share": 0.4}, "metric_thresholds": {"roc_auc": 0.8}}
    folder.done("init")
    folder.done("run", folder.plan(dataset_path="data/train.dataset.yaml", evaluation=evaluation))
    folder.done("drift", "little", "--current", "data/now.dataset.yaml", status=3)
    path = folder.path / "incident.html"
    shown = folder.done("diff", "little", "--html", str(path)).out
    assert "Estimated   roc_auc" in shown
    assert "by its own probabilities" in path.read_text()
    document = folder.done("diff", "little", "--json").document
    assert document["label_rates"] is None
    assert document["incident"]["labels"] is None
    assert document["incident"]["estimated"]["roc_auc"]["then"] > 0.9
