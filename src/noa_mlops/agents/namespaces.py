"""Name spaces of an agent's own: network, queues and shared memory (System V, POSIX), the name of the host.

Its network has one interface, a loopback that nobody brings up. Root makes name spaces as it is; any other user needs a
user name space around them, in which it stays who it is, and gives up the powers that come with it like all others.
What a machine does not allow is left out; what was made is named. Source: namespaces(7), user_namespaces(7), mount(2).
"""

from __future__ import annotations

import os

from noa_mlops.agents.kernel import Kernel

SHARED = "/dev/shm"  # noqa: S108 - it is the place itself
"""Where the C library keeps the shared memory of processes (shm_overview(7))."""

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNS = 0x00020000
_NOSUID, _NODEV, _NOEXEC, _RECURSIVE, _PRIVATE = 2, 4, 8, 1 << 14, 1 << 18
_KINDS = {"ipc": 0x08000000, "network": 0x40000000, "uts": 0x04000000}


def enter(kernel: Kernel) -> list[str]:
    """Give this process, and all it starts, name spaces of its own; their kinds, sorted.

    Raises `OSError` when `Kernel.user_namespaces` promised too much.
    """
    wrapped = os.geteuid() != 0
    if wrapped and not (kernel.user_namespaces and _wrap(kernel)):
        return []
    made = [kind for kind, flag in _KINDS.items() if _made(kernel, flag)]
    return sorted([*made, "user"] if wrapped else made)


def share_memory(kernel: Kernel, size: int) -> bool:
    """After `enter`: put shared memory (``/dev/shm``) of at most ``size`` bytes there that no other process sees; whether it could."""
    if not _made(kernel, _CLONE_NEWNS):
        return False
    try:
        kernel.mount("none", "/", "", _RECURSIVE | _PRIVATE)  # what is mounted here must not show outside
        kernel.mount("tmpfs", SHARED, "tmpfs", _NOSUID | _NODEV | _NOEXEC, f"size={size},mode=1777")
    except OSError:
        return False
    return True


def can_stay_oneself(kernel: Kernel) -> bool:
    """Whether a process of this user keeps its user in a user name space; tried by a process that ends then.

    Some machines let anybody make such a name space, and then refuse to say who is who in it: there is no way back.
    """
    if os.geteuid() == 0:
        return True
    try:
        pid = os.fork()
    except OSError:
        return False
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    wrapped = False
    try:
        wrapped = _wrap(kernel)
    finally:
        os._exit(0 if wrapped else 1)


def _wrap(kernel: Kernel) -> bool:
    """Enter a user name space in which user and group are what they were; whether there was one."""
    user, group = os.geteuid(), os.getegid()
    if not _made(kernel, _CLONE_NEWUSER):
        return False
    kernel.be_readable()  # the files below belong to root as long as it is not
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, text.encode())
        os.close(descriptor)
    return True


def _made(kernel: Kernel, flag: int) -> bool:
    try:
        kernel.unshare(flag)
    except OSError:
        return False
    return True
