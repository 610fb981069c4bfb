"""Plans that must be refused, or taken as the text they are, through the command line: nothing is written or lost."""

import json
import threading
from pathlib import Path

import pytest

from end_to_end.projects import PLAN
from noa_mlops import PlanInvalid, TrainingPlan

YAML = """\
lifecycle_id: little
agent_profile: command
dataset_path: data/train.csv
target: label
code: [src/train.sh, src/predict.sh]
hyperparameters: {command: [sh, code/src/train.sh], predict: [sh, code/src/predict.sh], data_format: csv}
evaluation:
  dataset_path: data/eval.csv
  metric_thresholds: {roc_auc: 0.8}
"""
CANARY = Path("/tmp/noa-canary-file")


def with_line(old: str, new: str) -> str:
    """The usual plan in YAML with one piece of it replaced."""
    assert old in YAML
    return YAML.replace(old, new)


@pytest.fixture
def refused(promoted):
    """Runs a plan that must be refused with status 2 and leave everything as it was; what was said."""

    def check(content: str | bytes, name: str = "plan.yaml") -> str:
        promoted.write(name, content)
        before = promoted.state()
        result = promoted.tell("run", name)
        assert result.status == 2, result.said
        assert result.out == ""
        assert "Traceback" not in result.err
        assert "internal error" not in result.err
        assert promoted.state() == before
        assert not CANARY.exists()
        assert promoted.verifies()
        return result.err

    return check


NAMES = [
    *("../../etc", "..", ".", "", "a" * 256, "a" * 10_000),
    *("a/b", "a\\b", "/abs", "C:\\x", "~root", "%2e%2e%2f", "%252e"),
    *("a\0b", "a\nb", "a\tb", "a\x1bb", "a\u202eb", "workspaces", "champion", "Little"),
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:20]))
def test_refuses_a_lifecycle_whose_name_could_be_more_than_a_name(refused, name):
    said = refused(with_line("lifecycle_id: little", f"lifecycle_id: {json.dumps(name)}"))
    assert said.startswith("plan.yaml:1:15  lifecycle_id ")
    assert said.splitlines()[-1] == "1 error, nothing was run"
    assert len(said.splitlines()) == 2
    assert len(said) < 400
    assert not set(said) & {"\0", "\x1b", "\t", "\u202e"}


@pytest.mark.parametrize("profile", ["-rf", "--config=x", ".hidden", "con", "command.", "command ", "comand"])
def test_refuses_a_profile_that_is_not_one(refused, profile):
    said = refused(with_line("agent_profile: command", f"agent_profile: {json.dumps(profile)}"))
    assert "agent" in said
    assert "profile" in said
    assert len(said.splitlines()) == 2


def test_names_the_profile_that_was_meant(refused):
    assert "did you mean 'command'?" in refused(with_line("agent_profile: command", "agent_profile: comand"))


@pytest.mark.parametrize(
    ("content", "name", "place"),
    [
        (YAML + "target: x\n", "plan.yaml", ':10:1  the key "target" stands twice'),
        (with_line("{roc_auc: 0.8}", "{roc_auc: 0.8, roc_auc: 0.1}"), "plan.yaml", ":9:37  the key"),
        (json.dumps(PLAN)[:-1] + ', "target": "x"}', "plan.json", 'the key "target" stands twice'),
        (
            json.dumps(PLAN).replace('{"roc_auc": 0.8}', '{"roc_auc": 0.8, "roc_auc": 0.1}'),
            "plan.json",
            'the key "roc_auc" stands twice',
        ),
    ],
)
def test_refuses_a_key_that_stands_twice_and_says_where(refused, content, name, place):
    assert place in refused(content, name)


