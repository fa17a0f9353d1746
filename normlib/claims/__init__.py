"""The sources' claims, written down before the runs that decide them were recorded."""

from normlib.analysis.outcome import CHANCE, FEWEST, Outcome
from normlib.claims.claim import ALPHA, Claim, ClaimError, Test
from normlib.claims.reported import REPORTED, Reported
from normlib.claims.source_a import CLAIMS_A
from normlib.claims.source_b import CLAIMS_B
from normlib.claims.source_c import CLAIMS_C
from normlib.claims.source_d import CLAIMS_D
from normlib.claims.source_e import CLAIMS_E

#: All claims written down so far, by id, in the sources' order.
CLAIMS: dict[str, Claim] = {
    claim.id: claim for claim in (*CLAIMS_A, *CLAIMS_B, *CLAIMS_C, *CLAIMS_D, *CLAIMS_E)
}

__all__ = [
    "ALPHA",
    "CHANCE",
    "CLAIMS",
    "FEWEST",
    "REPORTED",
    "Claim",
    "ClaimError",
    "Outcome",
    "Reported",
    "Test",
]
