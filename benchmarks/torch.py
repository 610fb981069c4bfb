"""The profile torch on scikit-learn's digits: our training loop against one written by hand, and the whole way of a plan.

Both loops train the network of ``examples/digits-torch`` for as many epochs, with as many threads and the same settings of
torch, and both measure the validation rows after each epoch.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.lifecycle import project
from benchmarks.measure import Line, medians

if TYPE_CHECKING:
    from noa_mlops.trainers.fitting import Rows

Maker = Callable[[int, int], Any]
"""Makes a network for so many inputs and outputs."""

EPOCHS, BATCH, RATE, SEED = 20, 64, 0.003, 7
EXAMPLE = Path(__file__).parent.parent / "examples" / "digits-torch"
NOA = Path(sys.executable).with_name("noa")
PLAN = f"""\
lifecycle_id: digits
agent_profile: torch
dataset_path: data/digits.csv
target: digit
code: [net.py]
hyperparameters: {{epochs: {EPOCHS}, batch_size: {BATCH}, learning_rate: {RATE}}}
evaluation:
  split: {{share: 20%, seed: 7}}
  metric_thresholds: {{accuracy: 0.9}}
"""


def lines() -> Iterator[Line]:
    """The loop alone, in processor time; then everything, from a command to a model that was measured and promoted."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)  # noqa: FBT003 - it takes it so
    torch.utils.deterministic.fill_uninitialized_memory = False
    learnt, held = _digits()
    for what, network in (("loop of torch, convolutions", _network()), ("the same, 64-32-10, all overhead", _dense)):
        candidates = {"by hand": partial(by_hand, network, learnt, held), "ours": partial(ours, network, learnt, held)}
        times = medians(candidates, rounds=9, clock=time.process_time)
        note = f"digits, {EPOCHS} epochs, processor time"
        yield Line(what, "by hand", times["by hand"], times["ours"], 1.1, note)
    script, whole = _processes()
    yield Line("noa run, the same network", "a script that trains it", script, whole, note="both start from nothing")


def by_hand(network: Maker, learnt: Rows, held: Rows) -> float:
    """What people write; the last loss of the validation."""
    import torch
    from torch.nn import functional

    torch.manual_seed(SEED)
    model = network(64, 10)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    x, y = learnt.inputs, learnt.truth
    for _ in range(EPOCHS):
        model.train()
        for part in torch.randperm(len(x)).split(BATCH):
            loss = functional.cross_entropy(model(x[part]), y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            outputs = model(held.inputs)
            missed = float(functional.cross_entropy(outputs, held.truth))
            (outputs.argmax(1) == held.truth).float().mean().item()
    return missed


def ours(make: Maker, learnt: Rows, held: Rows) -> float:
    """The same by the loop of the profile, which keeps checkpoints too."""
    from noa_mlops.trainers.fitting import fit, seed_everything
    from noa_mlops.trainers.model_checkpoints import ModelCheckpoints
    from noa_mlops.trainers.network import Network
    from noa_mlops.trainers.network_settings import NetworkSettings

    seed_everything(SEED, 0)
    network = Network("Model of net.py", EXAMPLE / "net.py", make(64, 10), 10, "cpu")
    settings = NetworkSettings(epochs=EPOCHS, batch_size=BATCH, learning_rate=RATE)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        checkpoints = ModelCheckpoints(Path(folder), bytes(32))
        done = fit(network, learnt, held, settings, seed=SEED, checkpoints=checkpoints, tell=lambda *_: None)
    return done.metrics["log_loss"]


def _processes(rounds: int = 3) -> tuple[float, float]:
    """Milliseconds of a process that trains by hand, and of ``noa run``, each as the first thing in a new project."""
    script, whole = [], []
    for _ in range(rounds):
        with project() as folder:
            subprocess.run([sys.executable, EXAMPLE / "make_data.py"], cwd=folder, check=True)
            (folder / "net.py").write_bytes((EXAMPLE / "net.py").read_bytes())
            (folder / "plan.yaml").write_text(PLAN)
            subprocess.run([NOA, "init", "-C", folder], stdout=subprocess.DEVNULL, check=True)
            script.append(_timed([sys.executable, "-m", "benchmarks.torch"]))
            whole.append(_timed([str(NOA), "run", "plan.yaml", "-C", str(folder), "--json"]))
    return min(script), min(whole)


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def _digits() -> tuple[Rows, Rows]:
    """Rows to learn from and to validate on, as tensors."""
    import torch
    from sklearn.datasets import load_digits

    from noa_mlops.trainers.fitting import Rows

    digits = load_digits()
    inputs = torch.from_numpy(digits.data.astype("float32") / 16)
    truth = torch.from_numpy(digits.target.astype("int64"))
    held = torch.arange(len(truth)) % 10 == 0
    return Rows(inputs[~held], truth[~held], None), Rows(inputs[held], truth[held], None)


def _dense(inputs: int, outputs: int) -> Any:
    """A network that is so small that the time goes into everything around it."""
    from torch import nn

    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, outputs))


def _network() -> Maker:
    """The class of the example's network."""
    spec = importlib.util.spec_from_file_location("digits_net", EXAMPLE / "net.py")
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{EXAMPLE} has no net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Maker = module.Model
    return made


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    by_hand(_network(), *_digits())
