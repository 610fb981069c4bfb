"""Seccomp: which system calls a process and all its descendants may still make.

A classic BPF program compares numbers and gives ``EPERM`` for every socket but a local pair and for calls that
reach into other processes, the kernel or name spaces. Source: seccomp(2), bpf classic in
``Documentation/networking/filter.rst``, call numbers in ``arch/x86/entry/syscalls/syscall_64.tbl`` and
``include/uapi/asm-generic/unistd.h``.
"""

from __future__ import annotations

import ctypes
import os
import struct

from noa_mlops.agents.kernel import Kernel

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32 = 0x40000000
_AF_UNIX = 1
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

# machine -> (audit architecture, socketpair, clone, refused calls)
_MACHINES = {
    "x86_64": (0xC000003E, 53, 56, _X86_64),
    "aarch64": (0xC00000B7, 199, 220, _AARCH64),
}


def available() -> bool:
    """Whether there is a filter for this machine and a kernel that takes one."""
    return os.uname().machine in _MACHINES and ctypes.sizeof(ctypes.c_void_p) == 8 and os.path.exists(_ACTIONS)


_ACTIONS = "/proc/sys/kernel/seccomp/actions_avail"


def restrict(kernel: Kernel) -> None:
    """Put the filter on this process, for ever; it must have given up new privileges before. Raises `OSError`."""
    program = _program(os.uname().machine)
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    holder = ctypes.create_string_buffer(header, len(header))
    kernel.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(holder))


def _program(machine: str) -> bytes:
    architecture, socketpair, clone, refused = _MACHINES[machine]
    denied = _ERRNO | _EPERM
    rows = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, denied),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, denied),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),  # its flags lie out of a filter's sight; the C library falls back to clone
    ]
    for number in (*refused, *_EVERYWHERE):
        rows += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, denied)]
    rows += [
        (_EQUAL, 0, 4, socketpair),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, denied),
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, denied),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *row) for row in rows)
