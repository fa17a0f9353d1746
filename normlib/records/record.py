"""What one training run left behind, as one JSON file."""

import json
from dataclasses import dataclass, field
from typing import Any, Self

from normlib.records import schema, strictjson
from normlib.records.choices import ExperimentError
from normlib.records.experiment import Experiment
from normlib.records.schema import SCHEMA, RecordError

History = dict[str, list[Any]]


@dataclass(frozen=True, kw_only=True)
class Record:
    """The result of one run and all that is needed to trust or repeat it.

    ``history`` holds one list per quantity with one value per epoch: accuracies in 0..1, losses
    in nats, ``seconds`` of training, None where a value was not finite. ``started`` and
    ``finished`` are ISO 8601 times with an offset. ``arrays`` names an ``.npz`` file beside the
    record, its sha256 and the probes that left it, if any did; ``packed`` is the content of that
    file until the store has it. Raises RecordError on construction.
    """

    experiment: Experiment
    history: History
    dataset: dict[str, str]
    environment: dict[str, Any]
    code: dict[str, Any]
    started: str
    finished: str
    status: str = "finished"  # or "diverged": stopped where the loss was no longer finite
    arrays: dict[str, Any] | None = None
    schema: int = SCHEMA
    key: str = ""  # filled in from the experiment
    packed: bytes | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", self.experiment.key)
        schema.validate(self.to_dict(), self.experiment)

    @property
    def results(self) -> History:
        """The histories that a repetition must reproduce: all but ``seconds``."""
        return {name: values for name, values in self.history.items() if name != "seconds"}

    @property
    def probes(self) -> tuple[str, ...]:
        """The probes that left arrays beside it."""
        return tuple((self.arrays or {}).get("probes", ()))

    @property
    def seconds(self) -> float:
        """Seconds spent on training, over all epochs."""
        return float(sum(self.history["seconds"]))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data, in the order in which it is written."""
        fields = {name: getattr(self, name) for name in schema.FIELDS}
        return fields | {"experiment": self.experiment.to_dict()}

    def to_json(self) -> str:
        """Return the record as JSON, one line per top-level field and history."""
        return schema.layout(self.to_dict())

    @classmethod
    def from_json(cls, content: str | bytes) -> Self:
        """Return the record that ``content`` spells, or raise RecordError with the reason."""
        try:
            found = strictjson.parse(content.encode() if isinstance(content, str) else content)
        except ValueError as error:
            raise RecordError(f"it {error}") from None
        return cls.from_dict(found)

    @classmethod
    def from_dict(cls, found: Any) -> Self:
        """Return the record of these plain fields, or raise RecordError with the reason."""
        schema.check_fields(found)
        try:
            experiment = Experiment.from_dict(found["experiment"])
        except ExperimentError as error:
            raise RecordError(f"its experiment is wrong: {error}") from None
        return cls(**found | {"experiment": experiment})


def canonical(value: Any) -> str:
    """Return one spelling of plain data, to compare it bit by bit (-0.0 is not 0.0)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
