"""Check that every link inside the book leads somewhere."""

from collections.abc import Iterator
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

from normlib.book.gate.pages import Pages


def found(pages: Pages) -> Iterator[str]:
    """Yield the links between ``pages`` whose page or place does not exist."""
    places = {
        name: {str(node["id"]) for node in page.find_all(id=True)} for name, page in pages.items()
    }
    for name, page in pages.items():
        for node in page.find_all("a", href=True):
            address = urlsplit(str(node["href"]))
            if address.scheme or address.netloc or not (address.path or address.fragment):
                continue
            target = normpath(join(dirname(name), unquote(address.path))) if address.path else name
            if not target.endswith(".html"):
                continue
            if target not in places:
                yield f"{name}: link to {target}, which does not exist"
            elif address.fragment and unquote(address.fragment) not in places[target]:
                yield f"{name}: link to {target}#{address.fragment}, which does not exist"
