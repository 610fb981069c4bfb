"""An open ledger of its own for every test."""

import pytest

from noa_mlops.ledger import KeyStore, Ledger
from noa_mlops.records.layout import Layout


@pytest.fixture
def ledger(tmp_path):
    with Ledger.create(Layout.of(tmp_path / "project"), "demo", KeyStore(tmp_path / "keys")) as ledger:
        yield ledger
