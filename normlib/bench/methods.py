"""Every activation method of the catalogue beside the framework's own, or beside its BatchNorm."""

from collections.abc import Callable, Sequence

from normlib.bench.layer_process import CATALOGUE
from normlib.bench.layers import PAIRS, Case, modes, timed
from normlib.bench.result import Result, less_is_better
from normlib.bench.timing import geometric_mean
from normlib.methods import Method, catalogue
from normlib.methods.frameworks import TORCH

SHAPE = (50, 64, 16, 16)
GOALS = {"one set of statistics": 1 / 2, "several sets of statistics": 1 / 3}
"""Compiled, of torch's BatchNorm: at most two and at most three times its time."""


def group(method: Method) -> str:
    """Return with which others a method is judged."""
    if method.kind == "whitening":
        return "decompositions"
    if method.sets == 0:
        return "no statistics"
    return "several sets of statistics" if method.sets > 1 else "one set of statistics"


def timed_methods() -> list[Method]:
    """Return the methods that are layers of their own."""
    return [m for m in catalogue.values() if m.projected == "activation"]


def compare(
    report: Callable[[str], None], *, pairs: int = PAIRS, shape: tuple[int, ...] = SHAPE
) -> list[Result]:
    """Time every activation method, eager and, where there is a C++ compiler, compiled."""
    found: list[Result] = []
    for mode in modes(report):
        cases = []
        for method in timed_methods():
            peer = f"torch:{method.name}" if method.name in TORCH else "torch:batch"
            ours = (CATALOGUE, method.name)
            case = timed(method.name, ours, (CATALOGUE, peer), shape, mode, pairs)
            report(f"{method.name} {mode}: {1e3 * case.ours:.2f} ms, {peer} {1e3 * case.peer:.2f}")
            cases.append(case)
            found.append(
                less_is_better(
                    f"method {method.name}, {mode}",
                    "ms",
                    1e3 * case.ours,
                    1e3 * case.peer,
                    f"{peer.replace(':', '.nn ')}, {mode}",
                )
            )
        found += means(mode, cases)
    return found


def means(mode: str, cases: Sequence[Case]) -> list[Result]:
    """Return the geometric mean over each group, against torch's BatchNorm in the same run."""
    batch = next(case for case in cases if case.layer == "batch")
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(group(catalogue[case.layer]), []).append(case)
    return [
        less_is_better(
            f"methods with {name}, {mode}, geometric mean of {len(members)}",
            "ms",
            1e3 * geometric_mean([case.ours for case in members]),
            1e3 * batch.peer,
            f"torch.nn batch, {mode}",
            GOALS.get(name) if mode == "compiled" else None,
        )
        for name, members in groups.items()
    ]
