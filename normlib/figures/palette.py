"""One look per method through the whole book: colour and marker; the framework is a line style.

Colours follow Okabe and Ito (with a darker vermilion for LN), for the rarer methods Paul Tol; they
stay apart for readers with red-green colour blindness, and a marker of its own says the same again.
"""

COLOURS: dict[str, str] = {
    "none": "#4d4d4d",
    "batch": "#0072b2",
    "batch-batchstats": "#56b4e9",
    "batch-minus": "#332288",
    "affine": "#999933",
    "layer": "#c84e00",
    "layer-channels": "#e69f00",
    "group": "#cc79a7",
    "instance": "#aa4499",
    "rms": "#882255",
    "weight": "#009e73",
}
MARKERS: dict[str, str] = {
    "none": "o",
    "batch": "s",
    "batch-batchstats": "D",
    "batch-minus": "p",
    "affine": "X",
    "layer": "^",
    "layer-channels": "v",
    "group": "P",
    "instance": "h",
    "rms": "<",
    "weight": "*",
}
LABELS: dict[str, str] = {
    "none": "none",
    "batch": "BN",
    "batch-batchstats": "BN (batch statistics)",
    "batch-minus": "BN-minus",
    "affine": "Affine",
    "layer": "LN",
    "layer-channels": "LN (channels)",
    "group": "GN",
    "instance": "IN",
    "rms": "RMSNorm",
    "weight": "WN",
}
FRAMEWORKS: dict[str, str] = {"normlib": "", "torch": "torch ", "tensorflow": "TensorFlow "}
LINES: dict[str, str] = {"normlib": "-", "torch": ":", "tensorflow": "--"}
#: For a method that has no colour of its own yet.
OTHER = "#000000"


def split(norm: str) -> tuple[str, str]:
    """Return framework and method of a condition: ``("tensorflow", "batch")``."""
    framework, colon, method = norm.partition(":")
    return (framework, method) if colon else ("normlib", norm)


def colour(norm: str) -> str:
    """Return the colour of a condition's method."""
    return COLOURS.get(split(norm)[1], OTHER)


def marker(norm: str) -> str:
    """Return the marker of a condition's method."""
    return MARKERS.get(split(norm)[1], ".")


def line(norm: str) -> str:
    """Return the line style of a condition's framework."""
    return LINES.get(split(norm)[0], "-")


def label(norm: str) -> str:
    """Return a condition's name as figures and tables show it: ``TensorFlow BN``."""
    framework, method = split(norm)
    return FRAMEWORKS.get(framework, f"{framework} ") + LABELS.get(method, method)
