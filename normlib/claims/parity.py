"""Verdicts on the claims that the parity table decides, each with the numbers it rests on."""

from dataclasses import dataclass

import pandas as pd

from normlib.analysis.parity.blindness import unseen
from normlib.analysis.parity.explanations import REPORTED, reach, rounding
from normlib.claims.verdicts import CONTRADICTED, OPEN, SUPPORTED, Answer

RUNNING = "running averages"
#: How many times larger a difference must be than rounding's before rounding cannot be its cause.
FAR = 100.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A verdict from computed differences: the claim's id, the answer, and why in one sentence."""

    claim: str
    answer: Answer
    why: str


def findings(differences: pd.DataFrame, blind: pd.DataFrame) -> list[Finding]:
    """Return the verdicts on A4, A5, A6 and, as far as gradients are concerned, B8.

    Args:
        differences: ``analysis.parity.explanations.differences``.
        blind: ``analysis.parity.blindness.errors``.
    """
    return [_a4(differences), _a5(differences), _a6(blind), _b8(differences, blind)]


def _a4(differences: pd.DataFrame) -> Finding:
    graded = reach(differences, "batch")
    could = [str(name) for name in graded.loc[graded["answer"] == "could", "change"]]
    possible = any(name.startswith(RUNNING) for name in could)
    others = [name for name in could if not name.startswith(RUNNING)]
    also = f"of the other changes tried also: {'; '.join(others)}" if others else "no other does"
    return Finding(
        claim="A4",
        answer=OPEN if possible else CONTRADICTED,
        why=(
            "Possible: running averages against batch statistics give differences on both sides "
            f"of {REPORTED['batch'][0]:.2f} ({also}). Without the source's inputs the cause cannot "
            "be identified."
            if possible
            else f"No declared input gives {REPORTED['batch'][0]:.2f} by running averages."
        ),
    )


def _a5(differences: pd.DataFrame) -> Finding:
    number, noise = REPORTED["layer"][0], rounding(differences, "layer")
    graded = reach(differences, "layer")
    could = [str(name) for name in graded.loc[graded["answer"] == "could", "change"]]
    refuted = number > FAR * noise
    return Finding(
        claim="A5",
        answer=CONTRADICTED if refuted else SUPPORTED,
        why=(
            f"Two float32 evaluations of one definition differ by at most {noise:.0e}; the source "
            f"reports {number:.3f}. Changes that can reach it: {'; '.join(could) or 'none'}."
        ),
    )


def _a6(blind: pd.DataFrame) -> Finding:
    wrong = _unseen(blind)
    total = blind["backward"].nunique() - 1
    return Finding(
        claim="A6",
        answer=CONTRADICTED if wrong else OPEN,
        why=(
            f"Under a sum or a mean of the outputs {len(wrong)} of {total} wrong backward passes "
            f"differ from the right one by less than the source's {REPORTED['layer'][1]:.6f}: "
            f"{', '.join(wrong)}."
        ),
    )


def _b8(differences: pd.DataFrame, blind: pd.DataFrame) -> Finding:
    noise = max(rounding(differences, family) for family in REPORTED)
    wrong = _unseen(blind)
    return Finding(
        claim="B8",
        answer=CONTRADICTED if wrong else OPEN,
        why=(
            f"Of its two parts: layers of one definition do agree to rounding ({noise:.0e} in "
            "float32), but that gradients are right does not follow from close results; it takes "
            "a test that can fail. The accuracies are decided by the runs of chapter 5."
        ),
    )


def _unseen(blind: pd.DataFrame) -> list[str]:
    """Return the wrong backward passes that neither a sum nor a mean of the outputs tells."""
    threshold = REPORTED["layer"][1]
    by_mean = unseen(blind, "mean of y", threshold)
    return [name for name in unseen(blind, "sum of y", threshold) if name in by_mean]
