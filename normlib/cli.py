"""The command line: ``normlib methods | plans | run | records | data | book | bench``."""

import functools
import importlib
import importlib.util
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from normlib import paths
from normlib.errors import NormlibError

if TYPE_CHECKING:
    from normlib.sweep import Outcome

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
    rich_markup_mode=None,  # an error is one line, not a box
)
records_app = typer.Typer(help="Check, repeat, adopt and export records.", no_args_is_help=True)
commands.add_typer(records_app, name="records")


@commands.command()
def methods(
    name: Annotated[
        str | None, typer.Argument(help="One method, to see all that is known of it.")
    ] = None,
) -> None:
    """List the methods of normalization, or tell all of one."""
    from normlib.methods import catalogue
    from normlib.methods.listing import details, table

    typer.echo(table(catalogue.values()) if name is None else details(catalogue[name]))


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
    replicas: Annotated[
        int | None,
        typer.Option(min=1, help="So many runs share the device in turn; 8 on a GPU."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each process.")] = 1,
    only: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Only runs whose name matches.")
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Write into data/runs, not data/local/runs.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Compute on the Dask cluster of this scheduler (or its file)."
        ),
    ] = None,
    trainer: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Compute the runs of a plan that have no record yet; what is interrupted resumes."""
    from normlib.records import Store
    from normlib.sweep import budget as budgets
    from normlib.sweep import named

    chosen = named(plan).experiments
    seconds = None if budget is None else budgets.seconds(budget)
    if only is not None:
        pattern = _pattern(only)
        chosen = tuple(run for run in chosen if pattern.search(run.name))
        if not chosen:
            raise UsageError(
                f"--only {only!r:.60} matches no run of plan {plan!r}; "
                f"its names are like {named(plan).experiments[0].name}"
            )
    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device {device!r:.40} is unknown; choose cpu or cuda")
    if device == "cuda" and (replicas, workers, scheduler, trainer) == (None,) * 4:
        from normlib.sweep.replicas import REPLICAS

        replicas = REPLICAS
    store = Store.default(adopt=adopt)
    compute = _computing(replicas, workers=workers, scheduler=scheduler, trainer=trainer)
    outcome = compute(
        chosen,
        store,
        threads=threads,
        device=device,
        budget=seconds,
        probes=named(plan).probes,
    )
    _report(store)
    told = f"{len(outcome.recorded)} recorded, {len(outcome.failures)} failed, "
    told += f"{len(outcome.left)} left"
    if outcome.recorded:
        told += f", in {_relative(store.write_to)}"
    typer.echo(f"plan {plan}: {told}" + (f" ({outcome.stopped})" if outcome.stopped else ""))
    for failure in outcome.failures:
        typer.echo(f"error: {failure.experiment.name}: {failure.error}", err=True)
    if outcome.left and not outcome.failures:
        again = _command(
            *("normlib", "run", plan),
            scheduler=scheduler,
            replicas=replicas,
            workers=workers,
            threads=None if threads == 1 else threads,
            device=None if device == "cpu" else device,
            only=only,
            adopt=adopt,
            budget=budget,
            trainer=trainer,
        )
        typer.echo(f"Go on with: {again}")
    raise typer.Exit(1 if outcome.failures else 0)


@records_app.command("check")
def check_records() -> None:
    """Validate every file of every folder of records; exit code 1 if there is a problem."""
    from normlib.datasets import INFO
    from normlib.records import Store
    from normlib.records.check import check
    from normlib.sweep import PLANS
    from normlib.sweep.listing import table

    store = Store.default()
    valid, problems = check(store, INFO)
    typer.echo(table(PLANS.values(), store))
    for problem in problems:
        typer.echo(f"error: {_relative(problem.path)}: {problem.reason}", err=True)
    typer.echo(f"{len(valid)} valid records, {len(problems)} problems")
    raise typer.Exit(1 if problems else 0)


@records_app.command("verify")
def verify_records(
    plan: Annotated[str | None, typer.Option(help="Only records of this plan.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many to train again.")] = 3,
    salt: Annotated[str, typer.Option(help="Another salt chooses others.")] = "",
    only: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Only runs whose name matches.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core.")] = None,
    trainer: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Train a sample, chosen by hash, again in fresh processes and compare with the records."""
    from normlib.records import Store
    from normlib.sweep import named
    from normlib.sweep.verify import sample, verify

    store = Store.default()
    records, _ = store.scan()
    _report(store)
    if plan is not None:
        keys = {run.key for run in named(plan).experiments}
        records = [record for record in records if record.key in keys]
    if only is not None:
        pattern = _pattern(only)
        records = [record for record in records if pattern.search(record.experiment.name)]
    if not records:
        raise UsageError("there is no such record to verify; compute some with `normlib run PLAN`")
    chosen = sample(records, count, salt)
    verdicts, outcome = verify(chosen, workers=workers, trainer=trainer, among=store)
    for verdict in verdicts:
        typer.echo(verdict)
    agree = sum(verdict.agrees for verdict in verdicts)
    typer.echo(f"{agree} of {len(chosen)} records agree with their repetition")
    for failure in outcome.failures:
        typer.echo(f"error: {failure.experiment.name}: {failure.error}", err=True)
    raise typer.Exit(0 if agree == len(chosen) else 1)


