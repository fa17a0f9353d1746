"""One look per method through the whole book: colour and marker; the framework is a line style.

Colours follow Okabe and Ito (with a darker vermilion for LN), for the rarer methods Paul Tol; they
stay apart for readers with red-green colour blindness, and a marker of its own says the same again.
The relatives of these have their family's hue and a letter for a marker.
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
    "mean-only": "#4477aa",
    "l1": "#1b4965",
    "ghost": "#5e8c9e",
    "renorm": "#2f5d8a",
    "noisy": "#7b6ca8",
    "population": "#6a7fb0",
    "power": "#3d348b",
    "scale": "#b8405e",
    "frn": "#d1603d",
    "evonorm-b0": "#7f5539",
    "evonorm-s0": "#a47148",
    "local-response": "#8d5b4c",
    "centered-weight": "#2a9d8f",
    "weight-standardization": "#40916c",
    "scaled-weight-standardization": "#606c38",
    "spectral": "#1b7f5c",
    "decorrelated": "#6a3d9a",
    "iterative": "#9b5de5",
    "switchable": "#a6611a",
    "adabn": "#01665e",
    "autodial": "#2d8a8a",
    "dynamic-tanh": "#7a7a1f",
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
    "mean-only": "$m$",
    "l1": "$1$",
    "ghost": "$g$",
    "renorm": "$r$",
    "noisy": "$n$",
    "population": "$p$",
    "power": "$q$",
    "scale": "$s$",
    "frn": "$f$",
    "evonorm-b0": "$b$",
    "evonorm-s0": "$e$",
    "local-response": "$l$",
    "centered-weight": "$c$",
    "weight-standardization": "$w$",
    "scaled-weight-standardization": "$W$",
    "spectral": "$S$",
    "decorrelated": "$D$",
    "iterative": "$i$",
    "switchable": "$x$",
    "adabn": "$a$",
    "autodial": "$A$",
    "dynamic-tanh": "$t$",
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
    "mean-only": "mean-only BN",
    "l1": "L1 BN",
    "ghost": "Ghost BN",
    "renorm": "Batch Renorm",
    "noisy": "noisy BN",
    "population": "population BN",
    "power": "PowerNorm",
    "scale": "ScaleNorm",
    "frn": "FRN",
    "evonorm-b0": "EvoNorm-B0",
    "evonorm-s0": "EvoNorm-S0",
    "local-response": "LRN",
    "centered-weight": "CWN",
    "weight-standardization": "WS",
    "scaled-weight-standardization": "scaled WS",
    "spectral": "SN",
    "decorrelated": "DBN",
    "iterative": "IterNorm",
    "switchable": "SwitchNorm",
    "adabn": "AdaBN",
    "autodial": "AutoDIAL",
    "dynamic-tanh": "DyT",
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
