"""How times are taken and what is made of them."""

import itertools
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def interleaved(
    candidates: Mapping[str, Callable[[], object]], rounds: int, seed: int = 0
) -> dict[str, list[float]]:
    """Return seconds per call: in each round every candidate once, in an order of its own.

    Neighbours in time see the same machine, whose speed drifts; a random order keeps one
    candidate from always running after the same other.
    """
    shuffled = random.Random(seed)
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name in shuffled.sample(list(candidates), len(candidates)):
            begin = time.perf_counter()
            candidates[name]()
            times[name].append(time.perf_counter() - begin)
    return times


def calls_for(call: Callable[[], object], seconds: float) -> int:
    """Return how many calls take ``seconds`` or so; one of a millisecond would time the clock."""
    begin = time.perf_counter()
    call()
    return max(1, math.ceil(seconds / (time.perf_counter() - begin)))


def times(count: int, call: Callable[[], object]) -> Callable[[], None]:
    """Return a function that makes ``call`` ``count`` times."""

    def many() -> None:
        for _ in range(count):
            call()

    return many


def geometric_mean(values: Sequence[float]) -> float:
    """Return ``exp(mean(log(values)))``; the mean of ratios that treats 2 and 1/2 alike."""
    return statistics.geometric_mean(values)


def joint_rate(stamps: Sequence[Sequence[float]], per_step: int) -> float:
    """Return what processes do per second together, while all of them are at work.

    ``stamps`` holds, for each process, the times at which its steps ended, by one common clock;
    a step is worth ``per_step`` (images). Only steps within the time that all processes share
    count, the step on the border in part, so that none is timed while its neighbours still load.
    """
    begin = max(process[0] for process in stamps)
    end = min(process[-1] for process in stamps)
    if end <= begin:
        raise ValueError("the processes were never at work at the same time; use more steps")
    steps = sum(_steps_until(process, end) - _steps_until(process, begin) for process in stamps)
    return steps * per_step / (end - begin)


def _steps_until(stamps: Sequence[float], moment: float) -> float:
    for number, (before, after) in enumerate(itertools.pairwise(stamps)):
        if before <= moment <= after:
            return number + (moment - before) / (after - before if after > before else 1.0)
    raise ValueError(f"{moment} is outside of {stamps[0]} to {stamps[-1]}")
