"""Source E (Peerthum and Stamp 2023): what normalizing and what re-scaling contribute to BN.

ResNet18, 34, 50 and 101 on CIFAR-10 for 15 epochs of Adam at 0.001, batch sizes 20 and 50, the mean
of four runs; its BatchNorm, AffineLayer, BatchNorm-minus and None are our `batch`, `affine`,
`batch-minus` and `none`. All of it was written down before a run of these plans was recorded, but
for readings beside E11 of another start, `affine` with that of BN: these came when 20 runs of one
epoch had been started, none of them with that start, and decide nothing.

A verdict takes at least three seeds that have all runs of a comparison, to the epoch it is about.
Without them, or cut short before that epoch, the answer is "not decided by these runs".
"""

from normlib.claims.source_e.blocks import CLAIMS_BLOCKS
from normlib.claims.source_e.distributions import CLAIMS_DISTRIBUTIONS
from normlib.claims.source_e.mechanisms import CLAIMS_MECHANISMS
from normlib.claims.source_e.settings import CLAIMS_SETTINGS
from normlib.claims.source_e.untested import CLAIMS_UNTESTED

CLAIMS_E = tuple(
    sorted(
        (
            *CLAIMS_BLOCKS,
            *CLAIMS_SETTINGS,
            *CLAIMS_MECHANISMS,
            *CLAIMS_DISTRIBUTIONS,
            *CLAIMS_UNTESTED,
        ),
        key=lambda claim: int(claim.id.removeprefix("E")),
    )
)

__all__ = ["CLAIMS_E"]
