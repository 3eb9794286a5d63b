"""The page in a real browser: Debian's Chromium, driven by its own driver. Skipped where there is none; continuous integration
installs it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.ranking.reported import Reported
from ferbench.records.merge import Collected, collect
from ferbench.records.schema import Record
from ferbench.report.page import Figure, page
from tests.made_records import Make
from tests.records.test_merge import changed, stored

EVIL = "<script>alert(1)</script>"


def records(make: Make) -> list[Record]:
    found = [make(m, f, right=r) for m, r in (("alpha", 9), ("beta", 6), ("gamma", 3)) for f in (0, 1)]
    found.append(make("partial", 0))
    for name, provenance in (("evil", {}), ("pretrained", {"pretraining": EVIL})):
        evil = make(name, right=1, metrics={"identity_leakage": 0.9})
        trial = evil.trial
        identity = dataclasses.replace(trial.identity, method=dataclasses.replace(trial.identity.method, name=EVIL))
        evil = changed(evil, trial=type(trial)(**{**vars(trial), "identity": identity, "variant": EVIL}))
        found.append(changed(evil, provenance={"device": EVIL, "began": EVIL, "seconds": 1.0, **provenance}))
    return found


@pytest.fixture
def file(make: Make, tmp_path: Path) -> Path:
    folder = stored(tmp_path / "results", *records(make))
    np.save(Path(folder) / records(make)[0].trial.id / "synthesis.npy", np.full((3, 4, 16, 16, 3), 90, np.uint8))
    given = collect([folder])
    given.notes.append(EVIL)
    found = boards(list(given.records.values()), query=BoardQuery(baseline="beta"))
    found[0].notes.append(EVIL)
    papers = [[Reported(EVIL, 2020, EVIL, 99.0, 98.0, EVIL, (EVIL,), gap=EVIL)]]
    figures = [Figure(EVIL, EVIL, b"", (EVIL,))]
    text = page(found, given, None, papers, figures, faces={"made"}, command=lambda record: EVIL, title=EVIL)
    place = tmp_path / "board.html"
    place.write_text(text, encoding="utf-8")
    return place


def test_every_string_is_escaped(file: Path) -> None:
    text = file.read_text()
    assert EVIL not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_page_asks_the_network_for_nothing(file: Path) -> None:
    head = file.read_text().partition('id="library"')[0]
    for word in ('src="http', "src='http", "@import", 'href="http', "url(http"):
        assert word not in head


def test_faces_of_licensed_datasets_stay_out(make: Make, tmp_path: Path) -> None:
    folder = stored(tmp_path / "results", make())
    np.save(Path(folder) / make().trial.id / "synthesis.npy", np.zeros((2, 2, 16, 16, 3), np.uint8))
    given = collect([folder])
    found = boards(list(given.records.values()))
    assert "image/jpeg" not in page(found, given)
    assert "image/jpeg" in page(found, given, faces={"made"})


def test_a_row_whose_trials_all_failed(make: Make) -> None:
    from ferbench.records.schema import Outcome

    found = boards([], [Outcome(make().trial, "failed", "no luck")])
    assert "Every trial failed." in page(found, Collected())


@pytest.fixture
def browser() -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        if os.environ.get("CI"):
            pytest.fail("continuous integration has to install chromium and chromium-driver")
        pytest.skip("no chromium with its driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1300,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    made.set_page_load_timeout(60)
    yield made
    made.quit()


def opened(browser: Any, file: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(file.as_uri())
    WebDriverWait(browser, 60).until(
        lambda b: b.execute_script("return document.documentElement.dataset.ready") == "yes"
    )


def methods(browser: Any) -> list[str]:
    """The methods shown on the first board; records with pretrained weights stand on a second one."""
    from selenium.webdriver.common.by import By

    return [
        button.text
        for button in browser.find_element(By.CSS_SELECTOR, "table.board").find_elements(By.CSS_SELECTOR, "button.open")
        if button.is_displayed()
    ]


@pytest.mark.slow
def test_sort_filter_and_open_with_the_keyboard(browser: Any, file: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened(browser, file)
    assert not browser.find_elements(By.CSS_SELECTOR, "body script:not([id=library]):not([type=module])")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    first = methods(browser)
    assert first[:3] == ["alpha", "beta", "gamma"]
    assert f"{EVIL}/{EVIL}" in first, "shown as text"

    heads = browser.find_elements(By.CSS_SELECTOR, "table.board thead th")
    leak = next(head for head in heads if "id leak" in head.text)
    sorter = leak.find_elements(By.CSS_SELECTOR, "[tabindex]") or [leak]
    sorter[0].send_keys(Keys.ENTER)
    ascending = methods(browser)
    sorter[0].send_keys(Keys.ENTER)
    descending = methods(browser)
    assert descending[0] == f"{EVIL}/{EVIL}", "it leaks most"
    assert ascending[-1] == f"{EVIL}/{EVIL}"

    field = browser.find_element(By.CSS_SELECTOR, "input[type=search]")
    field.send_keys("bet")
    assert methods(browser) == ["beta"]
    field.send_keys(Keys.BACKSPACE * 3)

    button = next(b for b in browser.find_elements(By.CSS_SELECTOR, "button.open") if b.text == "alpha")
    assert button.get_attribute("aria-expanded") == "false"
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    panel = next(p for p in browser.find_elements(By.CSS_SELECTOR, "table.board .panel") if p.is_displayed())
    assert "By fold" in panel.text
    assert "Confusion" in panel.text
    assert "90.0" in panel.text
    image = panel.find_element(By.CSS_SELECTOR, "img")
    assert browser.execute_script("return arguments[0].naturalWidth", image) > 16
    button.send_keys(Keys.ENTER)
    assert not [p for p in browser.find_elements(By.CSS_SELECTOR, "table.board .panel") if p.is_displayed()]


@pytest.mark.slow
def test_dark_and_narrow(browser: Any, file: Path) -> None:
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 380, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    opened(browser, file)
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(21, 24, 28)"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 380, (
        "the page does not scroll sideways"
    )
