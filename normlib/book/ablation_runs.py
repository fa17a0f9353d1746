"""Which runs a verdict rests on, told by network, batch size and method."""

from collections.abc import Iterable

import pandas as pd

from normlib.analysis.ablation import METHODS
from normlib.analysis.contrasts import Contrast, network
from normlib.book import ledger
from normlib.claims.verdicts import Verdict
from normlib.figures.palette import label


def verdicts(judged: Iterable[Verdict]) -> pd.DataFrame:
    """Return ``ledger.verdicts`` with its runs told as ``runs`` tells them."""
    listed = list(judged)
    table = ledger.verdicts(listed)
    table["runs (seeds)"] = [runs(one) or "no seed complete" for one in listed]
    return table


def runs(verdict: Verdict) -> str:
    """Return the runs behind a verdict's primary tests, empty if there are none.

    A line has the networks and batch sizes whose methods have as many seeds:
    ``ResNet18, ResNet34, batch 20, 50: BN (4), BN-minus (4)``. Runs that only secondary tests use
    are not among them.
    """
    sizes: dict[tuple[str, str, str], list[str]] = {}
    for (model, batch_size, setting), norms in _seeds(verdict).items():
        said = ", ".join(f"{label(norm)} ({n})" for norm, n in norms.items() if n)
        if said:
            sizes.setdefault((model, setting, said), []).append(str(batch_size))
    models: dict[tuple[tuple[str, ...], str, str], list[str]] = {}
    for (model, setting, said), found in sizes.items():
        models.setdefault((tuple(sorted(found, key=int)), setting, said), []).append(model)
    return "\n".join(
        f"{', '.join(map(network, names))}, batch {', '.join(found)}{setting}: {said}"
        for (found, setting, said), names in models.items()
    )


def _seeds(verdict: Verdict) -> dict[tuple[str, int, str], dict[str, int]]:
    """Return the seeds of each method by network, batch size and what else the place says."""
    counts: dict[tuple[str, int, str], dict[str, int]] = {}
    for result in verdict.primary:
        first = result.test.first
        for cell in first.cells if isinstance(first, Contrast) else ():
            norms = counts.setdefault((cell.model, cell.batch_size, cell.setting), {})
            norms[cell.norm] = max(norms.get(cell.norm, 0), result.n)
    return {
        # METHODS in the source's order, others after them as they come.
        place: {norm: n[norm] for norm in dict.fromkeys((*METHODS, *n)) if norm in n}
        for place, n in counts.items()
    }
