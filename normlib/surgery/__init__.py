"""Changes of whole models: exchange norms, fold them away, recompute or hold their averages."""

from normlib.surgery.adapt import adapt
from normlib.surgery.convert import convert
from normlib.surgery.fold import fold
from normlib.surgery.freeze import freeze, unfreeze
from normlib.surgery.recalibrate import recalibrate

__all__ = ["adapt", "convert", "fold", "freeze", "recalibrate", "unfreeze"]
