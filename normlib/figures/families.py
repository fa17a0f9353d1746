"""One look per family of methods, a colour and words, and one per kind, a marker.

A family has the colour of its best known method; families without one have colours of their own.
"""

from collections.abc import Iterable

from normlib.figures import palette

#: Family to colour and what its statistics come from, in the order of drawing.
FAMILIES: dict[str, tuple[str, str]] = {
    "none": (palette.COLOURS["none"], "no statistics"),
    "batch": (palette.COLOURS["batch"], "statistics over the batch"),
    "sample": (palette.COLOURS["layer"], "statistics within a sample"),
    "weight": (palette.COLOURS["weight"], "statistics of the weight"),
    "whitening": ("#6a3d9a", "covariance over the batch"),
    "mixture": ("#a6611a", "several statistics at once"),
    "domain": ("#01665e", "statistics of each domain"),
    "pointwise": ("#7a7a1f", "a function of each entry"),
    "training": ("#7a1f5c", "no layer: a way to train"),
}
#: Kind to marker.
KINDS: dict[str, str] = {
    "sphere": "o",
    "hyperplane": "s",
    "whitening": "D",
    "mixture": "P",
    "divisive": "v",
    "pointwise": "^",
    "initialization": "*",
    "optimizer": "d",
    "none": ".",
}


def ordered(families: Iterable[str]) -> list[str]:
    """Return the families, each once, in the order of drawing; unknown ones last, as met."""
    met = list(dict.fromkeys(families))
    return [one for one in FAMILIES if one in met] + [one for one in met if one not in FAMILIES]


def colour(family: str) -> str:
    """Return the colour of a family."""
    return FAMILIES.get(family, (palette.OTHER, ""))[0]


def words(family: str) -> str:
    """Return what a family's statistics come from, or its name."""
    return FAMILIES.get(family, ("", family))[1]


def marker(kind: str) -> str:
    """Return the marker of a kind."""
    return KINDS.get(kind, "X")
