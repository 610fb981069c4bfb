"""The user's network: made by their code, asked for outputs of one shape, kept as safetensors.

A network is called with a float32 tensor (rows, inputs) and gives (rows, outputs): a score for each class, or one number,
for which (rows,) will do too. What their code raises ends in one line that names the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model

from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.network_settings import NetworkSettings
from noa_mlops.trainers.python import border, find_source, load

FILE = "model.safetensors"
"""The weights, in the folder of the model."""

BATCH = 4096
"""Rows that are asked about at once where nothing is learnt."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network on its device; ``name`` says whose it is, in messages."""

    name: str
    source: Path
    module: torch.nn.Module
    outputs: int
    device: str

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """The outputs for ``inputs``, shape (rows, outputs). Raises `JobInvalid` for another shape."""
        given = self.module(inputs)
        if self.outputs == 1 and isinstance(given, torch.Tensor) and given.shape == (len(inputs),):
            given = given.unsqueeze(1)
        if not isinstance(given, torch.Tensor) or given.shape != (len(inputs), self.outputs):
            found = f"the shape {tuple(given.shape)}" if isinstance(given, torch.Tensor) else type(given).__name__
            wanted = "a score for each class" if self.outputs > 1 else "one number for each row"
            raise JobInvalid(
                f"{self.name} gives {found} for {len(inputs)} rows; it must give ({len(inputs)}, {self.outputs}), {wanted}"
            )
        return given

    def answers(self, inputs: torch.Tensor, cast: torch.dtype | None = None) -> torch.Tensor:
        """The outputs in double precision, without learning; rows may be more than a training step could take."""
        self.module.eval()
        with torch.no_grad(), self.casting(cast):
            parts = [self(part).double() for part in inputs.split(BATCH)] if len(inputs) else []
        return torch.cat(parts) if parts else torch.empty((0, self.outputs), dtype=torch.float64)

    def casting(self, cast: torch.dtype | None) -> AbstractContextManager[object]:
        """Where operations compute in the lower precision ``cast`` if that is enough for them; None: nowhere."""
        return nullcontext() if cast is None else torch.autocast(self.device, dtype=cast)

    @contextmanager
    def at_work(self, doing: str) -> Iterator[None]:
        """Where the user's code runs: raises `JobInvalid`, `UserCodeFailed`, `MemoryError` with one line each."""
        with border(f"{self.name} failed in {doing}", self.source), _explained():
            yield

    def save(self, folder: Path) -> None:
        """Write the weights. Raises `JobInvalid` for a state that is no tensors."""
        try:
            save_model(self.module, str(folder / FILE))
        except (SafetensorError, RuntimeError, ValueError, AttributeError) as error:
            raise JobInvalid(f"the weights of {self.name} cannot be kept as safetensors: {error}") from error

    def restore(self, folder: Path) -> None:
        """Read the weights. Raises `JobInvalid` when they are damaged, or of another network."""
        try:
            load_model(self.module, str(folder / FILE), device=self.device)
        except (SafetensorError, OSError, RuntimeError, ValueError) as error:
            raise JobInvalid(f"{FILE} does not fit {self.name}: {error}") from error


def make_network(job: Job, settings: NetworkSettings, inputs: int, outputs: int) -> Network:
    """The network that the plan's code makes. Raises `JobInvalid`, `UserCodeFailed`."""
    source = find_source(job, (job.code,))
    name, device = f"{settings.model} of {source.name}", device_of(job)
    with border(f"{source.name} cannot be imported", source):
        module = load(source, job)
    made = getattr(module, settings.model, None)
    if not callable(made):
        raise JobInvalid(
            f"{source.name} has no class or function {settings.model}; the hyperparameter 'model' names it"
        )
    called = ", ".join(
        (str(inputs), str(outputs), *(f"{key}={value!r}" for key, value in settings.model_params.items()))
    )
    with border(f"{settings.model}({called}) of {source.name} failed", source), _explained():
        network: Any = made(inputs, outputs, **settings.model_params)
        if isinstance(network, torch.nn.Module):
            network.to(device)
    if not isinstance(network, torch.nn.Module):
        raise JobInvalid(f"{name} makes a {type(network).__name__}, not a torch.nn.Module")
    return Network(name, source, network, outputs, device)


def device_of(job: Job) -> str:
    """``cuda`` for a training that was given a GPU, ``cpu`` without. Raises `JobInvalid` when torch cannot use it."""
    if not job.gpus:
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if job.step == "predict":
        return "cpu"
    raise JobInvalid(
        f"torch {torch.__version__} cannot use the GPU: install a build of torch for it, or leave resources.gpus out"
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Say what an error of torch means for the plan, where its own words do not."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise JobInvalid("the GPU has too little memory: lower batch_size, or set precision: bf16") from error
    except RuntimeError as error:
        said = str(error)
        if "can't allocate memory" in said:
            asked = re.search(r"allocate (\d+) bytes", said)
            raise MemoryError(f"torch asked for {asked[1]} bytes" if asked else "") from error
        if "deterministic" in said:
            operation = said.split(".", maxsplit=1)[0]
            raise JobInvalid(f"{operation}; the hyperparameter deterministic: false allows it") from error
        raise
