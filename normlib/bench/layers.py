"""Our layers against ``torch.nn``'s: time forward and backward, and bytes saved for backward."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from normlib.bench import compiler, processes
from normlib.bench.layer_process import Name
from normlib.bench.result import Result, less_is_better
from normlib.bench.timing import geometric_mean
from normlib.sweep.process import surroundings

LAYERS = ("BatchNorm2d", "LayerNorm", "GroupNorm", "InstanceNorm2d")
SHAPES = ((100, 32, 28, 28), (50, 64, 16, 16), (50, 256, 8, 8))
GOALS = {"eager": 1 / 1.5, "compiled": 1 / 1.1}
"""At most 1.5 times torch.nn's time eager, at most 1.1 times under torch.compile."""
PAIRS = 30


@dataclass(frozen=True)
class Case:
    """One layer on one shape in one mode, and what `layer_process` measured."""

    layer: str
    shape: tuple[int, ...]
    mode: str
    ours: float
    peer: float
    again: float
    ours_bytes: float
    peer_bytes: float


def measure(
    layer: str, shape: tuple[int, ...], mode: str, *, pairs: int = PAIRS, ours: str = "normlib"
) -> Case:
    """Return the case, measured by a fresh process of one thread."""
    return timed(layer, (ours, layer), ("torch.nn", layer), shape, mode, pairs)


def timed(name: str, ours: Name, peer: Name, shape: tuple[int, ...], mode: str, pairs: int) -> Case:
    """Return ``ours`` beside ``peer``, each a namespace and a layer, under the given name."""
    job = {
        "ours": ours,
        "peer": peer,
        "shape": shape,
        "compiled": mode == "compiled",
        "pairs": pairs,
    }
    command = [sys.executable, "-m", "normlib.bench.layer_process", json.dumps(job)]
    (answer,) = processes.run([command], surroundings(threads=1))
    return Case(name, shape, mode, **answer)


def results(cases: Sequence[Case]) -> list[Result]:
    """Return the comparisons of ``cases``: the means with their goals first, then each case."""
    summary, details = [], []
    for mode in dict.fromkeys(case.mode for case in cases):
        chosen = [case for case in cases if case.mode == mode]
        peer = f"torch.nn, {mode}"
        ours, theirs, again = (
            1e3 * geometric_mean([getattr(case, name) for case in chosen])
            for name in ("ours", "peer", "again")
        )
        what = f"layers {mode}, forward and backward"
        summary += [
            less_is_better(f"{what}, geometric mean", "ms", ours, theirs, peer, GOALS[mode]),
            less_is_better(f"{what}, noise: torch.nn itself", "ms", again, theirs, peer),
        ]
        for layer in dict.fromkeys(case.layer for case in chosen):
            # The worst shape, since "no more memory" is meant for each.
            worst = min(
                (case for case in chosen if case.layer == layer),
                key=lambda case: case.peer_bytes / case.ours_bytes,
            )
            summary.append(
                less_is_better(
                    f"{layer} {mode}, saved for backward, worst shape",
                    "MB",
                    worst.ours_bytes / 1e6,
                    worst.peer_bytes / 1e6,
                    peer,
                    1.0,
                )
            )
        for case in chosen:
            shape = "x".join(map(str, case.shape))
            name = f"{case.layer} {mode} {shape}"
            ours, theirs, again = 1e3 * case.ours, 1e3 * case.peer, 1e3 * case.again
            details += [
                less_is_better(name, "ms", ours, theirs, peer),
                less_is_better(f"{name}, noise", "ms", again, theirs, peer),
            ]
    return summary + details


def modes(report: Callable[[str], None]) -> list[str]:
    """Return the modes that can be timed here: eager and, with a C++ compiler, compiled."""
    if compiler.found():
        return ["eager", "compiled"]
    report("no C++ compiler: compiled layers are left out")
    return ["eager"]


def compare(
    report: Callable[[str], None],
    *,
    pairs: int = PAIRS,
    layers: Sequence[str] = LAYERS,
    shapes: Sequence[tuple[int, ...]] = SHAPES,
    ours: str = "normlib",
) -> list[Result]:
    """Measure every layer on every shape, eager and, where there is a C++ compiler, compiled."""
    cases = []
    for mode in modes(report):
        for layer in layers:
            for shape in shapes:
                case = measure(layer, shape, mode, pairs=pairs, ours=ours)
                cases.append(case)
                report(
                    f"{layer} {mode} {shape}: {1e3 * case.ours:.2f} ms, torch.nn "
                    f"{1e3 * case.peer:.2f} ms, again {1e3 * case.again:.2f} ms"
                )
    return results(cases)
