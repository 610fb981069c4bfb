"""``capabilities.json``: which capabilities this installation offers; other programs keep theirs in it too."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noa_mlops.errors import RegistryConflict
from noa_mlops.files import make_directories, write_durably
from noa_mlops.records.documents import DocumentInvalid, parse_object

MAX_BYTES = 4 << 20
"""Largest capability manifest that is read."""


class CapabilityRegistry:
    """The capability manifest at ``path``; entries of others, unknown members and their order are kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def capabilities(self) -> tuple[Mapping[str, Any], ...]:
        """Every entry, in file order. Raises `RegistryConflict` when the file is not a capability manifest."""
        return tuple(self._read()["capabilities"])

    def check_writable(self) -> None:
        """Raise `RegistryConflict` unless this process could replace the file: asked before anything runs."""
        make_parent(self.path)
        folder = self.path.parent
        for place, mode in ((folder, os.W_OK | os.X_OK), (self.path, os.R_OK | os.W_OK)):
            if place.exists() and not os.access(place, mode):
                raise RegistryConflict(f"{place} is not writable{describe(place)}", hint=ownership_hint(place))
        self._read()

    def ensure(self, entry: Mapping[str, Any]) -> bool:
        """Make ``entry`` (with an ``id``) present as given; True when the file had to change."""
        document = self._read()
        entries = document["capabilities"]
        at = next((index for index, known in enumerate(entries) if known["id"] == entry["id"]), None)
        if at is not None and entries[at].get("type") not in (None, entry["type"]):
            raise RegistryConflict(
                f"{self.path}: capability {entry['id']!r} is registered with type {entries[at]['type']!r}, not ours",
                hint="Choose another capability id, or remove that entry after asking its owner.",
            )
        merged = dict(entry) if at is None else {**entries[at], **entry}
        if at is not None and entries[at] == merged:
            return False
        _put(entries, at, merged)
        self._write(document)
        return True

    def _read(self) -> dict[str, Any]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {"version": 1, "capabilities": []}
        except OSError as error:
            raise RegistryConflict(
                f"{self.path} cannot be read ({error.strerror}){describe(self.path)}", hint=ownership_hint(self.path)
            ) from error
        try:
            document = parse_object(data, limit=MAX_BYTES)
        except DocumentInvalid as error:
            raise RegistryConflict(
                f"{self.path} {error}", hint="Repair or move the file; it is written anew when absent."
            ) from error
        entries = document.get("capabilities")
        if document.get("version") != 1 or not isinstance(entries, list):
            raise RegistryConflict(f'{self.path} is not of the form {{"version": 1, "capabilities": [...]}}')
        if not all(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries):
            raise RegistryConflict(f"{self.path} has a capability without an id")
        return document

    def _write(self, document: Mapping[str, Any]) -> None:
        try:
            make_parent(self.path)
            write_durably(self.path, json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise RegistryConflict(
                f"{self.path} cannot be written ({error.strerror}){describe(self.path.parent)}",
                hint=ownership_hint(self.path.parent),
            ) from error


def _put(entries: list[Any], at: int | None, entry: Mapping[str, Any]) -> None:
    if at is None:
        entries.append(entry)
    else:
        entries[at] = entry


def make_parent(path: Path) -> None:
    """Create the folder of a registry file. Raises `RegistryConflict`."""
    try:
        make_directories(path.parent)
    except OSError as error:
        raise RegistryConflict(f"{path.parent} cannot be created ({error.strerror})") from error


def describe(path: Path) -> str:
    """Mode and owner of a path, for a message; empty when it cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f" (mode {status.st_mode & 0o7777:o}, owner {status.st_uid}:{status.st_gid})"


def ownership_hint(path: Path) -> str:
    """The command that would give this process the file back."""
    return f"Its owner can run: chown {os.geteuid()}:{os.getegid()} {path} && chmod u+rw {path}"
