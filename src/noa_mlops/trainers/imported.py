"""The profile import: a model folder made elsewhere, measured and promoted like any other.

The runtime has copied the folder into ``data/model/``. How it predicts is the hyperparameter ``predict`` (a program
and its arguments), else ``module`` (a Python file in the model or among the code), else the folder is one that the
sklearn profiles made.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from noa_mlops.files import open_beneath
from noa_mlops.trainers.command import become
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.hyperparameters import check_hyperparameters
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import launch
from noa_mlops.trainers.python import find_source, predict_with

GIVEN = "data/model"
"""Where the runtime puts the folder, in the workspace."""

OWN = ("model.skops", "model.json")
"""The files of a model of the sklearn profiles."""


def train(job: Job) -> None:
    """Copy the given folder to ``job.out``. Raises `JobInvalid` for anything in it that is no regular file."""
    _check(job)
    given = job.workspace / GIVEN
    if not given.is_dir():
        raise JobInvalid(f"there is no model folder in {GIVEN}; the hyperparameter 'path' names it")
    files = sorted(_files(given, ""))
    if not files:
        raise JobInvalid("the model folder is empty")
    _check_predicts(job, given)
    for relative in files:
        _copy(given, relative, job.out)
    job.progress(message=f"copied {len(files)} files")


def predict(job: Job) -> None:
    """Answer with the imported model. Raises `JobInvalid`, or what the program or the module ends with."""
    _check(job)
    if "predict" in job.params:
        become(job, job.params["predict"])
    if "module" in job.params:
        predict_with(job, find_source(job, (job.model, job.code)))
        return
    from noa_mlops.trainers import sklearn

    sklearn.predict_with(job, job.model)


def _check(job: Job) -> None:
    if problems := check_hyperparameters("import", job.params):
        raise JobInvalid("; ".join(problems))


def _check_predicts(job: Job, given: Path) -> None:
    if "predict" in job.params:
        return
    if "module" in job.params:
        find_source(job, (given, job.code))
    elif not all((given / name).is_file() for name in OWN):
        raise JobInvalid(
            f"the model folder has no {' and '.join(OWN)}, so the plan must say how it predicts: "
            f"'predict' (a program and its arguments) or 'module' (a Python file with predict(job))"
        )


def _files(root: Path, beneath: str) -> Iterator[str]:
    with os.scandir(root / beneath) as entries:
        for entry in entries:
            relative = f"{beneath}{entry.name}"
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                yield from _files(root, f"{relative}/")
            elif stat.S_ISREG(mode):
                yield relative
            else:
                raise JobInvalid(f"the model folder holds {relative!r}, which is neither a file nor a folder")


def _copy(root: Path, relative: str, out: Path) -> None:
    target = out / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_beneath(root, relative) as source, target.open("xb") as writer:
        shutil.copyfileobj(source, writer)
        os.fchmod(writer.fileno(), 0o644 | (os.fstat(source.fileno()).st_mode & 0o111))


if __name__ == "__main__":
    sys.exit(launch(train, predict))
