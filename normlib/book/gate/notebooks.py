"""Check executed notebooks, where an output still says what it is."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from normlib.book import notebook
from normlib.book.notebook import Cell

GLUE = "application/papermill.record/"
WIDGET = "application/vnd.jupyter.widget"
SCRIPTED = ("application/javascript", "application/vnd.plotly", "application/vnd.bokehjs")
LEAKS = re.compile(
    r"\bnp\.(?:float|int|bool|str|uint)\w*\(|\btensor\(|\bParameter containing|<Figure size|<Axes"
    r"|<(?:matplotlib|pandas|torch|normlib)\.|<(?:function|generator|bound method) "
    r"| at 0x[0-9a-f]{6}"
)
RUNS_NAMED = re.compile(r"\bruns?\b|\brecords?\b|\bcomputed here\b", re.I)
HOLLOW = {"", "''", '""', "nan", "inf", "-inf", "None", "NaN"}


def found(stage: Path) -> Iterator[str]:
    """Yield what readers must not see in the notebooks below ``stage``, each as one line."""
    glued: Counter[str] = Counter()
    for path in sorted(stage.rglob("*.ipynb")):
        for number, cell in notebook.code_cells(notebook.read(path)):
            place = f"{path.stem}, cell {number}"
            for output in cell.get("outputs", []):
                yield from (f"{place}: {slip}" for slip in _output(output))
            yield from (f"{place}: {slip}" for slip in _figure(cell))
            for name, value in _glued(cell):
                glued[name] += 1
                if value.strip() in HOLLOW:
                    yield f"{place}: glue {name!r} is empty or not finite"
    yield from (f"glue {name!r} is stored {n} times" for name, n in glued.items() if n > 1)


def _output(output: Cell) -> Iterator[str]:
    kind = output["output_type"]
    if kind == "error":
        yield f"failed with {output.get('ename')}: {output.get('evalue')}"
    if kind == "stream" and output.get("name") == "stderr":
        yield f"wrote to stderr: {notebook.text(output['text'])[:80]!r}"
    data = output.get("data", {})
    for mime in data:
        if mime.startswith(WIDGET) or mime.startswith(SCRIPTED):
            yield f"holds {mime}, which loads scripts from the network"
    html = notebook.text(data.get("text/html", ""))
    if "<script" in html:
        yield "holds HTML with a script"
    # A rich form is what readers see; the plain one beside it is not shown.
    shown = html or notebook.text(data.get("text/plain", "")) if not _glue(output) else ""
    shown += notebook.text(output.get("text", "")) if kind == "stream" else ""
    glued = notebook.text(data.get(f"{GLUE}text/plain", "")) if _only_text(data) else ""
    if leak := LEAKS.search(shown + glued):
        yield f"shows the repr {leak.group(0)!r}"


def _figure(cell: Cell) -> Iterator[str]:
    images = [o for o in cell.get("outputs", []) if any(_image(m) for m in o.get("data", {}))]
    if not images:
        return
    if len(images) > 1:
        yield f"shows {len(images)} figures: one cell, one figure, one caption"
    words = cell.get("metadata", {}).get("mystnb", {})
    if not str(words.get("figure", {}).get("caption", "")).strip():
        yield "figure without caption (metadata mystnb.figure.caption)"
    if not str(words.get("figure", {}).get("name", "")).strip():
        yield "figure without name (metadata mystnb.figure.name)"
    if not str(words.get("image", {}).get("alt", "")).strip():
        yield "figure without alt text (metadata mystnb.image.alt)"
    caption = str(words.get("figure", {}).get("caption", ""))
    if caption.strip() and not RUNS_NAMED.search(caption):
        yield "figure whose caption names no runs: say which, or 'computed here'"


def _image(mime: str) -> bool:
    return mime.startswith("image/")


def _glue(output: Cell) -> bool:
    return any(name.startswith(GLUE) for name in output.get("data", {}))


def _only_text(data: Cell) -> bool:
    return set(data) == {f"{GLUE}text/plain"}


def _glued(cell: Cell) -> Iterator[tuple[str, str]]:
    for output in cell.get("outputs", []):
        book = output.get("metadata", {}).get("scrapbook")
        if not book:
            continue
        data = output.get("data", {})
        prefix = book.get("mime_prefix", "")
        rich = any(name != f"{prefix}text/plain" for name in data)
        yield book["name"], "rich" if rich else notebook.text(data.get(f"{prefix}text/plain", ""))
