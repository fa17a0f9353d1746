"""An update recorded once on a GPU and replayed, with nothing left to do for Python."""

from collections.abc import Callable

import torch
from torch import Tensor

WARM = 3
"""So many updates are made before one is recorded: libraries and the optimizer set up in them."""
UNCAPTURED = ("decorrelated",)
"""Norms whose update synchronizes with the device: `torch.linalg.eigh` checks if it converged."""


class Captured:
    """``update`` as a CUDA graph, which the host launches in one go instead of kernel by kernel.

    The first updates, and the one of a last, short batch, are made as they stand. All are updates
    of the run: to record executes nothing.

    Args:
        update: Makes an update from indices on the device; it reads and writes the same tensors
            every time, and never waits for the device.
        size: How many indices it gets, but for a last batch.
    """

    def __init__(self, update: Callable[[Tensor], None], size: int) -> None:
        self._update = update
        self._size = size
        self._made = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._chosen = torch.empty(0)

    def __call__(self, chosen: Tensor) -> None:
        """Make the update."""
        if len(chosen) != self._size or self._made < WARM:
            self._made += 1
            self._update(chosen)
            return
        if self._graph is None:
            self._record(chosen)
            assert self._graph is not None
        self._chosen.copy_(chosen)
        self._graph.replay()

    def _record(self, chosen: Tensor) -> None:
        self._chosen = chosen.clone()
        graph = torch.cuda.CUDAGraph()
        # On the run's own stream, on which its first updates were made, too.
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            self._update(self._chosen)
        self._graph = graph
