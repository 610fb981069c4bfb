"""Seccomp: which system calls a process and all its descendants may still make.

A classic BPF program compares numbers and gives ``EPERM`` for every socket but a local, connected pair and for calls
that reach into other processes, the kernel or name spaces. A pair of datagram sockets is refused too: each of them could
still send to a socket outside, an open file included. Landlock does not guard the modes, owners and times of files;
calls that change those do nothing and report success, because programs that copy files insist on them. Source:
seccomp(2), landlock(7) "current limitations", classic BPF in
``Documentation/networking/filter.rst``, call numbers in ``arch/x86/entry/syscalls/syscall_64.tbl`` and
``include/uapi/asm-generic/unistd.h``.
"""

from __future__ import annotations

import ctypes
import os
import struct

from noa_mlops.agents.kernel import Kernel

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_DENY = _ERRNO | _EPERM
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_X32 = 0x40000000
_AF_UNIX = 1
_SOCK_STREAM, _SOCK_SEQPACKET, _SOCK_TYPE_MASK = 1, 5, 0xF
_NEW_NAMESPACES = 0x7E020000

# On both: io_uring_setup, _enter, _register; open_tree, move_mount, fsopen, fsconfig, fsmount, fspick; pidfd_getfd;
# process_madvise; mount_setattr.
_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 440, 442)
_CLONE3 = 435

# socket, ptrace, process_vm_readv, _writev, kcmp, bpf, perf_event_open, userfaultfd; mount, umount2, pivot_root, chroot,
# unshare, setns, open_by_handle_at; add_key, request_key, keyctl; kexec_load, kexec_file_load, init_module,
# finit_module, delete_module; swapon, swapoff, reboot, acct, quotactl, syslog, settimeofday, clock_settime; shmget, semget,
# msgget, mq_open; iopl, ioperm.
_X86_64 = (
    *(41, 101, 310, 311, 312, 321, 298, 323, 165, 166, 155, 161, 272, 308, 304, 248, 249, 250, 246, 320, 175, 313, 176),
    *(167, 168, 169, 163, 179, 103, 164, 227, 29, 64, 68, 240, 172, 173),
)
_AARCH64 = (
    *(198, 117, 270, 271, 272, 280, 241, 282, 40, 39, 41, 51, 97, 268, 265, 217, 218, 219, 104, 294, 105, 273, 106),
    *(224, 225, 142, 89, 60, 116, 170, 112, 194, 190, 186, 180),
)

# setxattr, lsetxattr, fsetxattr, removexattr, lremovexattr, fremovexattr; then setxattrat, removexattrat, file_setattr.
_X86_64_ATTRIBUTES = (188, 189, 190, 197, 198, 199)
_AARCH64_ATTRIBUTES = (5, 6, 7, 14, 15, 16)
_ATTRIBUTES = (463, 466, 469)

# chmod, fchmod, chown, fchown, lchown, fchownat, fchmodat; utime, utimes, futimesat, utimensat; fchmodat2 on both.
_X86_64_IDLE = (90, 91, 92, 93, 94, 260, 268, 132, 235, 261, 280, 452)
_AARCH64_IDLE = (52, 53, 54, 55, 88, 452)


class _Machine:
    """The numbers of one architecture."""

    __slots__ = ("architecture", "clone", "idle", "prlimit", "refused", "socketpair", "truncate")

    def __init__(
        self, architecture: int, calls: tuple[int, int, int, int], *, refused: tuple[int, ...], idle: tuple[int, ...]
    ) -> None:
        self.architecture = architecture
        self.socketpair, self.clone, self.prlimit, self.truncate = calls
        self.refused = (*refused, *_EVERYWHERE, *_ATTRIBUTES)
        self.idle = idle


_MACHINES = {
    "x86_64": _Machine(0xC000003E, (53, 56, 302, 76), refused=(*_X86_64, *_X86_64_ATTRIBUTES), idle=_X86_64_IDLE),
    "aarch64": _Machine(0xC00000B7, (199, 220, 261, 45), refused=(*_AARCH64, *_AARCH64_ATTRIBUTES), idle=_AARCH64_IDLE),
}


def available() -> bool:
    """Whether there is a filter for this machine and a kernel that takes one."""
    return os.uname().machine in _MACHINES and ctypes.sizeof(ctypes.c_void_p) == 8 and os.path.exists(_ACTIONS)


_ACTIONS = "/proc/sys/kernel/seccomp/actions_avail"


def restrict(kernel: Kernel, *, truncate: bool) -> None:
    """Put the filter on this process, for ever; it must have given up new privileges before.

    ``truncate`` says whether files may be cut by their path; Landlock guards that from ABI 3. Raises `OSError`.
    """
    machine = _MACHINES[os.uname().machine]
    program = _program(machine, () if truncate else (machine.truncate,))
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    holder = ctypes.create_string_buffer(header, len(header))
    kernel.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(holder))


def _program(machine: _Machine, more: tuple[int, ...]) -> bytes:
    rows = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.architecture),
        (_RETURN, 0, 0, _DENY),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _DENY),
        *_answer(_CLONE3, _ERRNO | _ENOSYS),  # its flags are out of a filter's sight; C libraries fall back to clone
    ]
    for number in (*machine.refused, *more):
        rows += _answer(number, _DENY)
    for number in machine.idle:
        rows += _answer(number, _ERRNO)
    rows += _unless_connected_pair(machine.socketpair)
    rows += _unless_first_argument(machine.prlimit, (_EQUAL, 1, 0, 0))  # 0: the caller itself
    rows += _unless_first_argument(machine.clone, (_ANY_BIT, 0, 1, _NEW_NAMESPACES))
    rows.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


_Row = tuple[int, int, int, int]


def _answer(number: int, answer: int) -> list[_Row]:
    """When the accumulator holds ``number``, end with ``answer``."""
    return [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]


def _unless_connected_pair(number: int) -> list[_Row]:
    """For call ``number``, which makes pairs of sockets: deny it but for local ones that cannot send elsewhere."""
    return [
        (_EQUAL, 0, 8, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 4, _AF_UNIX),
        (_LOAD, 0, 0, _SECOND_ARGUMENT),
        (_AND, 0, 0, _SOCK_TYPE_MASK),
        (_EQUAL, 2, 0, _SOCK_STREAM),
        (_EQUAL, 1, 0, _SOCK_SEQPACKET),
        (_RETURN, 0, 0, _DENY),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _unless_first_argument(number: int, test: _Row) -> list[_Row]:
    """For call ``number``: deny it unless ``test`` on its first argument jumps over the denial."""
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        test,
        (_RETURN, 0, 0, _DENY),
        (_RETURN, 0, 0, _ALLOW),
    ]
