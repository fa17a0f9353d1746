"""Where a run is computed."""

import torch

from normlib.errors import NormlibError


def usable(name: str) -> torch.device:
    """Return the device called "cpu", "cuda" or "cuda:1".

    Raises NormlibError if there is none, or it is of another kind.
    """
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise NormlibError(f"device {name!r:.40} computes no runs; choose cpu or cuda")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise NormlibError(
            f"device {name!r} cannot be used ({str(error).splitlines()[0]}); choose cpu"
        ) from error
    return device
