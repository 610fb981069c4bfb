"""The report of a version: every number of the evidence on one page that loads nothing, or a sentence why it is not there."""

import csv
import io
import math
import random
import shutil
from html.parser import HTMLParser

import pytest

from end_to_end.projects import Project, rows

HOSTILE = "</script><script>alert('1')</script>\"'<!-- & \x1b[31m \u202e"
"""What somebody might write where text is asked for."""

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """A page as a browser's parser sees it: its elements, its words, and the exact numbers of its ``data`` elements."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def numbers(self) -> set[float]:
        return {float(attributes["value"]) for tag, attributes in self.elements if tag == "data"}

    def pictures(self) -> list[str]:
        return [attributes["aria-label"] for tag, attributes in self.elements if tag == "svg"]


def report(project: Project, name: str, folder) -> tuple[Page, dict]:
    """The page and the document of a version; every page keeps what all pages promise."""
    path = folder / "report.html"
    result = project.tell("show", name, "--html", str(path), "--json")
    assert result.status == 0, result.said
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert len(text.encode()) < 300_000
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "image", "use", "form", "a"}
    assert not [key for _, found in page.elements for key in found if key.startswith("on") or key in ("src", "href")]
    assert not any(word in text for word in ("http:", "https:", "url(", "@import"))
    assert "prefers-color-scheme:dark" in text
    svgs = [place for place, (tag, _) in enumerate(page.elements) if tag == "svg"]
    assert all(page.elements[place][1]["role"] == "img" for place in svgs)
    assert all(page.elements[place + 1][0] == "title" for place in svgs)
    return page, result.document


def told_numbers(document: dict) -> set[float]:
    """Every value and bound of the document's measurement."""
    evaluation = document["evaluation"]
    champion = evaluation["champion"] or {"improvements": {}}
    found = [*evaluation["estimates"].values(), *champion["improvements"].values()]
    found += [cell for by in evaluation["by_slice"] for cells in by["metrics"].values() for cell in cells]
    numbers = [number for one in found for number in (one["value"], one.get("champion"), *(one["interval"] or ()))]
    return {float(number) for number in numbers if number is not None}


WORSE = 'awk -F, \'END { print 0.9 }\' "$NOA_DATA" > "$NOA_OUT/cut"\n'
"""A model that answers nearly always the same."""


def test_a_promoted_version_has_every_number_its_curve_and_its_confusion(promoted, tmp_path):
    page, document = report(promoted, "little@1", tmp_path)
    assert page.numbers == told_numbers(document) != set()
    assert document["evaluation"]["estimates"]["roc_auc"]["outcome"] == "pass"
    diagnosis = document["diagnosis"]
    assert sum(one["rows"] for one in diagnosis["calibration"]) == 1200
    assert any(label.startswith("Reliability curve of class 1") for label in page.pictures())
    metrics = document["evaluation"]["metrics"]
    (true_no, false_yes), (false_no, true_yes) = diagnosis["confusion"]["counts"]
    assert math.isclose((true_no + true_yes) / 1200, metrics["accuracy"])
    assert math.isclose(true_yes / (true_yes + false_no), metrics["recall"])
    assert math.isclose(true_yes / (true_yes + false_yes), metrics["precision"])
    gaps = [one["rows"] * abs(one["probability"] - one["share"]) for one in diagnosis["calibration"]]
    assert math.isclose(sum(gaps) / 1200, metrics["ece"])
    for digest in (document["plan_digest"], document["checksum"], document["decided_by"]):
        assert digest in page.text
    for entry in document["entries"]:
        assert entry["type"] in page.text
        assert entry["keyid"][:16] in page.text


