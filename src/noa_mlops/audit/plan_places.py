"""Where in a checkout a plan or the settings say something: the file and the line that a finding is about."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from noa_mlops.errors import PlanInvalid
from noa_mlops.records.reading.document import read_file
from noa_mlops.records.reading.source import Node, Source, is_json

MOST = 500
"""Plans of a folder that are looked at."""

SUFFIXES = (".yaml", ".yml", ".json")
"""What the name of a plan ends with."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file of the project; ``line`` and ``column`` count from 1."""

    file: str
    line: int = 1
    column: int = 1


class PlanText:
    """A plan, or another document that people write, as text with its places; ``file`` is relative to the project."""

    def __init__(self, file: str, source: Source, root: Node) -> None:
        self.file = file
        self._source = source
        self._root = root

    @classmethod
    def read(cls, project: Path, file: str) -> PlanText | None:
        """The document in a file; None when nothing can be read there."""
        from noa_mlops.records.reading import json_nodes, yaml_nodes

        try:
            source = Source.decode(read_file(project / file, name=file), file)
            root = json_nodes.compose(source) if is_json(file) else yaml_nodes.compose(source)
        except PlanInvalid:
            return None
        return None if root is None else cls(file, source, root)

    @property
    def lifecycle_id(self) -> object:
        """What the plan says it is of."""
        named = self._root.children.get("lifecycle_id")
        return None if named is None else named.value

    def place(self, *path: str) -> Place:
        """Where the field at ``path`` stands, or the innermost one on the way that the plan has."""
        node, start = self._root, None
        for name in path:
            if name not in node.keys:
                break
            start, node = node.keys[name][0], node.children[name]
        return Place(self.file) if start is None else Place(self.file, *self._source.place(start))


def plan_about(project: Path, lifecycle_id: str) -> PlanText | None:
    """The plan of a lifecycle in ``plans/``; None when none names it, or several do."""
    folder = project / "plans"
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    plans = (PlanText.read(project, f"plans/{name}") for name in names[:MOST] if name.lower().endswith(SUFFIXES))
    found = [plan for plan in plans if plan is not None and plan.lifecycle_id == lifecycle_id]
    return found[0] if len(found) == 1 else None
