"""How processor and GPU compute during a run, and as they did before once the run is over."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

TF32 = "convolutions"
"""What a GPU computes with factors rounded to 10 bits of mantissa; a record on one says so."""


@contextmanager
def processor(threads: int) -> Iterator[None]:
    """Compute with so many threads, and take numbers too small for full precision for zero.

    Momentum of a unit that died decays into such numbers, which a CPU computes slowly. A GPU takes
    the same kernels every time (the fastest for a shape may differ between runs), for convolutions
    those in TF32, for products of matrices those in float32: PyTorch's defaults, stated here so
    that nobody's own change a record unseen. All are settings of the whole thread or process, so
    whoever called gets their own back.
    """
    before, flushed = torch.get_num_threads(), _flushes()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        with _gpu():
            yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(before)


@contextmanager
def _gpu() -> Iterator[None]:
    # torch's stubs know neither ``conv`` nor ``fp32_precision``.
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    kernels = cudnn.deterministic, cudnn.benchmark
    precisions = [(one, one.fp32_precision) for one in (matmul, cudnn.conv, cudnn.rnn)]
    cudnn.deterministic, cudnn.benchmark = True, False
    # These names set torch's older flags and its newer ones; a mix of both it would refuse.
    cudnn.allow_tf32, matmul.allow_tf32 = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = kernels
        for one, precision in precisions:
            one.fp32_precision = precision


def _flushes() -> bool:
    return float(torch.tensor(1e-39) * torch.tensor(1.0)) == 0.0
