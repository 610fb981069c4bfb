"""The profile torch: a network of the user's code, trained by our loop.

``out/model.safetensors`` holds the weights, ``out/model.json`` how columns become its inputs. Neither can run code when it
is read; the network itself is code of the plan, which a prediction runs again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from noa_mlops.records.documents import canonical
from noa_mlops.trainers.contract import JobInvalid
from noa_mlops.trainers.hyperparameters import check_hyperparameters
from noa_mlops.trainers.job import Job
from noa_mlops.trainers.launch import launch, say
from noa_mlops.trainers.network_settings import NetworkSettings

if TYPE_CHECKING:
    from noa_mlops.trainers.encoding import Encoding
    from noa_mlops.trainers.fitting import Progress, Rows
    from noa_mlops.trainers.network_inputs import Input, Inputs, Scale, Vector

LIBRARIES = ("numpy", "pyarrow", "safetensors", "torch")
"""What a model depends on, besides the interpreter."""


def train(job: Job) -> None:
    """Train the network that the plan names and store it in ``job.out``. Raises `JobInvalid`, `UserCodeFailed`."""
    settings = _settings(job)
    job.progress(message="read")
    from noa_mlops.trainers import encoding, model_facts, network, network_inputs, targets

    if job.task == "classification":
        table, truth = targets.of_classes(job.data.table(), job.target, job.classes)
    else:
        table, truth = targets.of_numbers(job.data.table(), job.target)
    encodings = encoding.learn(table, job.features, network_inputs.MOST_CATEGORIES)
    for note in encoding.notes(encodings):
        say(note)
    held = network_inputs.validation_rows(truth, settings.validation_share, job.seed)
    if held.all() or (settings.patience is not None and not held.any()):
        raise JobInvalid(f"{len(truth)} rows are too few for validation_share {settings.validation_share:g}")
    matrix = encoding.encode(table, encodings)
    inputs = network_inputs.learn_inputs(matrix[~held], encodings, standardize=settings.standardize)
    scale = None if job.task == "classification" else _scale_of(truth[~held], settings)
    given = network_inputs.network_inputs(matrix, inputs)
    _prepare_torch(job, settings)
    made = network.make_network(job, settings, given.shape[1], len(job.classes) or 1)
    with made.at_work("training"):
        done = _fitted(job, settings, made, (given, truth, held), scale)
    made.save(job.out)
    model_facts.save(job.out, _facts(job, settings, (encodings, inputs, scale), held, done), LIBRARIES)
    job.progress(step=done.epoch, of=settings.epochs, message="done")


def predict(job: Job) -> None:
    """Answer with the network in ``job.model``. Raises `JobInvalid`, `UserCodeFailed`."""
    settings = _settings(job)
    from noa_mlops.trainers import encoding, model_facts, network, network_inputs

    facts = model_facts.load(job.model)
    _check_asked(job, facts)
    if differing := model_facts.differences(facts, LIBRARIES):
        say(f"the model was made with other versions: {differing}")
    try:
        encodings = encoding.from_document(facts["columns"])
        inputs = network_inputs.inputs_from_document(facts["inputs"])
        scale = network_inputs.Scale(**facts["scale"]) if facts["scale"] else None
    except (LookupError, TypeError) as error:
        raise JobInvalid(f"model.json describes no inputs: {error!r}") from error
    matrix = encoding.encode(job.data.table(), encodings)
    _prepare_torch(job, settings)
    given = network_inputs.network_inputs(matrix, inputs)
    made = network.make_network(job, settings, given.shape[1], len(job.classes) or 1)
    made.restore(job.model)
    import torch

    with made.at_work("a prediction"):
        outputs = made.answers(torch.from_numpy(given).to(made.device)).cpu()
    if scale is None:
        job.write_predictions(outputs.softmax(1).numpy())
    else:
        job.write_predictions(outputs[:, 0].numpy() * scale.scale + scale.centre)


def _settings(job: Job) -> NetworkSettings:
    if problems := check_hyperparameters("torch", job.params):
        raise JobInvalid("; ".join(problems))
    return NetworkSettings.of(job.params)


def _prepare_torch(job: Job, settings: NetworkSettings) -> None:
    """Make torch deterministic, with as many threads as the job has processors, and seeded for what is made first."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic (its manual)
    import torch

    from noa_mlops.trainers.fitting import seed_everything

    torch.set_num_threads(job.cpus)
    torch.use_deterministic_algorithms(settings.deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False  # for finding bugs in kernels; costs time
    torch.backends.cudnn.benchmark = False
    seed_everything(job.seed, 0)


def _scale_of(truth: Vector, settings: NetworkSettings) -> Scale:
    from noa_mlops.trainers.network_inputs import Scale

    return Scale.of(truth) if settings.standardize else Scale()


def _fitted(
    job: Job, settings: NetworkSettings, made: Any, data: tuple[Inputs, Vector, Any], scale: Scale | None
) -> Progress:
    from noa_mlops.trainers.fitting import fit
    from noa_mlops.trainers.model_checkpoints import ModelCheckpoints

    given, truth, held = data
    checkpoints = ModelCheckpoints(job.checkpoint, _identity(job, given, truth))

    def tell(epoch: int, metrics: Mapping[str, float]) -> None:
        job.progress(step=epoch, of=settings.epochs, message=f"epoch {epoch}", **metrics)

    learnt, validated = (_rows(given[part], truth[part], scale, made.device) for part in (~held, held))
    return fit(made, learnt, validated, settings, seed=job.seed, checkpoints=checkpoints, tell=tell)


def _rows(given: Inputs, truth: Vector, scale: Scale | None, device: str) -> Rows:
    import torch

    from noa_mlops.trainers.fitting import Rows

    if scale is None:
        wanted = torch.from_numpy(truth.astype("int64"))
    else:
        wanted = torch.from_numpy(((truth - scale.centre) / scale.scale).astype("float32")).unsqueeze(1)
    return Rows(torch.from_numpy(given).to(device), wanted.to(device), scale)


def _identity(job: Job, given: Inputs, truth: Vector) -> bytes:
    """What a training is known by: plan, seed, threads, libraries, code and the numbers that it learns from."""
    from noa_mlops.trainers.model_facts import libraries

    told = {
        "plan": job.plan_digest,
        "hyperparameters": dict(job.params),
        "seed": job.seed,
        "cpus": job.cpus,
        "gpus": job.gpus,
        "libraries": libraries(LIBRARIES),
        "code": {
            str(path.relative_to(job.code)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(job.code.rglob("*"))
            if path.is_file()
        },
    }
    known = hashlib.sha256(canonical(told))
    for array in (given, truth):
        known.update(repr((array.shape, array.dtype)).encode())
        known.update(array.tobytes())
    return known.digest()


def _check_asked(job: Job, facts: Mapping[str, Any]) -> None:
    if facts["task"] != job.task:
        raise JobInvalid(f"the model is for {facts['task']}, the plan asks for {job.task}")
    if list(facts["classes"]) != list(job.classes):
        raise JobInvalid(
            f"the model knows the classes {facts['classes'][:10]}, the plan asks for {list(job.classes[:10])}"
        )


def _facts(
    job: Job,
    settings: NetworkSettings,
    prepared: tuple[Sequence[Encoding], Sequence[Input], Scale | None],
    held: Vector,
    done: Progress,
) -> dict[str, Any]:
    from noa_mlops.trainers import encoding, network_inputs

    encodings, inputs, scale = prepared
    early = settings.patience is not None
    return {
        "profile": job.profile,
        "task": job.task,
        "model": settings.model,
        "hyperparameters": dict(job.params),
        "seed": job.seed,
        "target": job.target,
        "classes": list(job.classes),
        "rows": len(held),
        "validation_rows": int(held.sum()),
        "epochs": done.epoch,
        "epoch": done.best if early else done.epoch,
        "validation": done.best_metrics if early else done.metrics,
        "notes": list(encoding.notes(encodings)),
        "scale": None if scale is None else {"centre": scale.centre, "scale": scale.scale},
        "inputs": network_inputs.inputs_to_document(inputs),
        "columns": encoding.to_document(encodings),
    }


if __name__ == "__main__":
    sys.exit(launch(train, predict))
