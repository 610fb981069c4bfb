"""The GPUs of this machine: which there are, asked of the kernel, and who has them at the moment.

A GPU is leased by a lock on a file of its own, which the kernel lets go when its holder dies. Leases hold between the runs
of one user. No library of a maker is loaded: a device is there when its node is (``/dev/nvidia0``), and is named as CUDA
names it (``CUDA_VISIBLE_DEVICES`` in the CUDA C++ Programming Guide). Only those of NVIDIA are known.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from noa_mlops.errors import PlanInvalid
from noa_mlops.files import make_directories, state_folder

CONTROLS = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps")
"""What a program needs besides the node of its GPU, below ``/dev``."""

READ = ("/sys/bus/pci", "/sys/devices", "/sys/module", "/sys/class/drm", "/etc/OpenCL")
"""Where a driver reads about its devices."""

PAUSE = 0.2
"""Seconds between two looks for a free GPU."""

_NODE = re.compile(r"nvidia(\d+)")
_UUID = re.compile(r"GPU UUID:\s*(GPU-[0-9a-f-]{36})\s")
_MINOR = re.compile(r"Device Minor:\s*(\d+)\s")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: the number of its node, and the name that CUDA knows it by."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs of a machine: its device nodes, what its driver says of them, and the folder of leases."""

    devices: Path = Path("/dev")
    driver: Path = Path("/proc/driver/nvidia/gpus")
    leases: Path = field(default_factory=lambda: state_folder() / "gpus")

    def present(self) -> tuple[Gpu, ...]:
        """Those whose nodes are here, by number; a container may have fewer than its driver tells of."""
        nodes = os.listdir(self.devices) if self.devices.is_dir() else []
        numbers = sorted(int(found[1]) for name in nodes if (found := _NODE.fullmatch(name)))
        named = self._named()
        known = all(number in named for number in numbers)  # one naming for all: CUDA takes no mixture
        return tuple(Gpu(number, named[number] if known else str(place)) for place, number in enumerate(numbers))

    def check(self, asked: int) -> None:
        """Raise `PlanInvalid` when this machine has fewer than ``asked``."""
        here = len(self.present())
        if asked > here:
            raise PlanInvalid(
                f"resources.gpus: the plan asks for {_counted(asked)}, this machine has {here or 'none'}",
                hint="Run it where there are as many, or ask for fewer; a GPU counts when its node /dev/nvidia0 ... is there.",
            )

    @contextlib.contextmanager
    def lease(self, asked: int, wait: Callable[[str], None], cancel: threading.Event) -> Iterator[tuple[Gpu, ...]]:
        """``asked`` GPUs that no other run has, for as long as the block runs; none when ``cancel`` was set before.

        Waits for them all, holding none meanwhile, and says so once through ``wait``. Raises `PlanInvalid` when the
        machine has fewer, `OSError` when the folder of leases cannot be used.
        """
        self.check(asked)
        with contextlib.ExitStack() as held:
            got = self._take(asked, held)
            if len(got) < asked:
                wait(f"waits for {_counted(asked)}: other runs have them")
            while len(got) < asked and not cancel.wait(PAUSE):
                got = self._take(asked, held)
            yield got

    def nodes(self, leased: Sequence[Gpu]) -> list[str]:
        """The device files that the holder of ``leased`` may use."""
        names = [f"nvidia{gpu.number}" for gpu in leased]
        return [str(self.devices / name) for name in (*names, *CONTROLS)]

    def _take(self, asked: int, held: contextlib.ExitStack) -> tuple[Gpu, ...]:
        """Lock as many as asked for, kept in ``held``; or none."""
        make_directories(self.leases)
        with contextlib.ExitStack() as trial:
            free: list[Gpu] = []
            for gpu in self.present():
                if len(free) < asked and self._lock(gpu, trial):
                    free.append(gpu)
            if len(free) < asked:
                return ()
            held.push(trial.pop_all())
            return tuple(free)

    def _lock(self, gpu: Gpu, trial: contextlib.ExitStack) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.leases / f"nvidia{gpu.number}.lock", flags, 0o600)
        trial.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _named(self) -> dict[int, str]:
        """The names that the driver gives, by the number of the node."""
        named = {}
        for facts in self.driver.glob("*/information"):
            with contextlib.suppress(OSError):
                text = facts.read_text("utf-8", "replace")
                if (name := _UUID.search(text)) and (number := _MINOR.search(text)):
                    named[int(number[1])] = name[1]
        return named


def variables(leased: Sequence[Gpu]) -> dict[str, str]:
    """What tells a program which GPUs are its own."""
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(gpu.name for gpu in leased)}


def _counted(number: int) -> str:
    return f"{number} GPU{'s' if number > 1 else ''}"
