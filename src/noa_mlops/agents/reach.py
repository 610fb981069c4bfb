"""What a sealed agent may read: enough to run programs, and nothing of the project but what its job names.

Folders are granted whole unless something hidden lies inside; then they are granted entry by entry around it.
A name inside such a folder may still be listed, its content cannot be read.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from noa_mlops.agents import landlock
from noa_mlops.errors import TrainingFailed

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"),
    *(
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/ld.so.preload",
        "/etc/localtime",
        "/etc/timezone",
    ),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ssl/openssl.cnf", "/etc/alternatives", "/etc/fonts"),
    *("/etc/mime.types", "/etc/locale.alias", "/etc/R"),
    *("/proc", "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup", "/dev/random", "/dev/urandom"),
)
"""What programs of this machine need to start. `/proc/<pid>` of a process outside is closed by Landlock itself."""

_OF_AN_INTERPRETER = ("bin", "lib", "lib32", "lib64", "libexec", "include", "share", "etc", "ssl", "pyvenv.cfg")
_MOST_GRANTS = 20_000

Grant = tuple[int, str]


def grants(readable: Iterable[Path], writable: Iterable[Path], hidden: Iterable[Path]) -> list[Grant]:
    """Rights and paths for `landlock.restrict`. Raises `TrainingFailed` when the hidden cannot be kept out."""
    own = [*((landlock.READ, _real(path)) for path in readable), *((landlock.WRITE, _real(path)) for path in writable)]
    return [*own, *_foundation(tuple(sorted(_real(path) for path in hidden)))]


@functools.lru_cache(maxsize=64)
def _foundation(hidden: tuple[str, ...]) -> tuple[Grant, ...]:
    """What every program needs. Remembered: a folder that appears later is not granted, which is the safe side."""
    secrets = _Hidden((*hidden, str(_package() / "demo")))
    found: list[Grant] = [(landlock.LIST, str(_package().parent))]
    for path in SYSTEM:
        found += secrets.around(path)
    for path in interpreter():
        found += secrets.around(path, needed=True)
    for path in _added_to_the_path():
        found += secrets.around(path)
    if len(found) > _MOST_GRANTS:
        raise TrainingFailed(
            "this installation cannot be sealed: too many folders lie around the project",
            hint="Move the project out of the folder of the Python installation, or ask for isolation: basic.",
        )
    return _without_repetition(found)


def interpreter() -> list[str]:
    """The parts of the running Python that its programs need: installation, environment, this package."""
    prefixes = dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix))
    parts = [os.path.join(prefix, name) for prefix in prefixes for name in _OF_AN_INTERPRETER]
    return [*(path for path in parts if os.path.exists(path)), str(_package())]


def _added_to_the_path() -> list[str]:
    """Folders of modules that lie elsewhere (``.pth`` files); none that holds somebody's home."""
    home = os.path.realpath(os.path.expanduser("~"))
    folders = [os.path.realpath(path) for path in sys.path[1:] if path and os.path.isdir(path)]
    return [path for path in folders if path != home and not _is_beneath(home, path) and path != str(_package().parent)]


def _without_repetition(found: list[Grant]) -> tuple[Grant, ...]:
    """The grants that exist and do not lie inside another one."""
    whole = {path for rights, path in found if rights == landlock.READ}
    return tuple(
        (rights, path)
        for rights, path in dict.fromkeys(found)
        if os.path.exists(path) and not any(str(parent) in whole for parent in Path(path).parents)
    )


def _package() -> Path:
    return Path(__file__).resolve().parent.parent


def _real(path: Path) -> str:
    return os.path.realpath(path)


class _Hidden:
    """Paths that must not be granted."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)

    def around(self, path: str, *, needed: bool = False) -> list[Grant]:
        """Grants for all of ``path`` but what is hidden.

        What lies inside something hidden is left out, unless it is ``needed``: an environment may stand in the project.
        """
        real = os.path.realpath(path)
        if real in self._paths or (not needed and any(_is_beneath(real, secret) for secret in self._paths)):
            return []
        if not any(_is_beneath(secret, real) for secret in self._paths):
            return [(landlock.READ, real)]
        found: list[Grant] = [(landlock.LIST, real)] if needed else []
        for entry in _entries(real):
            found += self.around(entry, needed=needed)
        return found


def _is_beneath(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _entries(folder: str) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder) if not entry.is_symlink()]
    except OSError:
        return []
