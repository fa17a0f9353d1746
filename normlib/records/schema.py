"""The record's schema: which fields there are, and what each may hold."""

import datetime
import json
import math
import re
from collections.abc import Callable
from typing import Any

from normlib.errors import NormlibError
from normlib.records.choices import suggest
from normlib.records.experiment import Experiment


class RecordError(NormlibError, ValueError):
    """A record that is not valid; the message starts with what is wrong in it."""


SCHEMA = 1
FIELDS = (
    "schema",
    "key",
    "status",
    "experiment",
    "history",
    "dataset",
    "environment",
    "code",
    "started",
    "finished",
    "arrays",
)
STATUSES = ("finished", "diverged")
ACCURACIES = ("train_accuracy", "train_accuracy_running", "test_accuracy", "validation_accuracy")
LOSSES = ("train_loss", "train_loss_running", "test_loss")
REQUIRED = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "train_loss_running",
    "train_accuracy_running",
    "test_loss",
    "test_accuracy",
    "seconds",
)
OPTIONAL = ("validation_accuracy",)
ENVIRONMENT = ("python", "platform", "cpu", "instruction_set", "device", "threads", "mode")
CODE = ("version", "commit", "dirty", "sha256")
DATASET = ("name", "train_sha256", "test_sha256")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.npz")


def check_fields(found: Any) -> None:
    """Raise RecordError unless ``found`` is an object with exactly a record's fields."""
    if not isinstance(found, dict):
        raise RecordError(f"it is no record but a JSON {type(found).__name__}")
    if "schema" not in found or "experiment" not in found:
        raise RecordError("it is JSON of another kind, not a record (no 'schema', 'experiment')")
    version = found["schema"]
    if not _integer(version) or version != SCHEMA:
        raise RecordError(
            f"its schema is {version!r:.40}, and this normlib reads schema {SCHEMA}; "
            "use the normlib that wrote it"
        )
    _exactly(found, FIELDS, "field")


def validate(found: dict[str, Any], experiment: Experiment) -> None:
    """Raise RecordError unless every field of ``found`` fits ``experiment`` and its ranges."""
    check_fields(found)
    if found["key"] != experiment.key:
        raise RecordError(
            f"its key {found['key']!r:.40} is not that of its experiment ({experiment.key}); "
            "it was edited, or written under another protocol"
        )
    if found["status"] not in STATUSES:
        raise RecordError(
            f"its status is {found['status']!r:.40}; {suggest(found['status'], STATUSES)}"
        )
    _history(found["history"], experiment, found["status"])
    _dataset(found["dataset"], experiment)
    _environment(found["environment"])
    _code(found["code"])
    _times(found["started"], found["finished"])
    _arrays(found["arrays"])