def test_a_rejected_version_stands_beside_the_champion_with_what_was_allowed(promoted, tmp_path):
    promoted.programs(train=WORSE)
    promoted.done(
        "run",
        promoted.plan(evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {"f1": 0.9}}),
        status=3,
    )
    page, document = report(promoted, "little@2", tmp_path)
    assert page.numbers == told_numbers(document)
    gained = document["evaluation"]["champion"]["improvements"]["f1"]
    assert (gained["limit"], gained["rule"], gained["outcome"]) == (-0.02, "max_drop", "fail")
    assert gained["interval"][0] < gained["value"] < gained["interval"][1]
    assert document["diagnosis"]["confusion"] is not None
    assert "REJECTED" in page.text
    assert "allowed -0.02" in page.text
    assert any("improvement of f1" in label and "allowed -0.02" in label for label in page.pictures())
    said = promoted.done("show", "little@2").said
    assert "allowed -0.02" in said
    assert f"{gained['interval'][0]:.4g} .. {gained['interval'][1]:.4g}" in said


def test_inconclusive_held_and_failed_versions_have_a_report_too(promoted, tmp_path):
    promoted.write("data/few.csv", rows(40, 9))
    few = {"dataset_path": "data/few.csv", "metric_thresholds": {"roc_auc": {"min": 0.9, "confidence": 0.99}}}
    promoted.done("run", promoted.plan(evaluation=few), status=7)
    promoted.done("run", promoted.plan(approvals={"required": 2}), status=7)
    promoted.programs(train="echo no >&2; exit 7\n")
    failed = promoted.tell("run", promoted.plan())
    assert failed.status not in (0, 3), failed.said
    page, document = report(promoted, "little@2", tmp_path)
    assert document["decision"]["verdict"] == "inconclusive"
    assert "inconclusive" in page.text
    page, document = report(promoted, "little@3", tmp_path)
    assert "0 of 2" in page.text
    page, document = report(promoted, "little@4", tmp_path)
    assert "FAILED" in page.text
    assert document["failure"]["cause"] in page.text
    assert "evaluation" not in document


def test_what_cannot_be_drawn_is_replaced_by_the_reason(promoted, tmp_path):
    store = promoted.path / "storage/artifacts/little/command/1"
    evaluation = promoted.path / "data/eval.csv"
    kept = evaluation.read_bytes()
    evaluation.write_text(rows(1200, 5))
    page, document = report(promoted, "little@1", tmp_path)
    assert "data/eval.csv no longer holds the rows that were measured" in page.text
    assert page.numbers == told_numbers(document)
    assert not any("Reliability" in label for label in page.pictures())
    evaluation.unlink()
    assert "data/eval.csv" in report(promoted, "little@1", tmp_path)[1]["diagnosis"]["unavailable"]
    evaluation.write_bytes(kept)
    assert report(promoted, "little@1", tmp_path)[1]["diagnosis"]["unavailable"] is None
    store.chmod(0o755)
    predictions = store / "predictions.parquet"
    predictions.chmod(0o644)
    predictions.write_bytes(predictions.read_bytes() + b"\0")
    page, _ = report(promoted, "little@1", tmp_path)
    assert "is not the one that entry 3 names" in page.text
    predictions.unlink()
    shutil.rmtree(promoted.workspace("little-1"), ignore_errors=True)
    assert "neither in the store nor in its workspace" in report(promoted, "little@1", tmp_path)[0].text


def test_what_people_wrote_is_text_and_nothing_else(folder, tmp_path):
    name = "</script>\"'<b>&.csv"
    folder.write(f"data/{name}", folder.path.joinpath("data/eval.csv").read_text())
    folder.done("init")
    evaluation = {"dataset_path": f"data/{name}", "metric_thresholds": {"roc_auc": 0.8}, "notes": HOSTILE}
    folder.done("run", folder.plan(evaluation=evaluation))
    page, document = report(folder, "little@1", tmp_path)
    assert name in page.text
    assert document["notes"] == HOSTILE
    assert "</script><script>alert('1')</script>\"'<!-- & \\x1b[31m \\u202e" in page.text
    raw = (tmp_path / "report.html").read_text()
    assert "\x1b" not in raw
    assert "\u202e" not in raw
    said = folder.done("show", "little@1").said
    assert "\x1b[31m" not in said


