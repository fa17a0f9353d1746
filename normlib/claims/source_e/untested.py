"""E12, E14 and E18 to E23: claims that no plan has runs for yet, most of them from its survey."""

from normlib.claims.forms import untested
from normlib.claims.source_e.forms import SOURCE

CLAIMS_UNTESTED = untested(
    SOURCE,
    (
        "E12",
        "BN after the activation is as good as before it, or better.",
        "Needs networks with the norm behind the activation.",
    ),
    (
        "E14",
        "BN reduces the need for dropout.",
        "Needs runs with and without dropout, each with and without BN.",
    ),
    (
        "E18",
        "Population statistics do as well as the batch's when batches are larger than 32.",
        "Needs `population` beside `batch` at several batch sizes.",
    ),
    (
        "E19",
        "GroupNorm works well at a batch size of 2.",
        "Needs `group` beside `batch` at very small batches.",
    ),
    (
        "E20",
        "Switchable Normalization gives BN the largest weight in classification.",
        "Needs the learned weights of trained networks with `switchable`.",
    ),
    (
        "E21",
        "Fixup matches BN on CIFAR-10, or beats it.",
        "Needs networks trained by Fixup's own protocol.",
    ),
    (
        "E22",
        "Whitening beats BN, at a cost in time.",
        "Needs `decorrelated` and `iterative` beside `batch`, and their times.",
    ),
    (
        "E23",
        "AdaBN and AutoDIAL help when the domain shifts.",
        "Needs a source and a target domain.",
    ),
)
