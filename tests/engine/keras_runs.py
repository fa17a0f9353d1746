"""Keras runs for the tests, in a process without torch: ``python -m tests.engine.keras_runs``.

With ``first FOLDER`` it trains every experiment to the end and one of them to its first epoch; with
``second FOLDER`` it resumes that one, once from its checkpoint and once from damaged ones.
"""

import json
import sys
from pathlib import Path
from typing import Any

from normlib.engine.interrupted import Interrupted
from normlib.engine.keras import train
from normlib.records import Experiment, Record

SMALL = Experiment(
    dataset="synthetic-gray", width=3, hidden=5, batch_size=32, train_size=80, epochs=3
)
NORMS = ("none", "batch", "layer")
WHOLE = {norm: SMALL.replace(norm=f"tensorflow:{norm}", seed=4) for norm in NORMS}
# One batch and one epoch: the running loss is that of the first step, before the update.
STEP = {
    f"{norm}-step": experiment.replace(epochs=1, train_size=32, batch_size=32)
    for norm, experiment in WHOLE.items()
}
OTHERS = {
    "drop": WHOLE["none"].replace(epochs=1, last_batch="drop"),
    "standard": WHOLE["batch"].replace(epochs=1, input_scaling="standard", norm_eps=0.1),
    "color": WHOLE["layer"].replace(epochs=1, dataset="synthetic-color", validation_size=50),
    "wild": WHOLE["none"].replace(learning_rate=1e30),
}
EXPERIMENTS = WHOLE | STEP | OTHERS
RESUMED = "batch"


def save(name: str, record: Record, folder: Path) -> None:
    (folder / f"{name}.json").write_text(record.to_json())


def first(folder: Path) -> None:
    seen: dict[str, Any] = {}
    for name, experiment in EXPERIMENTS.items():
        epochs: list[Any] = []
        steps: list[Any] = []
        record = train(
            experiment,
            checkpoint=folder / f"{name}.npz",
            on_epoch=lambda epoch, values, epochs=epochs: epochs.append([epoch, values]),
            on_step=lambda *step, steps=steps: steps.append(step),
        )
        save(name, record, folder)
        seen[name] = {"epochs": epochs, "steps": steps}
    seen["modules"] = sorted(sys.modules)
    (folder / "seen.json").write_text(json.dumps(seen))
    try:
        train(EXPERIMENTS[RESUMED], checkpoint=folder / "stopped.npz", should_stop=lambda: True)
    except Interrupted as error:
        (folder / "stopped.txt").write_text(str(error))
    # The last epoch is never interrupted: its record is as good as there.
    save("never", train(STEP["none-step"], should_stop=lambda: True), folder)


def second(folder: Path) -> None:
    epochs: list[int] = []
    path = folder / "stopped.npz"
    content = path.read_bytes()
    experiment = EXPERIMENTS[RESUMED]
    record = train(experiment, checkpoint=path, on_epoch=lambda epoch, _: epochs.append(epoch))
    save("resumed", record, folder)
    save("finished", train(experiment, checkpoint=path), folder)
    # Cut, and of another experiment: neither is gone on from.
    path.write_bytes(content[: len(content) // 2])
    save("cut", train(experiment, checkpoint=path), folder)
    save("foreign", train(experiment, checkpoint=folder / "none.npz"), folder)
    (folder / "resumed-epochs.json").write_text(json.dumps(epochs))


if __name__ == "__main__":
    {"first": first, "second": second}[sys.argv[1]](Path(sys.argv[2]))
