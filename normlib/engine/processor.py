"""How the CPU computes during a run, and as it did before once the run is over."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def processor(threads: int) -> Iterator[None]:
    """Compute with so many threads, and take numbers too small for full precision for zero.

    Momentum of a unit that died decays into such numbers, which a CPU computes slowly. Both
    settings are of the whole thread, so whoever called gets their own back.
    """
    before, flushed = torch.get_num_threads(), _flushes()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(before)


def _flushes() -> bool:
    return float(torch.tensor(1e-39) * torch.tensor(1.0)) == 0.0
