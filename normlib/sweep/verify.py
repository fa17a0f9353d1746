"""Recorded runs trained again, to see whether they come out the same."""

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from normlib.records import Record, Store
from normlib.records.arrays import Arrays
from normlib.records.fingerprint import changes
from normlib.records.record import canonical
from normlib.records.store import repeatable, same_place
from normlib.sweep.local import compute
from normlib.sweep.loop import Outcome

ACCURACY_TOLERANCE = 0.02
"""Where no bits are promised: largest absolute difference of an accuracy at any epoch."""
LOSS_TOLERANCE = 0.1
"""Where no bits are promised: largest absolute difference of a loss, in nats."""


@dataclass(frozen=True)
class Verdict:
    """Whether a repetition agreed with its record, and in which words."""

    name: str
    agrees: bool
    words: str

    def __str__(self) -> str:
        return f"{'agrees' if self.agrees else 'DIFFERS'}  {self.name}: {self.words}"


def sample(records: Iterable[Record], count: int, salt: str) -> list[Record]:
    """Return ``count`` records chosen by the sha256 of salt and key, so that nobody picks them."""

    def draw(record: Record) -> str:
        return hashlib.sha256(f"{salt}/{record.key}".encode()).hexdigest()

    return sorted(records, key=draw)[:count]


def verify(
    records: list[Record],
    *,
    workers: int | None = None,
    trainer: str | None = None,
    among: Store | None = None,
) -> tuple[list[Verdict], Outcome]:
    """Train ``records`` again, each in a fresh process, and compare all histories but seconds.

    Arrays of probes are measured again, and compared with those in the store ``among``.
    """
    verdicts = []
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="normlib-verify-") as folder:
        store = Store([], Path(folder, "runs"))
        for device, threads, probes in sorted({_resources(record) for record in records}):
            alike = [one for one in records if _resources(one) == (device, threads, probes)]
            part = compute(
                [record.experiment for record in alike],
                store,
                workers=workers,
                device=device,
                threads=threads,
                trainer=trainer,
                waiting=Path(folder, "checkpoints"),
                reuse=False,
                probes=probes,
            )
            outcome.failures += part.failures
            outcome.left += part.left
            for record in alike:
                again = store.find(record.experiment, record.probes)
                if again is None:
                    continue
                arrays = (
                    (among.arrays_of(record), store.arrays_of(again))
                    if among is not None and record.probes
                    else None
                )
                verdicts.append(compare(record, again, arrays))
    return verdicts, outcome


def compare(record: Record, again: Record, arrays: tuple[Arrays, Arrays] | None = None) -> Verdict:
    """Compare a record with its repetition: bit by bit where that is promised, else within bounds.

    Promised for normlib and torch on a CPU with the same version of torch, processor, instruction
    set, threads and engine mode. ``arrays`` are those of both; elsewhere they may differ. What a
    probe measured now that did not measure then has nothing to be compared with.
    """
    here = same_place(record) == same_place(again)
    bitwise = here and repeatable(record)
    where = "the same environment" if here else _elsewhere(record, again)
    if canonical(record.dataset) != canonical(again.dataset):
        return Verdict(record.experiment.name, False, "it was computed on other data")
    if record.status != again.status or len(record.history["epoch"]) != len(again.history["epoch"]):
        return Verdict(record.experiment.name, False, f"{record.status} then, {again.status} now")
    if bitwise and arrays is not None and not _equal(*arrays, record.probes):
        words = "other arrays, but bitwise equality is promised"
        return Verdict(record.experiment.name, False, words)
    if canonical(record.results) == canonical(again.results):
        return Verdict(record.experiment.name, True, f"bitwise equal, in {where}")
    worst, agrees = _differences(record, again)
    if bitwise:
        return Verdict(record.experiment.name, False, f"{worst}, but bitwise equality is promised")
    bounds = f"accuracies within {ACCURACY_TOLERANCE}, losses within {LOSS_TOLERANCE}"
    verdict = f"{worst}, in {where} ({bounds} are promised)"
    return Verdict(record.experiment.name, agrees, verdict)


def _differences(record: Record, again: Record) -> tuple[str, bool]:
    """Return words for the largest differences, and whether all are within their tolerance."""
    agrees = True
    largest = {"accuracy": (0.0, "nowhere"), "loss": (0.0, "nowhere")}
    for name, values in record.results.items():
        kind = "accuracy" if "accuracy" in name else "loss"
        bound = ACCURACY_TOLERANCE if kind == "accuracy" else LOSS_TOLERANCE
        for at, (then, now) in enumerate(zip(values, again.history[name], strict=True)):
            if then is None or now is None:
                agrees = agrees and then is now
                continue
            difference = abs(then - now)
            agrees = agrees and difference <= bound
            if difference > largest[kind][0]:
                largest[kind] = (difference, f"{name} at epoch {at + 1}")
    words = [f"{kind} differs by up to {by:.2g} ({at})" for kind, (by, at) in largest.items() if by]
    return " and ".join(words) or "null values differ", agrees


def _elsewhere(record: Record, again: Record) -> str:
    return f"another environment: {changes(same_place(record), same_place(again))}"


def _equal(then: Arrays, now: Arrays, probes: Sequence[str]) -> bool:
    now = {name: now[name] for name in now if name.partition("/")[0] in probes}
    return then.keys() == now.keys() and all(
        np.array_equal(array, now[name], equal_nan=array.dtype.kind == "f")
        for name, array in then.items()
    )


def _resources(record: Record) -> tuple[str, int, tuple[str, ...]]:
    device = record.environment["device"]
    kind = "cpu" if device == "cpu" else "cuda"
    return kind, record.environment["threads"], record.probes
