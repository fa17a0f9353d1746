"""Short ways to write the tests down, with the outcomes and margins that the claims share."""

from normlib.analysis.contrasts import Contrast
from normlib.analysis.outcome import Outcome
from normlib.claims.claim import Claim, Role, Test

#: Source A reports after 10 epochs, source B after 4: always that epoch, never the best one.
EPOCH_10 = Outcome(quantity="test_accuracy", first=10, last=10)
EPOCH_4 = Outcome(quantity="test_accuracy", first=4, last=4)
#: "Faster": area under the training accuracy over source B's four epochs.
SPEED = Outcome(quantity="train_accuracy_running", first=1, last=4)

#: Points below which source B calls a difference of no practical matter (its claim B7).
NEGLIGIBLE = 0.2
#: Points that source A calls an advantage, and source B's upper end for "slight": the yardstick
#: for "nearly identical" where a source applies that word to differences larger than NEGLIGIBLE.
ADVANTAGE = 0.5
#: Points from which an improvement is no longer "modest".
MODEST = 1.0


def better(first: str, second: str, outcome: Outcome = EPOCH_10, role: Role = "primary") -> Test:
    """Claim that ``first`` has the larger outcome: mean paired difference above 0."""
    return Test(kind="superiority", first=first, second=second, outcome=outcome, low=0.0, role=role)


def below(
    first: str, second: str, margin: float, outcome: Outcome = EPOCH_10, role: Role = "primary"
) -> Test:
    """Claim that ``first`` exceeds ``second`` by less than ``margin`` points."""
    return Test(kind="bound", first=first, second=second, outcome=outcome, high=margin, role=role)


def same(
    first: str, second: str, margin: float, outcome: Outcome = EPOCH_10, role: Role = "primary"
) -> Test:
    """Claim that the two differ by less than ``margin`` points: two one-sided tests."""
    return _equivalent(first, second, margin, outcome, role)


def between(
    first: str,
    second: str,
    low: float,
    high: float,
    outcome: Outcome = EPOCH_10,
    role: Role = "primary",
) -> Test:
    """Claim that the mean paired difference lies between ``low`` and ``high`` points."""
    return Test(
        kind="range", first=first, second=second, outcome=outcome, low=low, high=high, role=role
    )


def above(
    contrast: Contrast, outcome: Outcome, *, low: float = 0.0, role: Role = "primary"
) -> Test:
    """Claim that the mean of ``contrast`` is above ``low``."""
    return Test(
        kind="superiority", first=contrast, second=None, outcome=outcome, low=low, role=role
    )


def under(
    contrast: Contrast, outcome: Outcome, *, high: float = 0.0, role: Role = "primary"
) -> Test:
    """Claim that the mean of ``contrast`` is below ``high``."""
    return Test(kind="bound", first=contrast, second=None, outcome=outcome, high=high, role=role)


def within(contrast: Contrast, outcome: Outcome, *, margin: float, role: Role = "primary") -> Test:
    """Claim that the mean of ``contrast`` is less than ``margin`` from 0: two one-sided tests."""
    return _equivalent(contrast, None, margin, outcome, role)


def untested(source: str, *claims: tuple[str, str, str]) -> tuple[Claim, ...]:
    """Return claims that no run decides yet: of each its id, what it says, and what it takes."""
    return tuple(
        Claim(
            id=name,
            source=source,
            claim=claim,
            reading=needs,
            decision="not tested yet",
            chapters=(),
        )
        for name, claim, needs in claims
    )


def _equivalent(
    first: str | Contrast, second: str | None, margin: float, outcome: Outcome, role: Role
) -> Test:
    return Test(
        kind="equivalence",
        first=first,
        second=second,
        outcome=outcome,
        low=-margin,
        high=margin,
        role=role,
    )
