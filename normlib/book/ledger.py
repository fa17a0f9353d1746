"""Claims and verdicts in words: what tables and sentences of a chapter say."""

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from normlib.analysis.contrasts import Contrast
from normlib.analysis.outcome import FEWEST, QUANTITIES, Outcome
from normlib.book.showing import difference, limits, p_value, text
from normlib.claims import Claim, Test
from normlib.claims.verdicts import Result, Verdict
from normlib.figures.palette import label


def questions(claims: Iterable[Claim]) -> pd.DataFrame:
    """Return the claims as they were written down before the runs.

    What decides them is a column if not all are decided alike.
    """
    rows = [(one.id, one.claim, _named(one.reading), one.decision) for one in claims]
    names = ["claim", "the source says", "how it is read", "decided by"]
    table = pd.DataFrame(rows, columns=names)
    return table if table["decided by"].nunique() > 1 else table[names[:3]]


def said(condition: str) -> str:
    """Return a condition, or a text with norms in backticks, with the names figures use."""
    return _named(condition) if "`" in condition else label(condition)


def _named(words: str) -> str:
    return re.sub("`([^`]+)`", lambda found: label(found[1]), words)


def comparison(test: Test) -> str:
    """Return what a test is about: ``LN − none``."""
    if isinstance(test.first, Contrast):
        return said(test.first.words)
    if test.second is None:
        return f"standard deviation of {label(test.first)}"
    if test.kind == "share":
        return f"seeds with {label(test.first)} above {label(test.second)}"
    return f"{label(test.first)} \N{MINUS SIGN} {label(test.second)}"


def short(outcome: Outcome) -> str:
    """Return an outcome for a narrow column: ``test accuracy, epoch 4``."""
    what = {
        "train_accuracy_running": "training accuracy",
        "generalization_gap": "training − test",
    }.get(outcome.quantity, QUANTITIES[outcome.quantity][0])
    return f"{what}, {_period(outcome)}"


def _period(outcome: Outcome) -> str:
    if outcome.first == outcome.last:
        return f"epoch\N{NO-BREAK SPACE}{outcome.last}"
    return f"epochs {outcome.first}–{outcome.last}"


def hypothesis(test: Test) -> str:
    """Return what a test claims: ``above 0 points``, ``within ±0.5 points``."""
    unit = "% of seeds" if test.kind == "share" else _unit(test)
    if test.kind == "equivalence":
        return f"within ±{_amount(test.high, unit)}"
    if test.low is not None and test.high is not None:
        return f"between {test.low:g} and {_amount(test.high, unit)}"
    if test.low is not None:
        return f"above {_amount(test.low, unit)}"
    return f"below {_amount(test.high, unit)}"


def _amount(value: float | None, unit: str) -> str:
    """Return ``2.5 points``, ``−1 point`` or ``20%``."""
    if unit == "points" and value in (-1, 1):
        unit = "point"
    number = f"{value:g}".replace("-", "\N{MINUS SIGN}")
    return f"{number}{unit}" if unit.startswith("%") else f"{number} {unit}"


def estimate(result: Result) -> str:
    """Return a result's numbers: ``+0.31 [+0.20, +0.42], 20 seeds``."""
    if result.estimate is None or result.low is None or result.high is None:
        return f"{result.n} {'seed' if result.n == 1 else 'seeds'} in common: too few"
    seeds = f"{result.n}\N{NO-BREAK SPACE}seeds"
    if not _is_difference(result.test):
        return f"{text(result.estimate)} {limits(result.low, result.high)}, {seeds}"
    if result.test.kind in ("share", "spread"):
        unit, digits = ("%", 0) if result.test.kind == "share" else ("", 2)
        found = limits(result.low, result.high, digits)
        return f"{text(result.estimate, digits)}{unit} {found}, {seeds}"
    return f"{difference(result.estimate, result.low, result.high)}, {seeds}"


