"""``capabilities.json``: which capabilities this installation offers; other programs keep theirs in it too."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noa_mlops.errors import RegistryConflict
from noa_mlops.files import replacing, sweep
from noa_mlops.records.documents import DocumentInvalid, parse_object
from noa_mlops.registry.writing import describe, make_parent, ownership_hint, writing

MAX_BYTES = 4 << 20
"""Largest capability manifest that is read."""


class CapabilityRegistry:
    """The capability manifest at ``path``; entries of others, unknown members and their order are kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def capabilities(self) -> tuple[Mapping[str, Any], ...]:
        """Every entry, in file order. Raises `RegistryConflict` when the file is not a capability manifest."""
        return tuple(self._parse(self._bytes())["capabilities"])

    def check_writable(self) -> None:
        """Raise `RegistryConflict` unless this process could replace the file: asked before anything runs."""
        make_parent(self.path)
        folder = self.path.parent
        for place, mode in ((folder, os.W_OK | os.X_OK), (self.path, os.R_OK | os.W_OK)):
            if place.exists() and not os.access(place, mode):
                raise RegistryConflict(f"{place} is not writable{describe(place)}", hint=ownership_hint(place))
        self._parse(self._bytes())

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
            )
        merged = {**entries[at], **entry}
        if entries[at] == merged:
            return False
        entries[at] = merged
        return True

    def _replace(self, before: bytes | None, document: Mapping[str, Any]) -> None:
        """Write ``document``, unless the file is no longer what it was ``before``."""
        sweep(self.path)
        data = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
        with replacing(self.path, data):
            if self._bytes() != before:
                raise _Changed

    def _bytes(self) -> bytes | None:
        """The file's content, None when there is no file."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RegistryConflict(
                f"{self.path} cannot be read ({error.strerror}){describe(self.path)}", hint=ownership_hint(self.path)
            ) from error

    def _parse(self, data: bytes | None) -> dict[str, Any]:
        if data is None:
            return {"version": 1, "capabilities": []}
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


class _Changed(Exception):
    """Another program wrote the file between our reading and our writing."""
