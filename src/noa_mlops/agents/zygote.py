"""The process from which supervisors are forked: an agent waits for a fork, not for the start of an interpreter.

It holds nothing but code: that of supervisors, and of one module that imports what the agents of a profile would import
one by one. No thread runs in it, no user's code, and it knows no secret. Each request on its socket brings three
descriptors: the control pipe, the report pipe and the journal of one job. It ends when the runtime closes the socket or
dies.
"""

from __future__ import annotations

import _socket
import os
import select
import struct

from noa_mlops.agents import namespaces
from noa_mlops.agents.kernel import PR_SET_DUMPABLE, Kernel
from noa_mlops.agents.processes import fork
from noa_mlops.agents.supervision import refuse, supervise

_REQUESTS = 0
_REPORT = 1
_CLOSE_ON_EXEC = 0x40000000
_DEFAULT, _IGNORE = 0, 1
_SIGCHLD, _TO_END_IT = 17, (1, 2, 15)
_DESCRIPTORS = struct.Struct("3i")


def serve(runtime: int, modules: list[str]) -> None:
    """Import, then fork a supervisor for each request, until the process ``runtime``, which started this one, is gone."""
    try:
        watched = os.pidfd_open(runtime)
    except ProcessLookupError:
        return
    if os.getppid() != runtime:
        return
    kernel = Kernel()
    kernel.prctl(PR_SET_DUMPABLE, 0)
    kernel.user_namespaces = namespaces.can_stay_oneself(kernel)
    kernel.set_signals(_IGNORE, (*_TO_END_IT, _SIGCHLD))
    for name in modules:
        from noa_mlops.agents.preloading import preload

        preload(name, watched)
    requests = _socket.socket(fileno=_REQUESTS)
    poll = select.poll()
    poll.register(_REQUESTS, select.POLLIN)
    poll.register(watched, select.POLLIN)
    while watched not in {descriptor for descriptor, _ in poll.poll()}:
        descriptors = _request(requests)
        if descriptors is None:
            return
        try:
            pid = fork()
        except OSError as error:
            refuse(descriptors[_REPORT], f"the machine has no room for its supervisor: {error}")
        else:
            if pid == 0:
                _become_supervisor(kernel, descriptors, watched)
        for descriptor in descriptors:
            os.close(descriptor)


def _request(requests: _socket.socket) -> tuple[int, ...] | None:
    """The descriptors of the next job; None when there will be none."""
    data, ancillary, _, _ = requests.recvmsg(1, _socket.CMSG_SPACE(_DESCRIPTORS.size), _CLOSE_ON_EXEC)
    return _DESCRIPTORS.unpack(ancillary[0][2]) if data else None


def _become_supervisor(kernel: Kernel, descriptors: tuple[int, ...], runtime: int) -> None:
    """Do one job in this forked process, which then ends."""
    status = 1
    try:
        for stream, descriptor in enumerate(descriptors):
            os.dup2(descriptor, stream)
            os.close(descriptor)
        os.setsid()
        kernel.set_signals(_DEFAULT, (_SIGCHLD,))
        supervise(kernel, runtime)
        status = 0
    finally:
        if status:
            _write_down_what_went_wrong()
        os._exit(status)


def _write_down_what_went_wrong() -> None:
    import traceback

    os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
