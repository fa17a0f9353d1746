"""Declared inputs for comparing normalizations between frameworks, and Keras's side, stored.

Imports no framework. ``python -m normlib.analysis.parity.keras_side`` computes Keras's side.
"""

from normlib.analysis.parity.cases import EPS, MOMENTUM, QUANTITIES, Case, cases, inputs_sha256
from normlib.analysis.parity.setups import LOSSES, Setup, setups
from normlib.analysis.parity.stored import KerasSide, ParityError, load_keras

__all__ = [
    "EPS",
    "LOSSES",
    "MOMENTUM",
    "QUANTITIES",
    "Case",
    "KerasSide",
    "ParityError",
    "Setup",
    "cases",
    "inputs_sha256",
    "load_keras",
    "setups",
]
