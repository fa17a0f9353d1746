"""Probes: what is measured while a run trains; they decide nothing, and the run keeps its bits."""

from normlib.engine.probes.probe import PROBES, Moment, Probe, ProbeError, Probes, check

__all__ = ["PROBES", "Moment", "Probe", "ProbeError", "Probes", "check"]
