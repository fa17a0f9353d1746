"""One run among several that take turns in a process, each as if it were alone."""

from collections.abc import Generator

import torch

from normlib.records import Record


class Lane:
    """A run's own stream of the device, and its own place in torch's random numbers.

    On a CPU runs take turns. On a GPU what they have launched is computed side by side, since one
    small network leaves most of it idle.

    Args:
        run: What `engine.training.steps` returns.
        device: Where it computes.
    """

    def __init__(self, run: Generator[None, None, Record], device: torch.device) -> None:
        self._run = run
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._random = _random()

    def advance(self) -> Record | None:
        """Make the next update; return the record once the run has ended, and raise what it does.

        Whoever calls has the random numbers of the run afterwards: `torch.random.fork_rng`.
        """
        _set_random(self._random)
        try:
            with torch.cuda.stream(self._stream):
                next(self._run)
        except StopIteration as ended:
            record: Record = ended.value
            return record
        finally:
            self._random = _random()
        return None

    def close(self) -> None:
        """Give the run up where it is."""
        self._run.close()


def _random() -> list[torch.Tensor]:
    states = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *states]


def _set_random(states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if states[1:]:
        torch.cuda.set_rng_state_all(states[1:])
