"""Every test has a machine of its own, as far as noa can see: its keys and pins are never those of the person here."""

from __future__ import annotations

import pytest

CI = ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "GITHUB_ENV", "GITHUB_STEP_SUMMARY", "CI_PROJECT_DIR")
"""What a CI system says of the job that runs these tests; tests that are about jobs say it themselves."""


@pytest.fixture(autouse=True, scope="session")
def _no_real_home(tmp_path_factory):
    """Also while fixtures of a whole module or session are made."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(folder / "keys"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        for name in CI:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def another_machine(tmp_path_factory, monkeypatch):
    """Forgets what this one has seen of every ledger."""

    def move() -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))

    return move


@pytest.fixture(autouse=True)
def _own_state(another_machine):
    """What one test saw of a ledger, another does not know."""
    another_machine()
