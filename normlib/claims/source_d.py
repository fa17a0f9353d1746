"""Source D (Salina): what projections do, before any accuracy is looked at.

D1 to D3 are about definitions and laws, which chapter 02 computes instead of reading them off
recorded runs. Their readings were written down before the chapter was first executed. D4 to D12 are
about trained networks, of which no plan has runs yet.
"""

import pandas as pd

from normlib.analysis import statistics
from normlib.analysis.outcome import FEWEST
from normlib.claims.claim import ALPHA, Claim
from normlib.claims.forms import untested
from normlib.claims.parity import Finding
from normlib.claims.verdicts import CONTRADICTED, OPEN, SUPPORTED, Answer

SOURCE = "D"
HERE = ("02_scale_invariance",)

#: Kinds of the catalogue that are projections.
PROJECTIONS = ("sphere", "hyperplane", "whitening")
#: The source's methods, by the catalogue's names, and which of ours takes the scale away from what.
OWN = ("batch", "layer", "group", "instance", "weight", "centered-weight", "spectral")
#: The scale-invariant methods whose weights are watched.
WATCHED = ("batch", "layer", "weight")

#: What the source says of trained networks, and what it takes to test it.
UNTESTED = untested(
    SOURCE,
    (
        "D4",
        "Larger weight norms make networks more vulnerable to adversarial perturbation.",
        "Needs trained networks with weights of several lengths, and attacks on them.",
    ),
    (
        "D5",
        "BN, LN and GN converge faster than no normalization.",
        "Needs `group` beside `batch`, `layer` and `none` on the source's CIFAR-10 and CIFAR-100.",
    ),
    (
        "D6",
        "GN and LN stay stable at small batch sizes, BN does not.",
        "Needs runs at several batch sizes, down to two images.",
    ),
    (
        "D7",
        "Pruning by BN's gamma removes parameters at little loss of accuracy.",
        "Needs trained networks whose channels are removed in the order of their gamma.",
    ),
    (
        "D8",
        "Normalization allows higher learning rates.",
        "Needs the largest rate at which training succeeds, with and without normalization.",
    ),
    (
        "D9",
        "Normalization reduces sensitivity to initialization.",
        "Needs runs from initial weights of several scales.",
    ),
    (
        "D10",
        "BN is unstable at very small and very large batches, and very large batches generalize "
        "worse.",
        "Needs runs at batch sizes from two to several thousand.",
    ),
    (
        "D11",
        "WN speeds convergence.",
        "Needs `weight` beside `none` on the source's CIFAR-10 and CIFAR-100.",
    ),
    (
        "D12",
        "Normalization improves generalization.",
        "Needs networks that fit their training images equally well, with and without it.",
    ),
)

CLAIMS_D = (
    Claim(
        id="D1",
        source=SOURCE,
        claim="Most methods are projections of pre-activations or weights onto a hypersphere.",
        reading=(
            "Of the catalogue's methods on activations or weights, more than half are declared "
            f"to be of the kinds {', '.join(PROJECTIONS)}. Shown beside it: how many, as measured, "
            "leave what they have projected as it is and forget its scale, which is what a "
            "projection onto a sphere around zero does."
        ),
        decision="computed",
        chapters=HERE,
    ),
    Claim(
        id="D2",
        source=SOURCE,
        claim="Normalization makes the output invariant to scaling of weights or activations.",
        reading=(
            "For each of the source's seven methods (BN, LN, GN, IN, WN, CWN, SN), while "
            "training and without epsilon: scaling the weight before the layer (or under the "
            "method) leaves the output as it was, to 1e-9 of its size. Shown beside it: "
            "evaluation with running averages, and the rest of the catalogue."
        ),
        decision="computed",
        chapters=HERE,
    ),
    Claim(
        id="D3",
        source=SOURCE,
        claim="Scale-invariant methods let weight norms grow.",
        reading=(
            "Trained with plain SGD without weight decay, the Euclidean length of the hidden "
            "weights (under WN, of their directions v) is larger after the last step than before "
            "the first under each of BN, LN and WN: mean over seeds of its relative growth above "
            "0, one-sided at 0.025, Holm-corrected over the three. Shown beside it: the same "
            "without normalization, and with weight decay."
        ),
        decision="computed",
        chapters=HERE,
    ),
    *UNTESTED,
)


