"""``normlib book``: build, run, refresh, gate, check."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The book: execute, build, check.")


@app.command()
def build() -> None:
    """Execute the chapters that changed, build the HTML, check it, put it in place."""
    from normlib.book import pipeline
    from normlib.book.layout import Book

    pipeline.build(Book(), progress=typer.echo)


# Pairs of words are beyond typer's options, so `-p` is read by hand.
@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    chapter: Annotated[str, typer.Argument(help="a chapter's name, like 05_fashion_mnist")],
    output: Annotated[
        Path | None, typer.Option(help="the executed notebook; by default in _build/runs")
    ] = None,
    minutes: Annotated[float, typer.Option(help="time limit for the whole chapter")] = 24 * 60,
) -> None:
    """Execute one chapter with parameters of your own; the book is not changed.

    Any number of `-p NAME VALUE`, as in `-p epochs 2 -p seeds 3`, each validated first.
    """
    from normlib.book import execute, parameters
    from normlib.book.layout import Book, BookError

    book = Book()
    source = book.chapter(chapter)
    values = parameters.validated(source, parameters.pairs(context.args))
    target = output or book.build / "runs" / source.name
    if target.suffix != ".ipynb":
        raise BookError(f"output {str(target)!r} must end in .ipynb")
    if target.resolve() == source.resolve():
        raise BookError(f"output {str(target)!r} is the chapter itself: choose another name")
    typer.echo(f"{source.stem}: executing")
    execute.run(book, source, target.resolve(), values, seconds=60 * minutes)
    typer.echo(str(target))


@app.command()
def refresh() -> None:
    """Execute the chapters and store in them the text outputs that nbval compares."""
    from normlib.book import refresh as refreshing
    from normlib.book.layout import Book

    refreshing.refresh(Book(), progress=typer.echo)


@app.command()
def gate() -> None:
    """Check the staged notebooks and the HTML of the last build again."""
    from normlib.book import gate as checks
    from normlib.book.layout import Book

    book = Book()
    checks.check_stage(book)
    checks.check_html(book, book.html)
    typer.echo("nothing found")


@app.command()
def check() -> None:
    """Check that the committed chapters are clean: short cells, no images, marked outputs."""
    from normlib.book import hygiene
    from normlib.book.layout import Book

    hygiene.check(Book())
    typer.echo("chapters are clean")