def flowers(count: int, seed: int, *, names: tuple[str, ...]) -> str:
    """Rows of classes that lie beside each other on a line."""
    draw, out = random.Random(seed), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["length", "width", "colour", "kind", "weight"])
    for _ in range(count):
        place = draw.randrange(len(names))
        length = draw.gauss(place, 0.6)
        colour = draw.choice(["red", "<i>blue</i>"])
        writer.writerow([length, draw.random(), colour, names[place], 3 * length + draw.gauss(0, 0.5)])
    return out.getvalue()


@pytest.fixture
def meadow(folder):
    names = ("aster", "<b>bellis</b>", "cosmea \"'&")
    for name, count, seed in (("train", 300, 1), ("eval", 400, 2)):
        folder.write(f"data/{name}.csv", flowers(count, seed, names=names))
    folder.done("init")
    return folder


def test_more_than_two_classes_with_slices(meadow, tmp_path):
    threshold = {"accuracy": {"min": 0.6, "slices": ["colour"]}}
    evaluation = {"dataset_path": "data/eval.csv", "metric_thresholds": threshold}
    plan = meadow.plan(
        agent_profile="sklearn-classifier",
        target="kind",
        hyperparameters={"estimator": "logistic_regression"},
        code=None,
        evaluation=evaluation,
    )
    meadow.done("run", plan)
    page, document = report(meadow, "little@1", tmp_path)
    assert page.numbers == told_numbers(document)
    confusion = document["diagnosis"]["confusion"]
    assert confusion["names"] == sorted(confusion["names"])
    assert [name for name in confusion["names"] if name not in page.text] == []
    right = sum(confusion["counts"][place][place] for place in range(3))
    assert math.isclose(right / 400, document["evaluation"]["metrics"]["accuracy"])
    assert "Reliability curve of the most probable class" in page.pictures()
    (by,) = document["evaluation"]["by_slice"]
    assert (by["column"], sum(by["rows"])) == ("colour", 400)
    assert "colour '<i>blue</i>'" in page.text


def test_a_regression_shows_how_far_it_is_off(meadow, tmp_path):
    plan = meadow.plan(
        agent_profile="sklearn-regressor",
        target="weight",
        hyperparameters={"estimator": "ridge"},
        code=None,
        evaluation={"dataset_path": "data/eval.csv", "metric_thresholds": {"r2": 0.5}},
    )
    meadow.done("run", plan)
    page, document = report(meadow, "little@1", tmp_path)
    assert page.numbers == told_numbers(document)
    diagnosis = document["diagnosis"]
    assert (diagnosis["calibration"], diagnosis["confusion"]) == ([], None)
    assert [one["rows"] for one in diagnosis["residuals"]] == [20] * 20
    assert all(one["low"] <= one["median"] <= one["high"] for one in diagnosis["residuals"])
    assert page.pictures()[-1] == "Prediction minus label along the prediction"


def test_rows_that_were_split_off_are_split_off_again(folder, tmp_path):
    folder.write("data/all.csv", rows(1500, 3))
    folder.done("init")
    evaluation = {"split": {"share": "50%"}, "metric_thresholds": {"roc_auc": 0.8}}
    folder.done("run", folder.plan(dataset_path="data/all.csv", evaluation=evaluation))
    _, document = report(folder, "little@1", tmp_path)
    counts = document["diagnosis"]["confusion"]["counts"]
    assert sum(map(sum, counts)) == document["evaluation"]["rows"]


def test_only_a_version_has_a_report(promoted, tmp_path):
    path = tmp_path / "report.html"
    refused = promoted.tell("show", "little", "--html", str(path))
    assert refused.status == 2
    assert "noa show LIFECYCLE@N --html FILE" in refused.said
    assert not path.exists()
