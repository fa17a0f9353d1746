"""Tidy tables in, matplotlib figures out; one palette; imports no framework."""

from normlib.figures.curves import Panel, learning_curves
from normlib.figures.intervals import accuracies, forest, predictions, times

__all__ = ["Panel", "accuracies", "forest", "learning_curves", "predictions", "times"]
