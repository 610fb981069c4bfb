"""Evidence that does not hold, file by file, and how each file comes back: from the ledger, or from a copy that is trusted."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from noa_mlops.audit.findings import Diagnosis, Finding, Verification
from noa_mlops.audit.folding import TORN
from noa_mlops.audit.verification import verify
from noa_mlops.errors import LifecycleError
from noa_mlops.ledger import Ledger, split_records
from noa_mlops.ledger.heads import newest_record
from noa_mlops.records.layout import Layout

REPAIR = "noa doctor --repair"
"""Writes the registry anew from the ledger, after it has moved aside what a crash tore off the ledger's end."""

MOST_NAMED = 10
"""Findings that are named beside the first of a file."""

_ASIDE = "nothing that was acknowledged is lost: what a crash tore is moved aside and kept"


def diagnose_evidence(layout: Layout, unusable: Collection[str]) -> Iterator[Diagnosis]:
    """What `verify` finds, a diagnosis for each file or version that has to come back.

    Of the registry's files those that are ``unusable`` are left out: they are named as such.
    """
    try:
        checked = verify(layout)
    except LifecycleError as error:
        yield Diagnosis("evidence", str(error), error.hint, str(layout.evidence), ("noa verify",))
        return
    places = _by_place(layout, [finding for finding in checked.findings if finding.file not in unusable])
    if layout.log_checkpoints in places and _is_torn(layout):
        found = places.pop(layout.log_checkpoints)
        yield Diagnosis("evidence", str(found[0]), _ASIDE, str(layout.log_checkpoints), (REPAIR,))
        if all(finding.entry is None for finding in places.get(layout.ledger, ())):
            places.pop(layout.ledger, None)  # it seems rolled back, as no checkpoint could be read
    for place, found in places.items():
        yield _damage(layout, checked, place, found)


def _is_torn(layout: Layout) -> bool:
    """Whether a crash tore a checkpoint off the end that nobody was told of: the ledger holds by those before it."""
    try:
        data = layout.log_checkpoints.read_bytes()
        end = newest_record(lambda size, offset: data[offset : offset + size], len(data)).end
        split_records(data[:end])
        Ledger.read_only(layout)
    except (OSError, LifecycleError):
        return False
    return end < len(data)


def _by_place(layout: Layout, findings: Iterable[Finding]) -> dict[Path, list[Finding]]:
    """The findings by what comes back as one: the registry, a version, a folder that is gone, else a file."""
    found: dict[Path, list[Finding]] = {}
    for finding in findings:
        place = Path(finding.file)
        if place in (layout.mirror, layout.mirror_checkpoint, layout.capabilities):
            place = layout.capabilities.parent
        elif place.is_relative_to(layout.artifacts):
            place = layout.artifacts.joinpath(*place.relative_to(layout.artifacts).parts[:3])
        while not os.path.exists(place.parent):
            place = place.parent
        found.setdefault(place, []).append(finding)
    return found


def _damage(layout: Layout, checked: Verification, place: Path, found: list[Finding]) -> Diagnosis:
    remedy, commands = "restore it from a copy you trust, whose folder is `...`", _restoring(layout, place)
    if place == layout.capabilities.parent:
        remedy, commands = "the ledger holds: the registry is written anew from it", (REPAIR,)
    elif found[0].reason == TORN and checked.sealed <= checked.entries:
        remedy, commands = _ASIDE, (REPAIR,)
    more = [str(finding) for finding in found[1 : MOST_NAMED + 1]]
    if (left := len(found) - MOST_NAMED - 1) > 0:
        more.append(f"{left} more: noa verify")
    return Diagnosis("evidence", str(found[0]), remedy, str(place), commands, tuple(more))


def _restoring(layout: Layout, place: Path) -> tuple[str, ...]:
    """The commands that put a copy in the place of a file or a version; what was there is kept beside."""
    if not place.is_relative_to(layout.project):
        return ("noa verify",)
    here, parent = shlex.quote(str(place)), shlex.quote(str(place.parent))
    copy = f"cp -af .../{shlex.quote(str(place.relative_to(layout.project)))} {parent}/"
    if not os.path.isdir(place):
        return (copy, "noa verify")
    opened = (
        "" if os.path.islink(place) else f"chmod -R u+w {here} && "
    )  # through a link it would open what that leads to
    return (f'{opened}mv {here} "$(mktemp -d damaged.XXXXXX)"', copy, "noa verify")
