"""The order of runs: one setting after the other, in each one seed after the other."""

import dataclasses
import operator
from collections.abc import Iterable
from typing import Any

from normlib.records import Experiment

#: What a comparison of norms varies within a setting; Fixup is one of its conditions.
COMPARED = ("norm", "norm_eps", "norm_groups", "initialization", "seed")

Setting = tuple[Any, ...]

_shared = operator.attrgetter(
    *(field.name for field in dataclasses.fields(Experiment) if field.name not in COMPARED)
)


def setting(experiment: Experiment) -> Setting:
    """Return what the runs of one comparison share: all fields but COMPARED."""
    shared: Setting = _shared(experiment)
    return shared


def ranks(experiments: Iterable[Experiment]) -> dict[Setting, int]:
    """Return the settings of ``experiments``, numbered by their first appearance."""
    found: dict[Setting, int] = {}
    for experiment in experiments:
        found.setdefault(setting(experiment), len(found))
    return found


def balanced(experiments: Iterable[Experiment]) -> tuple[Experiment, ...]:
    """Return the experiments, each once, setting after setting, and there seed after seed.

    A sweep that is stopped early has then computed as many seeds of every condition.
    """
    once = tuple(dict.fromkeys(experiments))
    rank = ranks(once)
    return tuple(sorted(once, key=lambda run: (rank[setting(run)], run.seed)))
