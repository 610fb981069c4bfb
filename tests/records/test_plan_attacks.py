"""Hostile plans: refused as a whole, at the place of the fault, without cost; or harmless data, kept exactly."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.plan import TrainingPlan

GOOD = {"lifecycle_id": "rainfall", "agent_profile": "sklearn-classifier", "dataset_path": "data/train.parquet"}
HEAD = "lifecycle_id: rainfall\nagent_profile: sklearn-classifier\ndataset_path: data/train.parquet\n"


def refusal(data: bytes | str, name: str = "plan.yaml") -> PlanInvalid:
    with pytest.raises(PlanInvalid) as refused:
        TrainingPlan.parse(data.encode() if isinstance(data, str) else data, name)
    return refused.value


def refused_with(**fields: object) -> PlanInvalid:
    return refusal(json.dumps(GOOD | fields), "plan.json")


def only_message(error: PlanInvalid) -> str:
    (problem,) = error.problems
    return problem.message


BAD_NAMES = [
    *("../../etc", "..", ".", "", "a" * 256, "a" * 10_000),
    *("a/b", "a\\b", "/abs", "C:\\x", "~root", "%2e%2e%2f", "%252e"),
    *("a\0b", "a\nb", "a\tb", "a\x1bb", "a\u202eb", "a\n"),
    *("-rf", "--config=x", ".hidden", "ends.", "ends ", " starts", "Upper", "naïve", "champion", "workspaces"),
]


SEARCHED = 'search.metric must be a metric of single rows that has a better side, got "auc"'


@pytest.mark.parametrize("field", ["lifecycle_id", "agent_profile"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_refuses_a_name_that_could_become_a_path_or_an_option(field, name):
    error = refused_with(**{field: name})
    assert only_message(error).startswith(f"{field} ")
    assert error.problems[0].line == 1
    assert len(str(error)) < 400
    assert str(error).replace("\n", "").isprintable()


@pytest.mark.parametrize("field", ["lifecycle_id", "agent_profile"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_refuses_the_same_names_in_a_plan_made_in_python(field, name):
    with pytest.raises(PlanInvalid, match=field):
        TrainingPlan(**{**GOOD, field: name})


BAD_PATHS = [
    *("../../../etc/shadow", "data/../../x", "..", "a/..", "", " ", "data/", "/"),
    *("http://169.254.169.254/latest", "file:///etc/passwd", "s3://bucket/key", "file:/etc/passwd", "//host/share"),
    *(
        "\\\\host\\share",
        "C:\\data.csv",
        "C:/data.csv",
        "a\0b",
        "a\nb",
        "a\x1b[31m",
        "a\u202eb",
        "x" * 256,
        "x/" * 600 + "y",
    ),
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_refuses_a_path_that_is_no_file_of_the_project(path):
    assert only_message(refused_with(dataset_path=path)).startswith("dataset_path must ")
    assert only_message(refused_with(code=["ok.py", path])).startswith("code[1] must ")
    evaluation = {"dataset_path": path, "metric_thresholds": {"roc_auc": 0.8}}
    assert only_message(refused_with(evaluation=evaluation)).startswith("evaluation.dataset_path must ")


def test_refuses_code_outside_the_project_and_named_twice():
    assert only_message(refused_with(code=["/etc/passwd"])).startswith("code[0] must be relative")
    assert only_message(refused_with(code=["a.py", "a.py"])) == 'code[1] names "a.py" a second time'


@pytest.mark.parametrize(
    "path", ["data/train.parquet", "train 2024.csv", "données/été.csv", "/srv/shared/train.csv", "-x", "a:b"]
)
def test_accepts_plain_file_names(path):
    assert TrainingPlan(**{**GOOD, "dataset_path": path}).dataset_path == path


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("lifecycle_id: other\n", 4, 1),
        ("evaluation:\n  dataset_path: x\n  metric_thresholds:\n    roc_auc: 0.9\n    roc_auc: 0.1\n", 8, 5),
        ("hyperparameters: {a: 1, b: {c: 1, c: 2}}\n", 4, 35),
    ],
)
def test_refuses_a_key_that_stands_twice_in_yaml_at_its_second_place(text, line, column):
    (problem,) = refusal(HEAD + text).problems
    assert (problem.line, problem.column) == (line, column)
    assert "stands twice" in problem.message
    assert "already" in str(problem.suggestion)


def test_refuses_a_key_that_stands_twice_in_json_at_its_second_place():
    text = json.dumps(GOOD)[:-1] + ',\n "hyperparameters": {"a": 1,\n  "a": 2}}'
    (problem,) = refusal(text, "plan.json").problems
    assert (problem.line, problem.column, problem.message) == (3, 3, 'the key "a" stands twice')


@pytest.mark.parametrize("number", ["-0", "-0.0", "1e400", "-1e400", "1e-400", "9" * 5_000, "." + "1" * 60])
@pytest.mark.parametrize("where", ["seed: {}", "decision_threshold: {}", "hyperparameters: {{x: {}}}"])
def test_refuses_a_number_that_would_not_keep_its_value(number, where):
    error = refusal(HEAD + where.format(number) + "\n")
    assert error.problems[0].line == 4
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "-0", "-0.0", "1e400", "9" * 5_000, "0x10", "1_000", "017", "+1", ".5", "1."],
)
def test_refuses_in_json_what_is_no_json_number_or_would_not_keep_its_value(number):
    text = json.dumps(GOOD)[:-1] + ',\n "hyperparameters": {"x": ' + number + "}}"
    assert refusal(text, "plan.json").problems[0].line == 2


@pytest.mark.parametrize("number", [".inf", "-.inf", "+.Inf", ".nan", ".NaN"])
def test_refuses_infinities_and_not_a_number_in_yaml(number):
    assert only_message(refusal(HEAD + f"hyperparameters: {{x: {number}}}\n")) == f"{number} is not a number"


@pytest.mark.parametrize(
    ("written", "hint"),
    [("0x10", "write 16"), ("1_000", "write 1000"), ("017", "leading zeros"), ('"7"', "without quotes")],
)
def test_says_how_a_number_is_written_where_one_is_wanted(written, hint):
    (problem,) = refusal(HEAD + f"seed: {written}\n").problems
    assert problem.message.startswith("seed must be a whole number, got ")
    assert hint in str(problem.suggestion)


@pytest.mark.parametrize(
    "text",
    ["NO", "yes", "on", "12:30", "12:30:45", "2026-01-01", "017", "0x10", "0o17", "1_000", "NaN", "1.2.3", "<<", "="],
)
def test_keeps_as_text_what_yaml_readers_disagree_on(text):
    plan = TrainingPlan.parse((HEAD + f"hyperparameters: {{x: {text}}}\n").encode(), "plan.yaml")
    assert plan.hyperparameters == {"x": text}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-4", 0.0001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("+3", 3),
        ("-7", -7),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
    ],
)
def test_reads_scalars_as_the_core_schema_of_yaml_1_2_does(written, value):
    plan = TrainingPlan.parse((HEAD + f"hyperparameters:\n  x: {written}\n").encode(), "plan.yaml")
    assert plan.hyperparameters == {"x": value}
    assert type(plan.hyperparameters["x"]) is type(value)


@pytest.mark.parametrize("key", ["1", "1.5", "null", "~", "true", "{a: 1}", "[a]"])
def test_refuses_a_key_that_is_not_text(key):
    error = refusal(HEAD + f"hyperparameters:\n  {key}: 1\n")
    assert [(p.message, p.line) for p in error.problems] == [("keys must be text", 5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target: &a rain\n", "anchors are not accepted"),
        ("hyperparameters: {a: &a [1], b: *a}\n", "aliases are not accepted"),
        ("hyperparameters: &a {self: *a}\n", "aliases are not accepted"),
        ("hyperparameters: {<<: {a: 1}}\n", "merge keys are not accepted"),
        ("target: !!python/object/apply:os.system [id]\n", "tags are not accepted"),
        ("target: !ENV X\n", "tags are not accepted"),
        ("target: !!str rain\n", "tags are not accepted"),
        ("---\nlifecycle_id: other\n", "holds more than one document"),
    ],
)
def test_refuses_the_parts_of_yaml_that_can_mean_two_things(text, message):
    assert message in [problem.message for problem in refusal(HEAD + text).problems]


@pytest.mark.parametrize("directive", ["%YAML 1.1", "%YAML 99.1", "%TAG ! tag:example.com,2000:", "%FOO bar"])
def test_refuses_directives(directive):
    assert only_message(refusal(f"{directive}\n---\n{HEAD}")) == "has a directive"


def test_refuses_an_alias_bomb_without_expanding_it():
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    error = refusal(HEAD + "hyperparameters:\n  l0: &l0 [x]\n" + "".join(f"  {level}\n" for level in levels))
    assert "aliases are not accepted" in str(error)
    assert len(str(error)) < 20_000


DEEP = {
    "flow lists": ("hyperparameters: " + "[" * 100_000, "plan.yaml"),
    "flow mappings": ("hyperparameters: " + "{a: " * 100_000, "plan.yaml"),
    "block lists": (HEAD + "code:\n  " + "- " * 100_000 + "x", "plan.yaml"),
    "block keys": ("? " * 100_000, "plan.yaml"),
    "block mappings": ("".join(" " * n + "a:\n" for n in range(1_000)), "plan.yaml"),
    "closed flow": ("a: " + "[" * 100 + "]" * 100, "plan.yaml"),
    "JSON lists": ("[" * 100_000, "plan.json"),
    "JSON mappings": ('{"a":' * 100_000, "plan.json"),
}


@pytest.mark.parametrize("attack", DEEP)
def test_refuses_deep_nesting_before_it_costs_anything(attack):
    assert only_message(refusal(*DEEP[attack])) == "is nested more than 64 levels deep"


def test_accepts_nesting_that_people_use():
    deep = "[" * 60 + "]" * 60
    for text, name in (
        (HEAD + f"hyperparameters: {{x: {deep}}}\n", "p.yaml"),
        (json.dumps(GOOD | {"hyperparameters": {"x": json.loads(deep)}}), "p.json"),
    ):
        assert TrainingPlan.parse(text.encode(), name).hyperparameters == {"x": json.loads(deep)}


def test_reads_no_more_of_a_huge_plan_than_the_cap(tmp_path):
    huge = tmp_path / "plan.yaml"
    with huge.open("wb") as stream:
        stream.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(PlanInvalid, match="is larger than 1048576 bytes"):
        TrainingPlan.load(huge)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json"])
def test_refuses_a_huge_plan_given_as_bytes(name):
    assert "is larger than" in str(refusal(b"a" * 2_000_000, name))


def test_refuses_more_hyperparameters_than_anyone_has():
    few_enough_bytes = "hyperparameters: {" + ",".join(f"k{n:x}: 0" for n in range(80_000)) + "}\n"
    assert only_message(refusal(HEAD + few_enough_bytes)) == "holds more than 20000 values"
    text = json.dumps(GOOD | {"hyperparameters": {f"{n:x}": 0 for n in range(60_000)}}, separators=(",", ":"))
    assert only_message(refusal(text, "plan.json")) == "holds more than 20000 values"
    assert "is larger than" in str(refused_with(hyperparameters={str(n): 0 for n in range(1_000_000)}))
    with pytest.raises(PlanInvalid, match="at most 20000 values"):
        TrainingPlan(**GOOD, hyperparameters={str(n): 0 for n in range(1_000_000)})


def test_refuses_a_plan_of_endless_lines():
    assert "has more than 20000 lines" in str(refusal(HEAD + "notes:\n" + " x\n" * 300_000))


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json"])
def test_refuses_a_key_of_a_megabyte_and_quotes_little_of_it(name):
    text = json.dumps(GOOD | {"hyperparameters": {"k" * 1_000_000: 1}})
    assert len(str(refusal(text, name))) < 1_000


BAD_BYTES = {
    "byte order mark": b"\xef\xbb\xbf" + HEAD.encode(),
    "UTF-16": HEAD.encode("utf-16"),
    "UTF-16 without a mark": HEAD.encode("utf-16-le"),
    "UTF-32": HEAD.encode("utf-32"),
    "invalid UTF-8": HEAD.encode() + b"target: caf\xe9\n",
    "overlong UTF-8": HEAD.encode() + b"target: \xc0\xaf\n",
    "surrogate in UTF-8": HEAD.encode() + b"target: \xed\xa0\x80\n",
    "cut sequence": HEAD.encode() + b"target: \xe2\x82",
    "NUL": HEAD.encode() + b"target: a\0b\n",
    "escape": HEAD.encode() + b"target: a\x1b[31mb\n",
    "next line": HEAD.encode() + "target: a\u0085b\n".encode(),
    "line separator": HEAD.encode() + "target: a\u2028b\n".encode(),
    "mark inside": HEAD.encode() + "target: a\ufeffb\n".encode(),
    "empty": b"",
    "only a comment": b"# nothing\n",
    "one byte": b"\xff",
}


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json"])
@pytest.mark.parametrize("attack", BAD_BYTES)
def test_refuses_bytes_that_are_no_plain_text(attack, name):
    error = refusal(BAD_BYTES[attack], name)
    assert error.problems
    assert str(error).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("text", "name"), [(HEAD + 'target: "\\ud800"\n', "p.yaml"), (json.dumps(GOOD | {"target": "\ud800"}), "p.json")]
)
def test_refuses_an_escaped_half_of_a_surrogate_pair(text, name):
    assert only_message(refusal(text, name)) == "this text must not contain half of a surrogate pair"


def test_reads_an_escaped_surrogate_pair_in_json_as_the_character_it_is():
    plan = TrainingPlan.parse(
        json.dumps(GOOD | {"target": "\N{UMBRELLA WITH RAIN DROPS}\U0001f327"}).encode(), "p.json"
    )
    assert plan.target == "\N{UMBRELLA WITH RAIN DROPS}\U0001f327"


def test_refuses_half_of_a_surrogate_pair_in_a_plan_made_in_python():
    with pytest.raises(PlanInvalid, match="surrogate"):
        TrainingPlan(**GOOD, hyperparameters={"a": [{"b": "\udcff"}]})


def test_refuses_a_misspelt_field_that_would_mean_no_gate():
    evaluation = {"dataset_path": "x", "metric_threshold": {"roc_auc": 0.8}}
    (problem,) = refused_with(evaluation=evaluation).problems
    assert problem.message == "unknown field 'evaluation.metric_threshold'"
    assert problem.suggestion == "did you mean 'metric_thresholds'?"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lifecycle_id": ["a"]}, "lifecycle_id must be text, got a list"),
        ({"lifecycle_id": None}, "lifecycle_id must be text, got null"),
        ({"lifecycle_id": 7}, "lifecycle_id must be text, got 7"),
        ({"hyperparameters": "a=1"}, 'hyperparameters must be a mapping, got "a=1"'),
        ({"hyperparameters": [1]}, "hyperparameters must be a mapping, got a list"),
        ({"seed": True}, "seed must be a whole number, got true"),
        ({"seed": 1.0}, "seed must be a whole number, got 1.0"),
        ({"seed": -1}, "seed must be from 0 to 4294967295, got -1"),
        ({"seed": 10**30}, "seed must be from 0 to 4294967295, got 1000000000000000000000000000000"),
        ({"decision_threshold": True}, "decision_threshold must be a number, got true"),
        ({"decision_threshold": 1.01}, "decision_threshold must be from 0 to 1, got 1.01"),
        ({"positive": 1.5}, "positive must be text, a whole number or true or false, got 1.5"),
        ({"resources": None}, "resources must be a mapping, got null"),
        ({"resources": {"cpus": "2"}}, 'resources.cpus must be a whole number, got "2"'),
        ({"resources": {"cpus": 0}}, "resources.cpus must be from 1 to 1024, got 0"),
        ({"resources": {"memory": "2G"}}, 'resources.memory must be a size, got "2G"'),
        ({"resources": {"memory": True}}, "resources.memory must be a size, got true"),
        ({"resources": {"memory": 1024}}, 'resources.memory must be from 64MiB to 1024TiB, got "1KiB"'),
        ({"resources": {"time": "12:30"}}, 'resources.time must be a duration, got "12:30"'),
        ({"resources": {"time": 0}}, 'resources.time must be from 1s to 366d, got "0s"'),
        ({"resources": {"gpus": -1}}, "resources.gpus must be from 0 to 1024, got -1"),
        ({"resources": {"gpus": False}}, "resources.gpus must be a whole number, got false"),
        ({"resources": {"isolation": "none"}}, "resources.isolation must be 'basic' or 'sealed', got \"none\""),
        ({"code": "a.py"}, 'code must be a list, got "a.py"'),
        ({"code": [1]}, "code[0] must be text, got 1"),
        ({"target": ""}, "target must not be empty"),
        ({"executor": "ray"}, "executor must be 'local', got \"ray\""),
        ({"evaluation": "none"}, 'evaluation must be a mapping, got "none"'),
        (
            {"evaluation": {"metric_thresholds": ["roc_auc"]}},
            "evaluation.metric_thresholds must be a mapping, got a list",
        ),
        ({"evaluation": {"metric_thresholds": None}}, "evaluation.metric_thresholds must be a mapping, got null"),
        ({"search": {"metric": "auc", "space": {"a": [1]}}}, SEARCHED),
        ({"search": {"metric": "r2", "space": {}}}, "search.space must name at least one hyperparameter"),
        ({"search": {"metric": "r2", "space": {"a": []}}}, "search.space.a must have at least one value"),
        ({"search": {"metric": "r2", "space": {"a": 3}}}, "search.space.a must be a list of values or a range, got 3"),
        ({"search": {"metric": "r2", "space": {"a": {"low": 1}}}}, "search.space.a needs the numbers 'low' and 'high'"),
        (
            {"search": {"metric": "r2", "space": {"a": {"low": 2, "high": 1}}}},
            "search.space.a.low must be less than 'high'",
        ),
        (
            {"search": {"metric": "r2", "space": {"a": {"low": 0, "high": 1, "log": True}}}},
            "search.space.a.low must be above 0 for 'log'",
        ),
        (
            {"search": {"metric": "r2", "trials": 0, "space": {"a": [1]}}},
            "search.trials must be from 1 to 1000, got 0",
        ),
        ({"evaluation": {"time": "day"}}, "'evaluation.time' is not available in this version"),
        ({"approvals": {"required": 0}}, "approvals.required must be from 1 to 16, got 0"),
        (
            {"evaluation": {"split": {}}},
            "evaluation.split must say which rows are held back",
        ),
        ({"evaluation": {"split": {"by": "t"}}}, "evaluation.split.last is missing"),
        ({"evaluation": {"split": {"last": "20%"}}}, "evaluation.split.last needs 'by'"),
        (
            {"evaluation": {"split": {"share": 20}}},
            "evaluation.split.share must be more than none and less than all of the rows, got 20",
        ),
        (
            {"evaluation": {"split": {"share": "a fifth"}}},
            'evaluation.split.share must be a share of the rows, got "a fifth"',
        ),
        (
            {"evaluation": {"split": {"by": "t", "last": 0.2, "seed": 1}}},
            "evaluation.split.seed must be absent with 'by'",
        ),
        ({"evaluation": {"split": {"share": 0.2, "grup": "c"}}}, "unknown field 'evaluation.split.grup'"),
        (
            {"evaluation": {"dataset_path": "d", "split": {"share": 0.2}}},
            "evaluation.split must be absent with 'dataset_path'",
        ),
        ({"surprise": 1}, "unknown field 'surprise'"),
        ({"a\nb\x1b": 1}, "unknown field '[\"a\\nb\\u001b\"]'"),
    ],
)
def test_refuses_a_wrong_value_in_words_of_the_plan(fields, message):
    error = refused_with(**fields)
    assert only_message(error) == message
    assert "pydantic" not in str(error)


@pytest.mark.parametrize("field", ["lifecycle_id", "agent_profile", "dataset_path"])
def test_refuses_a_plan_without_a_field_it_needs(field):
    document = {name: value for name, value in GOOD.items() if name != field}
    assert only_message(refusal(json.dumps(document), "plan.json")) == f"{field} is missing"


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json"])
@pytest.mark.parametrize("document", ["[]", "5", '"text"', "null", "true"])
def test_refuses_a_document_that_is_no_mapping(document, name):
    assert only_message(refusal(document, name)) in ("must be a mapping of fields", "is empty")


MARKUP = [
    "{{7*7}}",
    "${HOME}",
    "%(x)s",
    "$(id)",
    "`id`",
    "{0.__class__}",
    "<script>",
    "=cmd()",
    "'; touch CANARY",
    "--output=/x",
    "a\n--flag",
]


@pytest.mark.parametrize("text", MARKUP)
def test_keeps_markup_and_commands_as_the_text_they_are(text):
    fields = {
        "target": text,
        "hyperparameters": {text: text},
        "evaluation": {"notes": text, "gate": "none", "reason": text},
    }
    plan = TrainingPlan.from_document(GOOD | fields)
    assert plan.to_document() == GOOD | fields


@pytest.mark.parametrize("name", ["__proto__", "constructor", "__class__", "__init__", "self", "", " ", "a.b", "ключ"])
def test_reserves_no_name_among_hyperparameters(name):
    plan = TrainingPlan.from_document(GOOD | {"hyperparameters": {name: {name: 1}}})
    assert plan.hyperparameters == {name: {name: 1}}
    assert type(plan.hyperparameters) is dict


@pytest.mark.parametrize(
    "value",
    [{1: 2}, {"a": float("nan")}, {"a": -0.0}, {"a": {1, 2}}, {"a": b"x"}, {"a": 10**50}, "text", {"k" * 300: 1}],
)
def test_refuses_hyperparameters_that_json_cannot_hold(value):
    with pytest.raises(PlanInvalid, match="hyperparameters"):
        TrainingPlan(**GOOD, hyperparameters=value)


def test_refuses_hyperparameters_that_contain_themselves():
    endless: dict[str, object] = {}
    endless["again"] = endless
    with pytest.raises(PlanInvalid, match="nested"):
        TrainingPlan(**GOOD, hyperparameters=endless)


def test_reads_one_version_of_a_plan_that_is_replaced_again_and_again(tmp_path):
    """Both versions are whole, so a mixture of them would have another digest."""
    versions = [HEAD + f"seed: {seed}\n# {'x' * 50_000 * seed}\ntarget: t{seed}\n" for seed in (1, 2)]
    digests = {TrainingPlan.parse(text.encode(), "p.yaml").digest for text in versions}
    plan, stop = tmp_path / "plan.yaml", threading.Event()
    plan.write_text(versions[0])

    def replace() -> None:
        while not stop.is_set():
            for text in versions:
                (tmp_path / "new").write_text(text)
                (tmp_path / "new").replace(plan)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        seen = {TrainingPlan.load(plan).digest for _ in range(20)}
    finally:
        stop.set()
        thread.join()
    assert seen <= digests


def test_refuses_a_plan_that_is_no_regular_file_without_waiting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for name in ("pipe", "socket", ".", "missing.yaml", "x\0y", "a\x1b[1mb", "n" * 300):
            with pytest.raises(PlanInvalid, match="cannot read") as refused:
                TrainingPlan.load(name)
            assert str(refused.value).isprintable()
    for device in ("/dev/zero", "/dev/null"):
        with pytest.raises(PlanInvalid, match="not a regular file"):
            TrainingPlan.load(device)


def test_costs_no_start_up_time_until_a_document_is_read():
    heavy = ("pydantic", "pydantic_core", "ruamel", "numpy", "pyarrow")
    made = "from noa_mlops.records.plan import TrainingPlan; TrainingPlan('a', 'b', 'c').digest"
    script = f"import sys; {made}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path("/"))
    assert done.stdout.strip() == "[]"
