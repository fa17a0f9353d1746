"""The page of the library's public face, made from its docstrings.

``python -m normlib.book.api FILE`` writes it, in a process of its own: it imports torch.
"""

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from normlib.book import docstring, key
from normlib.book.layout import Book, BookError

# What a reader may call, floor by floor; each module's `__all__` says which names.
PUBLIC = {
    "Layers": "normlib.layers",
    "The projection": "normlib.projection",
    "The catalogue": "normlib.methods",
    "Changes of whole models": "normlib.surgery",
    "Identities": "normlib.theory",
    "Models": "normlib.models",
    "Data": "normlib.datasets",
    "Experiments and records": "normlib.records",
    "Training": "normlib.engine",
    "Plans and sweeps": "normlib.sweep",
    "Statistics": "normlib.analysis.statistics",
    "Claims": "normlib.claims",
}
ADDRESS = re.compile(r"<(?:function|class|object)?\s*([\w.<>]+)?.*? at 0x[0-9a-f]+>")


def page(book: Book) -> str:
    """Return the page as MyST Markdown; written again only when normlib or the lock changed.

    Raises:
        BookError: a module of the public face does not import.
    """
    file = book.build / f"api-{key.library(book)[:16]}.md"
    if not file.is_file():
        book.build.mkdir(parents=True, exist_ok=True)
        for stale in book.build.glob("api-*.md"):
            stale.unlink()
        command = [sys.executable, "-m", "normlib.book.api", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["no reason given"]
            raise BookError(f"the API page cannot be made: {said[-1]}")
    return file.read_text(encoding="utf8")


def text() -> str:
    """Return the page, from the modules as they import now."""
    parts = [
        "# Reference of normlib",
        "Made from the docstrings. `(N, C, H, W)` is the shape of a batch: images, channels, "
        "height, width.",
    ]
    for title, name in PUBLIC.items():
        module = importlib.import_module(name)
        parts.append(f"## {title}")
        parts.append(f"`{name}`: {docstring.markdown(inspect.getdoc(module) or '')}")
        for public in names(module):
            parts.extend(_object(public, getattr(module, public)))
    return "\n\n".join(parts) + "\n"


def names(module: ModuleType) -> list[str]:
    """Return the public names of ``module``: its ``__all__``, else what it defines itself."""
    listed = getattr(module, "__all__", None)
    if listed is None:
        listed = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
    return [name for name in listed if _documented(getattr(module, name))]


def _documented(value: Any) -> bool:
    return (inspect.isclass(value) or inspect.isroutine(value)) and bool(value.__doc__)


def _object(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value) and issubclass(value, BaseException):
        yield f"### {name}"
        yield docstring.markdown(inspect.getdoc(value) or "")
        return
    kind = "class " if inspect.isclass(value) else ""
    yield f"### {name}"
    yield f"```python\n{kind}{name}{signature(value)}\n```"
    yield docstring.markdown(inspect.getdoc(value) or "")
    if inspect.isclass(value):
        for method, function in vars(value).items():
            if method.startswith("_") or not _own_words(function):
                continue
            plain = getattr(function, "__func__", getattr(function, "fget", function))
            called = "" if isinstance(function, property) else signature(plain, bound=True)
            yield f"`{name}.{method}{called}`"
            yield docstring.markdown(inspect.getdoc(function) or "")


def _own_words(function: Any) -> bool:
    kinds = (property, classmethod, staticmethod)
    return (inspect.isfunction(function) or isinstance(function, kinds)) and bool(function.__doc__)


def signature(value: Any, *, bound: bool = False, longest: int = 70) -> str:
    """Return ``(eps: float = 1e-05, ...)``, one parameter per line where it would be long.

    ``bound`` is for a method, named in a line of its own: it stays on one line.
    """
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    parameters = list(found.parameters.values())
    if parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    shown = str(found.replace(parameters=parameters))
    shown = ADDRESS.sub(r"\1", re.sub(r"\b(?:typing|collections\.abc|pathlib)\.", "", shown))
    if bound or len(shown) <= longest:
        return shown
    separate = [str(one) for one in parameters]
    stars = _with_star(parameters, separate)
    returned = shown[shown.rindex(")") + 1 :]
    lines = "".join(f"    {_clean(one)},\n" for one in stars)
    return f"(\n{lines}){returned}"


def _with_star(parameters: list[inspect.Parameter], shown: list[str]) -> list[str]:
    for number, parameter in enumerate(parameters):
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            break
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            return [*shown[:number], "*", *shown[number:]]
    return shown


def _clean(parameter: str) -> str:
    plain = re.sub(r"\b(?:typing|collections\.abc|pathlib)\.", "", parameter)
    return ADDRESS.sub(r"\1", plain)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf8")
