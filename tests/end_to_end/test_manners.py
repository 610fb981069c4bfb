"""How the command line behaves, whichever command it is."""

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import datetime

import pytest

from end_to_end.projects import told
from noa_mlops.cli.app import COMMANDS

EVERY = [name for group in COMMANDS.values() for name in group]
READERS = [
    ("status",),
    ("show", "little"),
    ("show", "little@1"),
    ("logs", "little@1"),
    ("logs", "little"),
    ("verify",),
    ("doctor",),
    ("keys",),
    ("keys", "list"),
    ("profiles",),
    ("profiles", "sklearn-classifier"),
    ("schema", "plan"),
    ("schema", "dataset"),
    ("schema",),
    ("run", "plan.json", "--dry-run"),
    ("init", "--dry-run"),
    ("keys", "export", "--to", "public", "--dry-run"),
]
"""Command lines that answer and change nothing."""

MISTAKES = {
    "an unknown command": (("rnu",), 2, "did you mean 'run'?"),
    "an unknown option": (("run", "--jsn"), 2, "--json"),
    "a missing argument": (("run",), 2, "'PLAN'"),
    "a lifecycle that is no name": (("logs", "../etc"), 2, "is not LIFECYCLE or LIFECYCLE@N"),
    "a version that is no number": (("show", "little@x"), 2, "is not LIFECYCLE or LIFECYCLE@N"),
    "version nought": (("show", "little@0"), 2, "is not LIFECYCLE or LIFECYCLE@N"),
    "a lifecycle that is not there": (("show", "nobody"), 2, "there is no lifecycle 'nobody' here"),
    "a version that is not there": (("show", "little@9"), 2, "the newest is @1"),
    "logs of a version that is not there": (("logs", "little@9"), 2, "the newest is @1"),
    "a profile that is not there": (("profiles", "sklearn-clasifier"), 2, "did you mean 'sklearn-classifier'?"),
    "a plan that is not there": (("run", "gone.yaml"), 2, "no such file"),
    "a folder for a plan": (("run", "data"), 2, "is not a regular file"),
    "another origin": (("verify", "--origin", "someone/else"), 4, "not someone/else"),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_command_has_help_with_an_example(name):
    result = told(name, "--help")
    assert result.status == 0
    assert f"Example: noa {name}" in result.out
    assert "--json" in result.out
    assert "-C DIR" in result.out


def test_the_help_lists_every_command_and_the_exit_codes():
    result = told("--help")
    assert result.status == 0
    for name in EVERY:
        assert re.search(rf"^  {name}  ", result.out, re.MULTILINE)
    assert "Exit codes" in result.out


@pytest.mark.parametrize("command", ["run", "init", "demo", "keys export", "doctor"])
def test_every_command_that_writes_can_be_tried_without_writing(command):
    assert "--dry-run" in told(*command.split(), "--help").out


def test_a_demo_can_be_tried_without_writing_and_takes_no_project_that_is_there(promoted, tmp_path):
    free = tmp_path / "free"
    for more in ((), ("--json",)):
        assert told("demo", "--dry-run", "-C", str(free), *more).status == 0
    assert not free.exists()
    before = promoted.state()
    assert "there is a project in" in promoted.done("demo", "--dry-run", status=5).said
    assert promoted.state() == before


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_every_answer_is_also_one_json_document_and_changes_nothing(promoted, arguments):
    before = promoted.state()
    plain, machine = promoted.tell(*arguments), promoted.tell(*arguments, "--json")
    assert (plain.status, machine.status) == (0, 0), plain.said + machine.said
    assert isinstance(machine.document, dict | list)
    assert machine.err == ""
    assert plain.out.strip()
    assert promoted.state() == before


@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_nothing_is_coloured_when_nobody_looks(promoted, arguments):
    assert "\x1b" not in promoted.tell(*arguments).said


def test_a_run_in_a_pipe_prints_no_colour_and_no_cursor_movement(promoted):
    result = promoted.noa("run", "plan.json")
    assert result.status == 0
    assert not set(result.said) & {"\x1b", "\r"}
    assert [line.split()[1] for line in result.err.splitlines()] == ["submitted", "running", "trained", "measured"]


def on_a_terminal(project, *arguments):
    """What a command prints to a person in front of a terminal."""
    ours, theirs = os.openpty()
    command = project.start(*arguments, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while block := os.read(ours, 1 << 16):
            printed += block
    os.close(ours)
    assert command.wait(60) == 0
    return printed.decode()


def test_a_terminal_shows_colours_unless_they_are_not_wanted(promoted, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in on_a_terminal(promoted, "show", "little")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in on_a_terminal(promoted, "show", "little")


def test_a_terminal_shows_what_the_trainer_says_while_it_runs(promoted):
    promoted.programs(train='echo \'{"step": 1, "loss": 0.25}\' >> progress.jsonl; sleep 0.3; echo 0.5 > out/cut\n')
    assert "training     step 1  loss 0.25" in on_a_terminal(promoted, "run", "plan.json")


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_in_two_lines_with_its_exit_code(promoted, case):
    arguments, status, words = MISTAKES[case]
    before = promoted.state()
    result = promoted.tell(*arguments)
    assert result.status == status
    assert words in result.said
    assert len(result.err.splitlines()) <= 2
    assert "Traceback" not in result.said
    assert promoted.state() == before


@pytest.mark.parametrize("case", [case for case in MISTAKES if MISTAKES[case][1] == 2])
def test_a_mistake_is_told_to_machines_as_json(promoted, case):
    arguments, status, words = MISTAKES[case]
    result = promoted.tell(*arguments, "--json")
    assert result.status == status
    document = result.document
    assert document.keys() == {"error", "hint", "exit", "problems"}
    assert document["exit"] == status
    assert words in json.dumps(document, ensure_ascii=False)


def test_problems_of_a_plan_reach_machines_with_their_places(promoted):
    promoted.write("bad.yaml", "lifecycle_id: ..\nagent_profile: command\ndataset_paht: x.csv\n")
    problems = promoted.tell("run", "bad.yaml", "--json").document["problems"]
    assert {(problem["line"], problem["column"]) for problem in problems} >= {(1, 15), (3, 1)}
    assert [problem["line"] for problem in problems] == sorted(problem["line"] for problem in problems)
    assert {"source", "message", "line", "column", "excerpt", "suggestion"} <= problems[0].keys()
    assert any(problem["suggestion"] == "did you mean 'dataset_path'?" for problem in problems)


@pytest.mark.parametrize("name", ["status", "show", "logs", "run", "watch", "doctor", "keys"])
def test_a_folder_that_is_no_project_is_named_with_what_to_do(tmp_path, name):
    arguments = {"show": ["x"], "logs": ["x"], "run": ["plan.yaml"]}.get(name, [])
    result = told(name, *arguments, "-C", str(tmp_path))
    assert result.status == 2
    assert f"{tmp_path} is no project" in result.err
    assert "noa init" in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["status", "doctor"])
def test_a_folder_inside_a_project_is_told_where_the_project_is(promoted, name):
    (promoted.path / "plans").mkdir(exist_ok=True)
    result = told(name, "-C", str(promoted.path / "plans"))
    assert result.status == 2
    assert f"-C {promoted.path}" in result.err
    assert "noa init" not in result.err


@pytest.mark.parametrize("given", ["little", "plans/littel.yaml", "little.yaml", "elsewhere/plans/little.yaml"])
def test_a_plan_that_is_not_there_is_answered_with_the_one_that_was_meant(promoted, given):
    promoted.write("plans/little.yaml", "lifecycle_id: little\n")
    result = promoted.tell("run", given)
    assert result.status == 2
    assert f"there is no plan '{given}'" in result.err
    assert "Did you mean plans/little.yaml?" in result.err


@pytest.mark.parametrize("name", ["status", "show little", "run plan.json", "init"])
def test_a_ledger_that_was_lost_is_never_begun_again(promoted, name):
    promoted.plan()
    (promoted.path / "storage/db/evidence/ledger.jsonl").unlink()
    before = promoted.state()
    result = promoted.tell(*name.split())
    assert result.status == 4, result.said
    assert "ledger.jsonl is gone or empty, but checkpoints.log vouches for what it held" in result.err
    assert "restore" in result.err
    assert promoted.state() == before


def test_a_traceback_is_shown_only_when_it_is_asked_for(promoted):
    plain, debug = (promoted.noa("show", "nobody", *more) for more in ((), ("--debug",)))
    assert "Traceback" not in plain.said
    assert "Traceback" in debug.err


def test_init_makes_a_project_and_says_where_trust_starts(folder):
    result = folder.tell("init", "--json")
    assert result.status == 0, result.said
    assert result.document["solo_mode"] is True
    assert result.document["origin"].startswith("project/")
    for name in ("noa.yaml", "policy.yaml", "plans", "storage", "registry", ".gitignore", ".gitattributes"):
        assert (folder.path / name).exists()
    again = folder.tell("init", "--json")
    assert again.status == 0
    assert again.document == {**result.document, "created": []}


def test_init_never_overwrites(folder):
    mine = {"noa.yaml": "name: mine\n", ".gitignore": "*.pyc\n", ".gitattributes": "# mine\n"}
    for name, text in mine.items():
        folder.write(name, text)
    assert folder.tell("init").status == 0
    assert folder.tell("run", "plan.json").status == 0
    before = folder.state()
    assert folder.tell("init").status == 0
    assert folder.state() == before
    for name, text in mine.items():
        assert (folder.path / name).read_text() == text


def test_an_edited_policy_is_not_in_force_and_no_run_starts_under_it(promoted):
    policy = promoted.path / "policy.yaml"
    policy.write_text(policy.read_text().replace("data_roots: []", "data_roots: [/srv]"))
    before = promoted.state()
    result = promoted.tell("run", "plan.json")
    assert result.status == 5
    assert "differs from the policy in force" in result.err
    assert "data_roots" in result.err
    assert promoted.state() == before


def test_init_keeps_capabilities_of_others_and_their_order(folder):
    other = {"id": "video.encoder", "type": "media", "semver": "3.1.4", "extra": {"kept": True}}
    last = {"id": "zeta", "type": "x"}
    folder.write("registry/capabilities.json", json.dumps({"version": 1, "capabilities": [other, last], "owner": "us"}))
    assert folder.tell("init").status == 0
    document = json.loads((folder.path / "registry/capabilities.json").read_bytes())
    assert document["owner"] == "us"
    assert document["capabilities"][:2] == [other, last]
    assert document["capabilities"][2]["id"] == "ml.lifecycle.controller"
    assert len(document["capabilities"]) == 3


def test_a_lifecycle_is_shown_in_the_documented_form(promoted):
    promoted.programs(train="exit 1\n")
    assert promoted.tell("run", "plan.json").status == 6
    document = promoted.tell("show", "little", "--json").document
    assert document.keys() == {"lifecycle_id", "champion", "rollout", "versions"}
    assert document["lifecycle_id"] == "little"
    assert (document["champion"]["version"], document["champion"]["profile"]) == (1, "command")
    assert document["rollout"]["status"] == "ready"
    assert [(version["version"], version["state"]) for version in document["versions"]] == [
        (2, "failed"),
        (1, "champion"),
    ]


def test_a_lifecycle_without_champion_is_shown_in_the_same_form(folder):
    folder.tell("init")
    folder.programs(train="exit 1\n")
    assert folder.tell("run", "plan.json").status == 6
    document = folder.tell("show", "little", "--json").document
    assert (document["champion"], document["rollout"]["status"]) == (None, "ready")


def test_a_version_is_shown_with_metrics_thresholds_and_evidence(promoted):
    result = promoted.tell("show", "little@1")
    for words in (
        "CHAMPION  little@1",
        "at least 0.8",
        "labels hidden",
        "Verdict     pass",
        "PromotionReady",
        "solo mode",
    ):
        assert words in result.out


def test_logs_show_what_agents_printed_and_let_no_control_character_through(promoted):
    promoted.programs(train='printf "\\033[2Jgone\\a\\n"; echo why >&2; exit 4\n')
    assert promoted.tell("run", "plan.json").status == 6
    plain, machine = promoted.tell("logs", "little@2"), promoted.tell("logs", "little", "--json")
    assert "== little-2/stdout.log" in plain.out
    assert "\\x1b[2Jgone\\x07" in plain.out
    assert not set(plain.out) & {"\x1b", "\a"}
    assert machine.document["little-2/stderr.log"] == "why\n"


def test_watch_tells_every_entry_once_from_the_index_asked_for(promoted):
    lines = promoted.tell("watch", "--no-follow", "--since", "0", "--json").out.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [0, 1, 2, 3, 4]
    assert [json.loads(line)["type"] for line in lines][:2] == ["Genesis", "Submitted"]
    later = promoted.tell("watch", "--no-follow", "--since", "3")
    assert [line.split()[2] for line in later.out.splitlines()] == ["EvaluationLogged", "PromotionReady"]
    assert promoted.tell("watch", "--no-follow").out == ""
    assert promoted.tell("watch", "--no-follow", "--since", "999").out == ""


def test_watch_tells_what_happens_while_it_happens(promoted):
    promoted.programs(train="while [ ! -e checkpoint/go ]; do sleep 0.02; done; echo 0.5 > out/cut\n")
    run = promoted.start("run", "plan.json")
    watch = promoted.start("watch", "--since", "5", "--json")
    first = json.loads(watch.stdout.readline())
    assert (first["type"], first["version"]) == ("Submitted", 2)
    assert promoted.tell("show", "little@2", "--json").document["state"] == "running"
    assert promoted.champion() == 1
    (promoted.workspace("little-2") / "checkpoint/go").touch()
    assert [json.loads(watch.stdout.readline())["seq"] for _ in range(3)] == [6, 7, 8]
    run.communicate(timeout=60)
    assert run.returncode == 0


def test_keys_are_listed_and_their_public_halves_written_once(promoted):
    listed = promoted.tell("keys", "list", "--json").document
    assert [key["roles"] for key in listed] == [["verifier"], ["operator"], ["root"], ["model"]]
    assert all(key["private_key_here"] for key in listed)
    target = promoted.path / "public"
    written = promoted.tell("keys", "export", "--to", str(target), "--json").document["files"]
    assert len(written) == 4
    assert "PRIVATE" not in "".join(path.read_text() for path in target.iterdir())
    first = min(target.iterdir())
    first.write_text("changed by its owner")
    assert promoted.tell("keys", "export", "--to", str(target)).status == 0
    assert first.read_text() == "changed by its owner"


def test_profiles_are_listed_with_what_can_be_set(promoted):
    listed = {profile["name"]: profile for profile in promoted.tell("profiles", "--json").document}
    assert set(listed) >= {"sklearn-classifier", "sklearn-regressor", "python", "command", "import"}
    for name in ("sklearn-classifier", "sklearn-regressor"):
        estimator = next(item for item in listed[name]["hyperparameters"] if item["name"] == "estimator")
        assert len(estimator["choices"]) >= 6
        assert listed[name]["code_bearing"] is False


def test_the_schema_accepts_what_runs_and_knows_every_field(promoted):
    schema = promoted.tell("schema", "plan").document
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    text = json.dumps(schema)
    for field in ("lifecycle_id", "agent_profile", "metric_thresholds", "roc_auc", "resources"):
        assert f'"{field}"' in text


def test_a_dry_run_says_what_would_run_and_writes_nothing(promoted):
    before = promoted.state()
    result = promoted.tell("run", "plan.json", "--dry-run", "--json")
    assert result.status == 0
    assert result.document["profile"] == "command"
    assert result.document["datasets"]["evaluation"]["rows"] == 1200
    assert promoted.state() == before


def test_doctor_names_what_failed_and_the_next_command(promoted):
    assert "nothing is wrong" in promoted.tell("doctor").out
    promoted.programs(train="exit 1\n")
    promoted.tell("run", "plan.json")
    result = promoted.tell("doctor")
    assert result.status == 5
    assert "noa logs little@2" in result.out


def test_doctor_rebuilds_a_mirror_byte_for_byte_and_verify_never_does(promoted):
    mirror = promoted.path / "registry/ml_artifacts.log"
    right = mirror.read_bytes()
    mirror.write_bytes(right.replace(b'"status":"ready"', b'"status":"blocked"', 1))
    wrong = mirror.read_bytes()
    assert promoted.tell("verify").status == 4
    assert mirror.read_bytes() == wrong
    assert promoted.tell("doctor").status == 4
    assert promoted.tell("doctor", "--repair").status == 0
    assert mirror.read_bytes() == right
    assert promoted.verifies()


def test_the_command_ends_quietly_when_nobody_reads_on(promoted):
    command = promoted.start("schema", "plan")
    command.stdout.close()
    assert command.wait(30) == 0
    assert command.stderr.read() == ""


@pytest.mark.parametrize("arguments", [("status",), ("keys", "list"), ("policy", "diff")])
def test_the_project_folder_may_be_named_before_the_command(promoted, arguments):
    result = told("-C", str(promoted.path), *arguments, "--json")
    assert result.status == 0
    assert result.out == promoted.tell(*arguments, "--json").out


def test_reads_data_without_loading_pandas_which_others_still_can():
    program = (
        "import sys; from noa_mlops.cli.arrow import load_arrow; load_arrow(); load_arrow();"
        "import pyarrow as pa; assert pa.array(['a']).to_pylist() == ['a'];"
        "assert 'pandas' not in sys.modules;"
        "import pandas; assert pandas.DataFrame({'a': [1]}).shape == (1, 1); load_arrow()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_watch_tells_every_entry_as_a_cloud_event_that_names_it_for_ever(promoted):
    told = promoted.done("watch", "--since", "0", "--no-follow", "--cloudevents")
    again = promoted.done("watch", "--since", "0", "--no-follow", "--cloudevents")
    assert told.out == again.out
    events = [json.loads(line) for line in told.out.splitlines()]
    lines = (promoted.path / "storage/db/evidence/ledger.jsonl").read_bytes().splitlines()
    assert [event["data"]["line"] for event in events] == [hashlib.sha256(line).hexdigest() for line in lines]
    assert {event["specversion"] for event in events} == {"1.0"}
    assert len({(event["source"], event["id"]) for event in events}) == len(events)
    assert sorted(event["sequence"] for event in events) == [event["sequence"] for event in events]
    decision = next(event for event in events if event["type"] == "noa.lifecycle.PromotionReady")
    assert decision["subject"] == "little@1"
    assert decision["data"]["verdict"] == "pass"
    attributes = {name for event in events for name in event if name != "data"}
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in attributes)
    assert all(datetime.fromisoformat(event["time"]).utcoffset() is not None for event in events)
