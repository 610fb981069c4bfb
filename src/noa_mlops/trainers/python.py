"""The profile python: ``train(job)`` and ``predict(job)`` of a module that the plan names as code.

The module is loaded from its file; files beside it can be imported by name. What the user's code raises ends in one
line that names the place, after its traceback.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from noa_mlops.errors import LifecycleError
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.hyperparameters import check_hyperparameters
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import explained, launch, say

ANSWERS = ("predictions.parquet", "predictions.csv")
"""What ``predict`` may write itself, in ``job.out``."""


EARLY = 0.6
"""Share of a short time limit after which a job that is not done says where it is; of a long one all but 10 s."""


class UserCodeFailed(LifecycleError):
    """The code that the plan names raised an error; its traceback is printed before."""

    exit_code = 1
    hint = "Correct the code and run the plan again."


def train(job: Job) -> None:
    """Call ``train(job)``; it must leave at least one file in ``job.out``. Raises `JobInvalid`, `UserCodeFailed`."""
    _check(job)
    source = find_source(job, (job.code,))
    with saying_where(job):
        check_trained(job, source, call(source, "train", job))


def predict(job: Job) -> None:
    """Call ``predict(job)`` and write what it returns. Raises `JobInvalid`, `UserCodeFailed`."""
    _check(job)
    predict_with(job, find_source(job, (job.code,)))


def predict_with(job: Job, source: Path) -> None:
    """Call ``predict(job)`` of the file ``source``. Raises `JobInvalid`, `UserCodeFailed`."""
    with saying_where(job):
        keep_predicted(job, source, call(source, "predict", job))


def check_trained(job: Job, source: Path, returned: Any) -> None:
    """What ``train(job)`` of ``source`` must have done. Raises `JobInvalid`."""
    if not any(path.is_file() for path in job.out.rglob("*")):
        kept = "" if returned is None else "; what it returns is not kept"
        raise JobInvalid(f"train(job) of {source.name} wrote no file into job.out{kept}")


def keep_predicted(job: Job, source: Path, returned: Any) -> None:
    """Write what ``predict(job)`` of ``source`` returned, unless it wrote its answer itself. Raises `JobInvalid`."""
    if returned is not None:
        job.write_predictions(returned)
    elif not any((job.out / name).is_file() for name in ANSWERS):
        raise JobInvalid(f"predict(job) of {source.name} returned nothing and wrote no {ANSWERS[0]} into job.out")


def find_source(job: Job, folders: Sequence[Path]) -> Path:
    """The file that the hyperparameter ``module`` names, else the only or the first of the code files.

    The first folder that has it wins. Raises `JobInvalid` when there is none or the choice is not clear.
    """
    sources = [path for folder in folders for path in sorted(folder.rglob("*.py")) if path.is_file()]
    names = ", ".join(path.name for path in sources) or "none"
    wanted = job.params.get("module")
    if wanted is None:
        return _first(job, sources, names)
    found = [path for path in sources if path.stem == str(wanted).removesuffix(".py")]
    if not found:
        raise JobInvalid(f"module {wanted!r} is not among the code files: {names}")
    return found[0]


def _first(job: Job, sources: Sequence[Path], names: str) -> Path:
    listed = [job.code / path for path in job.code_files if path.endswith(".py")]
    if found := [path for path in listed if path in sources] or sources[:1]:
        if listed or len(sources) == 1:
            return found[0]
        raise JobInvalid(f"there are several code files, {names}; name one with the hyperparameter 'module'")
    raise JobInvalid("the plan names no Python file under 'code'")


def _check(job: Job) -> None:
    if problems := check_hyperparameters("python", job.params):
        raise JobInvalid("; ".join(problems))


def call(source: Path, name: str, job: Job) -> Any:
    """What the function ``name`` of the file ``source`` returns. Raises `JobInvalid`, `UserCodeFailed`."""
    with border(f"{source.name} cannot be imported", source):
        module = load(source, job)
    function = getattr(module, name, None)
    if not callable(function):
        raise JobInvalid(f"{source.name} has no function {name}(job)")
    return call_function(function, source, name, job)


def call_function(function: Callable[[Job], Any], source: Path, name: str, job: Job) -> Any:
    """What ``function``, called ``name`` in ``source``, returns. Raises `UserCodeFailed`."""
    with border(f"{name}(job) of {source.name} failed", source):
        return function(job)


@contextmanager
def saying_where(job: Job) -> Iterator[None]:
    """Say at which line of the user's code the job is shortly before its time is over, for then it is killed.

    Python looks for signals between two steps of its own, so code in C says nothing.
    """
    if not job.time_limit:
        yield
        return

    def say_where(_number: int, frame: FrameType | None) -> None:
        while frame is not None and not Path(frame.f_code.co_filename).is_relative_to(job.code):
            frame = frame.f_back
        if frame is not None:
            place = f"line {frame.f_lineno} of {Path(frame.f_code.co_filename).name}, in {frame.f_code.co_name}"
            say(f"close to its time limit of {job.time_limit} s it is at {place}")

    signal.signal(signal.SIGALRM, say_where)
    signal.siginterrupt(signal.SIGALRM, False)  # noqa: FBT003 - libraries in C need not know of it
    signal.setitimer(signal.ITIMER_REAL, max(EARLY * job.time_limit, job.time_limit - 10))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def load(source: Path, job: Job) -> ModuleType:
    """The module in the file ``source``; files beside it, and those of the job's code, can be imported by name."""
    sys.dont_write_bytecode = True
    sys.path[:0] = list(dict.fromkeys((str(source.parent), str(job.code))))
    name = source.stem if source.stem not in sys.modules else f"user_{source.stem}"
    spec = importlib.util.spec_from_file_location(name, source)
    if spec is None or spec.loader is None:
        raise JobInvalid(f"{source.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def border(failure: str, source: Path) -> Iterator[None]:
    """Where the user's code begins: whatever it raises becomes `UserCodeFailed`."""
    try:
        yield
    except (LifecycleError, MemoryError):
        raise
    except SystemExit as error:
        if error.code not in (None, 0):
            raise UserCodeFailed(f"{failure}: it called sys.exit({error.code!r})") from error
        say(f"{source.name} called sys.exit()")
        sys.exit(0)
    except Exception as error:
        traceback.print_exception(type(error), error, _from(error, source.parent))
        reason = traceback.format_exception_only(error)[-1].strip()
        raise UserCodeFailed(f"{failure}{_place(error, source.parent)}: {reason}{explained(error)}") from error


def _from(error: BaseException, folder: Path) -> Any:
    """The traceback from the first line of the user's own files on, or all of it when it never got there."""
    trace = error.__traceback__
    while trace is not None and not Path(trace.tb_frame.f_code.co_filename).is_relative_to(folder):
        trace = trace.tb_next
    return trace or error.__traceback__


def _place(error: BaseException, folder: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder):
        return f" at line {error.lineno} of {Path(error.filename).name}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    return f" at line {own[-1].lineno} of {Path(own[-1].filename).name}" if own else ""


if __name__ == "__main__":
    sys.exit(launch(train, predict))
