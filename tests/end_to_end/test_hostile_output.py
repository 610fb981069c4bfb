"""Trainers that leave anything but plain files: the run fails, in one line, and nothing else has happened."""

import os
import sys

import pytest

from noa_mlops.agents.removal import remove

CHAMPION = "storage/artifacts/little/command/1/model/cut"
OUTPUTS = {
    "a link that leads out": 'os.symlink("../../../../../../etc/passwd", "out/model")',
    "an absolute link": 'os.symlink("/etc/passwd", "out/model")',
    "a loop of links": 'os.symlink("b", "out/a"); os.symlink("a", "out/b")',
    "a link to a folder": 'os.symlink("/etc", "out/model")',
    "a file with two names": 'open("out/a", "w").write("0.5"); os.link("out/a", "out/b")',
    "the champion by another name": 'os.link(f"{PROJECT}/{CHAMPION}", "out/cut")',
    "a pipe": 'os.mkfifo("out/cut")',
    "a socket": 'os.chdir("out"); socket.socket(socket.AF_UNIX).bind("cut")',
    "a device": 'os.mknod("out/cut", 0o20666, os.makedev(1, 5))',
    "a file that runs as its owner": 'open("out/cut", "w").write("0.5"); os.chmod("out/cut", 0o4755)',
    "ten terabytes of nothing": 'os.truncate(os.open("out/cut", os.O_CREAT | os.O_RDWR), 10 << 40)',
    "a name of two lines": 'open("out/cut\\n0.5", "w").write("0.5")',
    "a name that leads up on another system": 'open("out/..\\\\..\\\\cut", "w").write("0.5")',
    "a name like the parent": 'open("out/.. ", "w").write("0.5")',
    "one name in two spellings": '[open(f"out/{name}", "w").write("0.5") for name in ("caf\\u00e9", "cafe\\u0301")]',
    "one name in two cases": '[open(f"out/{name}", "w").write("0.5") for name in ("cut", "Cut")]',
    "a name of three hundred bytes": 'open("out/" + 300 * "x", "w").write("0.5")',
    "folders five thousand deep": 'os.chdir("out"); [(os.mkdir("d"), os.chdir("d")) for _ in range(5000)]',
    "more files than may be": '[os.close(os.open(f"out/{n}", os.O_CREAT)) for n in range(10_001)]',
    "no file": 'os.mkdir("out/empty")',
    "more bytes than may be": '[open(f"out/{n}", "wb").write(bytes(1 << 20)) for n in range(12)]',
    "its workspace as a link to the store": """
        here = os.getcwd()
        os.rename(here, here + "-away")
        os.symlink(f"{PROJECT}/storage/artifacts/little/command/1", here)""",
    "its output as a link to the store": """
        os.rename("out", "away")
        os.symlink(f"{PROJECT}/storage/artifacts/little/command/1/model", "out")""",
}
"""What a trainer leaves."""

PROGRAM = """\
exec {python} -I -S - <<'END'
import os, socket, textwrap
PROJECT, CHAMPION = {project!r}, {champion!r}
exec(textwrap.dedent({action!r}))
END
"""


def leave(project, case):
    """Make the usual trainer leave this."""
    members = {"python": sys.executable, "project": str(project.path), "champion": CHAMPION}
    project.programs(train=PROGRAM.format(action=OUTPUTS[case], **members))


@pytest.fixture(autouse=True)
def _remove_what_is_deeper_than_pytest_can_remove(promoted):
    yield
    artifacts = os.open(promoted.path / "storage/artifacts", os.O_RDONLY)
    remove(artifacts, "workspaces")
    os.close(artifacts)


@pytest.mark.parametrize("case", OUTPUTS)
def test_a_trainer_fails_that_leaves(promoted, case):
    if "mknod" in OUTPUTS[case] and os.geteuid() != 0:
        pytest.skip("only the superuser may make a device")
    leave(promoted, case)
    before, entries = promoted.store(), len(promoted.entries())
    result = promoted.tell("run", promoted.plan(resources={"isolation": "basic", "disk": "10MiB"}), "--json")
    assert result.status == 6, result.said
    message = result.document["failure"]["message"]
    assert message.isprintable()
    assert "Traceback" not in message
    kinds = [entry["noa_entry"]["type"] for entry in promoted.entries()[entries:]]
    assert kinds == ["Submitted", "TrainingFailed"]
    assert promoted.store() == before
    assert promoted.champion() == 1
    assert promoted.verifies()


def test_the_next_run_works_after_any_of_them(promoted):
    for case in ("folders five thousand deep", "its workspace as a link to the store", "a pipe"):
        leave(promoted, case)
        assert promoted.tell("run", promoted.plan(resources={"isolation": "basic"})).status == 6
    promoted.programs()
    assert promoted.tell("run", promoted.plan()).status == 0
    assert promoted.verifies()
