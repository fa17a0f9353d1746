"""``train``: from an experiment to its record, in PyTorch."""

import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from normlib import kernels
from normlib.datasets import ImageSet, load
from normlib.engine import checkpoint as checkpoints
from normlib.engine.captured import UNCAPTURED, Captured
from normlib.engine.device import usable
from normlib.engine.initial import initial_arrays
from normlib.engine.interrupted import after
from normlib.engine.lane import Lane
from normlib.engine.optimizer import Optimizer
from normlib.engine.order import batch_order
from normlib.engine.portions import EVALUATION_BATCH, Indices, Portions, batches, portions
from normlib.engine.probes import Probes
from normlib.engine.processor import TF32, processor
from normlib.engine.recording import History, clock, finish, named, now
from normlib.engine.resident import Resident
from normlib.engine.state import restore, state
from normlib.layers import initialize_from_data
from normlib.models import build
from normlib.records import Experiment, Record
from normlib.records.choices import RESNETS
from normlib.records.fingerprint import code_state, environment, place

SMALLER_EVALUATION_BATCH = 200
"""Of a ResNet on a CPU: a tenth slower to evaluate, and its worker needs a quarter less memory."""


def train(
    experiment: Experiment,
    *,
    device: str = "cpu",
    threads: int = 1,
    checkpoint: Path | None = None,
    on_begin: Callable[[int, str], None] | None = None,
    on_epoch: Callable[[int, dict[str, Any]], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    data: tuple[ImageSet, ImageSet] | None = None,
    compiled: bool = False,
    probes: Sequence[str] = (),
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
        checkpoint: File to which the state is saved after each epoch. If it exists and fits, and
            comes from the same versions, model of processor, device, threads and probes, the run
            goes on from it with the result it would have had.
        on_begin: Called with the number of epochs that the checkpoint brings, and why one that is
            there is ignored ("" if none is), which otherwise a line on stderr says.
        on_epoch: Called with the epoch, counted from 1, and its values.
        on_step: Called after each update with its number within the epoch and their count.
        should_stop: Asked after each epoch.
        data: Training and test set, loaded if None.
        compiled: Whether the network goes through torch.compile; other last bits, too.
        probes: Names of `engine.probes`: what to measure on the way; no bit changes.

    Raises:
        Interrupted: ``should_stop()`` was true after an epoch; the checkpoint is saved.
        DatasetError: the data are not there, or not what they should be.
        NormlibError: there is no such device, no such probe, or it cannot measure this run.
    """
    code_state()
    where = usable(device)
    with processor(threads, where), torch.random.fork_rng():
        run = steps(
            experiment,
            where,
            threads=threads,
            checkpoint=checkpoint,
            on_begin=on_begin,
            on_epoch=on_epoch,
            on_step=on_step,
            should_stop=should_stop,
            data=data,
            compiled=compiled,
            probes=Probes(probes, experiment),
        )
        lane = Lane(run, where)
        while (record := lane.advance()) is None:
            pass
        return record


def steps(
    experiment: Experiment,
    where: torch.device,
    *,
    threads: int = 1,
    checkpoint: Path | None = None,
    checkpoint_every: float = 0.0,
    on_begin: Callable[[int, str], None] | None = None,
    on_epoch: Callable[[int, dict[str, Any]], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    data: tuple[ImageSet, ImageSet] | None = None,
    compiled: bool = False,
    probes: Probes | None = None,
    seconds: Callable[[], float] | None = None,
) -> Generator[None, None, Record]:
    """Do what `train` does, one update between two yields, so that several runs can take turns.

    Args: as of `train`, for whoever has set the processor and gives each run a `Lane`, and

        where: The device.
        checkpoint_every: Seconds between two checkpoints; at a stop one is saved in any case.
        seconds: The clock for an epoch's ``seconds``; None for that of a run alone.
    """
    probes = probes or Probes((), experiment)
    training, test = data or (load(experiment.dataset, "train"), load(experiment.dataset, "test"))
    parts = portions(experiment, len(training.labels))
    train_set, test_set = Resident(training, where, experiment), Resident(test, where, experiment)
    model = _network(experiment, where, train_set, parts)
    optimizer = Optimizer(experiment, model.parameters())
    # torch.compile's stubs return a callable, not the module it is.
    forward: nn.Module = torch.compile(model) if compiled else model  # type: ignore[assignment]
    sums = torch.zeros(2, dtype=torch.float64, device=where)
    update: Callable[[Tensor], None] = _updating(forward, optimizer, train_set, sums)
    mode = _mode(experiment, where, compiled, probes)
    if mode == "captured":
        update = Captured(update, experiment.batch_size)

    surroundings = _surroundings(experiment, where, threads, mode)
    # With the probes, so that no state without their arrays is gone on from.
    engine = {**place(surroundings), "probes": " ".join(probes.names)}
    history, started, saved_at = History(), now(), time.monotonic()
    seconds = seconds or clock(where.type, threads)
    saved = checkpoints.load(checkpoint, experiment, engine, on_begin)
    if saved:
        restore(model, optimizer, saved.arrays)
        probes.restore(saved.arrays)
        history, started = saved.history, saved.started
    del saved  # or the arrays of the network would lie beside it to the end

    def save() -> None:
        nonlocal saved_at
        if checkpoint:
            arrays = state(model, optimizer) | probes.state()
            checkpoints.save(checkpoint, experiment, engine, arrays, history, started)
            saved_at = time.monotonic()

    while history.epochs < experiment.epochs and not history.diverged:
        order = parts.train[batch_order(experiment.seed, history.epochs + 1, len(parts.train))]
        todo = batches(order, experiment.batch_size, experiment.last_batch)
        _seed(experiment, history.epochs + 1)
        watched = probes.watching(on_step, model, history.epochs + 1, todo, train_set.batch, sums)
        begin = seconds()
        model.train()
        running = yield from _one_epoch(update, sums, todo, watched)
        taken = seconds() - begin  # with what probes measured between the updates
        optimizer.zero_grad()  # leaves the gradients' memory to the evaluation
        values = _evaluated(forward, train_set, test_set, parts, running, experiment)
        row = history.append(**values, seconds=taken)
        due = time.monotonic() - saved_at >= checkpoint_every
        if due:
            save()
        if on_epoch:
            on_epoch(history.epochs, row)
        if should_stop and should_stop() and history.epochs < experiment.epochs:
            if not due:
                save()
            raise after(history.epochs, experiment)

    return finish(
        experiment,
        history,
        surroundings,
        started,
        data=(training, test),
        probes=probes.names,
        arrays=probes.arrays(),
    )


def _network(
    experiment: Experiment, where: torch.device, data: Resident, parts: Portions
) -> nn.Module:
    """Return the network on its device, as it is before its first update."""
    _seed(experiment, epoch=0)  # some norms draw where they start
    model: nn.Module = build(experiment, initial_arrays(experiment))
    # torch's stubs have no overload of `to` with a memory format.
    model = model.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if experiment.initialization == "data":
        first = batch_order(experiment.seed, 1, len(parts.train))[: experiment.batch_size]
        initialize_from_data(model.train(), data.batch(parts.train[first])[0])
    return model


def _surroundings(
    experiment: Experiment, where: torch.device, threads: int, mode: str
) -> dict[str, Any]:
    """Return the environment of a record that is computed here."""
    on_cpu = where.type == "cpu"
    surroundings = environment(
        _versions(experiment),
        "cpu" if on_cpu else torch.cuda.get_device_name(where),
        threads,
        mode,
        torch.backends.cpu.get_cpu_capability() if on_cpu else None,
    )
    return surroundings if on_cpu else {**surroundings, "tf32": TF32}


def _mode(experiment: Experiment, where: torch.device, compiled: bool, probes: Probes) -> str:
    """Return how updates are made: "compiled", "captured" as a CUDA graph, or "eager"."""
    if compiled:
        return "compiled"
    waits = bool(probes.names) or experiment.norm in UNCAPTURED
    return "captured" if where.type == "cuda" and not waits else "eager"


def _updating(
    model: nn.Module, optimizer: Optimizer, data: Resident, sums: Tensor
) -> Callable[[Tensor], None]:
    """Return what makes one update from the images of these indices.

    It adds their loss and how many were right, both from before the update, to ``sums``.
    """

    def update(chosen: Tensor) -> None:
        optimizer.zero_grad()  # first, so that old gradients and activations never meet in memory
        x, y = data.at(chosen)
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            sums.add_(torch.stack((loss.double() * len(y), (logits.argmax(1) == y).sum().double())))

    return update


def _one_epoch(
    update: Callable[[Tensor], None],
    sums: Tensor,
    todo: list[Indices],
    on_step: Callable[[int, int], None] | None,
) -> Generator[None, None, tuple[float, float]]:
    """Train on these batches; return loss and accuracy, averaged over images."""
    sums.zero_()
    order = torch.from_numpy(np.concatenate(todo)).to(sums.device)
    for number, chosen in enumerate(order.split([len(batch) for batch in todo]), start=1):
        update(chosen)
        if on_step:
            on_step(number, len(todo))
        yield
    total, correct = sums.tolist()
    return total / len(order), correct / len(order)


def _evaluated(
    model: nn.Module,
    train_set: Resident,
    test_set: Resident,
    parts: Portions,
    running: tuple[float, float],
    experiment: Experiment,
) -> dict[str, float]:
    """Return the values of an epoch, its ``running`` loss and accuracy among them, by name."""
    everything = np.arange(len(test_set.labels))
    values = {
        **named("train", _evaluate(model, train_set, parts.reevaluated, experiment)),
        "train_loss_running": running[0],
        "train_accuracy_running": running[1],
        **named("test", _evaluate(model, test_set, everything, experiment)),
    }
    if len(parts.validation):
        values["validation_accuracy"] = _evaluate(model, train_set, parts.validation, experiment)[1]
    return values


@torch.no_grad()
def _evaluate(
    model: nn.Module,
    data: Resident,
    indices: Indices,
    experiment: Experiment,
) -> tuple[float, float]:
    """Return mean loss and accuracy, in evaluation mode, over the images of ``indices``."""
    model.eval()
    # Without running averages the statistics are the batch's, so its size matters.
    if experiment.norm == "batch-batchstats":
        size = experiment.batch_size
    elif experiment.model not in RESNETS or data.images.device.type != "cpu":
        size = EVALUATION_BATCH
    else:
        size = SMALLER_EVALUATION_BATCH
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
    if experiment.model in RESNETS:
        import torchvision  # takes seconds, and only ResNets need it

        versions["torchvision"] = str(torchvision.__version__)
    if experiment.framework == "normlib" and experiment.norm != "none" and kernels.VERSION:
        versions["numba"] = kernels.VERSION
    return versions
