"""A source's claim as data: what is measured, on which runs, and what would decide it."""

from dataclasses import dataclass
from typing import Literal

from normlib.analysis.contrasts import Contrast
from normlib.analysis.outcome import Outcome
from normlib.errors import NormlibError

#: A verdict's error rate: the chance, at most, that a family of tests decides something wrongly.
ALPHA = 0.05

Kind = Literal["superiority", "bound", "equivalence", "range", "share", "spread"]
Role = Literal["primary", "secondary"]
Decision = Literal["runs", "parity table", "computed", "not tested yet"]


class ClaimError(NormlibError, ValueError):
    """A claim that is not well formed."""


@dataclass(frozen=True, kw_only=True)
class Test:
    r"""One hypothesis ``low < theta < high``, in the outcome's unit (``None``: no such bound).

    ``theta`` is, by ``kind``:

    - superiority, bound, equivalence, range: the mean over seeds of the paired difference
      ``outcome(first) - outcome(second)``, or of the contrast ``first``, which takes in what
      is subtracted (``second`` is ``None``); the four differ only in which bounds they have;
    - share: the share of seeds (in percent) with a positive paired difference;
    - spread: the standard deviation over seeds of ``outcome(first)``; ``second`` is ``None``.

    Runs are paired by seed. Two named conditions of one seed start from the same weights and see
    the same batches; what the cells of a contrast share, `Contrast` says.
    The decision has two directions: support (theta is inside) and contradiction (theta is
    outside), each a one-sided test at ALPHA / 2 so that it agrees with the drawn 95% interval.
    """

    __test__ = False  # pytest: not a test class

    kind: Kind
    first: str | Contrast
    second: str | None
    outcome: Outcome
    low: float | None = None
    high: float | None = None
    role: Role = "primary"

    def __post_init__(self) -> None:
        bounds = {
            "superiority": self.low is not None and self.high is None,
            "bound": self.low is None and self.high is not None,
            "equivalence": self.low is not None
            and self.high is not None
            and self.low == -self.high,
            "range": self.low is not None and self.high is not None and self.low < self.high,
            "share": self.low is not None and self.high is None,
            "spread": self.low is not None and self.high is None,
        }
        if not bounds[self.kind]:
            raise ClaimError(
                f"a test of {self.kind} cannot have the bounds ({self.low}, {self.high}); "
                "see the docstring of Test for which bounds each kind has"
            )
        contrasted = isinstance(self.first, Contrast)
        if contrasted and self.kind in ("share", "spread"):
            raise ClaimError(f"a test of {self.kind} cannot have a contrast; name conditions")
        if (self.second is None) != (contrasted or self.kind == "spread"):
            raise ClaimError(f"a test of {self.kind} cannot have second={self.second!r}")

    @property
    def conditions(self) -> tuple[str, ...]:
        """Return the names of the conditions whose runs it uses."""
        if isinstance(self.first, Contrast):
            return tuple(cell.name for cell in self.first.cells)
        return (self.first,) if self.second is None else (self.first, self.second)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of a source, and how it is decided.

    Supported if at least ``needs`` of the primary tests are supported (all, if ``None``);
    contradicted if so many are contradicted that ``needs`` can no longer be reached; otherwise
    not decided by these runs. P values are Holm-corrected over the primary tests of all claims of
    one ``family``. Secondary tests change no verdict: they are other readings, shown beside it.
    """

    id: str
    source: str
    claim: str
    reading: str
    decision: Decision
    chapters: tuple[str, ...]
    plan: str | None = None
    family: str | None = None
    tests: tuple[Test, ...] = ()
    needs: int | None = None

    def __post_init__(self) -> None:
        if (self.decision == "runs") != bool(self.primary):
            raise ClaimError(
                f"claim {self.id}: decided by {self.decision!r} with {len(self.tests)} tests"
            )
        if self.primary and (self.plan is None or self.family is None):
            raise ClaimError(f"claim {self.id}: tests need a plan and a family")
        if not 1 <= self.required <= max(1, len(self.primary)):
            raise ClaimError(f"claim {self.id}: needs={self.needs} of {len(self.primary)} tests")

    @property
    def primary(self) -> tuple[Test, ...]:
        """Return the tests that decide."""
        return tuple(test for test in self.tests if test.role == "primary")

    @property
    def secondary(self) -> tuple[Test, ...]:
        """Return the tests that are shown only."""
        return tuple(test for test in self.tests if test.role == "secondary")

    @property
    def required(self) -> int:
        """Return how many primary tests must hold."""
        return max(1, len(self.primary)) if self.needs is None else self.needs
