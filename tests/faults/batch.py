"""A ledger that grows by batches of several pages, as steps of `tools.faultline`.

One write and one sync stand for many entries, so a power cut may lose a page in the middle of a batch and keep what
follows it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ledger.writing import promote, submitted
from noa_mlops.ledger import KeyStore, Ledger, LedgerEntry, LedgerState, admit
from noa_mlops.records.layout import Layout

BATCH = 16


def _places() -> tuple[Layout, KeyStore]:
    root = Path(os.environ["FL_DIR"])
    os.environ["XDG_STATE_HOME"] = str(root / "state")
    return Layout.of(root / "project"), KeyStore(root / "keys")


def prepare() -> int:
    """A ledger with one version and a checkpoint over it."""
    layout, keystore = _places()
    with Ledger.create(layout, "demo", keystore) as ledger:
        promote(ledger)
    return 0


def live() -> int:
    """Append two batches and a decision; say the hash of each line that was promised."""
    with Ledger.open(*_places()) as ledger:
        for _ in range(2):
            _say(ledger.append_many([submitted("batch") for _ in range(BATCH)]))
        _say([promote(ledger, ledger.state.lifecycle("rain").next_version)])
    os.write(1, b"closed\n")
    return 0


def _say(outcomes) -> None:
    for outcome in outcomes:
        if not isinstance(outcome, LedgerEntry):
            raise outcome
        os.write(1, hashlib.sha256(outcome.line).hexdigest().encode() + b"\n")


def again() -> int:
    """The same once more, after whatever happened."""
    os.dup2(2, 1)
    return live()


def holds() -> int:
    """The file is one chain, nothing promised is missing, and what was torn off was never promised."""
    layout, keystore = _places()
    lines = layout.ledger.read_bytes().splitlines()
    state = LedgerState()
    for line in lines:
        state = admit(state, line)
        assert isinstance(state, LedgerState), state
    promised = Path(os.environ["FL_ACK"]).read_text().splitlines(keepends=True)
    known = {hashlib.sha256(line).hexdigest() for line in lines} | {"closed"}
    assert {line[:-1] for line in promised if line.endswith("\n")} <= known, "a promised line is lost"
    before = _evidence(layout)
    with Ledger.open(layout, keystore) as ledger:
        assert (ledger.state, ledger.recovered) == (state, None)
    assert _evidence(layout) == before, "a second recovery changed something"
    return 0


def _evidence(layout: Layout) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in layout.evidence.iterdir() if path.is_file() and path != layout.lock
    }
