"""Identities of normalization as functions that return a residual."""

from normlib.theory.dynamics import DYNAMICS
from normlib.theory.equalities import EQUALITIES
from normlib.theory.equilibrium import EQUILIBRIUM
from normlib.theory.folding import FOLDING
from normlib.theory.gradients import GRADIENTS
from normlib.theory.hyperplane import HYPERPLANE
from normlib.theory.identity import Identity, apart, check, draw, worst
from normlib.theory.jacobian import JACOBIAN
from normlib.theory.sphere import SPHERE
from normlib.theory.symmetry import SYMMETRY
from normlib.theory.whitening import WHITENING

#: Every identity, in the order in which the chapters explain them; a module adds its tuple here.
IDENTITIES: tuple[Identity, ...] = (
    *HYPERPLANE,
    *SPHERE,
    *SYMMETRY,
    *EQUALITIES,
    *WHITENING,
    *JACOBIAN,
    *GRADIENTS,
    *DYNAMICS,
    *EQUILIBRIUM,
    *FOLDING,
)

__all__ = ["IDENTITIES", "Identity", "apart", "check", "draw", "worst"]
