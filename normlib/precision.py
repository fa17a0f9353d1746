"""The precision that sums take: a statistic is a sum over thousands of entries.

Half precision keeps 8 or 11 bits, with which a sum of that many soon stops growing. Statistics
are therefore taken in float32 at least, whatever the input, and autocast is kept away from them.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """Widen half precision to float32, since sums over thousands of entries need more bits.

    Raises:
        NotImplementedError: integers, which would cut off what a normalization makes of them.
    """
    if x.dtype in (torch.float16, torch.bfloat16):
        return x.float()
    if not (x.is_floating_point() or x.is_complex()):
        raise NotImplementedError(
            f"normalization is not implemented for {x.dtype}; give floating point: x.float()"
        )
    return x


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Keep autocast from rounding products of matrices: statistics are sums of thousands."""
    device = x.device.type
    if x.is_meta or not torch.is_autocast_enabled(device):
        return nullcontext()
    return torch.autocast(device, enabled=False)
