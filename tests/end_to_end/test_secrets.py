"""Secrets where they should not be: they reach neither ledger nor mirror nor events nor output nor the list of processes."""

import json

import pytest

from end_to_end.projects import PLAN, alive, until

CANARY = "canary-5c0ffee"
ADDRESS = f"https://deploy:{CANARY}@example.org/train.csv"


def holding(project, *places):
    """The files below these folders of a project in which the canary is."""
    paths = [path for place in places for path in (project.path / place).rglob("*")]
    return [path for path in paths if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_a_hyperparameter_that_is_a_secret_is_kept_with_plan_and_model_and_nowhere_else(promoted):
    """Whoever asks the model later needs its settings: they are in the manifest, which cannot be redacted."""
    promoted.programs(train="echo 0.5 > out/cut\nwhile [ ! -e checkpoint/go ]; do sleep 0.02; done\n")
    plan = promoted.plan(hyperparameters={**PLAN["hyperparameters"], "password": CANARY})
    running = promoted.start("run", plan)
    until((promoted.workspace("little-2") / "out/cut").exists)
    assert alive(CANARY) == []
    (promoted.workspace("little-2") / "checkpoint/go").touch()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, out + err
    told = [
        out,
        err,
        *(
            promoted.tell(*words).said
            for words in (["show", "little@2"], ["logs", "little@2"], ["watch", "--no-follow"])
        ),
    ]
    assert not [text for text in told if CANARY in text]
    assert holding(promoted, "registry") == []
    assert [path.name for path in holding(promoted, "storage/artifacts/little")] == ["manifest.json"]
    assert [path.name for path in holding(promoted, "storage/artifacts/workspaces")] == ["payload.json"] * 2
    (kept,) = holding(promoted, "storage/db")
    assert kept.parent.name == "objects"
    assert promoted.tell("redact", kept.name, "--reason", "a password").status == 0
    assert holding(promoted, "storage/db") == []
    assert promoted.verifies()


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize(
    "changes",
    [
        {"dataset_path": ADDRESS},
        {"target": ADDRESS},
        {"agent_profile": ADDRESS},
        {"code": [ADDRESS]},
        {"evaluation": {"dataset_path": ADDRESS, "metric_thresholds": {"roc_auc": 0.8}}},
        {"seed": f"password={CANARY}"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_plan_that_is_refused_is_quoted_without_the_secret_in_an_address(promoted, changes, options):
    before = promoted.state()
    result = promoted.tell("run", promoted.plan(**changes), *options)
    assert result.status == 2
    assert CANARY not in result.said
    assert promoted.state() == before


def test_a_word_of_the_command_line_is_quoted_without_the_secret_in_it(promoted):
    for words in (
        ["run", "plan.json", ADDRESS],
        ["run", ADDRESS],
        ["show", ADDRESS],
        ["run", "plan.json", f"--token={CANARY}"],
    ):
        result = promoted.tell(*words)
        assert result.status == 2, words
        assert CANARY not in result.said, words
    assert promoted.verifies()


LAST_WORDS = f"""\
echo 'ConnectionError: cannot reach postgresql://app:{CANARY}@db.example.org/rain?password={CANARY}' >&2
exit 1
"""


@pytest.mark.parametrize("step", ["train", "predict"])
def test_the_last_words_of_an_agent_are_recorded_without_the_secrets_in_them(promoted, step):
    promoted.write("src/last.sh", LAST_WORDS)
    promoted.programs(**{step: LAST_WORDS})
    result = promoted.tell("run", "plan.json", "--json")
    assert result.status == 6
    assert "cannot reach postgresql://***@db.example.org/rain?password=***" in result.document["failure"]["message"]
    assert CANARY not in result.said
    assert CANARY not in json.dumps(promoted.entries())
    assert holding(promoted, "registry") == []
    assert promoted.verifies()
