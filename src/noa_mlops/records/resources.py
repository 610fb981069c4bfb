"""What a run may use, and how closed its walls must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from noa_mlops.records.documents import Json
from noa_mlops.records.reading.fields import Form, check_fields, one_of, whole
from noa_mlops.records.reading.quantities import (
    duration_schema,
    duration_text,
    read_duration,
    read_size,
    size_schema,
    size_text,
)

KIB, MIB, GIB = 2**10, 2**20, 2**30
DAY = 86400


_SIZE = Form(read_size, size_schema)
_TIME = Form(read_duration, duration_schema)


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits of one agent process tree; a run that exceeds one is stopped and has failed."""

    cpus: Annotated[int, whole(1, 1024)] = 1
    """Processor cores the trainer may use."""

    memory: Annotated[int, _SIZE, whole(64 * MIB, 1024 * 1024 * GIB, size_text)] = 2 * GIB
    """Memory of the whole process tree: bytes, or text like 2GiB."""

    time: Annotated[int, _TIME, whole(1, 366 * DAY, duration_text)] = 600
    """Wall-clock time of one step: seconds, or text like 10m."""

    disk: Annotated[int, _SIZE, whole(MIB, 1024 * 1024 * GIB, size_text)] = 5 * GIB
    """Space the workspace may take: bytes, or text like 5GiB."""

    gpus: Annotated[int, whole(0, 1024)] = 0
    """GPUs that the agents of a run have to themselves; a run waits until as many are free."""

    isolation: Annotated[Literal["basic", "sealed"] | None, one_of("basic", "sealed")] = None
    """The rung to insist on; absent: the best this machine has. The run is refused below it."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_document(self) -> dict[str, Json]:
        """The normal form, without what stands at its default."""
        written: dict[str, Json] = {
            "cpus": self.cpus,
            "memory": size_text(self.memory),
            "time": duration_text(self.time),
            "disk": size_text(self.disk),
            "gpus": self.gpus,
            "isolation": self.isolation,
        }
        standard = Resources()
        return {name: form for name, form in written.items() if getattr(self, name) != getattr(standard, name)}
