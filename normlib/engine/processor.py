"""How processor and GPU compute during a run, and as they did before once the run is over."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import torch

TF32 = "convolutions"
"""What a GPU computes with factors rounded to 10 bits of mantissa; a record on one says so."""

CPU = torch.device("cpu")


@contextmanager
def processor(threads: int, device: torch.device = CPU) -> Iterator[None]:
    """Compute with ``threads`` threads and flush denormal numbers to zero.

    The momentum of a unit that died decays into them, and a CPU computes them slowly. On a GPU,
    always take the same kernels, with TF32 in convolutions and float32 in matrix products:
    PyTorch's defaults, set here so that a caller's own settings never change a record unnoticed.
    All are settings of the whole thread or process, so whoever called gets their own back.
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
    # torch's stubs know neither ``conv``, ``matmul`` nor ``fp32_precision``.
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    mkldnn: Any = torch.backends.mkldnn
    # Each precision has an older name and a newer one. To read the older raises where they
    # disagree; to set it sets the newer, too, and that of a matmul the CPU's as well.
    parts = (cudnn.conv, cudnn.rnn, matmul, mkldnn.matmul)
    before = [part.fp32_precision for part in parts]
    older = None
    with suppress(RuntimeError):
        older = "high" if matmul.allow_tf32 else "highest"
    with suppress(RuntimeError):
        older = torch.get_float32_matmul_precision()  # which knows "medium", too
    for precision in ("tf32", "ieee"):  # whichever the older name agrees with: `flags` reads it
        cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = precision
        with suppress(RuntimeError):
            _ = cudnn.allow_tf32
            break
    matmul.allow_tf32 = False
    flags = {"enabled": True, "deterministic": True, "benchmark": False, "allow_tf32": True}
    try:
        with cudnn.flags(**flags, fp32_precision=None):
            yield
    finally:
        if older is not None:
            torch.set_float32_matmul_precision(older)
        for part, precision in zip(parts, before, strict=True):
            part.fp32_precision = precision


def _flushes() -> bool:
    return float(torch.tensor(1e-39) * torch.tensor(1.0)) == 0.0
