"""Can this process write what a run is going to write? Asked before anything runs: a lost training is dear."""

from __future__ import annotations

import os
from pathlib import Path

from noa_mlops.errors import NotAuthorised
from noa_mlops.lifecycle.intake import Submission
from noa_mlops.records.layout import Layout
from noa_mlops.registry import describe, ownership_hint


def check_storage(layout: Layout, given: Submission) -> None:
    """Raise `NotAuthorised` unless objects, workspaces and the store take new files; nothing is changed."""
    store = layout.version(given.plan.lifecycle_id, given.profile.name, 1).parent
    for folder in (layout.objects, layout.workspaces, store):
        place = _nearest(folder)
        if not place.is_dir():
            raise NotAuthorised(f"{place} is not a folder{describe(place)}", hint="Move it away and run this again.")
        if not os.access(place, os.W_OK | os.X_OK):
            raise NotAuthorised(f"{place} is not writable{describe(place)}", hint=ownership_hint(place))


def _nearest(folder: Path) -> Path:
    """The folder, or what exists of its parents."""
    return next(place for place in (folder, *folder.parents) if os.path.lexists(place))