def sentence(results: Sequence[Result]) -> str:
    """Return comparisons with their numbers, for a sentence: ``BN − none +0.31 [...]; ...``.

    What is no accuracy is named, with its unit, and so is all where outcomes differ:
    ``BN, widening of gradients, in doublings: −2.08``.
    """
    outcomes = {one.test.outcome for one in results}
    periods = {(one.first, one.last) for one in outcomes}
    said = []
    for one in results:
        outcome = one.test.outcome
        what = comparison(one.test)
        if len(outcomes) > 1 or outcome.unit != "points":
            when = f", {_period(outcome)}" if len(periods) > 1 else ""
            what += f", {QUANTITIES[outcome.quantity][0]}{when}{_in_units(one.test)}:"
        said.append(f"{what} {estimate(one)}")
    return "; ".join(said)


def _in_units(test: Test) -> str:
    """Say a test's unit, where it does not go without saying: ``, in percent``."""
    unit = _unit(test)
    if test.outcome.unit == unit == "points":
        return ""
    return f", in {'percent' if unit == '%' else unit}"


def _unit(test: Test) -> str:
    """Return the unit of a test's number: % of a percentage, points of a difference of two."""
    unit = test.outcome.unit
    if unit == "%" and _is_difference(test):
        return "points"
    accuracy = unit == "points" and test.outcome.quantity != "generalization_gap"
    return "%" if accuracy and not _is_difference(test) else unit


def _is_difference(test: Test) -> bool:
    """Whether its number compares conditions, and is not the level of one."""
    return not isinstance(test.first, Contrast) or test.first.compares


def evidence(verdict: Verdict) -> str:
    """Return what a verdict rests on, short enough for a sentence."""
    return sentence(verdict.primary) if len(verdict.primary) <= 2 else tally(verdict)


def tally(verdict: Verdict) -> str:
    """Return how its tests stand: ``2 of 4 tests hold, 1 is reversed, 1 lacks runs``."""
    held, against = _held(verdict), _count(verdict, "contradicted")
    lacking = sum(result.n < FEWEST for result in verdict.primary)
    rest = {
        ("is reversed", "are reversed"): against,
        ("is open", "are open"): len(verdict.primary) - held - against - lacking,
        ("lacks runs", "lack runs"): lacking,
    }
    said = [f"{held} of {len(verdict.primary)} tests {'holds' if held == 1 else 'hold'}"]
    said += [f"{n} {one if n == 1 else more}" for (one, more), n in rest.items() if n]
    return ", ".join(said)


def verdicts(judged: Iterable[Verdict]) -> pd.DataFrame:
    """Return one row per claim: what it says, the verdict, the runs."""
    rows = []
    for one in judged:
        runs = ", ".join(f"{said(name)} ({n})" for name, n in one.runs.items())
        share = f"{_held(one)} of {len(one.primary)}" if one.primary else ""
        rows.append((one.claim.id, one.claim.claim, one.answer, share, runs))
    names = ["claim", "the source says", "verdict", "tests that hold", "runs (seeds)"]
    return pd.DataFrame(rows, columns=names)


def _held(verdict: Verdict) -> int:
    return _count(verdict, "supported")


def _count(verdict: Verdict, answer: str) -> int:
    return sum(result.answer == answer for result in verdict.primary)


def comparisons(judged: Iterable[Verdict], role: str = "primary") -> pd.DataFrame:
    """Return one row per test of that role, with its numbers and its answer."""
    rows = [
        (
            verdict.claim.id,
            comparison(one.test),
            short(one.test.outcome),
            hypothesis(one.test),
            estimate(one),
            p_value(one.p_holm),
            one.answer,
        )
        for verdict in judged
        for one in verdict.results
        if one.test.role == role
    ]
    names = ["claim", "compared", "outcome", "claimed", "mean [95% interval]", "p", "answer"]
    return pd.DataFrame(rows, columns=names)
