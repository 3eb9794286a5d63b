"""The documentation as a site, in a real browser and opened from disk. `make docs` builds it; without one, or without Debian's
Chromium, these tests are skipped here; continuous integration has both."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import DESKTOP, PHONE, all_of, screen, wait

pytestmark = pytest.mark.slow
SITE = Path(__file__).parent.parent / "site"


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    if not (SITE / "gallery.html").is_file():
        if os.environ.get("CI"):
            pytest.fail("continuous integration has to run 'make docs' before the tests")
        pytest.skip("'make docs' has not built the site")
    return sorted(p for p in SITE.rglob("*.html") if "boards" not in p.parts and p.name != "404.html")


def words(page: Path) -> Iterator[str]:
    yield from re.findall(r"<h1[^>]*>(.*?)<", page.read_text(encoding="utf-8"))


def test_every_page_has_one_heading(pages: list[Path]) -> None:
    assert [str(page) for page in pages if len(list(words(page))) != 1] == []


def test_no_page_is_wider_than_a_phone(pages: list[Path], browser: Any) -> None:
    """Code and tables scroll by themselves. Nothing is asked of the network (the fixture looks)."""
    screen(browser, PHONE)
    wide = {}
    for page in pages:
        browser.get(page.as_uri())
        width = browser.execute_script("return document.scrollingElement.scrollWidth")
        if width > PHONE[0]:
            wide[page.relative_to(SITE).as_posix()] = width
    assert wide == {}


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_search_finds_a_page(size: tuple[int, int], pages: list[Path], browser: Any) -> None:
    """From disk, where a browser starts no worker."""
    screen(browser, size)
    browser.get((SITE / "index.html").as_uri())
    if size == PHONE:
        browser.execute_script("document.querySelector('label[for=__search]').click()")
    browser.execute_script(
        "const box = document.querySelector('.md-search__input');"
        "box.focus(); box.value = 'leakage means'; box.dispatchEvent(new Event('keyup', {bubbles: true}));"
        "box.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    wait(browser, lambda: all_of(browser, ".md-search-result__item a"))
    found = [
        link.get_attribute("href").partition("#")[0].partition("?")[0]
        for link in all_of(browser, ".md-search-result__item a")
    ]
    assert (SITE / "explanation" / "leakage.html").as_uri() in found
