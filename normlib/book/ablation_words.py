"""Sentences on runs and on verdicts that are true whatever is recorded; some on source E alone."""

from collections.abc import Iterable, Sequence

import pandas as pd

from normlib.analysis.contrasts import Cell, Contrast
from normlib.analysis.outcome import FEWEST
from normlib.book import ledger
from normlib.claims.verdicts import Result, Verdict


def recorded(found: pd.DataFrame, what: str) -> str:
    """Say how much of a plan is there: ``Of the main table, 8 of 128 runs are recorded ...``.

    Args:
        found: ``analysis.coverage.coverage``'s.
        what: What the plan is in words, ``the main table``.
    """
    planned, there = int(found["planned"].sum()), int(found["recorded"].sum())
    if not there:
        return f"Of {what}, none of {planned} runs is recorded yet."
    whole = int((found["recorded"] == found["planned"]).sum())
    enough = int((found["recorded"] >= FEWEST).sum())
    cells = len(found)
    return (
        f"Of {what}, {there} of {planned} runs {'is' if there == 1 else 'are'} recorded: {whole} "
        f"of {cells} cells {'is' if whole == 1 else 'are'} whole, and {enough} "
        f"{'has' if enough == 1 else 'have'} at least three runs, without which nothing is decided."
    )


def inside(predicted: pd.DataFrame) -> str:
    """Say how many of the source's numbers lie in our prediction intervals."""
    compared = predicted["inside"].dropna()
    if compared.empty:
        return "None of the source's numbers can be compared yet, for lack of runs."
    held = int(compared.astype(bool).sum())
    return (
        f"Of the source's {len(predicted)} numbers {len(compared)} can be compared, and {held} "
        f"{'lies' if held == 1 else 'lie'} inside our interval."
    )


def adding_up(found: pd.DataFrame) -> str:
    """Say where normalizing and re-scaling gain more together, or less, than each by itself.

    Args:
        found: ``analysis.ablation.factorial``'s.
    """
    here = found[(found["effect"] == "interaction") & (found["n"] >= FEWEST)]
    if here.empty:
        return "No cell has three seeds of all four methods yet, so that the table shows no effect."
    more, less = int((here["low"] > 0).sum()), int((here["high"] < 0).sum())
    rest = len(here) - more - less
    return (
        f"Of the {len(here)} {'cell' if len(here) == 1 else 'cells'} with at least three seeds, "
        f"re-scaling gains more with normalizing than without in {more}, less in {less}, and in "
        f"{rest} the interval, uncorrected, includes 0."
    )


def decided(judged: Sequence[Verdict]) -> str:
    """Say how many claims the runs decide."""
    open_ = sum(one.answer not in ("supported", "contradicted") for one in judged)
    if open_ == len(judged):
        return f"None of the {len(judged)} claims is decided by the runs there are."
    if open_:
        return (
            f"Of the {len(judged)} claims {len(judged) - open_} "
            f"{'is' if len(judged) - open_ == 1 else 'are'} decided by the runs there are."
        )
    return f"All {len(judged)} claims are decided."


def standing(verdict: Verdict) -> str:
    """Return what a verdict rests on, for a sentence: numbers, a tally, or what is missing."""
    seeds = [result.n for result in verdict.primary]
    lacking = {n for n in seeds if n < FEWEST}
    if not any(seeds):
        return "its runs are missing"
    if len(lacking) == 1 and max(seeds) < FEWEST:
        return f"{max(seeds)} of the three seeds that it takes"
    return ledger.tally(verdict) if lacking else ledger.evidence(verdict)


def early(judged: Iterable[Verdict], epoch: int) -> str:
    """Return what secondary tests of ``epoch`` show, each comparison once, in one direction."""
    found: dict[frozenset[tuple[float, Cell]], Result] = {}
    for verdict in judged:
        for result in verdict.results:
            test = result.test
            if test.outcome.last == epoch and isinstance(test.first, Contrast):
                turned = frozenset((-weight, cell) for weight, cell in test.first.terms)
                if turned not in found:
                    found.setdefault(frozenset(test.first.terms), result)
    measured: Sequence[Result] = [one for one in found.values() if one.estimate is not None]
    if not measured:
        return "nothing yet, for lack of three seeds of each method"
    words = [(ledger.comparison(one.test), ledger.estimate(one)) for one in measured]
    for shared in _places(measured), f", {measured[0].n}\N{NO-BREAK SPACE}seeds":
        # Said once where all share it.
        if all(shared in " ".join(pair) for pair in words):
            words = [(first.replace(shared, ""), last.replace(shared, "")) for first, last in words]
    end = f" ({measured[0].n} seeds)" if "seeds" not in words[0][1] else ""
    return "; ".join(" ".join(pair) for pair in words) + end


def _places(results: Sequence[Result]) -> str:
    """Return the first place of ``results`` as a contrast's words end with it."""
    first = results[0].test.first
    return f", {first.cells[0].place}" if isinstance(first, Contrast) else ""


def slips(found: pd.DataFrame) -> str:
    """Say how many of the numbers of Tables 2 and 3 stand elsewhere for another batch size.

    Args:
        found: ``claims.source_e.reported.slips``'s.
    """
    moved = int((found["said"] != found["elsewhere"]).sum())
    beaten = int((found["best"] > found["accuracy"]).sum())
    return (
        f"Of the {len(found)} numbers, {moved} stand in the later tables for another batch size "
        f"than the one that is called best, and {beaten} are not the largest that these tables "
        "have for their method and the two networks."
    )
