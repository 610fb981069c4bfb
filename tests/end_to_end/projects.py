"""A small project on disk, and the ways people reach it: the ``noa`` command and the files it leaves."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noa_mlops.cli.app import main

TRAIN = """\
awk -F, 'NR > 1 { sum[$3] += $1; n[$3]++ } END { print (sum[0] / n[0] + sum[1] / n[1]) / 2 }' "$NOA_DATA" > "$NOA_OUT/cut"
"""
"""A trainer in awk: the middle between the means of both classes."""

PREDICT = """\
awk -F, -v cut="$(cat "$NOA_MODEL/cut")" '
  NR == 1 { print "p_0,p_1"; next }
  { p = 1 / (1 + exp(-20 * ($1 - cut))); printf "%.9f,%.9f\\n", 1 - p, p }' "$NOA_DATA" > "$NOA_OUT/predictions.csv"
"""
"""Its predictor."""

PLAN: dict[str, Any] = {
    "lifecycle_id": "little",
    "agent_profile": "command",
    "dataset_path": "data/train.csv",
    "target": "label",
    "code": ["src/train.sh", "src/predict.sh"],
    "hyperparameters": {
        "command": ["sh", "code/src/train.sh"],
        "predict": ["sh", "code/src/predict.sh"],
        "data_format": "csv",
    },
    "evaluation": {"dataset_path": "data/eval.csv", "metric_thresholds": {"roc_auc": 0.8}},
}
"""A plan that is promoted in about a second."""


STARTED: list[subprocess.Popen[str]] = []
"""Commands that a test started and did not wait for."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Both streams."""
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder."""

    path: Path

    def noa(self, *arguments: str, **options: Any) -> Result:
        """Run the command as a process of its own."""
        done = subprocess.run(
            command_line(*arguments, "-C", str(self.path)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start the command and do not wait for it; the end of the test ends it."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command_line(*arguments, "-C", str(self.path)), **(pipes | options))
        STARTED.append(process)
        return process

    def tell(self, *arguments: str) -> Result:
        """Run the command in this process: the same code, without the start of an interpreter."""
        return told(*arguments, "-C", str(self.path))

    def done(self, *arguments: str, status: int = 0) -> Result:
        """Run the command in this process and insist on how it ends."""
        result = self.tell(*arguments)
        assert result.status == status, result.said
        return result

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file into the project."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def plan(self, name: str = "plan.json", **changes: Any) -> str:
        """Write the usual plan with some fields changed; None removes a field."""
        document = {field: value for field, value in {**PLAN, **changes}.items() if value is not None}
        self.write(name, json.dumps(document))
        return name

    def programs(self, train: str = TRAIN, predict: str = PREDICT) -> None:
        """Replace the shell programs that the usual plan names."""
        self.write("src/train.sh", train)
        self.write("src/predict.sh", predict)

    def entries(self) -> list[dict[str, Any]]:
        """The ledger, line by line."""
        lines = (self.path / "storage/db/evidence/ledger.jsonl").read_bytes().splitlines()
        return [json.loads(line) for line in lines]

    def last_entry(self) -> tuple[str, dict[str, Any]]:
        """Type and predicate of the newest ledger line."""
        entry = self.entries()[-1]
        return entry["noa_entry"]["type"], entry["predicate"]

    def champion(self, lifecycle_id: str = "little") -> int | None:
        """The version in force."""
        champion = self.tell("show", lifecycle_id, "--json").document["champion"]
        return None if champion is None else champion["version"]

    def verifies(self) -> bool:
        """Whether ``noa verify`` finds nothing."""
        return self.tell("verify").status == 0

    def workspace(self, agent: str) -> Path:
        """The workspace of an agent."""
        return self.path / "storage/artifacts/workspaces" / agent

    def store(self) -> str:
        """A digest over every name and byte of the promoted models."""
        return self.state("storage/artifacts/little")

    def state(self, *tops: str) -> str:
        """A digest over every name and byte below storage/ and registry/, or below these folders.

        Who held the ledger's lock last does not count.
        """
        seen = hashlib.sha256()
        for top in tops or ("storage", "registry"):
            for folder, names, files in sorted(os.walk(self.path / top)):
                names.sort()
                for name in sorted([*names, *files]):
                    path = Path(folder, name)
                    plain = path.is_file() and not path.is_symlink() and name != "ledger.lock"
                    content = path.read_bytes() if plain else b""
                    seen.update(f"{path}\0{path.lstat().st_mode}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        return seen.hexdigest()


def command_line(*arguments: str) -> list[str]:
    """The ``noa`` command with its arguments."""
    return [sys.executable, "-m", "noa_mlops", *arguments]


def told(*arguments: str) -> Result:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    return Result(status, out.getvalue(), err.getvalue())


def rows(count: int, seed: int) -> str:
    """Labelled rows as CSV: the label follows from the first column, with some noise."""
    draw = random.Random(seed)
    lines = ["x,y,label"]
    for _ in range(count):
        x, y = draw.random(), draw.random()
        lines.append(f"{x:.4f},{y:.4f},{int(x + 0.2 * draw.random() > 0.6)}")
    return "\n".join(lines) + "\n"


def window(seed, *, moved=0.0, count=2000, labels=None):
    """Rows as those of the training, but for ``x``, which moved; labels are not there yet, or follow from ``labels(x)``."""
    draw = random.Random(seed)
    lines = ["x,y" if labels is None else "x,y,label"]
    for _ in range(count):
        x, y = draw.random(), draw.random()
        label = "" if labels is None else f",{int(labels(x + 0.2 * draw.random()))}"
        lines.append(f"{x + moved:.4f},{y:.4f}{label}")
    return "\n".join(lines) + "\n"


def lay_out(path: Path) -> Project:
    """Data, programs and the usual plan, in a folder that is no project yet."""
    project = Project(path)
    project.write("data/train.csv", rows(200, 1))
    project.write("data/eval.csv", rows(1200, 2))
    project.programs()
    project.plan()
    return project


def with_permissions(project: Project, *arguments: str) -> Result:
    """Run the command as somebody whom file modes bind: the superuser gives up the right to pass them by."""
    return project.noa(*arguments, preexec_fn=_obey_modes)


def _obey_modes() -> None:
    """Drop CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH from the bounding set (capabilities(7)), for what is executed next."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (1, 2):
            if libc.prctl(24, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "cannot give up a capability")


def until(holds: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until ``holds()`` is true, and give what it gave."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > end:
            raise TimeoutError("it never became true")
        time.sleep(0.02)
    return found


def alive(mark: str) -> list[str]:
    """The command lines on this machine that hold ``mark``."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and mark.encode() in (line := (folder / "cmdline").read_bytes()):
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found
