"""Slices, groups and fairness, from the plan to the evidence."""

import json
import random
import re

import pytest

from end_to_end.projects import PREDICT, lay_out
from end_to_end.test_published_schemas import validator

SEASONS = ("dry", "wet", "")


def rows(count, seed, *, hard=None, far=0.0):
    """Rows as usual with season, sex and station beside them; the label is a coin's in the season ``hard``.

    A share ``far`` of the positive rows of women is where no model finds it.
    """
    draw = random.Random(seed)
    lines = ["x,y,label,season,sex,station,speed"]
    for number in range(count):
        x, season, sex = draw.random(), draw.choice(SEASONS), draw.choice("fm")
        label = int(x + 0.2 * draw.random() > 0.6)
        if season == hard:
            label = draw.randint(0, 1)
        if sex == "f" and label and draw.random() < far:
            x = 0.2 * draw.random()
        lines.append(f"{x:.4f},{draw.random():.4f},{label},{season},{sex},s{number % 40},{draw.random():.3f}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def project(home):
    project = lay_out(home / "project")
    project.write("data/train.csv", rows(400, 1))
    project.write("data/eval.csv", rows(1500, 2))
    assert project.tell("init").status == 0
    return project


def run(project, threshold, *, seed=1, metric="recall", data="data/eval.csv", **evaluation):
    asked = {"dataset_path": data, "metric_thresholds": {metric: threshold}, **evaluation}
    return project.tell("run", project.plan(seed=seed, evaluation=asked))


def last(project, kind):
    return next(e["predicate"] for e in reversed(project.entries()) if e["noa_entry"]["type"] == kind)


def decision(project):
    return last(project, "PromotionReady")["noa:decision"]


def test_a_model_that_is_good_in_every_slice_is_promoted_and_its_slices_are_kept_and_shown(project):
    good = run(project, {"min": 0.6, "confidence": 0.95, "slices": ["season"]})
    assert good.status == 0, good.said
    sliced = last(project, "EvaluationLogged")["slices"]["season"]
    assert sliced["values"] == ["dry", "wet", None]
    assert sum(sliced["rows"]) == 1500
    assert {cell["spread"]["kind"] for cell in sliced["metrics"]["recall"]} == {"proportion"}
    shown = project.tell("show", "little@1").out
    assert "season 'wet'" in shown
    assert "rows without season" in shown
    assert "in each season" in shown
    assert re.search(r"^season 'wet' +\d+ +0\.\d+ \(0\.\d+ \.\. (0\.\d+|1)\)$", shown, re.MULTILINE)
    document = project.tell("show", "little@1", "--json").document
    assert document["evaluation"]["slices"]["season"] == sliced
    (manifest,) = project.path.glob("storage/artifacts/little/*/1/manifest.json")
    kept = json.loads(manifest.read_text())["evaluation"]["slices"]["season"]
    assert kept["metrics"]["recall"] == [cell["value"] for cell in sliced["metrics"]["recall"]]
    assert project.tell("verify", "--decisions").status == 0


def test_what_is_recorded_and_kept_of_slices_is_described_by_the_published_schemas(project):
    threshold = {"min": 0.6, "slices": ["season"], "fairness": {"by": "sex", "min_ratio": 0.5}, "min_rows": 40}
    assert run(project, threshold | {"on_small_slice": "warn", "confidence": 0.9}, group_by="station").status == 0
    assert run(project, {"min": 0.6, "slices": ["season"]}, metric="f1", seed=2).status == 0
    manifests = [json.loads(path.read_text()) for path in project.path.rglob("manifest.json")]
    measured = [e["predicate"] for e in project.entries() if e["noa_entry"]["type"] == "EvaluationLogged"]
    assert (len(manifests), len(measured)) == (2, 2)
    for name, documents in (("lifecycle", measured), ("manifest", manifests)):
        for document in documents:
            assert list(validator(name).iter_errors(document)) == []


def test_a_slice_that_is_shown_below_the_minimum_rejects_a_model_that_is_good_on_average(project):
    project.write("data/eval.csv", rows(1500, 2, hard="wet"))
    bad = run(project, {"min": 0.7, "slices": ["season"]})
    assert bad.status == 3, bad.said
    assert "season 'wet': 0." in bad.out
    assert "shown beyond it, 1 of 3 slices judged" in bad.out
    assert decision(project)["reasons"] == ["threshold"]
    assert project.tell("verify", "--decisions").status == 0
    whole = run(project, {"min": 0.7}, seed=2)
    assert whole.status == 0, whole.said


def test_a_small_slice_is_inconclusive_unless_the_plan_is_content_with_a_note(project):
    lines = rows(1500, 2).splitlines()
    rare = [line.replace(",dry,", ",odd,") if n < 20 else line for n, line in enumerate(lines)]
    project.write("data/eval.csv", "\n".join(rare) + "\n")
    unsure = run(project, {"min": 0.6, "slices": ["season"]})
    assert unsure.status == 7, unsure.said
    assert "recall: not judged: season 'odd' has" in unsure.out
    noted = run(project, {"min": 0.6, "slices": ["season"], "on_small_slice": "warn"}, seed=2)
    assert noted.status == 0, noted.said
    assert "Noted       recall: not judged: season 'odd' has" in noted.out
    assert decision(project)["notes"][0].startswith("recall: not judged: season 'odd' has")
    assert "not judged: season 'odd'" in project.tell("show", "little@2").out
    assert project.tell("verify", "--decisions").status == 0


@pytest.mark.parametrize(
    ("rule", "words"),
    [({"max_difference": 0.1}, "differ by 0."), ({"min_ratio": 0.85}, "have the ratio 0.")],
)
def test_groups_that_are_treated_differently_reject_a_model(project, rule, words):
    fair = run(project, {"min": 0.5, "confidence": 0.9, "fairness": {"by": "sex", **rule}})
    assert fair.status == 0, fair.said
    project.write("data/eval.csv", rows(1500, 3, far=0.4))
    unfair = run(project, {"min": 0.5, "versus_champion": "none", "fairness": {"by": "sex", **rule}}, seed=2)
    assert unfair.status == 3, unfair.said
    assert "in sex 'm' and 0." in unfair.out
    assert words in unfair.out
    assert project.tell("verify", "--decisions").status == 0


@pytest.mark.parametrize(
    ("threshold", "says", "hint"),
    [
        (
            {"slices": ["saeson"]},
            "evaluation.metric_thresholds.recall.slices names the column 'saeson', which is not in the data",
            "Did you mean 'season'?",
        ),
        (
            {"fairness": {"by": "sexe", "max_difference": 0.1}},
            "evaluation.metric_thresholds.recall.fairness.by names the column 'sexe', which is not in the data",
            "Did you mean 'sex'?",
        ),
        ({"slices": ["speed"]}, "the column 'speed' holds numbers with fractions, not kinds", "Name a column of few"),
        ({"slices": ["number"]}, "the column 'number' has 1500 different values; slices are made of at most 50", ""),
        ({"slices": ["story"]}, "the column 'story' has a value of 65 bytes; a slice is named by at most 64", ""),
        ({"slices": ["label"]}, "the column 'label' is the target", ""),
    ],
)
def test_a_column_of_which_no_slices_can_be_made_is_refused_before_anything_runs(project, threshold, says, hint):
    for name in ("train", "eval"):
        head, *lines = (project.path / f"data/{name}.csv").read_text().splitlines()
        more = [f"{line},{n},{'x' * 65 if n else 'y'}" for n, line in enumerate(lines)]
        project.write(f"data/{name}.csv", "\n".join([f"{head},number,story", *more]) + "\n")
    before = len(project.entries())
    refused = run(project, {"min": 0.6, **threshold})
    assert refused.status == 2, refused.said
    assert says in refused.err
    assert hint in refused.err
    assert len(project.entries()) == before


def test_more_measurements_than_a_ledger_line_holds_are_refused_before_anything_runs(project):
    names = ("accuracy", "precision", "recall", "f1", "mcc", "log_loss")
    thresholds = {name: {"max" if name == "log_loss" else "min": 0.1, "slices": ["station"]} for name in names}
    before = len(project.entries())
    refused = project.tell(
        "run", project.plan(evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": thresholds})
    )
    assert refused.status == 2
    assert "asks for 240 measurements in slices (6 metrics by 'station'); at most 200 are recorded" in refused.err
    assert len(project.entries()) == before


def test_as_many_slices_as_may_be_asked_for_fit_into_the_lines_of_a_measurement_and_of_its_decision(project):
    """The longest there is: 200 pairs, names of 64 bytes, groups, a champion; and nearly every slice is too bad or small."""
    draw = random.Random(1)
    for name, count in (("train", 400), ("eval", 4000)):
        head, *lines = rows(count, 5).splitlines()
        towns = [f"{line},{draw.choice(range(50)):03}{chr(233) * 30}" for line in lines]
        project.write(f"data/{name}.csv", "\n".join([f"{head},town", *towns]) + "\n")
    names = ("precision", "recall", "roc_auc", "average_precision_macro")
    fairness = {"by": "town", "max_difference": 0.0}
    asked = {"min": 0.999, "slices": ["town"], "fairness": fairness, "confidence": 0.99, "min_rows": 80}

    def outcome(seed, threshold):
        thresholds = dict.fromkeys(names, threshold)
        evaluation = {"dataset_path": "data/eval.csv", "metric_thresholds": thresholds, "group_by": "station"}
        return project.tell("run", project.plan(seed=seed, evaluation=evaluation))

    assert outcome(1, 0.5).status == 0
    assert outcome(2, asked).status == 3
    sliced = last(project, "EvaluationLogged")["slices"]["town"]
    assert (len(sliced["values"]), sliced["metrics"].keys()) == (50, set(names))
    longest = max((project.path / "storage/db/evidence/ledger.jsonl").read_bytes().splitlines(), key=len)
    assert 30_000 < len(longest) < 60_000
    assert project.tell("verify", "--decisions").status == 0


def test_a_column_that_no_agent_sees_can_be_a_slice_and_the_model_never_learns_of_it(project):
    for name in ("train", "eval"):
        definition = f"files: [data/{name}.csv]\nignore: [season, sex, station, speed]\nslices: [sex]\n"
        project.write(f"data/{name}.dataset.yaml", definition)
    project.programs(predict=f'head -1 "$NOA_DATA" >&2\n{PREDICT}')
    evaluation = {
        "dataset_path": "data/eval.dataset.yaml",
        "metric_thresholds": {"recall": {"min": 0.6, "slices": ["season"]}, "roc_auc": 0.6},
    }
    plan = project.plan(dataset_path="data/train.dataset.yaml", evaluation=evaluation)
    done = project.tell("run", plan)
    assert done.status == 0, done.said
    slices = last(project, "EvaluationLogged")["slices"]
    assert slices.keys() == {"season", "sex"}
    assert slices["sex"]["metrics"].keys() == {"recall", "roc_auc"}
    assert slices["season"]["metrics"].keys() == {"recall"}
    log = (project.workspace("little-1.predict") / "stderr.log").read_text()
    assert log == '"x","y"\n'


def test_rows_that_a_split_holds_back_have_slices_and_groups_of_their_own(project):
    project.write("data/train.csv", rows(3000, 4))
    evaluation = {
        "split": {"share": "40%"},
        "metric_thresholds": {
            "recall": {"min": 0.6, "slices": ["season"], "fairness": {"by": "sex", "min_ratio": 0.5}}
        },
        "group_by": "station",
    }
    done = project.tell("run", project.plan(evaluation=evaluation))
    assert done.status == 0, done.said
    predicate = last(project, "EvaluationLogged")
    assert {sum(sliced["rows"]) for sliced in predicate["slices"].values()} == {1200}
    assert predicate["slices"].keys() == {"season", "sex"}
    assert predicate["group_by"]["groups"] == 40


@pytest.mark.parametrize("declared", ["plan", "definition"])
def test_rows_that_depend_on_each_other_count_by_their_groups(project, declared):
    data, asked = "data/eval.csv", {"group_by": "station"}
    if declared == "definition":
        project.write("data/eval.dataset.yaml", "files: [data/eval.csv]\ngroup: station\n")
        data, asked = "data/eval.dataset.yaml", {}
    grouped = run(project, {"min": 0.6, "confidence": 0.95, "slices": ["season"]}, data=data, **asked)
    assert grouped.status == 0, grouped.said
    predicate = last(project, "EvaluationLogged")
    assert predicate["group_by"] == {"column": "station", "groups": 40}
    assert {spread["kind"] for spread in predicate["spreads"].values()} == {"moments"}
    assert predicate["spreads"]["recall"]["units"] == 40
    assert {cell["spread"]["units"] for cell in predicate["slices"]["season"]["metrics"]["recall"]} == {40}
    assert "by station, 40 groups" in project.tell("show", "little@1").out
    again = run(project, {"min": 0.6}, seed=2, data=data, **asked)
    assert again.status == 0, again.said
    improvements = last(project, "EvaluationLogged")["champion"]["improvements"]
    assert improvements["recall"]["spread"]["kind"] == "moments"
    assert project.tell("verify", "--decisions").status == 0


def test_a_handful_of_groups_says_nothing_however_many_rows_they_have(project):
    unsure = run(project, {"min": 0.6, "confidence": 0.95}, group_by="sex")
    assert unsure.status == 7, unsure.said
    assert "rests on 2 independent rows or groups of a kind" in unsure.out


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("stasion", "evaluation.group_by names the column 'stasion', which is not in the data"),
        ("label", "'label' is the target"),
    ],
)
def test_a_group_that_is_no_column_is_refused(project, column, says):
    refused = run(project, {"min": 0.6}, group_by=column)
    assert refused.status == 2
    assert says in refused.err
