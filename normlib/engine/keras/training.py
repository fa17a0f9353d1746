"""``train`` for experiments whose norm is one of Keras's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from normlib.datasets import ImageSet, load
from normlib.engine import checkpoint as checkpoints
from normlib.engine.interrupted import after
from normlib.engine.keras import runtime
from normlib.engine.keras.network import Trainer
from normlib.engine.keras.support import check
from normlib.engine.order import batch_order
from normlib.engine.portions import EVALUATION_BATCH, Indices, batches, portions
from normlib.engine.recording import History, clock, finish, named, now
from normlib.records import Experiment, Record
from normlib.records.fingerprint import code_state, environment, place

MODE = "tf.function, deterministic"


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
) -> Record:
    """Train Keras's network as ``normlib.engine.train`` trains ours, and return the record.

    Same initial arrays, batch order, loss and evaluation; Keras's layers, their defaults and its
    SGD (``v = m v - lr g; w = w + v``, torch's update at a constant learning rate).

    ``on_epoch(epoch, values)`` and ``on_step(step, steps)`` report progress, both counted from 1.
    With ``checkpoint`` the state is saved after each epoch, and an earlier one of the same
    environment is gone on from with the result it would have had; ``on_begin(epochs, ignored)``
    says how many epochs it brings, and why one is ignored. ``data`` is (training set, test set),
    loaded if None.

    Raises Interrupted after an epoch, once saved, if ``should_stop()``; UnsupportedError for an
    experiment or device it does not know; RuntimeSetupError beside torch or without TensorFlow.
    """
    check(experiment, device)
    code_state()
    training, test = data or (load(experiment.dataset, "train"), load(experiment.dataset, "test"))
    parts = portions(experiment, len(training.labels))
    tf, keras = runtime.start(threads)
    keras.utils.clear_session()  # a worker trains one run after another
    trainer = Trainer(tf, keras, experiment)
    step, evaluate = trainer.steps(training)
    _, evaluate_test = trainer.steps(test)

    versions = {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
    surroundings = environment(versions, "cpu", threads, MODE)
    engine = place(surroundings)
    history, started, seconds = History(), now(), clock(device, threads)
    saved = checkpoints.load(checkpoint, experiment, engine, on_begin)
    if saved:
        trainer.restore(saved.arrays)
        history, started = saved.history, saved.started

    while history.epochs < experiment.epochs and not history.diverged:
        order = parts.train[batch_order(experiment.seed, history.epochs + 1, len(parts.train))]
        begin = seconds()
        running = _one_epoch(step, order, experiment, on_step)
        taken = seconds() - begin
        values = {
            **named("train", _evaluate(evaluate, parts.reevaluated)),
            "train_loss_running": running[0],
            "train_accuracy_running": running[1],
            **named("test", _evaluate(evaluate_test, np.arange(len(test.labels)))),
        }
        if len(parts.validation):
            values["validation_accuracy"] = _evaluate(evaluate, parts.validation)[1]
        row = history.append(**values, seconds=taken)
        if checkpoint:
            checkpoints.save(checkpoint, experiment, engine, trainer.state(), history, started)
        if on_epoch:
            on_epoch(history.epochs, row)
        if should_stop and should_stop() and history.epochs < experiment.epochs:
            raise after(history.epochs, experiment)

    return finish(experiment, history, surroundings, started, data=(training, test))


def _one_epoch(
    step: Any,
    order: Indices,
    experiment: Experiment,
    on_step: Callable[[int, int], None] | None,
) -> tuple[float, float]:
    """Train on one epoch; return loss and accuracy, averaged over images, before each update."""
    todo = batches(order, experiment.batch_size, experiment.last_batch)
    results = []
    for number, indices in enumerate(todo, start=1):
        results.append(step(indices))
        if on_step:
            on_step(number, len(todo))
    sizes = [len(indices) for indices in todo]
    losses, correct = zip(*results, strict=True)
    loss = float(np.average(np.array(losses, np.float64), weights=sizes))
    return loss, sum(map(int, correct)) / sum(sizes)


def _evaluate(function: Any, indices: Indices) -> tuple[float, float]:
    """Return mean loss and accuracy, in inference mode, over the images of ``indices``."""
    results = [function(batch) for batch in batches(indices, EVALUATION_BATCH)]
    losses, correct = zip(*results, strict=True)
    return sum(map(float, losses)) / len(indices), sum(map(int, correct)) / len(indices)
