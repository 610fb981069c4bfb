"""A recorded run, done again on the model of a disk, call by call."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import ClassVar

from tools.disk import Disk, File, Folder, Link, Node
from tools.traces import Call

CALLS = (
    "openat,creat,read,lseek,write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,copy_file_range,sendfile,"
    "fsync,fdatasync,sync_file_range,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,"
    "rmdir,mkdir,mkdirat,chmod,fchmod,fchmodat"
)
"""What strace must record."""

_DELETED = " (deleted)"


class Replay:
    """The disk as a recorded run changes it, and what the run had said until then.

    ``output`` is the file that was its standard output. What cannot be modelled is counted in ``unmodelled``.
    """

    def __init__(self, folder: str, output: str) -> None:
        self.disk = Disk(folder)
        self.acknowledged = bytearray()
        self.unmodelled: Counter[str] = Counter()
        self._output = output
        self._offsets: dict[tuple[str, str], int | None] = {}

    def apply(self, call: Call) -> bool:
        """Do a call; whether it changed the disk, what is certain of it, or what was said."""
        if call.result is None or call.name not in self._meanings:
            return False
        return self._meanings[call.name](self, call)

    def differences(self) -> list[str]:
        """The files in which the model and the real folder differ: empty when the record holds everything."""
        real: dict[str, bytes] = {}
        for base, _, names in os.walk(self.disk.folder):
            for path in (os.path.join(base, name) for name in names):
                if not os.path.islink(path):
                    with open(path, "rb") as file:
                        real[path] = file.read()
        state = self.disk.after_cut("killed")
        model = {path: content for path, (_, content) in state.items() if isinstance(content, bytes)}
        return sorted(path for path in real.keys() | model.keys() if real.get(path) != model.get(path))

    def _open(self, call: Call) -> bool:
        paths = call.paths(self.disk.folder)
        if not paths or not paths[0].startswith(self.disk.folder + "/"):
            return False
        path, changed = paths[0], False
        node = self.disk.find(path)
        if node is None and ("O_CREAT" in call.arguments or call.name == "creat"):
            node = File(bytearray(), b"", (call.numbers or [0o644])[-1] & ~0o022)
            changed = self.disk.set_names((path, node))
        if isinstance(node, File):
            appends = "O_APPEND" in call.arguments
            self._offsets[call.thread, str(call.result)] = None if appends else 0
            if "O_TRUNC" in call.arguments and node.live:
                node.live = bytearray()
                node.pending.append((0, b""))
                changed = True
        return changed

    def _move(self, call: Call) -> bool:
        number, _ = _first(call)
        key = call.thread, number
        if self._offsets.get(key) is not None and call.result is not None:
            before = self._offsets[key] or 0
            self._offsets[key] = call.result if call.name == "lseek" else before + call.result
        return False

    def _write(self, call: Call) -> bool:
        number, path = _first(call)
        data = b"".join(call.texts)[: call.result]
        if number == "1" and path == self._output:
            self.acknowledged += data
            return True
        node = self._node(path)
        if not isinstance(node, File):
            return False
        known = self._offsets.get((call.thread, number))
        at = call.numbers[-1] if call.name.startswith("pw") else len(node.live) if known is None else known
        _put(node, at, data)
        if known is not None and not call.name.startswith("pw"):
            self._offsets[call.thread, number] = at + len(data)
        return True

    def _copy(self, call: Call) -> bool:
        first, second = (path for _, path in call.descriptors[:2])
        source, target = (first, second) if call.name == "copy_file_range" else (second, first)
        node = self._node(target)
        if not isinstance(node, File):
            return False
        at = len(node.live)
        _put(node, at, self._content(source)[at : at + (call.result or 0)])
        return True

    def _truncate(self, call: Call) -> bool:
        node, size = self._node(_first(call)[1]), call.numbers[-1]
        if not isinstance(node, File):
            return False
        node.live = node.live[:size] + bytearray(max(0, size - len(node.live)))
        node.pending.append((size, b""))
        return True

    def _sync(self, call: Call) -> bool:
        node = self._node(_first(call)[1])
        if node is not None:
            self.disk.sync(node)
        return node is not None

    def _rename(self, call: Call) -> bool:
        source, target = call.paths(self.disk.folder)[:2]
        node = self.disk.find(source)
        return node is not None and self.disk.set_names((target, node), (source, None))

    def _link(self, call: Call) -> bool:
        source, target = call.paths(self.disk.folder)[:2]
        node = self.disk.find(source)
        return node is not None and self.disk.set_names((target, node))

    def _symlink(self, call: Call) -> bool:
        return self.disk.set_names((call.paths(self.disk.folder)[-1], Link(call.texts[0].decode())))

    def _remove(self, call: Call) -> bool:
        path = call.paths(self.disk.folder)[0]
        return self.disk.find(path) is not None and self.disk.set_names((path, None))

    def _make_folder(self, call: Call) -> bool:
        mode = (call.numbers or [0o755])[-1] & ~0o022
        return self.disk.set_names((call.paths(self.disk.folder)[0], Folder(mode)))

    def _set_mode(self, call: Call) -> bool:
        """Modes count as certain at once: no promise rests on them."""
        path = _first(call)[1] if call.name == "fchmod" else call.paths(self.disk.folder)[0]
        node = self._node(path)
        if isinstance(node, File | Folder):
            node.mode = next(int(word, 8) for word in re.findall(r",\s*(0\d+)", call.arguments))
        return False

    def _unknown(self, call: Call) -> bool:
        if self._node(_first(call)[1]) is not None:
            self.unmodelled[call.name] += 1
        return False

    def _node(self, path: str) -> Node | None:
        return self.disk.find(path.removesuffix(_DELETED))

    def _content(self, path: str) -> bytes:
        node = self._node(path)
        if isinstance(node, File):
            return bytes(node.live)
        with open(path, "rb") as file:
            return file.read()

    _meanings: ClassVar[Mapping[str, Callable[[Replay, Call], bool]]] = {
        "openat": _open,
        "creat": _open,
        "read": _move,
        "lseek": _move,
        "write": _write,
        "writev": _write,
        "pwrite64": _write,
        "pwritev": _write,
        "pwritev2": _write,
        "copy_file_range": _copy,
        "sendfile": _copy,
        "ftruncate": _truncate,
        "fsync": _sync,
        "fdatasync": _sync,
        "rename": _rename,
        "renameat": _rename,
        "renameat2": _rename,
        "link": _link,
        "linkat": _link,
        "symlink": _symlink,
        "symlinkat": _symlink,
        "unlink": _remove,
        "unlinkat": _remove,
        "rmdir": _remove,
        "mkdir": _make_folder,
        "mkdirat": _make_folder,
        "chmod": _set_mode,
        "fchmod": _set_mode,
        "fchmodat": _set_mode,
        "fallocate": _unknown,
        "sync_file_range": _unknown,
    }


def _first(call: Call) -> tuple[str, str]:
    return call.descriptors[0] if call.descriptors else ("", "")


def _put(node: File, at: int, data: bytes) -> None:
    node.live.extend(b"\0" * (at - len(node.live)))
    node.live[at : at + len(data)] = data
    node.pending.append((at, data))