def layout(found: dict[str, Any]) -> str:
    """Return JSON that a person and ``git diff`` can read: a line per field and per history."""
    lines = []
    for name, value in found.items():
        if name == "history":
            rows = [f"    {json.dumps(k)}: {_dump(v)}" for k, v in value.items()]
            lines.append('  "history": {\n' + ",\n".join(rows) + "\n  }")
        else:
            lines.append(f"  {json.dumps(name)}: {_dump(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _dump(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _history(history: Any, experiment: Experiment, status: str) -> None:
    _object(history, "history")
    _exactly(history, REQUIRED, "history", OPTIONAL)
    if ("validation_accuracy" in history) != (experiment.validation_size > 0):
        raise RecordError(
            "its history has validation_accuracy exactly if validation_size is above 0, "
            f"which is {experiment.validation_size}"
        )
    for name, values in history.items():
        if not isinstance(values, list):
            raise RecordError(f"its history {name} is {values!r:.40} instead of a list")
    epochs = history["epoch"]
    if epochs != list(range(1, len(epochs) + 1)) or not all(map(_integer, epochs)):
        raise RecordError(f"its epochs do not count from 1: {epochs!r:.60}")
    for name, values in history.items():
        if len(values) != len(epochs):
            raise RecordError(
                f"its history {name} has {len(values)} values for {len(epochs)} epochs"
            )
    least = experiment.epochs if status == "finished" else 1
    if not least <= len(epochs) <= experiment.epochs:
        raise RecordError(
            f"it is {status} with {len(epochs)} of {experiment.epochs} epochs in its history"
        )
    for name, values in history.items():
        for epoch, value in zip(epochs, values, strict=True):
            if not _HISTORY[name](value, status):
                raise RecordError(
                    f"its history {name} has {value!r:.40} at epoch {epoch}; it must be "
                    f"{_WANTED.get(name, 'a number of at least 0')}"
                )
    null = any(value is None for values in history.values() for value in values)
    if null != (status == "diverged"):
        raise RecordError(
            f"it is {status} with {'a' if null else 'no'} null in its history; a run is diverged "
            "exactly if a value was not finite"
        )


def _accuracy(value: Any, status: str) -> bool:
    return (value is None and status == "diverged") or (_number(value) and 0 <= value <= 1)


def _loss(value: Any, status: str) -> bool:
    return value is None or (_number(value) and value >= 0)


def _positive(value: Any, status: str) -> bool:
    return _number(value) and value >= 0


_HISTORY: dict[str, Callable[[Any, str], bool]] = (
    dict.fromkeys(ACCURACIES, _accuracy)
    | dict.fromkeys(LOSSES, _loss)
    | {"seconds": _positive, "epoch": _positive}
)
_WANTED = dict.fromkeys(ACCURACIES, "a number in 0..1") | dict.fromkeys(
    LOSSES, "a number of at least 0, or null"
)


def _dataset(dataset: Any, experiment: Experiment) -> None:
    _object(dataset, "dataset")
    _exactly(dataset, DATASET, "dataset")
    if dataset["name"] != experiment.dataset:
        raise RecordError(
            f"its dataset is {dataset['name']!r:.40}, that of its experiment {experiment.dataset!r}"
        )
    for name in ("train_sha256", "test_sha256"):
        _sha256(dataset[name], f"dataset {name}")


def _environment(environment: Any) -> None:
    _object(environment, "environment")
    for name in ENVIRONMENT:
        if name not in environment:
            raise RecordError(f"its environment lacks {name!r}")
    for name, value in environment.items():
        if name != "threads" and not (isinstance(value, str) and value):
            raise RecordError(f"its environment {name} is {value!r:.40} instead of a text")
    threads = environment["threads"]
    if not _integer(threads) or threads < 1:
        raise RecordError(f"its environment threads is {threads!r:.40}, not a number of threads")


def _code(code: Any) -> None:
    _object(code, "code")
    _exactly(code, CODE, "code")
    if not isinstance(code["version"], str):
        raise RecordError(f"its code version is {code['version']!r:.40} instead of a text")
    if not (code["commit"] is None or isinstance(code["commit"], str)):
        raise RecordError(f"its code commit is {code['commit']!r:.40}, not a text or null")
    if not (code["dirty"] is None or isinstance(code["dirty"], bool)):
        raise RecordError(f"its code dirty is {code['dirty']!r:.40}, not true, false or null")
    _sha256(code["sha256"], "code sha256")


def _times(started: Any, finished: Any) -> None:
    begin, end = _time(started, "started"), _time(finished, "finished")
    if end < begin:
        raise RecordError(f"it finished ({finished}) before it started ({started})")


def _time(text: Any, name: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise RecordError(f"its {name} is {text!r:.40}, not an ISO 8601 time") from None
    if moment.tzinfo is None:
        raise RecordError(f"its {name} {text} has no offset from UTC")
    return moment


def _arrays(arrays: Any) -> None:
    if arrays is None:
        return
    _object(arrays, "arrays")
    _exactly(arrays, ("file", "sha256"), "arrays", ("probes",))
    # The name alone, never a path: a record must not point outside its own folder.
    if not (isinstance(arrays["file"], str) and _FILE.fullmatch(arrays["file"])):
        raise RecordError(f"its arrays file {arrays['file']!r:.60} is not the name of an .npz file")
    _sha256(arrays["sha256"], "arrays sha256")
    probes = arrays.get("probes", [])
    if not (isinstance(probes, list) and all(isinstance(name, str) for name in probes)):
        raise RecordError(f"its arrays probes are {probes!r:.60}, not a list of names")


def _sha256(text: Any, name: str) -> None:
    if not (isinstance(text, str) and _SHA256.fullmatch(text)):
        raise RecordError(f"its {name} is {text!r:.40}, not 64 hexadecimal digits")


def _object(value: Any, name: str) -> None:
    if not isinstance(value, dict):
        raise RecordError(f"its {name} is {value!r:.40} instead of an object")


def _exactly(
    found: dict[str, Any], names: tuple[str, ...], what: str, optional: tuple[str, ...] = ()
) -> None:
    for name in names:
        if name not in found:
            raise RecordError(f"it lacks the {what} {name!r}")
    for name in found:
        if name not in names + optional:
            raise RecordError(
                f"it has the unknown {what} {name!r:.60}; {suggest(name, names + optional)}"
            )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
