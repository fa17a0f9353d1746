"""The plans as a table of text."""

from collections.abc import Iterable

from normlib.records import Store
from normlib.sweep.cost import Costs, duration
from normlib.sweep.plans import Plan


def table(plans: Iterable[Plan], store: Store) -> str:
    """Return a line per plan: runs, recorded, missing, and the time of the missing on one core."""
    records, _ = store.scan()
    recorded = {record.key for record in records}
    costs = Costs(records)
    rows: list[tuple[str, ...]] = [("plan", "runs", "recorded", "missing", "one core", "")]
    for plan in plans:
        lacking = [run for run in plan.experiments if run.key not in recorded]
        time = duration(sum(map(costs.run, lacking))) if lacking else "-"
        guess = " (a guess)" if any(map(costs.guessed, lacking)) else ""
        counts = (len(plan.experiments), len(plan.experiments) - len(lacking), len(lacking))
        rows.append((plan.name, *map(str, counts), time + guess, plan.title))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if 1 <= column <= 3 else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
