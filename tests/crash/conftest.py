"""A machine of one's own for every test, and a founded project in it."""

import shutil

import pytest

from crash.projects import Layout, Project


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A founded project and its keys, made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOA_KEYS", str(folder / "keys"))
        Project.at(folder / "project")
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Keys and settings of the person at the keyboard are never touched."""
    for name in ("NOA_KEYS", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
def project(home, template):
    shutil.copytree(template / "keys", home / "noa_keys")
    shutil.copytree(template / "project", home / "project")
    return Project(Layout.of(home / "project"))
