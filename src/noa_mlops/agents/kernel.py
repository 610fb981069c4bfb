"""The few calls to the kernel that Python does not offer, through the C library.

Source: prctl(2), capabilities(7), syscall(2), clone(2).
"""

from __future__ import annotations

import ctypes
import os
import struct

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
_PR_GET_TID_ADDRESS = 40

_CLONE3 = 435
_CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID, _CLONE_INTO_CGROUP = 0x00200000, 0x01000000, 0x200000000
_SIGCHLD = 17
_ENOSYS = 38

SIGKILL = 9
SIGSTOP = 19
LAST_SIGNAL = 64

KEPT_CAPABILITIES = frozenset({1, 2})
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root must still reach folders of another owner; Landlock decides."""


class Kernel:
    """The C library of this process; calls raise `OSError` with the kernel's error."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._interpreter = ctypes.PyDLL(None, use_errno=True)  # calls keep the lock, as those around a fork must
        self.user_namespaces = False
        """Whether a process of this user keeps its user in a name space of its own, as far as somebody has tried."""

    def syscall(self, number: int, *arguments: int | bytes | None) -> int:
        """Make system call ``number``."""
        wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
        return _checked(self._libc.syscall(ctypes.c_long(number), *wide))

    def prctl(self, option: int, *arguments: int) -> int:
        """Change this process; ``arguments`` are filled up with zeros."""
        wide = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
        return _checked(self._libc.prctl(option, *wide))

    def set_signals(self, handler: int, numbers: range | tuple[int, ...]) -> None:
        """Give signals their default action (``handler`` 0) or ignore them (1); those that have no choice stay."""
        self._libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        for number in numbers:
            self._libc.signal(number, handler)

    def unblock_signals(self) -> None:
        """Block no signal, whatever the caller's thread had blocked."""
        self._libc.sigprocmask(2, bytes(128), None)

    def address_of(self, variable: str) -> int | None:
        """Where the value of an environment variable lies in memory; None when there is none."""
        self._libc.getenv.restype = ctypes.c_void_p
        found: int | None = self._libc.getenv(variable.encode())
        return found

    def write_memory(self, address: int, data: bytes) -> None:
        """Write to the memory of this process."""
        ctypes.memmove(address, data, len(data))

    def be_readable(self) -> None:
        """Let processes of the same user see this one in ``/proc``, as a program that was just started."""
        self.prctl(PR_SET_DUMPABLE, 1)

    def unshare(self, flags: int) -> None:
        """Leave a name space that was shared with the parent. Raises `OSError`."""
        _checked(self._libc.unshare(flags))

    def mount(self, source: str, target: str, kind: str, flags: int, options: str = "") -> None:
        """Mount a file system, or change a mount. Raises `OSError`."""
        texts = [text.encode() for text in (source, target, kind)]
        _checked(self._libc.mount(*texts, ctypes.c_ulong(flags), options.encode()))

    def fork_into(self, group: int) -> int:
        """Fork; the new process is born in the control group whose folder is open as ``group``. Raises `OSError`.

        This is what ``fork`` of the GNU C library asks of the kernel, with the group added; only for a process with one thread.
        """
        place = self._place_of_the_thread_number()
        settings = _CLONE_INTO_CGROUP | _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
        arguments = struct.pack("=11Q", settings, 0, place, 0, _SIGCHLD, 0, 0, 0, 0, 0, group)
        self._interpreter.PyOS_BeforeFork()
        pid = int(self._interpreter.syscall(ctypes.c_long(_CLONE3), arguments, ctypes.c_long(len(arguments))))
        if pid == 0:
            self._interpreter.PyOS_AfterFork_Child()
            return 0
        error = ctypes.get_errno()
        self._interpreter.PyOS_AfterFork_Parent()
        if pid < 0:
            raise OSError(error, os.strerror(error))
        return pid

    def _place_of_the_thread_number(self) -> int:
        """Where the C library keeps the number of this thread, which changes in a fork. Raises `OSError` for another library."""
        holder = ctypes.c_size_t(0)
        self.prctl(_PR_GET_TID_ADDRESS, ctypes.addressof(holder))
        if not holder.value or ctypes.c_int.from_address(holder.value).value != os.getpid():
            raise OSError(_ENOSYS, os.strerror(_ENOSYS))
        return holder.value

    def drop_capabilities(self) -> None:
        """Give up for ever, across ``exec`` too, every power of root but reading and writing files; others keep none."""
        capability = 0
        while self._drop_from_bounding_set(capability):
            capability += 1
        kept = sum(1 << number for number in KEPT_CAPABILITIES) if os.geteuid() == 0 else 0
        if self._set_capabilities(kept):
            self._set_capabilities(0)

    def _drop_from_bounding_set(self, capability: int) -> bool:
        if capability in KEPT_CAPABILITIES:
            return True
        return bool(self._libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), *[ctypes.c_ulong(0)] * 3) == 0)

    def _set_capabilities(self, mask: int) -> int:
        version_3 = struct.pack("=Ii", 0x20080522, 0)
        return int(self._libc.capset(version_3, struct.pack("=6I", mask, mask, 0, 0, 0, 0)))


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
