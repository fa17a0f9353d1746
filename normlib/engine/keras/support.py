"""Which experiments the Keras engine can run; all others are refused, never run differently."""

from typing import Any

from normlib.errors import NormlibError
from normlib.records import Experiment

SUPPORTED: dict[str, tuple[Any, ...]] = {
    "model": ("cnn",),
    "norm": ("tensorflow:none", "tensorflow:batch", "tensorflow:layer"),
    "norm_groups": (None,),
    "initialization": ("glorot",),
    "optimizer": ("sgd",),
    # torch adds the decay to the gradient, Keras takes it from the weights: not the same run.
    "weight_decay": (0.0,),
    "schedule": ("constant",),
    "precision": ("float32",),
}
FREE = (
    "dataset",
    "input_scaling",
    "width",
    "hidden",
    "norm_eps",
    "learning_rate",
    "momentum",
    "batch_size",
    "last_batch",
    "epochs",
    "seed",
    "train_size",
    "validation_size",
)


class UnsupportedError(NormlibError, ValueError):
    """An experiment, or a device, that the Keras engine does not know how to run."""


def check(experiment: Experiment, device: str = "cpu") -> None:
    """Raise UnsupportedError unless every field has a value that this engine honours.

    A field that is in neither table (one added later, say) is refused too, unless at its default.
    """
    if device != "cpu":
        raise UnsupportedError(
            f"device={device!r} is not supported by the Keras engine; use device='cpu'"
        )
    changed = experiment.changes()
    for field, value in experiment.to_dict().items():
        if field in FREE or value in SUPPORTED.get(field, ()):
            continue
        if field not in SUPPORTED and field not in changed:
            continue
        choices = " or ".join(map(repr, SUPPORTED.get(field, ("its default",))))
        raise UnsupportedError(
            f"{field}={value!r} is not supported by the Keras engine; use {choices}, "
            "or one of normlib's or torch's norms"
        )
