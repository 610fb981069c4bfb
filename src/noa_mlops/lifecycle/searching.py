"""The search before a training: trials by agents of their own, several at once, each recorded when it has ended.

``search.jsonl`` in the version's workspace has a line for every trial that ended, durable before another follows from
it. A search that was cut off goes on with those that have none; see `records.search` for why they are the same ones.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from noa_mlops.errors import EvaluationFailed, LifecycleError, TrainingFailed
from noa_mlops.files import open_beneath, raise_trouble_behind, read_capped
from noa_mlops.ledger.ledger import now
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.lifecycle.trials import Trials
from noa_mlops.records.documents import DocumentInvalid, canonical, compact, parse_object
from noa_mlops.records.events import Recorded, TrainingCompleted
from noa_mlops.records.search import MAX_TABLE, Search, Trial, best_of, outcome_text
from noa_mlops.records.verdict import EvaluationReport

if TYPE_CHECKING:
    from noa_mlops.lifecycle.proposing import Proposal, Proposer

FILE = "search.jsonl"
"""The table of trials, in the workspace of the version's trainer, which that cannot write."""


class Stop(threading.Event):
    """Set when one trial is to end: by itself, because it is given up, or with the whole search."""

    def __init__(self, whole: threading.Event) -> None:
        super().__init__()
        self._whole = whole

    def is_set(self) -> bool:
        """Whether the trial is to end."""
        return super().is_set() or self.ends_all

    @property
    def ends_all(self) -> bool:
        """Whether the whole search is to end; what was cut off goes on when the run does."""
        return self._whole.is_set()


Attempt: TypeAlias = Callable[[int, Submission, Stop, Callable[[dict[str, Any]], None]], EvaluationReport]
"""Trains and measures the trial of that number; tells what the trainer says. Raises `StepFailed`, `Interrupted`."""

Tell: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Takes how far the search is."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: the best trial, and all of them as a canonical document."""

    search: Search
    best: Trial
    table: bytes

    @classmethod
    def of(cls, search: Search, trials: tuple[Trial, ...], importance: Mapping[str, float]) -> Found:
        """Raises `TrainingFailed` when no trial could be trained and scored."""
        best = best_of(search, trials)
        if best is None:
            why = next((trial.error for trial in trials if trial.error), "all were given up")
            raise TrainingFailed(
                f"no trial of the search could be trained and scored; the first: {why}", cause="search"
            )
        document = {
            "metric": search.metric,
            "best": best.number,
            "importance": dict(importance),
            "trials": [trial.to_document() for trial in trials],
        }
        return cls(search, best, canonical(document))

    def to_document(self) -> dict[str, Any]:
        """What the entry of the training says of it; the table is an object of its own."""
        return {
            "metric": self.search.metric,
            "trials": self.search.trials,
            "best": self.best.number,
            "value": self.best.value,
            "hyperparameters": dict(self.best.hyperparameters),
        }


def settled(given: Submission, hyperparameters: Mapping[str, Any]) -> Submission:
    """A submission whose search is over, to be trained with what was found; it is still the same plan."""
    plan = given.plan
    return replace(given, plan=replace(plan, hyperparameters={**plan.hyperparameters, **hyperparameters}), trials=None)


def as_trained(given: Submission, history: Iterable[Recorded]) -> Submission:
    """A submission as it was trained by what its version's ``history`` says: a search that is over is settled."""
    found = next((event.found for event in history if isinstance(event, TrainingCompleted)), None)
    return given if found is None else settled(given, found["hyperparameters"])


def search(
    given: Submission, trials: Trials, workspace: Path, attempt: Attempt, tell: Tell, cancel: threading.Event
) -> Found:
    """Make the trials that are not made yet, and choose.

    Raises `TrainingFailed` when none could be scored, what ``attempt`` raises besides `StepFailed`, and `OSError`.
    """
    from noa_mlops.lifecycle.proposing import Proposer

    proposer = Proposer(trials.search, given.plan.seed)
    made = _Table(workspace / FILE, trials.search, tell)
    stop, most = Stop(cancel), _at_once(given, trials.search)
    with ThreadPoolExecutor(most) as pool, _set_at_the_end(stop):
        running: set[Future[Trial]] = set()
        waiting = iter([number for number in range(1, trials.search.trials + 1) if number not in made.trials])
        number = next(waiting, None)
        while running or number is not None:
            while number is not None and len(running) < most and made.allow(number):
                proposal = made.propose(proposer, number)
                running.add(pool.submit(_try, _Asked(given, trials, number, proposal, Stop(stop)), attempt))
                number = next(waiting, None)
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for trial in sorted((future.result() for future in ended), key=lambda trial: trial.number):
                made.add(trial)
    ordered = tuple(made.trials[number] for number in sorted(made.trials))
    return Found.of(trials.search, ordered, proposer.importance(ordered))


@contextlib.contextmanager
def _set_at_the_end(stop: threading.Event) -> Iterator[None]:
    """Whatever ends a search early ends its trials too; the pool waits for them."""
    try:
        yield
    finally:
        stop.set()


