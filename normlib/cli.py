"""The command line: ``normlib plans | run | records | book | bench``."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from normlib import paths
from normlib.errors import NormlibError

GROUPS = {
    "book": "normlib.book.commands",
    "bench": "normlib.bench.commands",
    "data": "normlib.datasets.commands",
}
"""Commands that live beside what they drive: module with a typer ``app``, imported when asked."""


class UsageError(NormlibError, ValueError):
    """An option that cannot be."""


commands = typer.Typer(
    help="Normalization layers, measured.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
records_app = typer.Typer(help="Check, repeat, adopt and export records.", no_args_is_help=True)
commands.add_typer(records_app, name="records")


@commands.command()
def plans() -> None:
    """List the plans: runs, recorded, missing, and what the missing ones would cost."""
    from normlib.records import Store
    from normlib.sweep import PLANS
    from normlib.sweep.listing import table

    store = Store.default()
    typer.echo(table(PLANS.values(), store))
    _report(store)


@commands.command()
def run(
    plan: Annotated[str, typer.Argument(help="Name of a plan, see `normlib plans`.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core.")] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Stop at the end of the epochs running after 90s, 30m, 2h."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads of each process.")] = 1,
    only: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Only runs whose name matches.")
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Write into data/runs, not data/local/runs.")
    ] = False,
    trainer: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Compute the runs of a plan that have no record yet; what is interrupted resumes."""
    from normlib.records import Store
    from normlib.sweep import budget as budgets
    from normlib.sweep import compute, named

    chosen = named(plan).experiments
    seconds = None if budget is None else budgets.seconds(budget)
    if only is not None:
        pattern = _pattern(only)
        chosen = tuple(run for run in chosen if pattern.search(run.name))
        if not chosen:
            raise UsageError(
                f"--only {only!r:.60} matches no run of plan {plan!r}; see their names"
            )
    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device {device!r:.40} is unknown; choose cpu or cuda")
    store = Store.default(adopt=adopt)
    outcome = compute(
        chosen,
        store,
        workers=workers,
        threads=threads,
        device=device,
        budget=seconds,
        trainer=trainer,
    )
    _report(store)
    told = f"{len(outcome.recorded)} recorded, {len(outcome.failures)} failed, "
    told += f"{len(outcome.left)} left"
    typer.echo(f"plan {plan}: {told}" + (f" ({outcome.stopped})" if outcome.stopped else ""))
    for failure in outcome.failures:
        typer.echo(f"error: {failure.experiment.name}: {failure.error}", err=True)
    if outcome.left and not outcome.failures:
        typer.echo(f"Go on with: normlib run {plan}")
    raise typer.Exit(1 if outcome.failures else 0)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"--only {text!r:.60} is no regular expression: {error}") from None


def _report(store: Any) -> None:
    for problem in store.problems:
        typer.echo(f"warning: {_relative(problem.path)}: {problem.reason}", err=True)


def _relative(path: Path) -> Path:
    return path.relative_to(paths.root()) if path.is_relative_to(paths.root()) else path


def _add_groups(names: list[str]) -> None:
    """Add the groups of commands that ``names`` asks for; all, if it asks for help."""
    wanted = [group for group in GROUPS if group in names[:1]]
    if not wanted and (not names or names[0].startswith("-")):
        wanted = [group for group in GROUPS if importlib.util.find_spec(GROUPS[group])]
    for group in wanted:
        commands.add_typer(importlib.import_module(GROUPS[group]).app, name=group)


def app() -> None:
    """Run the command line; an error meant for a person is one line and exit code 2."""
    try:
        _add_groups(sys.argv[1:])
        commands()
    except NormlibError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    app()
