from __future__ import annotations

import sys

import pyarrow as pa
import pytest

TABLE = pa.table({"age": [1.0, 2.0, 3.0], "spent": [2.0, 4.0, 6.0]})
TRAIN = r"""
open my $in, '<', $ENV{NOA_DATA} or die; my $header = <$in>; my ($sum, $rows) = (0, 0);
while (<$in>) { chomp; my @cells = split /,/; $sum += $cells[1]; $rows++ }
open my $out, '>', "$ENV{NOA_OUT}/model.txt" or die; print $out $sum / $rows;
"""
PREDICT = """
mean=$(cat "$NOA_MODEL/model.txt")
awk -v mean="$mean" 'NR == 1 { print "prediction"; next } { print mean }' "$NOA_DATA" > "$NOA_OUT/predictions.csv"
"""


@pytest.fixture
def program(training):
    """Makes the workspace of a training by a program."""

    def make(command, answer=("sh",), **files):
        workspace = training(table=TABLE, target="spent", profile="command", data_format="csv")
        for name, text in files.items():
            (workspace.path / "code" / name).write_text(text)
        workspace.change(hyperparameters={"command": command, "predict": list(answer)})
        return workspace

    return make


def test_programs_in_perl_and_awk_train_and_predict(program, prediction):
    trained = program(["perl", "code/train"], ["sh", "code/predict"], train=TRAIN, predict=PREDICT)
    done = trained.run("command")
    assert done.returncode == 0, done.stderr
    asked = prediction(trained, table=TABLE)
    done = asked.run("command")
    assert done.returncode == 0, done.stderr
    assert (asked.out / "predictions.csv").read_text() == "prediction\n4\n4\n4\n"


def test_the_program_takes_the_place_of_the_trainer(program):
    workspace = program(["sh", "-c", "echo $NOA_PAYLOAD; pwd; exit 7"])
    done = workspace.run("command")
    assert done.returncode == 7
    assert done.stdout.split() == [str(workspace.path / "payload.json"), str(workspace.path)]


def test_no_shell_sees_the_arguments(program):
    workspace = program(["echo", "$(touch CANARY); `touch CANARY`", "*"])
    assert workspace.run("command").stdout == "$(touch CANARY); `touch CANARY` *\n"
    assert not (workspace.path / "CANARY").exists()


def test_a_script_among_the_code_files_is_executed_itself(program):
    workspace = program(["code/train.sh"], **{"train.sh": "#!/bin/sh\necho ran > out/model\n"})
    (workspace.path / "code/train.sh").chmod(0o755)
    assert workspace.run("command").returncode == 0
    assert (workspace.out / "model").read_text() == "ran\n"


def test_python_programs_can_read_the_job(program):
    text = "from noa_mlops.trainers.job import Job\njob = Job.read()\n(job.out / 'm').write_text(str(job.data.table().num_rows))\n"
    workspace = program([sys.executable, "code/train.py"], **{"train.py": text})
    assert workspace.run("command").returncode == 0
    assert (workspace.out / "m").read_text() == "3"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-program"], "the program 'no-such-program' is not installed or not among the code files"),
        (["code/absent.sh"], "the program 'code/absent.sh' is not installed"),
        (["code/train.sh"], "may not be executed; start a script by its interpreter, as in [sh, code/train.sh]"),
        (["data"], "the program 'data'"),
        ("sh train.sh", "'command' must be a program and its arguments, as a list of texts"),
        (None, "'command' must be a program"),
    ],
)
def test_a_program_that_cannot_be_started_is_named(command, said, program):
    workspace = program(command, **{"train.sh": "echo hi"})
    done = workspace.run("command")
    assert done.returncode == 2
    assert done.stderr.startswith("noa: ")
    assert said in done.stderr