def _at_once(given: Submission, wanted: Search) -> int:
    """How many trials this machine runs at once: as many as have the processors that the plan gives each."""
    return max(1, min(wanted.parallel, len(os.sched_getaffinity(0)) // given.plan.resources.cpus))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One trial to be made."""

    given: Submission
    trials: Trials
    number: int
    proposal: Proposal
    stop: Stop


def _try(asked: _Asked, attempt: Attempt) -> Trial:
    """One trial to its end. Raises what ``attempt`` raises when it is no fault of the trial."""
    metric, started = asked.trials.search.metric, now()
    pruned: list[int] = []

    def hear(said: dict[str, Any]) -> None:
        step, value = said.get("step"), said.get(metric)
        if pruned or not isinstance(step, int | float) or not isinstance(value, int | float):
            return
        asked.proposal.note(int(step), float(value))
        if _is_far(step, said.get("of")) and asked.proposal.is_behind:
            pruned.append(int(step))
            asked.stop.set()

    trial = Trial(asked.number, asked.proposal.hyperparameters, started, started)
    parts = asked.trials.parts
    given = replace(
        settled(asked.given, trial.hyperparameters),
        train=parts.train,
        evaluation=parts.evaluation,
        evaluation_keys=None,
        slices=(),
        grouping=None,
        forecast=None,
    )
    try:
        estimate = attempt(asked.number, given, asked.stop, hear).metrics[metric]
        error = (
            None if estimate.value is not None else f"{metric} has no value on the validation rows: {estimate.reason}"
        )
        ended = replace(trial, value=estimate.value, error=error)
    except (TrainingFailed, EvaluationFailed) as failure:
        raise_trouble_behind(failure)
        ended = replace(trial, error=str(failure))
    except LifecycleError:
        if not pruned or asked.stop.ends_all:
            raise
        ended = replace(trial, pruned_at=pruned[0])
    return replace(ended, finished_at=now(), curve=dict(asked.proposal.curve))


def _is_far(step: float, of: Any) -> bool:
    """Whether a trainer is so far that its metric says something: a third of the steps that it said, else five."""
    return 3 * step >= of if isinstance(of, int | float) else step >= 5


class _Table:
    """The trials that ended, by number, as its file has them; and what each was asked to try."""

    def __init__(self, path: Path, search: Search, tell: Tell) -> None:
        self.trials: dict[int, Trial] = {}
        self._asked: dict[int, Mapping[str, Any]] = {}
        self._path, self._search, self._tell = path, search, tell
        data = _bytes_of(path)
        whole = data[: data.rfind(b"\n") + 1]  # the last line may have been cut off
        for line in whole.splitlines():
            trial = _read(line, path)
            self.trials[trial.number] = trial
        self._asked = {number: trial.hyperparameters for number, trial in self.trials.items()}
        if len(whole) < len(data):
            os.truncate(path, len(whole))

    def allow(self, number: int) -> bool:
        """Whether all trials have ended that the proposal of this one follows from."""
        return all(known in self.trials for known in range(1, number - self._search.parallel + 1))

    def propose(self, proposer: Proposer, number: int) -> Proposal:
        """What the trial ``number`` is to try."""
        first = max(1, number - self._search.parallel + 1)
        known = [self.trials[n] for n in range(1, first)]
        proposal = proposer.propose(number, known, [self._asked[n] for n in range(first, number)])
        self._asked[number] = proposal.hyperparameters
        return proposal

    def add(self, trial: Trial) -> None:
        """Record a trial that ended, durably, and tell of it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as stream:
            stream.write(compact(trial.to_document()) + b"\n")
            os.fsync(descriptor)
        self.trials[trial.number] = trial
        best = best_of(self._search, tuple(self.trials.values()))
        outcome = outcome_text(trial.to_document()) if trial.value is None else f"{trial.value:.4g}"
        said = f"trial {trial.number}: {self._search.metric} {outcome}"
        if best is not None:
            said += f"; best {best.value:.4g} by trial {best.number}"
        self._tell({"step": len(self.trials), "of": self._search.trials, "message": said})


def _bytes_of(path: Path) -> bytes:
    """What is in a table so far; nothing when there is none."""
    if not os.path.lexists(path):
        return b""
    with open_beneath(path.parent, path.name) as stream:
        data = read_capped(stream, MAX_TABLE)
    if data is None:
        raise TrainingFailed(f"{path} is larger than {MAX_TABLE} bytes", cause="search", hint=_MOVE_IT)
    return data


def _read(line: bytes, path: Path) -> Trial:
    try:
        return Trial.from_document(parse_object(line, limit=MAX_TABLE))
    except (DocumentInvalid, ValueError, TypeError, KeyError) as error:
        raise TrainingFailed(f"{path} is not a table of trials: {error}", cause="search", hint=_MOVE_IT) from error


_MOVE_IT = "Move it away and run the plan again: the search begins anew."
