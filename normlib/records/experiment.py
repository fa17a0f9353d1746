"""Everything that decides the result of one training run."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from normlib.records import together
from normlib.records.choices import (
    ALL_NORMS,
    DATASETS,
    MODELS,
    Check,
    ExperimentError,
    choice,
    real,
    suggest,
    whole,
)

PROTOCOL = 1
"""The engine's protocol: raised when the same experiment would give another result."""

CHECKS: dict[str, Check] = {
    "dataset": choice(*DATASETS),
    "input_scaling": choice("unit", "standard"),
    "model": choice(*MODELS),
    "width": whole(1, 65536),
    "hidden": whole(1, 65536),
    "norm": choice(*ALL_NORMS),
    "norm_eps": real(0, above=True, optional=True),
    "norm_groups": whole(1, optional=True),
    "initialization": choice("glorot", "torch", "torchvision", "fixup", "data"),
    "optimizer": choice("sgd", "adam"),
    "learning_rate": real(0, above=True),
    "momentum": real(0, below=1),
    "weight_decay": real(0),
    "schedule": choice("constant"),
    "batch_size": whole(1),
    "last_batch": choice("keep", "drop"),
    "epochs": whole(1),
    "seed": whole(0, 2**53),  # torch's generators take 1000 times as much, and JSON's readers this
    "train_size": whole(1, optional=True),
    "validation_size": whole(0),
    "precision": choice("float32"),
}
LONGEST_NAME = 145
"""Characters of a run's name. A file's holds 255: beside it the key and perhaps a hash, and while
the file is written the host, of at most 64, and the process."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One run: a data set, a network, how it is trained, and a seed.

    Two experiments that are equal give the same result, so they share one ``key``.
    Raises ExperimentError on construction if a field is unknown or out of range, or so many differ
    from their defaults that the run's name does not fit a file's.
    """

    dataset: str = "fashion-mnist"
    input_scaling: str = "unit"  # x / 255; "standard": minus mean, over std, per channel
    model: str = "cnn"  # or "mlp", "vgg", or one of torchvision's ResNets
    width: int = 32  # filters of the first convolution
    hidden: int = 128  # units of the fully connected layer
    norm: str = "none"
    norm_eps: float | None = None  # None: the method's own default
    norm_groups: int | None = None
    initialization: str = "glorot"  # uniform weights, zero biases; others: `initial_arrays`
    optimizer: str = "sgd"  # or "adam": betas 0.9 and 0.999, eps 1e-8
    learning_rate: float = 0.01
    momentum: float = 0.9  # of SGD
    weight_decay: float = 0.0  # times the weight, added to the gradient
    schedule: str = "constant"
    batch_size: int = 100
    last_batch: str = "keep"  # or "drop", if smaller than the others
    epochs: int = 10
    seed: int = 0
    train_size: int | None = None  # None: all images
    validation_size: int = 0  # images held out from the training set
    precision: str = "float32"  # on a GPU convolutions multiply in TF32, as PyTorch has it

    def __post_init__(self) -> None:
        for field, check in CHECKS.items():
            object.__setattr__(self, field, check(field, getattr(self, field)))
        together.check(self)
        if len(self.name) > LONGEST_NAME:
            raise ExperimentError(
                f"the run's name {self.name} has {len(self.name)} characters, and its files' names "
                f"hold {LONGEST_NAME} of them; leave more fields at their defaults"
            )

    @property
    def framework(self) -> str:
        """Who computes it: ``normlib``, ``torch`` or ``tensorflow``."""
        prefix, colon, _ = self.norm.partition(":")
        return prefix if colon else "normlib"

    @property
    def key(self) -> str:
        """16 hexadecimal digits that depend on nothing but the experiment and the protocol.

        Fields at their default are left out, so that a new field changes no key.
        """
        decided = {"protocol": PROTOCOL, "experiment": self.changes()}
        canonical = json.dumps(decided, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """A readable name of the run, fit for a file: what differs, then the seed."""
        shown = self.changes()
        for elsewhere in ("dataset", "model", "norm", "seed"):
            shown.pop(elsewhere, None)
        extra = [f"{field.replace('_', '')}{value}" for field, value in shown.items()]
        return "-".join([self.norm.replace(":", "-"), *extra, f"seed{self.seed:02d}"])

    def changes(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all fields, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the experiment of these fields; an unknown field is an error that names it."""
        if not isinstance(fields, Mapping):
            raise ExperimentError(f"an experiment is an object of fields, not {fields!r:.60}")
        for field in fields:
            if field not in CHECKS:
                raise ExperimentError(
                    f"unknown experiment field {field!r:.60}; {suggest(field, CHECKS)}"
                )
        return cls(**fields)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values in some fields, validated again."""
        return type(self).from_dict(self.to_dict() | changes)
