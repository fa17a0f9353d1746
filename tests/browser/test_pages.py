"""Every page, light and dark, on a desktop and a phone, from files and over HTTP."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from normlib.book.layout import Book
from tests.browser.visit import visit

PAGES = (*(f"{document}.html" for document in Book().documents()), "search.html", "genindex.html")

ways = pytest.mark.parametrize("origin", ["file", "http"])
schemes = pytest.mark.parametrize("scheme", ["light", "dark"])
sizes = pytest.mark.parametrize("size", ["desktop", "phone"])
pages = pytest.mark.parametrize("name", PAGES)

IMAGES = """[...document.querySelectorAll('img')].map(
    i => ({src: i.getAttribute('src'), alt: i.alt, drawn: i.complete && i.naturalWidth > 0,
           hidden: i.offsetParent === null}))"""
# What reaches beyond the screen, unless something around it scrolls.
WIDE = """(() => {
  const root = document.documentElement;
  return root.scrollWidth > root.clientWidth + 1
    ? [...document.querySelectorAll('article *')]
        .filter(e => e.getBoundingClientRect().right > root.clientWidth + 1)
        .slice(0, 3).map(e => e.outerHTML.slice(0, 120)).concat('page scrolls sideways')
    : [];
})()"""
BRIGHTNESS = """(() => {
  const colour = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number);
  return (colour[0] + colour[1] + colour[2]) / 3;
})()"""


def slips(page: Page, scheme: str) -> list[str]:
    found = [
        f"image {image['src']} has no alt text"
        for image in page.evaluate(IMAGES)
        if not image["alt"].strip()
    ]
    # Images below the screen are loaded when a reader gets there.
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    found += [f"image {i['src']} is not drawn" for i in page.evaluate(IMAGES) if not i["drawn"]]
    found += [f"formula not understood: {text}" for text in errors(page)]
    found += page.evaluate(WIDE)
    dark = page.evaluate(BRIGHTNESS) < 128
    if dark != (scheme == "dark"):
        found.append(f"the page is {'dark' if dark else 'light'} where {scheme} was asked for")
    return found


def errors(page: Page) -> list[str]:
    told: list[str] = page.evaluate(
        "[...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(e => e.outerHTML)"
    )
    return [text[:120] for text in told]


def serious(page: Page) -> list[str]:
    # Without preloading: axe-core would fetch the style sheets again, which file:// forbids.
    options = {"resultTypes": ["violations"], "preload": False}
    results: dict[str, Any] = Axe().run(page, options=options).response
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]}"
        for violation in results["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"][:3]
    ]


@pages
@ways
@schemes
@sizes
def test_page(
    browser: Browser, addresses: dict[str, str], name: str, origin: str, scheme: str, size: str
) -> None:
    address = f"{addresses[origin]}/{name}"
    with visit(browser, address, scheme=scheme, size=size) as (page, trouble):
        assert slips(page, scheme) == []
        assert trouble.found == []
        assert serious(page) == []


@ways
def test_formulas_are_drawn_somewhere(
    browser: Browser, addresses: dict[str, str], origin: str
) -> None:
    # Else "every formula is drawn" would be true of a book without formulas.
    counts = []
    for name in PAGES:
        with visit(browser, f"{addresses[origin]}/{name}") as (page, _):
            counts.append(page.locator(".math mjx-container svg").count())
    assert sum(counts) > 0


@pytest.mark.parametrize("name", [n for n in PAGES if n.startswith("chapters/")])
def test_figures_stay_bright_in_the_dark(
    browser: Browser, addresses: dict[str, str], name: str
) -> None:
    with visit(browser, f"{addresses['file']}/{name}", scheme="dark") as (page, _):
        for figure in page.locator("article figure img").all():
            style = "e => [getComputedStyle(e).filter, getComputedStyle(e).backgroundColor]"
            assert figure.evaluate(style) == ["none", "rgb(255, 255, 255)"]


def test_every_page_of_the_book_is_visited(html: Path) -> None:
    built = {p.relative_to(html).as_posix() for p in html.rglob("*.html")}
    assert {p for p in built if not p.startswith("_static/")} == set(PAGES)
