"""The seal around an agent, and the facts about it.

What the kernel offers is tried, never assumed: `seal` raises rather than leave a process less confined than asked,
and returns what is in force. Everything here holds for all descendants and cannot be undone.
"""

from __future__ import annotations

from noa_mlops.agents import landlock, namespaces, seccomp
from noa_mlops.agents.kernel import PR_SET_NO_NEW_PRIVS, Kernel

DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
"""Devices that an agent may write."""


def confine(kernel: Kernel) -> None:
    """The lower rung: no program started from here on gains privileges by being started."""
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)


def seal(kernel: Kernel, grants: list[tuple[int, str]], shared: int = 0) -> dict[str, str]:
    """The upper rung, over `confine`: only the granted paths, no network, no power over other processes.

    Where it can be made, the program has ``shared`` bytes of shared memory that no other process sees; else it has none, as
    where a granted path lies in the memory that all processes share.

    Returns ``landlock`` (its ABI), ``seccomp`` (0 or 1) and ``namespaces`` (kinds, or nothing). Raises `OSError` where
    the kernel has no Landlock.
    """
    version = landlock.abi(kernel)
    if version < 1:
        raise OSError("this kernel offers no Landlock")
    own = namespaces.enter(kernel)
    covered = any(path.startswith(f"{namespaces.SHARED}/") for _, path in grants)
    if shared and not covered and namespaces.share_memory(kernel, shared):
        own = sorted([*own, "mount"])
        grants = [*grants, (landlock.WRITE, namespaces.SHARED)]
    kernel.drop_capabilities()
    landlock.restrict(kernel, version, [*((landlock.DEVICE, path) for path in DEVICES), *grants])
    filtered = seccomp.available()
    if filtered:
        seccomp.restrict(kernel, truncate=version >= 3)
    return {"landlock": str(version), "seccomp": str(int(filtered)), "namespaces": " ".join(own)}