@pytest.mark.parametrize(
    "number", [".nan", "NaN", ".inf", "Infinity", "-0", "1e400", "9" * 5000, "0x10", "1_000", "017", "0.9x", "true"]
)
def test_refuses_a_threshold_that_is_no_plain_number(refused, number):
    assert "plan.yaml:9:32" in refused(with_line("roc_auc: 0.8", f"roc_auc: {number}"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-0", "1e400", "9" * 5000, "0x10", "1_000", "017"])
def test_refuses_in_json_a_threshold_that_is_no_plain_number(refused, number):
    written = json.dumps(PLAN).replace('"roc_auc": 0.8', f'"roc_auc": {number}')
    assert "plan.json:1:" in refused(written, "plan.json")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (YAML + "seed: " + "[" * 100_000, "plan.yaml"),
        ('{"seed": ' + "[" * 100_000, "plan.json"),
        (b"a: " + b"x" * 100_000_000, "plan.yaml"),
        (b'{"a": "' + b"x" * 100_000_000 + b'"}', "plan.json"),
        ("hyperparameters: {" + ", ".join(f"k{number}: 1" for number in range(1_000_000)) + "}", "plan.yaml"),
        ("hyperparameters: {" + "k" * 1_000_000 + ": 1}", "plan.yaml"),
        (json.dumps({**PLAN, "k" * 1_000_000: 1}), "plan.json"),
    ],
    ids=["deep", "deep-json", "huge", "huge-json", "a-million-hyperparameters", "long-key", "long-key-json"],
)
def test_refuses_a_plan_of_a_size_nobody_writes_and_quotes_little_of_it(refused, content, name):
    assert len(refused(content, name)) < 1500


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\n" + YAML, "aliases are not accepted"),
        ("a: &a [*a]\n" + YAML, "anchors are not accepted"),
        (YAML + "<<: {seed: 1}\n", "merge keys are not accepted"),
        (with_line("label", f"!!python/object/apply:os.system ['touch {CANARY}']"), "tags are not accepted"),
        (with_line("label", "!ENV HOME"), "tags are not accepted"),
        (YAML + "---\n" + YAML, "more than one document"),
        (with_line("{command:", "{1: 2, command:"), "keys must be text"),
        (with_line("{command:", "{~: 2, command:"), "keys must be text"),
    ],
)
def test_refuses_yaml_that_can_mean_two_things(refused, content, rule):
    assert rule in refused(content)


@pytest.mark.parametrize("text", ["NO", "12:30", "2024-01-01"])
def test_reads_as_text_what_older_yaml_would_change_in_silence(refused, text):
    assert f"'{text}', which is not in the data" in refused(with_line("label", text))


def test_reads_as_a_number_what_older_yaml_took_for_text(refused, promoted):
    assert "target must be text, got 0.0001" in refused(with_line("label", "1e-4"))
    promoted.write("plan.yaml", with_line("0.8", "1e-4"))
    assert TrainingPlan.load(promoted.path / "plan.yaml").evaluation.metric_thresholds[0].minimum == 1e-4


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (json.dumps(PLAN).replace("label", "\\ud800"), "plan.json"),
        (YAML.encode() + b"\xff", "plan.yaml"),
        (YAML.encode("utf-16"), "plan.yaml"),
        (b"\xef\xbb\xbf" + YAML.encode(), "plan.yaml"),
        (YAML.replace("label", "@").encode().replace(b"@", b"\xc0\xaf"), "plan.yaml"),
        (b"", "plan.yaml"),
    ],
    ids=["lone-surrogate", "invalid", "utf-16", "byte-order-mark", "overlong", "empty"],
)
def test_refuses_what_is_no_plain_utf_8(refused, content, name):
    assert f"{name}" in refused(content, name)


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("metric_thresholds", "metric_threshold", "metric_thresholds"),
        ("hyperparameters", "hyperparamters", "hyperparameters"),
        ("roc_auc", "roc_acu", "roc_auc"),
        ("evaluation:", "evaluaton:", "evaluation"),
    ],
)
def test_refuses_an_unknown_field_and_says_which_was_meant(refused, old, new, meant):
    assert f"did you mean '{meant}'?" in refused(with_line(old, new))


@pytest.mark.parametrize("field", ["executor: ray"])
def test_refuses_what_does_not_work_yet_instead_of_ignoring_it(refused, field):
    assert "in this version" in refused(YAML + field + "\n")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("lifecycle_id: little", "lifecycle_id: [little]", "lifecycle_id must be text, got a list"),
        ("target: label", "hyperparameters: abc\ntarget: label", "stands twice"),
        ("{roc_auc: 0.8}", "[roc_auc]", "metric_thresholds must be a mapping"),
        ("roc_auc: 0.8", "roc_auc: true", "must be a number, got true"),
        ("roc_auc: 0.8", "roc_auc: {min: 0.8, slices: x}", "slices must be a list of columns"),
        ("data/train.csv", "[data/train.csv]", "dataset_path must be text"),
    ],
)
def test_refuses_a_value_of_the_wrong_type(refused, old, new, rule):
    assert rule in refused(with_line(old, new))


