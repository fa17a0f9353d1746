"""``train``: from an experiment to its record, in PyTorch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from normlib import kernels
from normlib.datasets import INFO, ImageSet, load
from normlib.engine import checkpoint as checkpoints
from normlib.engine.initial import initial_arrays
from normlib.engine.interrupted import Interrupted
from normlib.engine.optimizer import optimizer as optimizer_of
from normlib.engine.order import batch_order
from normlib.engine.portions import Indices, batches, portions
from normlib.engine.processor import processor
from normlib.engine.recording import History, clock, finish, now
from normlib.engine.state import restore, state
from normlib.errors import NormlibError
from normlib.models import build
from normlib.records import Experiment, Record
from normlib.records.fingerprint import code_state, environment

EVALUATION_BATCH = 1000


def train(
    experiment: Experiment,
    *,
    device: str = "cpu",
    threads: int = 1,
    checkpoint: Path | None = None,
    on_epoch: Callable[[int, dict[str, Any]], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    data: tuple[ImageSet, ImageSet] | None = None,
    compiled: bool = False,
) -> Record:
    """Train the network of ``experiment`` and return what happened.

    The images stay on the device as uint8; the batches of an epoch, and what a norm may draw in
    it, depend on seed and epoch alone. The running loss and accuracy of an epoch are averages over
    its images before each update, in training mode; the other values are taken in evaluation
    mode after the epoch's last update, those of the training set over at most REEVALUATED images.

    Args:
        experiment: What to train; its norm is one of normlib's or torch's.
        device: "cpu", "cuda" or "cuda:1".
        threads: Of the CPU; another number gives other last bits.
        checkpoint: File to which the state is saved after each epoch. If it exists and fits,
            the run goes on from it with the result it would have had.
        on_epoch: Called with the epoch, counted from 1, and its values.
        on_step: Called after each update with its number within the epoch and their count.
        should_stop: Asked after each epoch.
        data: Training and test set, loaded if None.
        compiled: Whether the network goes through torch.compile; other last bits, too.

    Raises:
        Interrupted: ``should_stop()`` was true after an epoch; the checkpoint is saved.
        DatasetError: the data are not there, or not what they should be.
        NormlibError: there is no such device.
    """
    code_state()
    with processor(threads), torch.random.fork_rng():
        return _train(
            experiment,
            device,
            threads,
            checkpoint,
            on_epoch,
            on_step,
            should_stop,
            data,
            compiled,
        )


def _train(
    experiment: Experiment,
    device: str,
    threads: int,
    checkpoint: Path | None,
    on_epoch: Callable[[int, dict[str, Any]], None] | None,
    on_step: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
    data: tuple[ImageSet, ImageSet] | None,
    compiled: bool,
) -> Record:
    where = _device(device)
    training, test = data or (load(experiment.dataset, "train"), load(experiment.dataset, "test"))
    parts = portions(experiment, len(training.labels))
    train_set, test_set = _Resident(training, where, experiment), _Resident(test, where, experiment)

    _seed(experiment, epoch=0)  # some norms draw where they start
    model = build(experiment, initial_arrays(experiment))
    model = model.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = optimizer_of(experiment, model.parameters())
    forward: nn.Module = torch.compile(model) if compiled else model  # type: ignore[assignment]

    mode = "compiled" if compiled else "eager"
    versions = _versions(experiment)
    surroundings = environment(
        versions,
        "cpu" if where.type == "cpu" else torch.cuda.get_device_name(where),
        threads,
        mode,
        torch.backends.cpu.get_cpu_capability() if where.type == "cpu" else None,
    )
    engine = f"{versions}, {where.type}, {threads} threads, {mode}"
    history, started, seconds = History(), now(), clock(where.type, threads)
    saved = checkpoints.load(checkpoint, experiment, engine) if checkpoint else None
    if saved:
        restore(model, optimizer, saved.arrays)
        history, started = saved.history, saved.started

    while history.epochs < experiment.epochs and not history.diverged:
        order = parts.train[batch_order(experiment.seed, history.epochs + 1, len(parts.train))]
        todo = batches(order, experiment.batch_size, experiment.last_batch)
        _seed(experiment, history.epochs + 1)
        begin = seconds()
        running = _one_epoch(forward, optimizer, train_set, todo, on_step)
        taken = seconds() - begin
        values = {
            **_named("train", _evaluate(forward, train_set, parts.reevaluated, experiment)),
            "train_loss_running": running[0],
            "train_accuracy_running": running[1],
            **_named("test", _evaluate(forward, test_set, np.arange(len(test.labels)), experiment)),
        }
        if len(parts.validation):
            values["validation_accuracy"] = _evaluate(
                forward, train_set, parts.validation, experiment
            )[1]
        row = history.append(**values, seconds=taken)
        if checkpoint:
            checkpoints.save(
                checkpoint, experiment, engine, state(model, optimizer), history, started
            )
        if on_epoch:
            on_epoch(history.epochs, row)
        if should_stop and should_stop() and history.epochs < experiment.epochs:
            raise Interrupted(
                f"{experiment.name} stopped after epoch {history.epochs} of {experiment.epochs}; "
                "run it again to go on from there"
            )

    return finish(
        experiment,
        history,
        surroundings,
        started,
        dataset={
            "name": training.name,
            "train_sha256": training.sha256,
            "test_sha256": test.sha256,
        },
    )


class _Resident:
    """A data set on the device, as uint8; a batch is gathered and scaled there."""

    def __init__(self, data: ImageSet, device: torch.device, experiment: Experiment) -> None:
        # On a CPU not copied: the pages of a cached file are shared by all workers.
        self.images = torch.as_tensor(data.images, device=device)
        self.labels = torch.as_tensor(data.labels, device=device).long()
        info = INFO[experiment.dataset]
        standard = experiment.input_scaling == "standard"
        mean = [255 * m for m in info.mean] if standard else [0.0] * info.shape[0]
        std = [255 * s for s in info.std] if standard else [255.0] * info.shape[0]
        self.mean = torch.tensor(mean, device=device).view(-1, 1, 1)
        self.std = torch.tensor(std, device=device).view(-1, 1, 1)

    def batch(self, indices: Indices) -> tuple[Tensor, Tensor]:
        chosen = torch.from_numpy(indices).to(self.images.device)
        x = self.images[chosen].float().sub_(self.mean).div_(self.std)
        return x.contiguous(memory_format=torch.channels_last), self.labels[chosen]


def _one_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: _Resident,
    todo: list[Indices],
    on_step: Callable[[int, int], None] | None,
) -> tuple[float, float]:
    """Train on these batches; return loss and accuracy, averaged over images."""
    model.train()
    sums = torch.zeros(2, dtype=torch.float64, device=data.images.device)
    for number, indices in enumerate(todo, start=1):
        x, y = data.batch(indices)
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            sums += torch.stack((loss.double() * len(y), (logits.argmax(1) == y).sum().double()))
        if on_step:
            on_step(number, len(todo))
    total, correct = sums.tolist()
    images = sum(map(len, todo))
    return total / images, correct / images


@torch.no_grad()
def _evaluate(
    model: nn.Module,
    data: _Resident,
    indices: Indices,
    experiment: Experiment,
) -> tuple[float, float]:
    """Return mean loss and accuracy, in evaluation mode, over the images of ``indices``."""
    model.eval()
    # Without running averages the statistics are the batch's, so its size matters.
    by_batch = experiment.norm == "batch-batchstats"
    size = experiment.batch_size if by_batch else EVALUATION_BATCH
    sums = torch.zeros(2, dtype=torch.float64, device=data.images.device)
    for chosen in batches(indices, size):
        x, y = data.batch(chosen)
        logits = model(x)
        loss = F.cross_entropy(logits, y, reduction="sum")
        sums += torch.stack((loss.double(), (logits.argmax(1) == y).sum().double()))
    total, correct = sums.tolist()
    return total / len(indices), correct / len(indices)


def _seed(experiment: Experiment, epoch: int) -> None:
    """Seed torch's generator anew, so that an epoch draws the same after an interruption."""
    torch.manual_seed(1000 * experiment.seed + epoch)


def _versions(experiment: Experiment) -> dict[str, str]:
    """Return the versions of everything that computes, or says what is computed."""
    versions = {"torch": str(torch.__version__)}
    if experiment.model != "cnn":
        import torchvision  # takes seconds, and only ResNets need it

        versions["torchvision"] = str(torchvision.__version__)
    if experiment.framework == "normlib" and experiment.norm != "none" and kernels.VERSION:
        versions["numba"] = kernels.VERSION
    return versions


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise NormlibError(
            f"device {name!r} cannot be used ({str(error).splitlines()[0]}); choose cpu"
        ) from error
    if device.type == "cuda":
        # The same kernels every time; the fastest for a shape may differ between runs.
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
    return device


def _named(part: str, values: tuple[float, float]) -> dict[str, float]:
    return {f"{part}_loss": values[0], f"{part}_accuracy": values[1]}
