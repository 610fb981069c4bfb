"""GPUs: which there are, who has them, and what a job sees of them. Device nodes are files here; the last test needs a GPU."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from agents.conftest import sealable
from noa_mlops.agents import Gpus, RuntimeManager
from noa_mlops.errors import PlanInvalid

UUIDS = [f"GPU-0000000{number}-aaaa-bbbb-cccc-0123456789ab" for number in range(3)]
FIRST = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"


@pytest.fixture
def machine(tmp_path):
    """A machine with GPUs 0 and 1 of three that its driver tells of."""
    for folder in ("dev/nvidia-caps", "leases"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / "dev" / name).write_text(name)
    for number, uuid in enumerate(UUIDS):
        facts = tmp_path / f"driver/0000:0{number}:00.0/information"
        facts.parent.mkdir(parents=True)
        facts.write_text(
            f"Model: \t\t Any\nIRQ:   \t\t 42\nGPU UUID: \t {uuid}\nDevice Minor: \t {number}\nBlacklisted:\t No\n"
        )
    return Gpus(tmp_path / "dev", tmp_path / "driver", tmp_path / "leases")


def lease(machine, asked, *, said=None, cancel=None):
    return machine.lease(asked, (said if said is not None else []).append, cancel or threading.Event())


def test_there_are_those_whose_nodes_are_here_named_as_the_driver_names_them(machine):
    assert [(gpu.number, gpu.name) for gpu in machine.present()] == [(0, UUIDS[0]), (1, UUIDS[1])]


def test_without_a_driver_to_ask_they_are_named_by_their_place(machine, tmp_path):
    (machine.devices / "nvidia0").rename(machine.devices / "nvidia7")
    blind = replace(machine, driver=tmp_path / "nowhere")
    assert [(gpu.number, gpu.name) for gpu in blind.present()] == [(1, "0"), (7, "1")]


def test_a_machine_without_devices_has_none(tmp_path):
    assert Gpus(tmp_path / "no", tmp_path / "no", tmp_path / "no").present() == ()


def test_more_than_there_are_is_refused_with_both_numbers(machine):
    with pytest.raises(PlanInvalid, match=r"resources\.gpus: the plan asks for 3 GPUs, this machine has 2"):
        machine.check(3)
    machine.check(2)


def test_no_gpu_is_leased_twice_and_the_next_waits_for_all_it_needs(machine):
    said, order = [], []

    def wants_both():
        with lease(machine, 2, said=said) as got:
            order.append(len(got))

    with lease(machine, 1) as first:
        with lease(machine, 1) as second:
            assert {gpu.number for gpu in (*first, *second)} == {0, 1}
        waiting = threading.Thread(target=wants_both)
        waiting.start()
        time.sleep(0.5)
        assert said == ["waits for 2 GPUs: other runs have them"]
        with lease(machine, 1) as meanwhile:  # whoever waits holds none
            assert [gpu.number for gpu in meanwhile] == [1]
        order.append("released")
    waiting.join(10)
    assert order == ["released", 2]


def test_a_lease_ends_with_its_holder_even_a_killed_one(machine):
    source = f"""
import threading, time
from pathlib import Path
from noa_mlops.agents import Gpus
with Gpus(Path({str(machine.devices)!r}), Path("/no"), Path({str(machine.leases)!r})).lease(2, print, threading.Event()):
    print("holds", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "holds\n"
            cancel = threading.Event()
            cancel.set()
            with lease(machine, 1, cancel=cancel) as got:
                assert got == ()
        finally:
            os.kill(holder.pid, signal.SIGKILL)
    with lease(machine, 2) as got:
        assert len(got) == 2


def test_a_job_is_told_its_gpus_and_gives_them_back(bench, machine):
    runtime = RuntimeManager(machine)
    job = bench.job(FIRST, gpus=1)
    with lease(machine, 1) as taken:
        assert runtime.run(job).completed
        assert bench.printed().strip() == UUIDS[1]
    assert taken[0].number == 0
    assert runtime.run(job).completed
    assert bench.printed().strip() == UUIDS[0]


def test_a_job_that_is_cancelled_while_it_waits_was_never_started(bench, machine):
    cancel, told = threading.Event(), []
    with lease(machine, 2):
        threading.Timer(0.3, cancel.set).start()
        outcome = RuntimeManager(machine).run(bench.job(FIRST, gpus=1), on_progress=told.append, cancel=cancel)
    assert outcome.cause == "cancelled"
    assert told == [{"message": "waits for 1 GPU: other runs have them"}]
    assert not (bench.workspace.path / "stdout.log").exists()


def test_a_job_with_a_gpu_may_map_more_memory_than_it_uses(bench, machine):
    source = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY)"
    assert RuntimeManager(machine).run(bench.job(source, gpus=1)).completed
    unlimited_here = bench.printed().strip()
    assert RuntimeManager(machine).run(bench.job(source)).completed
    assert (unlimited_here, bench.printed().strip()) == ("True", "False")


@sealable
def test_a_sealed_job_opens_the_nodes_of_its_gpu_and_no_other(bench, machine):
    source = f"""
for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
    try:
        open({str(machine.devices)!r} + "/" + name, "r+b").close()
        print(name, end=" ")
    except PermissionError:
        pass
"""
    assert RuntimeManager(machine).run(bench.job(source, isolation="sealed", gpus=1)).completed
    assert bench.printed().split() == ["nvidia0", "nvidiactl", "nvidia-uvm"]
    assert RuntimeManager(machine).run(bench.job(source, isolation="sealed")).completed
    assert bench.printed().split() == []


@sealable
def test_shared_memory_of_a_sealed_job_with_a_gpu_is_its_own(bench, machine):
    source = f"""
import os
try:
    with open("/dev/shm/noa-{os.getpid()}", "x") as file: file.write("mine")
    print(len(os.listdir("/dev/shm")))
except PermissionError:
    print("none")
"""
    outcome = RuntimeManager(machine).run(bench.job(source, isolation="sealed", gpus=1))
    assert outcome.completed, bench.workspace.tail()
    assert bench.printed().strip() == ("1" if "mount" in outcome.isolation.namespaces else "none")
    assert not os.path.exists(f"/dev/shm/noa-{os.getpid()}")
    assert RuntimeManager(machine).run(bench.job(source, isolation="sealed")).completed
    assert bench.printed().strip() == "none"


@pytest.mark.skipif(not Gpus().present(), reason="this machine has no GPU")
@pytest.mark.parametrize("isolation", ["basic", pytest.param("sealed", marks=sealable)])
def test_torch_computes_on_the_leased_gpu(bench, isolation):
    source = "import torch; x = torch.ones(64, device='cuda'); print(torch.cuda.device_count(), int((x @ x).item()))"
    outcome = RuntimeManager().run(bench.job(source, isolation=isolation, site=True, gpus=1, memory=16 << 30))
    assert outcome.completed, bench.workspace.tail()
    assert bench.printed().split() == ["1", "64"]
