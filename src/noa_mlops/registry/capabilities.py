"""``capabilities.json``: which capabilities this installation offers; other programs keep theirs in it too."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from noa_mlops.errors import RegistryConflict
from noa_mlops.files import open_beneath, replacing
from noa_mlops.records.documents import DocumentInvalid, parse_object
from noa_mlops.registry.writing import (
    check_regular,
    check_writable,
    describe,
    move_command,
    ownership_command,
    ownership_hint,
    writing,
)
from noa_mlops.version import VERSION

MAX_BYTES = 4 << 20
"""Largest capability manifest that is read."""

_REPAIR = "Repair the file, or move it away: it is written anew when it is absent."


PROVIDES = ("ml.training", "ml.evaluation", "ml.registry")
"""What this package offers to other programs."""


def capability_entry(capability_id: str) -> dict[str, Any]:
    """What this package offers and needs, as it stands in the capability manifest."""
    return {
        "id": capability_id,
        "type": "ml",
        "semver": VERSION,
        "requires": ["storage.artifacts"],
        "provides": list(PROVIDES),
    }


def offers(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of the entries offers what this package does, under whatever id."""
    found = (entry["provides"] for entry in entries if isinstance(entry.get("provides"), list))
    return any(set(PROVIDES) <= {str(name) for name in provides} for provides in found)


class CapabilityRegistry:
    """The capability manifest at ``path``; entries of others, unknown members and their order are kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def capabilities(self) -> tuple[Mapping[str, Any], ...]:
        """Every entry, in file order. Raises `RegistryConflict` when the file is not a capability manifest."""
        return tuple(self._parse(self._bytes())["capabilities"])

    def check_writable(self) -> None:
        """Raise `RegistryConflict` unless this process could replace the file: asked before anything runs."""
        check_writable(self.path)
        self._parse(self._bytes())

    def check_takes(self, entry: Mapping[str, Any]) -> None:
        """Raise `RegistryConflict` unless `ensure` could make ``entry`` present; nothing is changed."""
        self.check_writable()
        self._merge(self._parse(self._bytes())["capabilities"], entry)

    def ensure(self, entry: Mapping[str, Any]) -> bool:
        """Make ``entry`` (with an ``id``) present as given; True when the file had to change.

        What another program writes into the file at the same time is kept.
        """
        with writing(self.path):
            while True:
                before = self._bytes()
                document = self._parse(before)
                if not self._merge(document["capabilities"], entry):
                    return False
                with contextlib.suppress(_Changed):
                    self._replace(before, document)
                    return True

    def _merge(self, entries: list[Any], entry: Mapping[str, Any]) -> bool:
        """Put ``entry`` in its place; whether that changed anything."""
        at = next((index for index, known in enumerate(entries) if known["id"] == entry["id"]), None)
        if at is None:
            entries.append(dict(entry))
            return True
        if entries[at].get("type") not in (None, entry["type"]):
            raise RegistryConflict(
                f"{self.path}: capability {entry['id']!r} is registered with type {entries[at]['type']!r}, not ours",
                hint="Choose another capability id, or remove that entry after asking its owner.",
                commands=(move_command(self.path),),
            )
        merged = {**entries[at], **entry}
        if entries[at] == merged:
            return False
        entries[at] = merged
        return True

    def _replace(self, before: bytes | None, document: Mapping[str, Any]) -> None:
        """Write ``document`` under the same owner and mode, unless the file is no longer what it was ``before``."""
        data = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
        with replacing(self.path, data) as temporary:
            if self._bytes() != before:
                raise _Changed
            if before is not None:
                _take_after(self.path, temporary)

    def _bytes(self) -> bytes | None:
        """The file's content, None when there is no file."""
        check_regular(self.path)
        try:
            with open_beneath(self.path.parent, self.path.name) as stream:
                return stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except (PermissionError, NotADirectoryError) as error:
            raise RegistryConflict(
                f"{self.path} cannot be read ({error.strerror}){describe(self.path)}",
                hint=ownership_hint(self.path),
                commands=(ownership_command(self.path),),
            ) from error

    def _parse(self, data: bytes | None) -> dict[str, Any]:
        if data is None:
            return {"version": 1, "capabilities": []}
        try:
            document = parse_object(data, limit=MAX_BYTES)
        except DocumentInvalid as error:
            raise self._unusable(str(error)) from error
        entries = document.get("capabilities")
        if type(document.get("version")) is not int or document["version"] != 1 or not isinstance(entries, list):
            raise self._unusable('is not of the form {"version": 1, "capabilities": [...]}')
        if not all(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries):
            raise self._unusable("has a capability without an id")
        return document

    def _unusable(self, why: str) -> RegistryConflict:
        return RegistryConflict(f"{self.path} {why}", hint=_REPAIR, commands=(move_command(self.path),))


class _Changed(Exception):
    """Another program wrote the file between our reading and our writing."""


def _take_after(path: Path, successor: Path) -> None:
    """Give ``successor`` owner and mode of ``path``. Raises `OSError` when its owner is somebody else."""
    status = path.stat()
    os.chown(successor, status.st_uid, -1)
    with contextlib.suppress(PermissionError):  # a group that this user is not in
        os.chown(successor, -1, status.st_gid)
    successor.chmod(stat.S_IMODE(status.st_mode))
