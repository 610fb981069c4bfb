"""The profile command: a program in any language, started from an argument list.

This process becomes the program, so nothing stands between it and the runtime. Besides ``NOA_PAYLOAD`` it is told
the essentials in environment variables, for languages without a JSON reader.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NoReturn

from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.hyperparameters import check_hyperparameters
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import launch


def train(job: Job) -> None:
    """Become the program of the hyperparameter ``command``. Raises `JobInvalid` when it cannot be started."""
    _check(job)
    become(job, job.params["command"])


def predict(job: Job) -> None:
    """Become the program of the hyperparameter ``predict``. Raises `JobInvalid` when it cannot be started."""
    _check(job)
    become(job, job.params["predict"])


def become(job: Job, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by a program; does not return. Raises `JobInvalid` when it cannot be started.

    An argument ``code/...`` or ``model/...`` that names a file there is given as its full path, since both folders
    lie elsewhere in a prediction.
    """
    argv = [_full_path(job, argument) for argument in arguments]
    try:
        os.execvpe(argv[0], argv, {**os.environ, **_told(job)})  # noqa: S606
    except FileNotFoundError as error:
        raise JobInvalid(f"the program {arguments[0]!r} is not installed or not among the code files") from error
    except PermissionError as error:
        raise JobInvalid(
            f"the program {arguments[0]!r} may not be executed; start a script by its interpreter, as in "
            f"[sh, {arguments[0]}]"
        ) from error
    except OSError as error:
        raise JobInvalid(f"the program {arguments[0]!r} cannot be executed: {error.strerror}") from error


def _check(job: Job) -> None:
    if problems := check_hyperparameters("command", job.params):
        raise JobInvalid("; ".join(problems))


def _full_path(job: Job, argument: str) -> str:
    path = PurePosixPath(argument)
    if len(path.parts) < 2 or ".." in path.parts or path.parts[0] not in ("code", "model"):
        return argument
    folder = job.code if path.parts[0] == "code" else job.model_or_none
    if folder is None or not (full := folder.joinpath(*path.parts[1:])).is_file():
        return argument
    return str(full)


def _told(job: Job) -> dict[str, str]:
    model = job.model_or_none
    told = {
        "NOA_STEP": job.step,
        "NOA_DATA": str(job.data),
        "NOA_OUT": str(job.out),
        "NOA_CHECKPOINT": str(job.checkpoint),
        "NOA_CODE": str(job.code),
        "NOA_TMP": str(job.tmp),
        "NOA_MODEL": "" if model is None else str(model),
        "NOA_TARGET": job.target or "",
        "NOA_SEED": str(job.seed),
        "PYTHONUNBUFFERED": "1",  # so that the log of a program that is killed has what it said
    }
    return {name: value for name, value in told.items() if "\0" not in value}


if __name__ == "__main__":
    sys.exit(launch(train, predict))
