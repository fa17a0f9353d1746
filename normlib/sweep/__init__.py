"""Plans, and the sweep that computes what they lack; imports no framework."""

from normlib.sweep.local import compute
from normlib.sweep.loop import Failure, Outcome
from normlib.sweep.plans import PLANS, Plan, PlanError, named
from normlib.sweep.todo import missing

__all__ = ["PLANS", "Failure", "Outcome", "Plan", "PlanError", "compute", "missing", "named"]
