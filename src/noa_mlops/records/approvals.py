"""Who must agree before a version that passed becomes the champion."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from noa_mlops.records.documents import Json, is_digest
from noa_mlops.records.reading.fields import Fault, Rule, check_fields, shown, whole

MOST = 16
"""Most keys that a plan may ask for."""


def _switch(value: Any) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield Fault(f"must be true or false, got {shown(value)}")


@dataclass(frozen=True, slots=True)
class Approvals:
    """How many people, each by a key of their own, must enable a version that passed; absent: nobody needs to."""

    required: Annotated[int, whole(1, MOST)] = 1
    """Distinct keys that must enable the version."""

    not_submitter: Annotated[bool, Rule(_switch)] = False
    """Whether the keys of whoever submitted the plan do not count."""

    def __post_init__(self) -> None:
        check_fields(self)

    def to_document(self) -> dict[str, Json]:
        """The normal form."""
        return {"required": self.required, **({"not_submitter": True} if self.not_submitter else {})}

    def asked(self, submitter: Collection[str]) -> ApprovalRule:
        """What that means for a version that the holder of the keys ``submitter`` submitted."""
        return ApprovalRule(self.required, frozenset(submitter) if self.not_submitter else frozenset())


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """What a held version waits for, as its decision records it: so many distinct keys, none of them ``excluded``."""

    required: int = 1
    excluded: frozenset[str] = frozenset()

    def to_document(self) -> dict[str, Any]:
        """JSON form; keys in order."""
        return {"required": self.required, "not": sorted(self.excluded)}

    @classmethod
    def from_document(cls, document: object) -> ApprovalRule:
        """What `to_document` wrote. Raises `ValueError` for anything else."""
        if not isinstance(document, Mapping) or set(document) != {"required", "not"}:
            raise ValueError("approvals are a number and the keys that do not count")
        required, excluded = document["required"], document["not"]
        known = isinstance(excluded, list) and all(is_digest(key) for key in excluded)
        if type(required) is not int or not 1 <= required <= MOST or not known:
            raise ValueError("approvals are a number and the keys that do not count")
        return cls(required, frozenset(excluded))
