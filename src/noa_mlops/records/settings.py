"""``noa.yaml``: what a project is called and what is done for it without being asked. Nobody signs it.

So it grants nothing: whatever the schedule starts is bound by the same policy, gate and procedure as a command that
somebody types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar

from noa_mlops.records.names import name_problem
from noa_mlops.records.paths import PATH_SCHEMA, path_problem
from noa_mlops.records.reading import read_document, read_duration, read_file
from noa_mlops.records.reading.fields import Fault, Form, Rule, check_fields, instance_of, shown, whole
from noa_mlops.records.reading.quantities import duration_schema, duration_text
from noa_mlops.records.yaml_text import quoted

WILDCARDS = frozenset("*?")
"""What stands for any characters, or for one, in the name of a file."""

DAY = 86400


def _name(value: Any) -> Iterator[Fault]:
    problem = name_problem(value) if isinstance(value, str) else "must be text"
    if problem is not None:
        yield Fault(f"{problem}, got {shown(value)}")


def _file(value: Any) -> Iterator[Fault]:
    problem = path_problem(value) if isinstance(value, str) else "must be text"
    if problem is not None:
        yield Fault(f"{problem}, got {shown(value)}")


def _data(value: Any) -> Iterator[Fault]:
    yield from _file(value)
    if isinstance(value, str) and WILDCARDS & set(str(PurePosixPath(value).parent)):
        yield Fault(f"may have * and ? in the name of the file only, got {shown(value)}")


_EVERY = Form(
    lambda value: None if value is None else read_duration(value),
    duration_schema,
)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What is done for one lifecycle."""

    data: Annotated[str, Rule(_data, PATH_SCHEMA)]
    """What is scanned: a data file, a dataset definition, or a name with * or ?, each file of which is one window."""

    every: Annotated[int | None, _EVERY, whole(1, 366 * DAY, duration_text)] = None
    """How often at most: seconds, or text like 1d. Absent: whenever data arrive."""

    plan: Annotated[str | None, Rule(_file, PATH_SCHEMA)] = None
    """The plan by which a new version is made once a blocked rollout was investigated."""

    retrain: Annotated[bool, instance_of(bool)] = False
    """Whether the plan is also run when its data, its code or itself changed and nothing is blocked."""

    def __post_init__(self) -> None:
        check_fields(self, self._faults())

    @property
    def is_pattern(self) -> bool:
        """Whether the data are every file whose name fits."""
        return not WILDCARDS.isdisjoint(self.data)

    def _faults(self) -> Iterator[Fault]:
        if self.retrain and self.plan is None:
            yield Fault("needs 'plan', the plan to run", ("retrain",))


def _schedule(value: Any) -> Iterator[Fault]:
    if not isinstance(value, Mapping) or not all(isinstance(one, Scheduled) for one in value.values()):
        yield Fault("must be a mapping of lifecycles to what is done for them")
        return
    for name in value:
        if (problem := name_problem(name)) is not None:
            yield Fault(f"{{}} is no name of a lifecycle: it {problem}", (name,), of_key=True)


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``noa.yaml`` says."""

    LATER: ClassVar[frozenset[str]] = frozenset({"executor"})

    name: Annotated[str, Rule(_name)]
    """What the project is called."""

    schedule: Annotated[Mapping[str, Scheduled], Rule(_schedule)] = field(default_factory=dict, hash=False)
    """By lifecycle, what `noa operate` does and what `noa drift` scans when no data are named."""

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def load(cls, path: Path) -> Settings:
        """Read the settings at ``path``. Raises `PlanInvalid` with every problem at its place."""
        return read_document(read_file(path, name=path.name), name=path.name, kind=cls)


def settings_text(settings: Settings) -> str:
    """The text of a new ``noa.yaml``."""
    return (
        "# Settings of this project that nobody signs.\n"
        f"name: {quoted(settings.name)}\n"
        "# schedule:                       # what noa operate does, and what noa drift scans\n"
        '#   LIFECYCLE: {data: "data/arrivals/*.csv", every: 1d, plan: plans/LIFECYCLE.yaml}\n'
    )
