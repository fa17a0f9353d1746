"""The runs of a chapter: read from the store, or computed first."""

from dataclasses import dataclass

from normlib.analysis.contrasts import STARTS
from normlib.records import Experiment, Record, Store
from normlib.records.choices import STARTED_AS
from normlib.sweep.plans import PLANS, Plan


@dataclass(frozen=True)
class Gathered:
    """What the store has of a plan: records in the plan's order, and experiments without one."""

    plan: Plan
    records: tuple[Record, ...]
    missing: tuple[Experiment, ...]

    @property
    def label(self) -> str:
        """The plan's name, with every setting in which this is not the plan's own grid."""
        if not self.plan.experiments:
            return self.plan.name
        ours, theirs = self.plan.experiments[0], PLANS[self.plan.name].experiments[0]
        changed = [
            f"{field} {value}"
            for field, value in ours.to_dict().items()
            if value != getattr(theirs, field)
        ]
        return f"{self.plan.name} with {', '.join(changed)}" if changed else self.plan.name

    def report(self) -> str:
        """Say how many runs are recorded, which are not, and the command that computes them."""
        total = len(self.plan.experiments)
        if not self.missing:
            return f"All {total} runs of plan {self.label} are recorded."
        # Counted in the plan's order of conditions, whichever runs happen to be there.
        lacking = dict.fromkeys(map(_condition, self.plan.experiments), 0)
        for run in self.missing:
            lacking[_condition(run)] += 1
        named = ", ".join(f"{norm} {count}" for norm, count in lacking.items() if count)
        remedy = (
            f"normlib run {self.plan.name}"
            if set(self.missing) <= set(PLANS[self.plan.name].experiments)
            else "this chapter with compute=True"
        )
        return (
            f"{len(self.records)} of {total} runs of plan {self.label} are recorded.\n"
            f"Missing runs by condition: {named}.\n"
            f"What follows uses what is there. To compute the rest: {remedy}"
        )


def _condition(run: Experiment) -> str:
    """Return a run's norm, and its start if it is for that norm alone."""
    if run.initialization not in STARTED_AS:
        return run.norm
    return f"{run.norm} ({STARTS[run.initialization]})"


def gather(plan: Plan, *, compute: bool = False, store: Store | None = None) -> Gathered:
    """Return what ``store`` (by default the project's) has of ``plan``.

    With ``compute`` the missing runs are trained first, by a sweep with a process per core; runs
    that fail are reported among the missing.
    """
    store = Store.default() if store is None else store
    if compute:
        from normlib import sweep

        sweep.compute(plan.experiments, store, probes=plan.probes)
    recorded = {one.key: one for one in store.scan(plan.probes)[0]}
    return Gathered(
        plan,
        tuple(recorded[run.key] for run in plan.experiments if run.key in recorded),
        tuple(run for run in plan.experiments if run.key not in recorded),
    )