@records_app.command("adopt")
def adopt_records(
    source: Annotated[
        Path | None, typer.Argument(help="Folder, record or .jsonl; default data/local/runs.")
    ] = None,
) -> None:
    """Move your own valid runs into data/runs (from elsewhere: copy), overwriting nothing."""
    from normlib.datasets import INFO
    from normlib.records import Store
    from normlib.records.adopt import adopt

    own = paths.local() / "runs"
    done = adopt(source or own, Store.default(adopt=True), INFO, move=source is None)
    for problem in done.problems:
        typer.echo(f"error: {_relative(problem.path)}: {problem.reason}", err=True)
    typer.echo(
        f"{len(done.paths)} adopted, {done.already} there already, {len(done.problems)} refused"
    )
    raise typer.Exit(1 if done.problems else 0)


@records_app.command("export")
def export_records(
    file: Annotated[Path, typer.Argument(help="FILE.csv (tidy) or FILE.jsonl (everything).")],
    plan: Annotated[str | None, typer.Option(help="Only records of this plan.")] = None,
) -> None:
    """Write records to one file: each run once to .csv, all there are to .jsonl."""
    from normlib.records import Store
    from normlib.records.export import export
    from normlib.sweep import named

    store = Store.default()
    among = None if plan is None else {run.key for run in named(plan).experiments}
    done = export(store, file, among)
    _report(store)
    for problem in done.problems:
        typer.echo(f"error: {_relative(problem.path)}: {problem.reason}", err=True)
    typer.echo(f"{file}: {done.rows} rows from {done.records} records")
    raise typer.Exit(1 if done.problems else 0)


def _computing(
    replicas: int | None, *, workers: int | None, scheduler: str | None, trainer: str | None
) -> "Callable[..., Outcome]":
    """Return what computes runs: this process in turn, a cluster, or processes of this machine."""
    if replicas is not None:
        for option, value in (("workers", workers), ("scheduler", scheduler), ("trainer", trainer)):
            if value is not None:
                raise UsageError(
                    f"--replicas and --{option} exclude each other: replicas are runs of this "
                    "process; leave out one"
                )
        from normlib.sweep import replicas as in_turn

        return functools.partial(in_turn.compute, replicas=replicas)
    if scheduler is not None:
        from normlib.sweep import cluster

        return functools.partial(
            cluster.compute, scheduler=scheduler, workers=workers, trainer=trainer
        )
    from normlib.sweep import compute

    return functools.partial(compute, workers=workers, trainer=trainer)


def _command(*words: str, **options: str | int | None) -> str:
    """Return a command as a shell reads it, with those ``options`` that are set."""
    given = list(words)
    for name, value in options.items():
        if value:
            given += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return shlex.join(given)


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