def findings(kinds: pd.DataFrame, scales: pd.DataFrame, trained: pd.DataFrame) -> list[Finding]:
    """Return the verdicts on D1, D2 and D3.

    Args:
        kinds: `theory.scaled.projecting`'s, of the whole catalogue.
        scales: Rows of `theory.invariance.measured` (column mode: training) and
            `theory.scaled.evaluated` (mode: evaluation), of the source's methods at least.
        trained: `theory.trained.table`'s, plain SGD without decay.
    """
    return [_d1(kinds), _d2(scales), _d3(grown(trained))]


def grown(trained: pd.DataFrame) -> pd.DataFrame:
    """Return by how much the hidden weights' length grew: columns norm, seed, percent."""
    last = trained[trained["step"] == trained["step"].max()]
    both = last.groupby(["norm", "seed"], sort=False)[["square", "start"]].sum().reset_index()
    percent = 100 * ((both["square"] / both["start"]) ** 0.5 - 1)
    growth: pd.DataFrame = both[["norm", "seed"]].assign(percent=percent)
    return growth


def _d1(methods: pd.DataFrame) -> Finding:
    declared = int(methods["kind"].isin(PROJECTIONS).sum())
    spheres = int((methods["idempotent"] & methods["forgets_scale"]).sum())
    return Finding(
        claim="D1",
        answer=SUPPORTED if 2 * declared > len(methods) else CONTRADICTED,
        why=(
            f"{declared} of {len(methods)} methods on activations or weights are declared to be "
            f"projections; {spheres} are measured to be ones onto a sphere, whitening included."
        ),
    )


def _d2(scales: pd.DataFrame) -> Finding:
    own = scales[scales["method"].isin(OWN) & (scales["transformation"] == "weight scaled")]
    training, evaluation = (own[own["mode"] == mode] for mode in ("training", "evaluation"))
    missing = set(OWN) - set(training["method"])
    held = int(training["invariant"].sum())
    lost = [str(name) for name in evaluation.loc[~evaluation["invariant"].astype(bool), "method"]]
    answer: Answer = SUPPORTED if held == len(OWN) else CONTRADICTED
    return Finding(
        claim="D2",
        answer=OPEN if missing else answer,
        why=(
            f"While training, {held} of the source's {len(OWN)} methods do not notice the scale of "
            f"the weight. In evaluation these do: {', '.join(lost) or 'none'}."
        ),
    )


def _d3(growth: pd.DataFrame) -> Finding:
    by_norm = {
        norm: growth.loc[growth["norm"] == norm, "percent"].tolist() for norm in (*WATCHED, "none")
    }
    if any(len(by_norm[norm]) < FEWEST for norm in WATCHED):
        return Finding(claim="D3", answer=OPEN, why="Too few seeds to tell growth from luck.")
    above, below = zip(*(statistics.one_sided(by_norm[norm], 0.0) for norm in WATCHED), strict=True)
    answer: Answer = OPEN
    if (statistics.holm(above) < ALPHA / 2).all():
        answer = SUPPORTED
    elif (statistics.holm(below) < ALPHA / 2).any():
        answer = CONTRADICTED
    means = ", ".join(
        f"{norm} {sum(values) / len(values):+.0f}%" for norm, values in by_norm.items() if values
    )
    return Finding(
        claim="D3",
        answer=answer,
        why=(
            "Under plain SGD they cannot do otherwise, since the gradient is orthogonal to the "
            f"weight. Measured, over {len(by_norm['batch'])} seeds: {means}."
        ),
    )
