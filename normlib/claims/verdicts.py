"""Claims and runs to verdicts, each with its numbers and the runs behind it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from normlib.analysis import statistics
from normlib.analysis.contrasts import Contrast
from normlib.analysis.outcome import FEWEST
from normlib.analysis.tables import outcomes, paired, values
from normlib.claims.claim import ALPHA, Claim, Test

Answer = Literal[
    "supported",
    "contradicted",
    "not decided by these runs",
    "not decided",
    "see the parity table",
    "see the chapter",
    "not tested yet",
]
SUPPORTED: Answer = "supported"
CONTRADICTED: Answer = "contradicted"
UNDECIDED: Answer = "not decided by these runs"
#: Of what is computed, and not read off runs.
OPEN: Answer = "not decided"
PARITY: Answer = "see the parity table"
COMPUTED: Answer = "see the chapter"
UNTESTED: Answer = "not tested yet"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One test's numbers, in its outcome's unit (percent for a share); ``None`` without runs.

    ``p`` is twice the smaller one-sided p value of "inside the bounds" and "outside", ``p_holm``
    the same after Holm's correction over the family (secondary tests are not corrected).
    """

    test: Test
    n: int
    estimate: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the runs say about a claim; ``runs`` names every condition used and its seeds."""

    claim: Claim
    answer: Answer
    results: tuple[Result, ...]
    runs: dict[str, int]

    @property
    def primary(self) -> tuple[Result, ...]:
        """Return the results that decided."""
        return tuple(result for result in self.results if result.test.role == "primary")


@dataclass(frozen=True)
class _Measured:
    test: Test
    n: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    inside: float = 1.0  # one-sided p values
    outside: float = 1.0

    @property
    def p(self) -> float:
        return min(1.0, 2 * min(self.inside, self.outside))

    def result(self, p_holm: float) -> Result:
        answer = UNDECIDED
        if self.n >= FEWEST and p_holm < ALPHA:
            answer = SUPPORTED if self.inside < self.outside else CONTRADICTED
        measured = self.n >= FEWEST
        return Result(
            test=self.test,
            n=self.n,
            estimate=self.estimate,
            low=self.low,
            high=self.high,
            p=self.p if measured else None,
            p_holm=p_holm if measured else None,
            answer=answer,
        )


def judge(claims: Iterable[Claim], table: pd.DataFrame) -> list[Verdict]:
    """Return a verdict on every claim from the tidy ``table`` of ``tables.runs``.

    A family's correction is over the primary tests of all of ``claims`` in that family, those
    without runs included: a test that could not be made yet still counts.
    """
    claims = list(claims)
    measured = {claim.id: [_measure(test, table) for test in claim.tests] for claim in claims}
    families: dict[str | None, list[_Measured]] = {}
    for claim in claims:
        primary = [one for one in measured[claim.id] if one.test.role == "primary"]
        families.setdefault(claim.family, []).extend(primary)
    corrected = {
        id(one): float(p)
        for family in families.values()
        for one, p in zip(family, statistics.holm([one.p for one in family]), strict=True)
    }
    return [
        _verdict(claim, [one.result(corrected.get(id(one), one.p)) for one in measured[claim.id]])
        for claim in claims
    ]


def _verdict(claim: Claim, results: list[Result]) -> Verdict:
    answers = [result.answer for result in results if result.test.role == "primary"]
    runs: dict[str, int] = {}
    for result in results:
        for norm in result.test.conditions:
            if result.n and result.test.role == "primary":
                runs[norm] = max(runs.get(norm, 0), result.n)
    answer = UNDECIDED
    if claim.decision != "runs":
        answer = {"parity table": PARITY, "computed": COMPUTED}.get(claim.decision, UNTESTED)
    elif answers.count(SUPPORTED) >= claim.required:
        answer = SUPPORTED
    elif len(answers) - answers.count(CONTRADICTED) < claim.required:
        answer = CONTRADICTED
    return Verdict(claim=claim, answer=answer, results=tuple(results), runs=runs)


def _measure(test: Test, table: pd.DataFrame) -> _Measured:
    found = _per_seed(test, table)
    if found.size < FEWEST:
        return _Measured(test, found.size)
    if test.kind == "share":
        return _share(test, int((found > 0).sum()), found.size)
    if test.kind == "spread":
        low, high = statistics.spread_interval(found)
        inside, outside = statistics.spread_above(found, test.low or 0.0)
        sd = statistics.mean_interval(found).sd
        return _Measured(test, found.size, sd, low, high, inside, outside)
    mean = statistics.mean_interval(found)
    above_low, below_low = (0.0, 1.0) if test.low is None else statistics.one_sided(found, test.low)
    above_high, below_high = (
        (1.0, 0.0) if test.high is None else statistics.one_sided(found, test.high)
    )
    inside, outside = max(above_low, below_high), min(below_low, above_high)
    return _Measured(test, found.size, mean.mean, mean.low, mean.high, inside, outside)


def _per_seed(test: Test, table: pd.DataFrame) -> npt.NDArray[np.float64]:
    if isinstance(test.first, Contrast):
        return test.first.values(table, test.outcome)
    wide = outcomes(table, test.outcome)
    if test.second is None:
        return values(wide, test.first)
    return paired(wide, test.first, test.second)


def _share(test: Test, count: int, n: int) -> _Measured:
    inside, outside = statistics.share_above(count, n, (test.low or 0.0) / 100)
    low, high = statistics.share_interval(count, n)
    return _Measured(test, n, 100 * count / n, 100 * low, 100 * high, inside, outside)
