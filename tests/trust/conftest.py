"""A project folder, its keys and pins outside it, and an open ledger."""

from __future__ import annotations

import pytest

from noa_mlops.ledger import KeyStore, KnownLogs, Ledger
from noa_mlops.records.layout import Layout


@pytest.fixture
def layout(tmp_path):
    return Layout.of(tmp_path / "project")


@pytest.fixture
def keystore(tmp_path):
    return KeyStore(tmp_path / "keys")


@pytest.fixture
def pins(tmp_path):
    return KnownLogs(tmp_path / "state" / "known_logs")


@pytest.fixture
def ledger(layout, keystore, pins):
    with Ledger.create(layout, "demo", keystore, pins=pins) as ledger:
        yield ledger
