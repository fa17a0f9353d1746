"""Networks that were trained apart from the one whose hallucinations they are shown."""

import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from normlib import locks, paths
from normlib.models import build
from normlib.records import Experiment

NORMS = ("none", "batch")
"""One without and one with BatchNorm, so that neither kind is judged by its own kind alone."""
FIRST_SEED = 1000
"""Far from the seeds of plans: a judge shares no weight and no batch with what it judges."""
_PATIENCE = 0.5


@dataclass(frozen=True, eq=False)
class Judge:
    """A trained network in evaluation mode, and its accuracy on the test images, in 0 to 1.

    The accuracy of one that diverged is NaN: of what it gives, the first class is the largest.
    """

    network: nn.Module
    accuracy: float

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of its state, 32 bytes: whether two runs had the same judge."""
        digest = hashlib.sha256()
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.digest()


def experiments(judged: Experiment) -> tuple[Experiment, ...]:
    """Return how the judges of ``judged`` are trained: as it is, under Adam, each with a norm."""
    plain = Experiment()
    return tuple(
        judged.replace(
            norm=norm,
            norm_eps=None,
            norm_groups=None,
            optimizer="adam",
            momentum=plain.momentum,
            learning_rate=0.001,
            seed=FIRST_SEED + number,
        )
        for number, norm in enumerate(NORMS)
    )


def judges(judged: Experiment, device: torch.device, folder: Path | None = None) -> list[Judge]:
    """Return the judges of ``judged``, trained once for all runs of this machine.

    Their states are kept in ``folder``, by default among the caches of ``paths.local()``, from
    which training goes on if it is killed; a sweep's budget does not stop it. Of several processes
    that need them each trains one, or waits for the one that another trains. torch's random
    numbers go on for the caller as if nothing had been drawn.
    """
    folder = folder or paths.local() / "cache" / "judges"
    wanted = experiments(judged)
    found: dict[Experiment, Judge] = {}
    while len(found) < len(wanted):
        before = len(found)
        for one in wanted:
            if one not in found:
                with locks.holding(folder / f"{one.key}.lock") as held:
                    if held:
                        found[one] = _trained(one, device, folder / f"{one.key}.npz")
        if len(found) == before:
            time.sleep(_PATIENCE)
    return [found[one] for one in wanted]


def _trained(experiment: Experiment, device: torch.device, state: Path) -> Judge:
    from normlib.engine.training import train  # which imports the probes that ask for judges

    record = train(
        experiment, device=str(device), threads=torch.get_num_threads(), checkpoint=state
    )
    with state.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        values = {
            name.removeprefix("model/"): torch.from_numpy(arrays[name])
            for name in arrays.files
            if name.startswith("model/")
        }
    with torch.random.fork_rng([]):  # `train` has its own; what `build` draws is overwritten
        network = build(experiment)
    network.load_state_dict(values)
    finished = record.status == "finished"
    accuracy = record.history["test_accuracy"][-1] if finished else math.nan
    return Judge(network.to(device).eval(), accuracy)
