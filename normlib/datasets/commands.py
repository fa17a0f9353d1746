"""The command line's group ``normlib data``: list, get, check."""

from typing import Annotated

import typer

from normlib.columns import aligned
from normlib.datasets import cache, search
from normlib.datasets.errors import DatasetError
from normlib.datasets.info import INFO, SPLITS, Info, Split
from normlib.datasets.loading import load, missing, named

app = typer.Typer(help="Data sets: what there is, get one, check all.", no_args_is_help=True)


@app.command("list")
def list_all() -> None:
    """List every data set: size, shape, licence, and where this machine has it."""
    head = ("name", "train", "test", "shape", "licence", "here")
    rows = [
        (
            info.name,
            f"{info.sizes['train']:,}",
            f"{info.sizes['test']:,}",
            " x ".join(map(str, info.shape)),
            info.licence,
            _here(info),
        )
        for info in INFO.values()
    ]
    typer.echo(aligned(head, rows))


@app.command()
def get(name: Annotated[str, typer.Argument(help="Name of a data set, see `data list`.")]) -> None:
    """Make a data set ready: find it or download it, check it, keep it decoded."""
    for split in SPLITS:
        data = load(name, split, download=True)
        typer.echo(f"{name} {split}: {len(data.labels):,} images, sha256 {data.sha256}")


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Data sets; all.")] = None,
) -> None:
    """Read every data set from its files and compare its content hash.

    A damaged one, or a missing one asked for by name, makes the exit code 2.
    """
    failed = False
    for info in [named(name) for name in names] if names else INFO.values():
        for split in SPLITS:
            try:
                typer.echo(f"{info.name} {split}: {_checked(info, split, needed=bool(names))}")
            except DatasetError as error:
                typer.echo(f"error: {error}", err=True)
                failed = True
    raise typer.Exit(2 if failed else 0)


def _checked(info: Info, split: Split, *, needed: bool) -> str:
    if info.kind == "synthetic":
        load(info.name, split)
        return "ok, made by formula"
    # The files rather than the cache, which would hide that they are damaged.
    if source := search.find(info, split):
        source.load(info, split)
        return f"ok, {source.path}"
    if info.kind == "published" and cache.recall(info, split):
        return f"ok, {cache.path(info, split)}"
    if needed:
        raise missing(info, split)
    return "missing"


def _here(info: Info) -> str:
    if info.kind == "synthetic":
        return "made by formula"
    try:
        sources = [search.find(info, split) for split in SPLITS]
    except DatasetError as error:
        return f"damaged: {error}"
    if all(sources):
        return str(sources[0].path.parent) if sources[0] else ""
    if info.kind == "published" and all(cache.path(info, split).is_file() for split in SPLITS):
        return str(cache.path(info, "train").parent)
    return "missing"
