"""Check built HTML: requests it would make, words that leaked, holes and doubles."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bs4 import BeautifulSoup
from bs4.element import Tag

from normlib.book.gate.notebooks import LEAKS
from normlib.book.layout import Book

Pages = Mapping[str, BeautifulSoup]

EXTERNAL = re.compile(r"^\s*(?:https?:|ftp:|wss?:)?//", re.I)
CSS_LOADS = re.compile(
    r"url\(\s*['\"]?\s*(?:https?:)?//|@import\s+(?:url\()?\s*['\"]?\s*(?:https?:)?//"
)
SCRIPT_LOADS = re.compile(
    r"(?:import|fetch|importScripts|require)\s*\(\s*['\"`](?:https?:)?//"
    r"|\.src\s*=\s*['\"`](?:https?:)?//|from\s+['\"](?:https?:)?//"
)
# Attributes that a browser follows on its own; the href of an <a> waits for a click.
FETCHED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
NAMED_ONLY = {"canonical", "next", "prev", "search", "index", "author", "license"}
UNRESOLVED = re.compile(r"\{(?:numref|ref|doc|eq|cite|glue)(?::\w+)?\}|\[\?\]|Fig\. \?|\?\?")
NOT_A_NUMBER = re.compile(r"(?<![\w.])(?:nan|-?inf)(?![\w.])")
# Prose may speak of NaN; a result must not be one.
NO_RESULT = re.compile(r"(?<![\w.])(?:nan|NaN|-?inf|<NA>)(?![\w.])|^\s*None\s*$")


def read(html: Path) -> Pages:
    """Return every page of the book, parsed, by its path inside the book."""
    return {
        path.relative_to(html).as_posix(): BeautifulSoup(
            path.read_text(encoding="utf8"), "html.parser"
        )
        for path in sorted(html.rglob("*.html"))
        if "_static" not in path.relative_to(html).parts
    }


def machine_places(book: Book) -> tuple[str, ...]:
    """Return the folders of this machine that no page may name."""
    folders = {book.root.resolve(), book.build.resolve(), Path(sys.prefix), Path.home()}
    return tuple(sorted(f"{folder}/" for folder in folders if len(folder.parts) > 1))


def found(pages: Pages, places: Iterable[str]) -> Iterator[str]:
    """Yield what readers must not meet in ``pages``, each as one line."""
    numbers: Counter[str] = Counter()
    for name, page in pages.items():
        yield from (f"{name}: {slip}" for slip in _requests(page))
        yield from (f"{name}: {slip}" for slip in _identifiers(page))
        text = str(page)
        yield from (f"{name}: names this machine's {place}" for place in places if place in text)
        article = page.find("article")
        if isinstance(article, Tag):
            numbers.update(_numbers(article))
            yield from (f"{name}: {slip}" for slip in _article(article))
    yield from (f"{number} stands {n} times" for number, n in numbers.items() if n > 1)


def styles(html: Path) -> Iterator[str]:
    """Yield the style sheets that would fetch something from another machine."""
    for path in sorted(html.rglob("*.css")):
        if CSS_LOADS.search(path.read_text(encoding="utf8", errors="replace")):
            yield f"{path.relative_to(html).as_posix()}: loads from another machine"


def _requests(page: BeautifulSoup) -> Iterator[str]:
    for tag, attributes in FETCHED.items():
        for node in page.find_all(tag):
            if tag == "link" and set(node.get_attribute_list("rel")) <= NAMED_ONLY:
                continue
            for attribute in attributes:
                value = str(node.get(attribute) or "")
                if any(EXTERNAL.match(part) for part in value.split(",")):
                    yield f"<{tag} {attribute}={value[:80]!r}> would be fetched"
    for node in page.find_all("style"):
        if CSS_LOADS.search(node.get_text()):
            yield "a <style> would fetch from another machine"
    for node in page.find_all(style=CSS_LOADS):
        yield f"style of <{node.name}> would fetch from another machine"
    for node in page.find_all("script"):
        if SCRIPT_LOADS.search(node.get_text()):
            yield f"a script would fetch from another machine: {node.get_text().strip()[:60]!r}"


def _identifiers(page: BeautifulSoup) -> Iterator[str]:
    counted = Counter(str(node["id"]) for node in page.find_all(id=True))
    yield from (f"id {name!r} stands {n} times" for name, n in counted.items() if n > 1)
    for node in page.find_all("img"):
        if not str(node.get("alt") or "").strip():
            yield f"image without alt text: {str(node.get('src'))[:80]}"


def _numbers(article: Tag) -> Iterator[str]:
    for node in article.select("figure .caption-number, table > caption .caption-number"):
        yield node.get_text().strip()


def _article(article: Tag) -> Iterator[str]:
    for node in article.select(".system-message, .problematic, .xref.broken"):
        yield f"unresolved: {node.get_text().strip()[:80]!r}"
    for node in article.select(".pasted-text"):
        if node.get_text().strip() in ("", "nan", "None", "''"):
            yield f"empty glue after {str(node.previous_sibling or '')[-40:]!r}"
    for node in article.select("figure"):
        if not node.select_one("figcaption .caption-text"):
            yield f"figure without caption: {node.get('id')}"
    for node in article.select("td, th, .cell_output pre"):
        if hole := NO_RESULT.search(node.get_text()):
            yield f"{'an output' if node.name == 'pre' else 'a table'} shows {hole[0].strip()!r}"
    if leak := LEAKS.search(_text(article, ".cell_input")):
        yield f"shows the repr {leak.group(0)!r}"
    prose = _text(article, ".cell_input, pre, code, .math, script, style, table")
    if hole := NOT_A_NUMBER.search(prose):
        yield f"{hole.group(0)!r} in prose: {prose[max(0, hole.start() - 40) : hole.end() + 10]!r}"
    if open_reference := UNRESOLVED.search(prose):
        yield f"unresolved {open_reference.group(0)!r}"


def _text(article: Tag, without: str) -> str:
    copy = BeautifulSoup(str(article), "html.parser")
    for node in copy.select(without):
        node.decompose()
    return copy.get_text(" ")
