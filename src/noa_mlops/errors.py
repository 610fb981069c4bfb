"""Every error raised on purpose, in one tree. Each names the thing and carries a hint for the operator.

    LifecycleError                 exit 1
    ├── PlanInvalid                exit 2   a plan, policy or definition that cannot be used
    │   └── DatasetInvalid         exit 2   data that cannot be read as declared
    ├── NotFound                   exit 2   a name that this project does not know
    ├── RolloutBlocked             exit 3   nothing new may be rolled out
    ├── LedgerTampered             exit 4   evidence that does not verify
    ├── ArtifactTampered           exit 4   model bytes that are not the recorded ones
    ├── LedgerConflict             exit 5   another writer, or a decision taken on an old state
    ├── RegistryConflict           exit 5   the registry cannot be read or written
    ├── NotAuthorised              exit 5   a key or a permission is missing
    └── StepFailed                 exit 6   a step that an agent could not do
        ├── TrainingFailed         exit 6   the trainer made no usable model
        └── EvaluationFailed       exit 6   the model could not be measured

A verdict of the gate is data, never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class LifecycleError(Exception):
    """Something that could not be done; ``hint`` says what to do next, in a traceback too when it is about this case.

    ``commands`` are those that mend it, as they are typed into a shell, in their order; none where that takes a person.
    """

    exit_code: ClassVar[int] = 1
    hint: str = "Run the command again with --debug and report what it prints."
    commands: tuple[str, ...] = ()

    def __init__(self, message: str, *, hint: str | None = None, commands: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.commands = tuple(commands)
        if hint is not None:
            self.hint = hint
            self.add_note(hint)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a document, with its place; ``line`` and ``column`` count from 1, None when unknown."""

    source: str
    message: str
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    width: int = 1
    suggestion: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.source, self.line, self.column) if part is not None)
        text = f"{place}  {self.message}"
        if self.excerpt is None:
            return text if self.suggestion is None else f"{text}; {self.suggestion}"
        number = str(self.line)
        marks = " " * ((self.column or 1) - 1) + "^" * max(1, self.width)
        under = marks if self.suggestion is None else f"{marks} {self.suggestion}"
        return f"{text}\n  {number} | {self.excerpt}\n  {' ' * len(number)} | {under}"


class PlanInvalid(LifecycleError):
    """A plan that cannot be used; ``problems`` lists every mistake found, in the order of the file."""

    exit_code = 2
    hint = "Correct what is named above and submit the plan again."

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class DatasetInvalid(PlanInvalid):
    """Data that cannot be read, or not as its definition says."""

    hint = "Correct the file or its definition and submit the plan again."


class NotFound(LifecycleError):
    """A lifecycle, version, profile or file that this project does not know."""

    exit_code = 2
    hint = "'noa status' lists what this project knows."


class RolloutBlocked(LifecycleError):
    """Nothing new may be rolled out; what runs keeps running."""

    exit_code = 3
    hint = "'noa status' in the project says what comes next."


class LedgerTampered(LifecycleError):
    """Evidence that does not verify. Nothing was changed."""

    exit_code = 4
    hint = "Run 'noa verify' for the findings; restore the folder from a copy you trust."


class ArtifactTampered(LifecycleError):
    """Model bytes that are not the recorded ones. Nothing was loaded."""

    exit_code = 4
    hint = "Run 'noa verify' for the findings; restore the folder from a copy you trust."


class LedgerConflict(LifecycleError):
    """Another process holds the ledger, or a decision was taken on a state that has passed."""

    exit_code = 5
    hint = "Wait for the other command to end and run this one again."


class RegistryConflict(LifecycleError):
    """A registry file cannot be read or written."""

    exit_code = 5
    hint = "Run 'noa doctor' for the path, its mode and its owner."


class NotAuthorised(LifecycleError):
    """A key, a role or a permission is missing."""

    exit_code = 5
    hint = "Run 'noa keys list' to see which keys are here and what they may do."


class StepFailed(LifecycleError):
    """A step that an agent could not do.

    ``cause`` is one fixed word for machines; ``facts`` what the runtime saw of the process, as JSON values;
    ``log`` the end of what it printed.
    """

    exit_code = 6
    hint = "Read the logs with 'noa logs', correct the plan or the code, and run the plan again."

    def __init__(
        self,
        message: str,
        *,
        cause: str = "unusable",
        facts: Mapping[str, Any] | None = None,
        log: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
        self.facts = facts or {}
        self.log = log


class TrainingFailed(StepFailed):
    """The trainer made no usable model."""


class EvaluationFailed(StepFailed):
    """The model could not be measured."""
