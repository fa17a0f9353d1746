"""``normlib bench``: a table, and ``_build/bench.json``."""

from pathlib import Path
from typing import Annotated

import typer

from normlib import paths
from normlib.bench import layers, methods, replicas, resnets, result, training, two_layers
from normlib.bench.contender import ROUNDS

app = typer.Typer(invoke_without_command=True)

PARTS = ("layers", "methods", "training", "two-layers", "resnets", "replicas")


@app.callback()
def bench(
    only: Annotated[str | None, typer.Option(help=f"One part: {', '.join(PARTS)}.")] = None,
    pairs: Annotated[
        int, typer.Option(min=20, help="Interleaved timings of each layer.")
    ] = layers.PAIRS,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all ways to train.")] = ROUNDS,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; default _build/bench.json.")
    ] = None,
) -> None:
    """Time layers, methods and training beside their peers; takes about half an hour."""
    if only not in (None, *PARTS):
        raise result.BenchError(f"--only {only!r:.40} is unknown; choose {', '.join(PARTS)}")
    found = []
    if only in (None, "layers"):
        found += layers.compare(_report, pairs=pairs)
    if only in (None, "methods"):
        found += methods.compare(_report, pairs=pairs)
    if only in (None, "training"):
        found += training.compare(_report, rounds=rounds)
    if only in (None, "two-layers"):
        found += two_layers.compare(_report, rounds=rounds)
    if only in (None, "resnets"):
        found += resnets.compare(_report, rounds=rounds)
    if only in (None, "replicas"):
        found += replicas.compare(_report)
    file = out or paths.build() / "bench.json"
    result.write(found, file)
    typer.echo(result.table(found))
    goals = [r.reached for r in found if r.goal is not None]
    typer.echo(f"{sum(map(bool, goals))} of {len(goals)} goals reached; written to {file}")


def _report(line: str) -> None:
    typer.echo(line, err=True)
