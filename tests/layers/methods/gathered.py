"""All cases, gathered from the files of this folder that define ``CASES``."""

from __future__ import annotations

import importlib
import pkgutil

import tests.layers.methods as families
from tests.layers.methods.case import MethodCase

NO_FAMILIES = {
    "__main__",
    "case",
    "core",
    "differences",
    "every",
    "gathered",
    "measured",
    "measured_weights",
    "relative",
    "training",
    "weights",
    "worst",
}
"""The files of this folder that hold no cases of the generic tests."""


def gather() -> tuple[MethodCase, ...]:
    """The cases of every family, by the names of the files and in the order of each file."""
    found: list[MethodCase] = []
    for info in sorted(pkgutil.iter_modules(families.__path__), key=lambda info: info.name):
        if info.name not in NO_FAMILIES:
            found += importlib.import_module(f"{families.__name__}.{info.name}").CASES
    names = [case.name for case in found]
    assert len(set(names)) == len(names), "two cases share a name"
    return tuple(found)


CASES = gather()
