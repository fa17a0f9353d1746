"""How processor and GPU compute during a run, and as they did before once the run is over."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

TF32 = "convolutions"
"""What a GPU computes with factors rounded to 10 bits of mantissa; a record on one says so."""


CPU = torch.device("cpu")


@contextmanager
def processor(threads: int, device: torch.device = CPU) -> Iterator[None]:
    """Compute with so many threads, and take numbers too small for full precision for zero.

    Momentum of a unit that died decays into such numbers, which a CPU computes slowly. On a GPU,
    take the same kernels every time (the fastest for a shape may differ between runs), for
    convolutions those in TF32, for products of matrices those in float32: PyTorch's defaults,
    stated here so that nobody's own change a record unseen. All are settings of the whole thread or
    process, so whoever called gets their own back.
    """
    before, flushed = torch.get_num_threads(), _flushes()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        with _gpu() if device.type == "cuda" else nullcontext():
            yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(before)


@contextmanager
def _gpu() -> Iterator[None]:
    # torch's stubs know neither ``conv`` nor ``fp32_precision``.
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    parts = (cudnn.conv, cudnn.rnn, matmul)
    before = [part.fp32_precision for part in parts]
    cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "tf32"  # or `flags` finds them mixed
    matmul.allow_tf32 = False  # which sets torch's newer name, too
    flags = {"enabled": True, "deterministic": True, "benchmark": False, "allow_tf32": True}
    try:
        with cudnn.flags(**flags, fp32_precision=None):
            yield
    finally:
        for part, precision in zip(parts, before, strict=True):
            part.fp32_precision = precision


def _flushes() -> bool:
    return float(torch.tensor(1e-39) * torch.tensor(1.0)) == 0.0