def test_tells_every_mistake_at_once(refused):
    said = refused(with_line("agent_profile", "agent_profil").replace("roc_auc: 0.8", 'roc_auc: "0.9x"'))
    assert "unknown field 'agent_profil'" in said
    assert "must be a number" in said
    assert said.splitlines()[-1].endswith("errors, nothing was run")


TEXTS = ["{{7*7}}", "${HOME}", "%(x)s", "$(id)", "`id`", "!ENV X", "{0.__class__}", f"; touch {CANARY}", "--output=/x"]


def test_keeps_hostile_text_as_the_text_it_is_in_every_field(promoted):
    """Notes, hyperparameters, program arguments, names of hyperparameters and of columns."""
    columns = ",".join(f'"{text}"' for text in ("$(id)", "{0.__class__}", "%(x)s"))
    for name in ("train", "eval"):
        lines = (promoted.path / f"data/{name}.csv").read_text().splitlines()
        promoted.write(f"data/{name}.csv", "\n".join([columns, *lines[1:]]) + "\n")
    names = dict(zip(["__proto__", "constructor", "__class__", "__init__"], TEXTS, strict=False))
    programs = PLAN["hyperparameters"]
    hyperparameters = {
        **programs,
        "command": [*programs["command"], *TEXTS, f"x\ntouch {CANARY}"],
        **names,
        **{text: text for text in TEXTS},
    }
    evaluation = {**PLAN["evaluation"], "notes": " ".join(TEXTS)}
    plan = promoted.plan(lifecycle_id="hostile", target="%(x)s", hyperparameters=hyperparameters, evaluation=evaluation)
    result = promoted.tell("run", plan)
    assert result.status == 0, result.said
    assert not CANARY.exists()
    assert promoted.verifies()
    kept = json.loads(
        (
            promoted.path / "storage/db/evidence/objects" / promoted.entries()[5]["subject"][0]["digest"]["sha256"]
        ).read_bytes()
    )
    assert kept["hyperparameters"] == hyperparameters
    assert kept["evaluation"]["notes"] == evaluation["notes"]
    payload = json.loads((promoted.workspace("hostile-1") / "payload.json").read_bytes())
    assert payload["hyperparameters"] == hyperparameters


def test_gives_a_program_its_arguments_one_by_one_through_no_shell(promoted):
    promoted.programs(train='for word in "$@"; do printf "%s|" "$word"; done > "$NOA_OUT/cut"\n')
    words = [*TEXTS, "a b", "", "*"]
    programs = PLAN["hyperparameters"]
    hyperparameters = {**programs, "command": [*programs["command"], *words]}
    promoted.tell("run", promoted.plan(hyperparameters=hyperparameters))
    made = [*promoted.workspace("little-2").rglob("cut"), *promoted.path.glob("storage/artifacts/little/*/2/model/cut")]
    assert [path.read_text() for path in made] == ["".join(f"{word}|" for word in words)]
    assert not CANARY.exists()


def test_reads_one_version_of_a_plan_that_is_replaced_all_the_time(promoted):
    texts = [YAML, with_line("little", "another").replace("0.8", "0.9")]
    known = {TrainingPlan.parse(text.encode(), "plan.yaml").digest for text in texts}
    path, stop = promoted.write("plan.yaml", YAML), threading.Event()

    def replace() -> None:
        while not stop.is_set():
            for text in texts:
                promoted.write("next.yaml", text).replace(path)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        seen = {TrainingPlan.load(path).digest for _ in range(60)}
    finally:
        stop.set()
        writer.join()
    assert seen <= known


def test_refuses_in_python_what_it_refuses_in_a_file():
    with pytest.raises(PlanInvalid, match="lifecycle_id"):
        TrainingPlan(lifecycle_id="../../etc", agent_profile="command", dataset_path="data/train.csv")
    with pytest.raises(PlanInvalid, match="dataset_path"):
        TrainingPlan(lifecycle_id="little", agent_profile="command", dataset_path="s3://bucket/x.csv")
