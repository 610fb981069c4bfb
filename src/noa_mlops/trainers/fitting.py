"""The training loop: epochs over shuffled batches, validation after each, early stopping, a `ModelCheckpoint` now and then.

Everything random in an epoch is drawn from the seed of the plan and the number of the epoch, so a training that goes on
after a kill does what it would have done. The same job on the same machine gives the same weights to the byte.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.launch import say
from noa_mlops.trainers.model_checkpoints import ModelCheckpoints
from noa_mlops.trainers.network import Network
from noa_mlops.trainers.network_inputs import Scale
from noa_mlops.trainers.network_settings import NetworkSettings

Tell = Callable[[int, Mapping[str, float]], None]
"""Takes the number of an epoch that is done, and its ``loss`` and metrics."""

_CAST = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Rows:
    """Inputs, shape (rows, inputs), and truth: class numbers (rows,), or numbers (rows, 1), which ``scale`` measures in."""

    inputs: torch.Tensor
    truth: torch.Tensor
    scale: Scale | None

    def loss(self, outputs: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Cross entropy of a classification, mean squared error of a regression."""
        lossy = outputs.float()
        return functional.cross_entropy(lossy, truth) if self.scale is None else functional.mse_loss(lossy, truth)


@dataclass(slots=True)
class Progress:
    """How far a training is: epochs done, the best epoch by the validation and its metrics, and the last metrics.

    ``weights`` are those of the best epoch, kept only where a training may stop early.
    """

    epoch: int
    best: int
    metrics: dict[str, float]
    best_metrics: dict[str, float]
    weights: dict[str, torch.Tensor] | None


def fit(
    network: Network,
    learnt: Rows,
    held: Rows,
    settings: NetworkSettings,
    *,
    seed: int,
    checkpoints: ModelCheckpoints,
    tell: Tell,
) -> Progress:
    """Train ``network`` on ``learnt``, validated on ``held``; it is left with the weights that count.

    Those are the last ones, or with ``patience`` those of the best epoch. Raises `JobInvalid` for a loss or a metric that is
    no finite number.
    """
    optimizer = _optimizer(network.module, settings)
    scaler = torch.amp.GradScaler(network.device, enabled=settings.precision == "fp16")
    progress = _resumed(checkpoints, network, optimizer, scaler)
    while progress.epoch < settings.epochs and not _is_over(progress, settings):
        epoch = progress.epoch + 1
        seed_everything(seed, epoch)
        loss = _learn(network, optimizer, scaler, learnt, settings)
        metrics = measure(network, held, _CAST[settings.precision])
        reported = {"loss": loss, **metrics}
        if wrong := next((name for name, value in reported.items() if not math.isfinite(value)), None):
            told = f"{wrong} is {reported[wrong]} in epoch {epoch}"
            raise JobInvalid(f"{told}: lower learning_rate, now {settings.learning_rate:g}, or look at forward")
        tell(epoch, reported)
        _note(progress, network, metrics, keeps=settings.patience is not None)
        checkpoints.keep(partial(_state, progress, network, optimizer, scaler))
    if progress.weights is not None:
        network.module.load_state_dict(progress.weights)
    return progress


def seed_everything(seed: int, epoch: int) -> None:
    """Set every generator of random numbers by the seed of the plan and the number of the epoch, 0 before the first."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed} {epoch}".encode()).digest()[:4], "big")
    random.seed(drawn)
    np.random.seed(drawn)  # noqa: NPY002 - the user's code may draw from it
    torch.manual_seed(drawn)


def measure(network: Network, rows: Rows, cast: torch.dtype | None = None) -> dict[str, float]:
    """The metrics of a validation, by their names in the table of metrics; the first one decides. None without rows."""
    if not len(rows.inputs):
        return {}
    outputs = network.answers(rows.inputs, cast)
    if rows.scale is None:
        right = (outputs.argmax(1) == rows.truth).double().mean()
        return {"log_loss": float(functional.cross_entropy(outputs, rows.truth)), "accuracy": float(right)}
    missed = (outputs - rows.truth) * rows.scale.scale
    return {"rmse": float(missed.square().mean().sqrt()), "mae": float(missed.abs().mean())}


def _learn(network: Network, optimizer: Any, scaler: Any, rows: Rows, settings: NetworkSettings) -> float:
    """One epoch; the mean loss over its rows. Nothing in it waits for the device but the end."""
    network.module.train()
    losses, sizes = [], []
    for part in _batches(len(rows.inputs), settings.batch_size, network.device):
        with network.casting(_CAST[settings.precision]):
            outputs = network(rows.inputs[part])
        loss = rows.loss(outputs, rows.truth[part])
        optimizer.zero_grad()
        if scaler.is_enabled():  # half precision: without, small gradients would vanish
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()
        losses.append(loss.detach())
        sizes.append(len(part))
    return float(torch.stack(losses).cpu().double() @ torch.tensor(sizes, dtype=torch.float64)) / len(rows.inputs)


def _batches(rows: int, size: int, device: str) -> list[torch.Tensor]:
    """All rows in an order that is drawn; a last batch of one row joins the one before, as batch normalization needs two."""
    parts = list(torch.randperm(rows).to(device).split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def _optimizer(module: torch.nn.Module, settings: NetworkSettings) -> torch.optim.Optimizer:
    """The optimizer by its name; Adam moves all weights in one kernel where they are plain numbers."""
    kinds = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }
    weights = list(module.parameters())
    special: dict[str, Any] = (
        {"momentum": settings.momentum}
        if settings.optimizer in ("sgd", "rmsprop")
        else {"fused": all(one.is_floating_point() for one in weights)}
    )
    return kinds[settings.optimizer](weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, **special)


def _note(progress: Progress, network: Network, metrics: dict[str, float], *, keeps: bool) -> None:
    """One more epoch is done; it is the best when its first metric is lower than before."""
    progress.epoch += 1
    progress.metrics = metrics
    if not (metrics and progress.best) or _first(metrics) < _first(progress.best_metrics):
        progress.best, progress.best_metrics = progress.epoch, metrics
        if keeps:
            progress.weights = {name: value.clone() for name, value in network.module.state_dict().items()}


def _first(metrics: Mapping[str, float]) -> float:
    return next(iter(metrics.values()))


def _is_over(progress: Progress, settings: NetworkSettings) -> bool:
    return settings.patience is not None and progress.epoch - progress.best >= settings.patience


def _state(progress: Progress, network: Network, optimizer: Any, scaler: Any) -> dict[str, Any]:
    return {
        "progress": {name: getattr(progress, name) for name in Progress.__slots__},
        "model": network.module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
    }


def _resumed(checkpoints: ModelCheckpoints, network: Network, optimizer: Any, scaler: Any) -> Progress:
    state = checkpoints.load(network.device)
    if state is None:
        return Progress(0, 0, {}, {}, None)
    network.module.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scaler.load_state_dict(state["scaler"])
    progress = Progress(**state["progress"])
    say(f"the training goes on after epoch {progress.epoch}")
    return progress
