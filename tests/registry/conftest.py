"""A real ledger with a champion and a rejected challenger, and the mirror of it."""

from __future__ import annotations

from functools import partial

import pytest

from ledger.writing import decided, evaluated, submitted, trained
from noa_mlops.ledger import KeyStore, Ledger, ledger_lines
from noa_mlops.records.layout import Layout
from noa_mlops.registry import Mirror

METRICS = {"roc_auc": 0.91, "log_loss": None}


class Registry:
    """A ledger, and what its mirror is made of."""

    def __init__(self, layout: Layout, ledger: Ledger) -> None:
        self.layout = layout
        self.ledger = ledger
        self.key = ledger.keys.signing_key("verifier")
        self.entries = partial(ledger_lines, ledger)

    @property
    def mirror(self) -> Mirror:
        """The mirror as a process that has just started sees it."""
        return Mirror(self.layout.mirror, self.layout.mirror_checkpoint, origin=self.ledger.origin)

    def catch_up(self) -> int:
        """Bring the mirror up to the ledger."""
        return self.mirror.catch_up(self.entries, self.key)

    def findings(self) -> list[tuple[str, str]]:
        """What does not hold, by file name."""
        comparison = self.mirror.compare()
        for entry in self.entries(0):
            comparison.take(entry)
        return [(path.name, reason) for path, reason in comparison.findings([self.key.public])]

    def promote(self, lifecycle: str = "rain", **decision: object) -> None:
        """Take the next version of a lifecycle to its decision: four entries, two of them mirrored."""
        state = self.ledger.state.lifecycle(lifecycle)
        version, about = state.next_version, {"lifecycle": lifecycle}
        self.ledger.append(submitted(lifecycle))
        self.ledger.append(trained(version, **about))
        self.ledger.append(evaluated(version, predicate={"metrics": METRICS}, **about))
        self.ledger.append(decided(version, replaces=state.champion, **about, **decision))

    @property
    def log(self) -> bytes:
        """The mirror's bytes."""
        return self.layout.mirror.read_bytes()

    @log.setter
    def log(self, data: bytes) -> None:
        self.layout.mirror.write_bytes(data)

    @property
    def lines(self) -> list[bytes]:
        """The mirror's lines, without their newlines."""
        return self.log.splitlines()

    @property
    def head(self) -> bytes:
        """The mirror's signed head."""
        return self.layout.mirror_checkpoint.read_bytes()

    @head.setter
    def head(self, data: bytes) -> None:
        self.layout.mirror_checkpoint.write_bytes(data)


@pytest.fixture
def registry(tmp_path):
    layout = Layout.of(tmp_path / "project")
    with Ledger.create(layout, "demo", KeyStore(tmp_path / "keys")) as ledger:
        found = Registry(layout, ledger)
        found.promote()
        found.promote(verdict="fail", status="blocked", reasons=["threshold"])
        yield found


@pytest.fixture
def mirrored(registry):
    assert registry.catch_up() == 5
    return registry
