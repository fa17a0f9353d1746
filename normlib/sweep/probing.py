"""What is measured in a run, whichever plan has it computed."""

from collections.abc import Iterable

from normlib.records import Experiment
from normlib.sweep.plans import PLANS


def probes_of(experiment: Experiment, needed: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the probes that are ``needed``, and those of every plan that has this run.

    So a run that several plans share is computed once, by whichever comes first.
    """
    sharing = (plan for plan in PLANS.values() if plan.probes and experiment in plan.experiments)
    wanted = {probe for plan in sharing for probe in plan.probes}
    return tuple(sorted(wanted.union(needed)))
