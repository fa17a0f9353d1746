"""The page of versions and environment.

Everything on it comes from the lock file and the records, nothing from the machine that builds the
book: two builds of one commit must agree.
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from normlib.book import key, notebook
from normlib.book.layout import Book
from normlib.book.markdown import table

if TYPE_CHECKING:
    from normlib.records import Record

# Package and what it does for this book; packages that the lock does not have are left out.
PACKAGES = {
    "torch": "tensors, automatic differentiation, the layers compared with",
    "torchvision": "official data archives; ResNets to exchange layers in",
    "tensorflow": "the framework of sources A and B, as a peer",
    "keras": "its layers",
    "numpy": "arrays, seeds and batch orders",
    "scipy": "quantiles and tests",
    "pandas": "tidy tables",
    "matplotlib": "figures",
    "seaborn": "figures",
    "papermill": "executes the chapters",
    "jupyter-book": "builds the pages",
    "sphinx": "builds the pages",
    "myst-nb": "reads notebooks",
    "sphinx-book-theme": "the pages' looks",
    "sphinxcontrib-bibtex": "the bibliography",
}
PLACE = ("platform", "cpu", "instruction_set", "device", "threads", "mode", "python")


def page(book: Book, records: Callable[[str], Iterable["Record"]] = key.records_of) -> str:
    """Return the page as MyST Markdown.

    Args:
        book: whose lock file is read and whose chapters name plans.
        records: a plan's name to its records.
    """
    plans = sorted(
        {
            plan
            for chapter in book.chapters()
            for plan in notebook.declared(notebook.read(chapter), "plans")
        }
    )
    found = {one.key: one for plan in plans for one in records(plan)}
    runs = [found[name] for name in sorted(found)]
    return "\n\n".join(
        [
            "# Versions and environment",
            "Bits depend on more than code: on versions, the number of threads, the processor's "
            "instruction set. The first three tables are read from the recorded runs behind the "
            "figures, the last one from the lock file of the project.",
            "## Where the runs were computed",
            _environments(runs),
            "## Which code computed them",
            _code(runs),
            "## Which data they saw",
            _data(runs),
            "## Locked versions",
            "What `make book` installs, but TensorFlow and Keras, which come with the tests.",
            _locked(book),
            "",
        ]
    )


def _environments(runs: Sequence["Record"]) -> str:
    counted: Counter[tuple[str, ...]] = Counter()
    for run in runs:
        versions = sorted(set(run.environment) - set(PLACE))
        framework = ", ".join(f"{name} {run.environment[name]}" for name in versions)
        counted[(framework, *(str(run.environment.get(name, "")) for name in PLACE))] += 1
    rows = [[str(count), *place] for place, count in sorted(counted.items())]
    titles = ["runs", "framework", *(name.replace("_", " ") for name in PLACE)]
    return _listed(titles, rows)


def _code(runs: Sequence["Record"]) -> str:
    counted = Counter(_state(run.code) for run in runs)
    rows = [[str(count), *state] for state, count in sorted(counted.items())]
    return _listed(["runs", "normlib", "commit", "uncommitted changes", "hash of the source"], rows)


def _state(code: dict[str, Any]) -> tuple[str, str, str, str]:
    dirty = {True: "yes", False: "no"}.get(code["dirty"], "not known")
    commit = str(code["commit"] or "")[:12]
    return str(code["version"]), f"`{commit}`" if commit else "not known", dirty, _short(code)


def _short(code: dict[str, Any]) -> str:
    return f"`{str(code['sha256'])[:12]}`"


def _data(runs: Sequence["Record"]) -> str:
    sets = {
        (run.dataset["name"], split, run.dataset[f"{split}_sha256"])
        for run in runs
        for split in ("train", "test")
    }
    rows = [[name, split, f"`{sha256}`"] for name, split, sha256 in sorted(sets)]
    return _listed(["data set", "split", "sha256 of images and labels"], rows)


def _locked(book: Book) -> str:
    lock = book.root / "uv.lock"
    if not lock.is_file():
        return "This copy of the project has no lock file."
    packages = tomllib.loads(lock.read_text(encoding="utf8")).get("package", [])
    versions = {package["name"]: package.get("version", "") for package in packages}
    rows = [[name, versions[name], what] for name, what in PACKAGES.items() if name in versions]
    return _listed(["package", "version", "what it does here"], rows)


def _listed(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table(titles, rows) if rows else "No chapter of this book rests on recorded runs."
