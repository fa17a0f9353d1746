"""How far each method is from its NumPy formula: what is asserted, and what is printed."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from tests.layers.methods.case import SEED, Array, MethodCase

BOUND = 1e-10
"""Of the largest expected value, in float64."""


@dataclass(frozen=True)
class Row:
    """The worst relative errors of one method in one mode."""

    method: str
    mode: str
    output: float
    buffers: float | None

    @property
    def worst(self) -> float:
        return max(self.output, self.buffers or 0.0)


def relative_error(found: Array, expected: Array) -> float:
    """max |found - expected| / max |expected|; NaN counts as infinitely wrong."""
    assert found.shape == expected.shape, f"shape {found.shape} is not {expected.shape}"
    if not np.isfinite(expected).all():
        raise AssertionError("the expected value is not finite")
    if not np.isfinite(found).all():
        return float("inf")
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    return float(difference / largest) if largest > 0 else float(difference)


def floats(module: nn.Module) -> dict[str, Array]:
    """The floating-point buffers of ``module``, copied."""
    return {
        name: buffer.detach().numpy().copy()
        for name, buffer in module.named_buffers()
        if buffer.is_floating_point()
    }


def row(case: MethodCase, training: bool) -> Row:
    """The worst over the shapes of a case; in evaluation no buffer may change."""
    found = [_errors(case, shape, training) for shape in (case.shape, *case.also)]
    outputs, buffers = zip(*found, strict=True)
    kept = [error for error in buffers if error is not None]
    mode = "train" if training else "eval"
    return Row(str(case), mode, max(outputs), max(kept, default=None))


def _errors(case: MethodCase, shape: tuple[int, ...], training: bool) -> tuple[float, float | None]:
    """One call in float64 beside the reference: the errors of the output and the buffers."""
    module = case.build(training=training)
    before, x = copy.deepcopy(module), case.input(shape).numpy()
    torch.manual_seed(SEED)
    found = module(torch.from_numpy(x.copy())).detach().numpy()
    expected = case.reference(copy.deepcopy(before), x.copy(), training)
    buffers = floats(before)
    if training and case.state is not None:
        changed = case.state(before, x.copy())
        assert set(changed) <= set(buffers), f"no such buffers: {set(changed) - set(buffers)}"
        buffers |= changed
    after = floats(module)
    errors = [relative_error(after[name], np.asarray(buffers[name])) for name in buffers]
    return relative_error(found, expected), max(errors, default=None)


def rows(cases: Iterable[MethodCase]) -> list[Row]:
    """Both modes of every case."""
    return [row(case, training) for case in cases for training in (True, False)]


def table(rows: list[Row]) -> str:
    """The rows as text, and a last line that sums them up."""
    width = max(len(r.method) for r in rows)
    lines = [f"{'method':{width}}  mode   output   buffers"]
    for r in rows:
        buffers = "none" if r.buffers is None else f"{r.buffers:.1e}"
        lines.append(f"{r.method:{width}}  {r.mode:5}  {r.output:.1e}  {buffers}")
    failures = [r for r in rows if r.worst > BOUND]
    worst = max(rows, key=lambda r: r.worst)
    lines.append(
        f"{len(rows)} comparisons of {len({r.method for r in rows})} cases, {len(failures)} "
        f"beyond {BOUND:.0e}, worst error {worst.worst:.1e} ({worst.method}, {worst.mode})"
    )
    return "\n".join(lines)
