"""Pins: how far this machine has seen each ledger, kept outside every project.

A ledger that was rolled back as a whole, or replaced by another one, verifies by itself. What shows it is a memory
elsewhere: ``known_logs``, one line for each ledger file with its origin and the largest head seen. The first use of a
ledger writes its line; every later one holds the ledger against it and raises it.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from noa_mlops.errors import LedgerTampered, LifecycleError
from noa_mlops.files import make_directories, open_beneath, read_capped, state_folder, write_durably

MAX_PINS = 1 << 22
"""Largest file of pins that is read, in bytes."""

_LINE = re.compile(r"(file:///[!-~]*) ([!-~]+) (0|[1-9][0-9]{0,15}) ([A-Za-z0-9+/]{43}=)")


@dataclass(frozen=True, slots=True)
class Pin:
    """The largest head of a log that was seen here."""

    origin: str
    size: int
    root: bytes


class KnownLogs:
    """The pins of a person, by default where the environment says (``XDG_STATE_HOME``).

    A folder that cannot be made or entered keeps none; then every use is a first one.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = state_folder() / "known_logs" if path is None else path

    def pin(self, ledger: Path) -> Pin | None:
        """What is known of the ledger at this path. Raises `LedgerTampered` when the pins cannot be read."""
        return self._read().get(_name(ledger))

    def check(self, ledger: Path, pin: Pin, origin: str, size: int, root_at: Callable[[int], bytes]) -> None:
        """Raise `LedgerTampered` unless the log ``origin`` of ``size`` sealed entries goes on from ``pin``.

        ``root_at`` gives the root over the first entries of the log.
        """
        problem = pin_problem(pin, origin, size, root_at)
        if problem is not None:
            raise LedgerTampered(f"{ledger} {problem} ({self.path})", hint=self.remedy)

    def raise_to(self, ledger: Path, pin: Pin) -> bool:
        """Remember ``pin`` unless a larger head is known already; whether it could be remembered.

        Raises `LedgerTampered` when the pins cannot be read.
        """
        known = self.pin(ledger)
        if known is not None and known.size >= pin.size:
            return True
        return self._write(ledger, lambda known: pin if known is None or known.size < pin.size else known)

    def begin(self, ledger: Path, pin: Pin) -> bool:
        """Remember the first head of a log that was just made here; what was known of its place is forgotten."""
        return self._write(ledger, lambda _: pin)

    @property
    def remedy(self) -> str:
        """What to do about a ledger that does not go on from its pin."""
        return (
            "Restore the folder from a copy you trust. If you replaced or rolled it back yourself, "
            f"delete the line of this ledger from {self.path}."
        )

    def _write(self, ledger: Path, renew: Callable[[Pin | None], Pin]) -> bool:
        name = _name(ledger)
        try:
            make_directories(self.path.parent)
            with _alone(self.path):
                pins = self._read()
                write_durably(self.path, _text({**pins, name: renew(pins.get(name))}), mode=0o600)
        except OSError:
            return False
        return True

    def _read(self) -> Mapping[str, Pin]:
        if not os.access(self.path.parent, os.R_OK | os.X_OK):
            return {}
        try:
            with open_beneath(self.path.parent, self.path.name) as stream:
                data = read_capped(stream, MAX_PINS)
        except FileNotFoundError:
            return {}
        except (OSError, LifecycleError) as error:
            raise LedgerTampered(f"{self.path} cannot be read ({error})", hint=self.remedy) from error
        if data is None:
            raise LedgerTampered(f"{self.path} is larger than {MAX_PINS} bytes", hint=self.remedy)
        return dict(self._parsed(number, line) for number, line in enumerate(data.splitlines(), start=1))

    def _parsed(self, number: int, line: bytes) -> tuple[str, Pin]:
        found = _LINE.fullmatch(line.decode("ascii", errors="replace"))
        if found is None:
            raise LedgerTampered(
                f"{self.path} line {number} is no pin",
                hint="Correct or delete that line; what it pinned is pinned again by its next use.",
            )
        return found[1], Pin(found[2], int(found[3]), binascii.a2b_base64(found[4]))


def pin_problem(pin: Pin, origin: str, size: int, root_at: Callable[[int], bytes]) -> str | None:
    """Why a log does not go on from ``pin``, as the end of a sentence; see `KnownLogs.check`."""
    if origin != pin.origin:
        return f"is another log than before: its origin is {origin}, the pin says {pin.origin}"
    if size < pin.size:
        return f"was rolled back: {size} entries are sealed, the pin says {pin.size}"
    if root_at(pin.size) != pin.root:
        return f"was rewritten: the first {pin.size} entries are not those that the pin was taken of"
    return None


def _name(ledger: Path) -> str:
    """A ledger's file as printable text, whatever bytes its name has."""
    return Path(os.path.realpath(ledger)).as_uri()


def _text(pins: Mapping[str, Pin]) -> bytes:
    lines = (
        f"{name} {pin.origin} {pin.size} {base64.b64encode(pin.root).decode()}\n" for name, pin in sorted(pins.items())
    )
    return "".join(lines).encode()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process of ours writes pins; the lock is on the folder, which stays when the file is replaced."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a descriptor that a fork shares holds nobody up
    finally:
        os.close(descriptor)
