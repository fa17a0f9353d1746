"""The plans as a table of text."""

from collections.abc import Iterable

from normlib.columns import aligned
from normlib.records import Store
from normlib.records.store import keys
from normlib.sweep.cost import Costs, duration
from normlib.sweep.plans import Plan


def table(plans: Iterable[Plan], store: Store) -> str:
    """Return a line per plan: runs, recorded, missing, and the time of the missing on one core."""
    records = [stored.record for stored in store.stored()]
    costs = Costs(records)
    head = ("plan", "runs", "recorded", "missing", "one core", "")
    rows = []
    for plan in plans:
        recorded = keys(records, plan.probes)
        lacking = [run for run in plan.experiments if run.key not in recorded]
        time = duration(sum(map(costs.run, lacking))) if lacking else "-"
        guess = " (a guess)" if any(map(costs.guessed, lacking)) else ""
        counts = (len(plan.experiments), len(plan.experiments) - len(lacking), len(lacking))
        rows.append((plan.name, *map(str, counts), time + guess, plan.title))
    return aligned(head, rows, numbers={1, 2, 3})
