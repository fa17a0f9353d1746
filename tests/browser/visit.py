"""One reader's visit to one page, and what went wrong on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, Route

SIZES = {"desktop": (1366, 900), "phone": (390, 844)}
OWN = ("file://", "http://127.0.0.1:", "data:", "blob:", "about:")


@dataclass
class Trouble:
    """What a page did that it must not do."""

    found: list[str] = field(default_factory=list)

    def request(self, request: Request) -> None:
        if not request.url.startswith(OWN):
            self.found.append(f"asks the network for {request.url}")

    def response(self, response: Response) -> None:
        if response.status >= 400:
            self.found.append(f"answer {response.status} for {response.url}")

    def failed(self, request: Request) -> None:
        # A page that is left takes its unfinished requests with it.
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"{request.url} failed: {request.failure}")

    def console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"console {message.type}: {message.text}")

    def listen(self, page: Page) -> None:
        page.on("request", self.request)
        page.on("response", self.response)
        page.on("requestfailed", self.failed)
        page.on("console", self.console)
        page.on("pageerror", lambda error: self.found.append(f"script error: {error}"))


def block(route: Route) -> None:
    """Let nothing out, whatever asks."""
    if route.request.url.startswith(OWN):
        route.continue_()
    else:
        route.abort()


@contextmanager
def visit(
    browser: Browser, address: str, *, scheme: str = "light", size: str = "desktop"
) -> Iterator[tuple[Page, Trouble]]:
    """Open ``address`` in a fresh profile and wait for the theme's and MathJax's scripts."""
    width, height = SIZES[size]
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": height},
        is_mobile=size == "phone",
        has_touch=size == "phone",
        # Colours are read from the page: nothing may still be fading.
        reduced_motion="reduce",
    )
    context.route("**/*", block)
    page, trouble = context.new_page(), Trouble()
    trouble.listen(page)
    try:
        page.goto(address, wait_until="load")
        settle(page)
        yield page, trouble
    finally:
        context.close()


def settle(page: Page) -> None:
    """Wait until the theme has set its mode and every formula is drawn."""
    page.wait_for_function("document.documentElement.dataset.theme")
    page.evaluate("window.MathJax?.startup?.promise")
    page.wait_for_function(
        "[...document.querySelectorAll('.math')].every(m => m.querySelector('mjx-container'))"
    )
