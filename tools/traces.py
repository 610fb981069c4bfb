"""What strace wrote down, read back: one `Call` for each system call, in the order in which they ended."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

OPTIONS = ("-y", "-xx", "-s", str(1 << 26))
"""What strace is told besides -f and -o, so that `read` understands it: descriptors with paths, bytes in hex, whole."""

_BEGUN = re.compile(r"^(\d+)\s+(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$")
_UNFINISHED = "<unfinished ...>"
_HEX = re.compile(r"\\x([0-9a-f]{2})")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"\b(\d+|AT_FDCWD)<([^>]*)>")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call of one thread.

    ``nth`` counts the calls of this name in this thread from 1; ``result`` is what it returned, None when it failed
    or did not return.
    """

    thread: str
    name: str
    nth: int
    arguments: str
    result: int | None

    @property
    def texts(self) -> list[bytes]:
        """Its arguments that are strings: names, or the bytes that it wrote."""
        return [_bytes(text) for text in _TEXT.findall(self.arguments)]

    @property
    def descriptors(self) -> list[tuple[str, str]]:
        """Its arguments that are open files or folders, each with the path that it had."""
        found = _DESCRIPTOR.findall(self.arguments)
        return [(number, _bytes(path).decode() if "\\x" in path else path) for number, path in found]

    @property
    def numbers(self) -> list[int]:
        """Its arguments that are plain numbers; a leading zero makes an octal one."""
        words = [word.strip() for word in _TEXT.sub("", self.arguments).split(",")]
        return [int(word, 8 if word.startswith("0") and word != "0" else 10) for word in words if word.isdigit()]

    def paths(self, folder: str) -> list[str]:
        """Its arguments that are paths, made absolute; ``folder`` is where the process works."""
        bases = [path for _, path in self.descriptors] or [folder]
        at = self.name.endswith(("at", "at2"))
        return [
            os.path.normpath(os.path.join(bases[min(index, len(bases) - 1)] if at else folder, text.decode()))
            for index, text in enumerate(self.texts)
        ]


def read(lines: Iterable[str]) -> Iterator[Call]:
    """The calls of a log; lines about signals and ends of processes are passed over."""
    counts: Counter[tuple[str, str]] = Counter()
    open_calls: dict[str, tuple[str, int, str]] = {}
    for line in lines:
        resumed = _RESUMED.match(line)
        if resumed is not None:
            thread, name, rest = resumed.groups()
            _, nth, first = open_calls.pop(thread, (name, 0, ""))
            yield _call(thread, name, nth, first + rest)
        elif (begun := _BEGUN.match(line)) is not None:
            thread, name, rest = begun.groups()
            counts[thread, name] += 1
            if rest.endswith(_UNFINISHED):
                open_calls[thread] = name, counts[thread, name], rest.removesuffix(_UNFINISHED)
            else:
                yield _call(thread, name, counts[thread, name], rest)
    for thread, (name, nth, rest) in open_calls.items():
        yield _call(thread, name, nth, rest)


def _call(thread: str, name: str, nth: int, rest: str) -> Call:
    arguments, _, result = rest.rpartition(" = ")
    value = re.match(r"\d+", result)
    return Call(thread, name, nth, (arguments or rest).rstrip().removesuffix(")"), int(value[0]) if value else None)


def _bytes(text: str) -> bytes:
    return bytes.fromhex("".join(_HEX.findall(text)))
