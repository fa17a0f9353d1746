"""A small book, written anew for each test: no notebook here for nbval to collect."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from normlib.book.layout import Book

PROJECT = Path(__file__).resolve().parents[2]

TOC = """\
format: jb-book
root: index
parts:
  - caption: Experiments
    numbered: true
    chapters:
      - file: chapters/01_small
      - file: chapters/02_second
  - caption: Reference
    chapters:
      - file: environment
      - file: bibliography
"""
INDEX = r"""# A small book

Mean and variance give $\hat{x} = (x - \mu)/\sigma$; see {numref}`fig-small-line` in
{doc}`chapters/01_small` and {cite:t}`ioffe2015batch`.

The largest value is {glue:text}`chapters/01_small.ipynb::small-largest:.2f`.
"""
PARAMETERS = """\
count = 5
scale = 1.0
name = "line"
show = True
seeds = [1, 2]
limit = None"""
IMPORTS = """\
import matplotlib.pyplot as plt
import numpy as np

from normlib.book.gluing import glue"""
VALUES = """\
values = np.arange(count) * scale
print("values:", values.tolist())"""
FIGURE = """\
figure, axes = plt.subplots(figsize=(4, 3))
axes.plot(values, label="values")
axes.set_xlabel("index")
_ = axes.set_ylabel("value")"""
FORMULA = r"""The largest is {glue:text}`small-largest:.1f`, and so:

$$\hat{x} = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}$$"""
WORDS = {
    "figure": {
        "name": "fig-small-line",
        "caption": "The values rise in a line. Runs: none, the values are computed here.",
    },
    "image": {"alt": "A line that rises from zero to four"},
}


def markdown(name: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def code(name: str, text: str, tags: Sequence[str] = (), **metadata: Any) -> dict[str, Any]:
    tagged = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {**tagged, **metadata},
        "source": text,
        "execution_count": None,
        "outputs": [],
    }


def notebook(cells: Sequence[dict[str, Any]], **declared: Any) -> dict[str, Any]:
    return {
        "cells": list(cells),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "normlib": declared,
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def first() -> dict[str, Any]:
    return notebook(
        [
            markdown("title", "# A small chapter\n\nWhat is the largest value?"),
            code("parameters", PARAMETERS, ["parameters"]),
            code("imports", IMPORTS),
            code("values", VALUES, ["nbval-check-output"]),
            code("glue", 'glue("small-largest", values.max())', ["remove-cell"]),
            markdown("formula", FORMULA),
            code("figure", FIGURE, ["hide-input"], mystnb=WORDS),
        ],
        plans=[],
        data=["notes.txt"],
        smoke={"count": 3},
    )


def second() -> dict[str, Any]:
    table = 'import pandas as pd\n\npd.DataFrame({"n": [1, 2], "power": [1, 2**exponent]})'
    power = 'print("power:", 2**exponent)'
    text = "# A second chapter\n\nIt cites {cite:t}`ioffe2015batch`; see {numref}`fig-small-line`."
    cells = [
        markdown("title", text),
        code("parameters", "exponent = 2", ["parameters"]),
        code("power", power, ["nbval-check-output"]),
        code("table", table),
    ]
    return notebook(cells, plans=[], data=[])


def save(root: Path, name: str, content: dict[str, Any]) -> Path:
    path = root / "chapters" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf8")
    return path


def write(root: Path) -> Book:
    """Write the small book into ``root``, with the project's own configuration."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "_config.yml", root / "_config.yml")
    shutil.copyfile(PROJECT / "references.bib", root / "references.bib")
    shutil.copyfile(PROJECT / "bibliography.md", root / "bibliography.md")
    shutil.copytree(PROJECT / "assets", root / "assets", dirs_exist_ok=True)
    (root / "_toc.yml").write_text(TOC)
    (root / "index.md").write_text(INDEX)
    (root / "notes.txt").write_text("read by the first chapter\n")
    save(root, "01_small", first())
    save(root, "02_second", second())
    return Book(root=root, build=root / "_build")
