"""Readers find their way: search, the phone's menu, links between pages."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visit import settle, visit

ways = pytest.mark.parametrize("origin", ["file", "http"])
sizes = pytest.mark.parametrize("size", ["desktop", "phone"])


@ways
@sizes
def test_search_finds_a_word(
    browser: Browser, addresses: dict[str, str], origin: str, size: str
) -> None:
    with visit(browser, f"{addresses[origin]}/index.html", size=size) as (page, trouble):
        page.locator(".search-button__button:visible").first.click()
        box = page.locator("input[type=search]:visible").first
        box.fill("bibliography")
        box.press("Enter")
        page.wait_for_url(re.compile("search.html"))
        first = page.locator("#search-results li a").first
        expect(first).to_be_visible()
        first.click()
        page.wait_for_url(re.compile("bibliography.html"))
        settle(page)
        assert trouble.found == []


@ways
def test_search_finds_nothing_where_nothing_is(
    browser: Browser, addresses: dict[str, str], origin: str
) -> None:
    with visit(browser, f"{addresses[origin]}/search.html?q=xyzzyplugh") as (page, trouble):
        expect(page.locator("#search-results")).to_contain_text("did not match any documents")
        assert page.locator("#search-results li").count() == 0
        assert trouble.found == []


@ways
def test_the_phones_menu_opens_and_leads_on(
    browser: Browser, addresses: dict[str, str], origin: str
) -> None:
    with visit(browser, f"{addresses[origin]}/index.html", size="phone") as (page, trouble):
        link = page.locator(".bd-sidebar-primary a:visible, dialog a:visible", has_text="Biblio")
        assert link.count() == 0
        page.locator("button.primary-toggle:visible").click()
        expect(link.first).to_be_visible()
        link.first.click()
        page.wait_for_url(re.compile("bibliography.html"))
        settle(page)
        assert trouble.found == []


def test_the_mode_can_be_switched_by_hand(browser: Browser, addresses: dict[str, str]) -> None:
    with visit(browser, f"{addresses['file']}/index.html") as (page, trouble):
        button = page.locator("button.theme-switch-button:visible").first
        seen = set()
        for _ in range(3):
            button.click()
            seen.add(page.evaluate("document.documentElement.dataset.theme"))
        assert seen == {"light", "dark"}
        assert trouble.found == []
