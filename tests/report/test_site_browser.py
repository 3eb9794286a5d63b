"""The site in a real browser, opened from disk: Debian's Chromium, driven by its own driver. Skipped where there is none;
continuous integration installs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ferbench.ranking.compare import compare
from ferbench.report.columns import REFERENCES, p_value, points
from ferbench.report.site.names import key
from tests.browser import DESKTOP, PHONE, all_of, screen, wait
from tests.made_records import Make
from tests.records.test_merge import stored
from tests.report.made_site import EVIL, data, row_keys, site

pytestmark = pytest.mark.slow


def opened(browser: Any, page: Path, fragment: str = "") -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + (f"#{fragment}" if fragment else ""))
    wait(browser, lambda: browser.execute_script("return document.documentElement.dataset.ready") == "yes")


def methods(browser: Any) -> list[str]:
    """The methods that the first board shows, from above."""
    return [link.text for link in all_of(browser, ".board:first-of-type td.name a") if link.is_displayed()]


def press(browser: Any, *keys: str) -> None:
    """Keys, to whatever has the focus."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def focus(browser: Any, element: Any) -> None:
    browser.execute_script("arguments[0].focus()", element)


def table(browser: Any, label: str) -> list[list[str]]:
    """The cells of a table by the label of its region, without its headings."""
    rows = all_of(browser, f'[aria-label="{label}"] tbody tr')
    return [browser.execute_script("return [...arguments[0].cells].map(c => c.textContent)", row) for row in rows]


def test_sort_filter_and_choose_with_the_keyboard(browser: Any, made: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    opened(browser, made / "index.html")
    assert methods(browser) == ["alpha", "beta", "gamma", "partial"]
    leak = next(b for b in all_of(browser, ".board:first-of-type th button") if b.text == "accuracy %")
    focus(browser, leak)
    press(browser, Keys.ENTER)
    assert methods(browser)[0] == "alpha", "the highest first, of what should be high"
    press(browser, Keys.ENTER)
    assert methods(browser) == ["gamma", "beta", "partial", "alpha"]
    assert leak.find_element("xpath", "..").get_attribute("aria-sort") == "ascending"

    focus(browser, all_of(browser, "input[type=search]")[0])
    press(browser, *"ga")
    assert methods(browser) == ["gamma"]
    assert "1 of 4 rows" in all_of(browser, ".count")[0].text
    kept = browser.current_url
    assert "filter=ga" in kept
    press(browser, Keys.BACKSPACE, Keys.BACKSPACE)

    for box in all_of(browser, ".board:first-of-type tbody input")[:2]:
        focus(browser, box)
        press(browser, Keys.SPACE)
    link = all_of(browser, ".board:first-of-type [data-compare]")[0]
    assert link.text == "Compare gamma with beta"
    focus(browser, link)
    press(browser, Keys.ENTER)
    wait(browser, lambda: browser.title == "gamma against beta")

    opened(browser, made / "index.html", kept.partition("#")[2])
    assert methods(browser) == ["gamma"], "what was filtered is in the address"
    assert [h.text for h in all_of(browser, "th[aria-sort=ascending]")] == ["accuracy %"]


def test_shift_sorts_by_a_second_column(browser: Any, made: Path) -> None:
    opened(browser, made / "index.html")
    heads = {b.text: b for b in all_of(browser, ".board:first-of-type th button")}
    click = "arguments[0].dispatchEvent(new MouseEvent('click', { bubbles: true, shiftKey: arguments[1] }))"
    browser.execute_script(click, heads["trials"], False)
    browser.execute_script(click, heads["method"], True)
    browser.execute_script(click, heads["method"], True)
    assert methods(browser) == ["partial", "gamma", "beta", "alpha"]


def test_what_records_say_is_shown_as_text(browser: Any, made: Path) -> None:
    from selenium.webdriver.common.alert import Alert
    from selenium.webdriver.support.expected_conditions import alert_is_present

    method = data(made, key(EVIL))
    trial, place = method["trials"][0], method["shared"][method["trials"][0]["place"]]
    _, rows = row_keys(made)
    pages = [
        (made / "index.html", ""),
        (made / "methods" / f"{key(EVIL)}.html", ""),
        (made / "trial.html", f"{key(EVIL)}/{trial['id']}"),
        (made / "compare.html", f"{place['board']}/{place['row']}/{rows['alpha']}"),
    ]
    for page, fragment in pages:
        browser.get("about:blank")
        browser.get(page.as_uri() + f"#{fragment}")
        if page.parent == made:
            wait(browser, lambda: browser.execute_script("return document.documentElement.dataset.ready") == "yes")
        assert not alert_is_present()(browser), Alert(browser).text
        assert "<script>alert(1)</script>" in browser.execute_script("return document.body.textContent"), page.name
        assert not all_of(browser, "body script:not([src])")


@pytest.mark.parametrize("fragment", ["nowhere/x", "../../etc/x", "alpha/nothing", "%E0%A4%A", "<script>/x"])
def test_an_address_that_leads_nowhere_says_so(chromium: Any, made: Path, fragment: str) -> None:
    opened(chromium, made / "trial.html", fragment)
    said = all_of(chromium, "#say")[0].text
    assert any(
        words in said for words in ("There is no trial", "There is no data", "is not there", "A trial is shown where")
    )


def test_a_comparison_is_that_of_the_command(browser: Any, make: Make, tmp_path: Path) -> None:
    """Test, recalls, folds and subjects of two rows that share some trials only, in both directions."""
    rights = {"alpha": (9, 8, 9, 7, 9, 10), "beta": (6, 6, 8, 7, 5), "delta": (10, 3, 9, 7, 9, 1)}
    found = [
        make(m, f, r, folds=6, metrics={"accuracy": r / 10})
        for m, column in rights.items()
        for f, r in enumerate(column)
    ]
    target = site(stored(tmp_path / "results", *found), tmp_path / "site")
    board, rows = row_keys(target)
    for ours, theirs in (("alpha", "beta"), ("beta", "alpha"), ("delta", "alpha")):
        (wanted,) = compare(found, ours, theirs)
        opened(browser, target / "compare.html", f"{board}/{rows[ours]}/{rows[theirs]}")
        assert all_of(browser, ".verdict")[0].text == wanted.words()
        (test,) = table(browser, "The test")
        assert test[3].replace(" points", "") == points(wanted.difference)
        assert test[4] == p_value(wanted.difference.p)
        for (name, x, y), cells in zip(wanted.classes, table(browser, "Recall"), strict=True):
            assert cells == [name, f"{100 * x:.1f}", f"{100 * y:.1f}", f"{100 * (x - y):+.1f}"]
        folds = [
            [f"fold {i}, seed 0", f"{10 * x:.1f}", f"{10 * y:.1f}", f"{100 * (x / 10 - y / 10):+.1f}"]
            for i, (x, y) in enumerate(zip(rights[ours], rights[theirs], strict=False))
        ]
        assert table(browser, "By fold and seed") == folds
        people = {name: gap for name, _, _, gap in table(browser, "By subject")}
        assert people == {name: f"{100 * gap:+.1f}" for name, gap in wanted.subjects.items()}


def test_rows_are_chosen_and_turned_round(browser: Any, made: Path) -> None:
    from selenium.webdriver.support.ui import Select

    board, rows = row_keys(made)
    opened(browser, made / "compare.html", f"{board}/{rows['alpha']}/{rows['beta']}")
    Select(all_of(browser, "[name=b]")[0]).select_by_visible_text("gamma")
    wait(browser, lambda: browser.title == "alpha against gamma")
    all_of(browser, "[name=turn]")[0].click()
    wait(browser, lambda: browser.title == "gamma against alpha")
    assert browser.current_url.endswith(f"#{board}/{rows['gamma']}/{rows['alpha']}"), "the address is a permalink"
    Select(all_of(browser, "[name=metric]")[0]).select_by_visible_text("identity leakage")
    wait(browser, lambda: "do not hold it by subject" in all_of(browser, "#say")[0].text)
    Select(all_of(browser, "[name=b]")[0]).select_by_visible_text("gamma")
    wait(browser, lambda: all_of(browser, "#say")[0].text == "Choose two rows.")


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("nowhere/a/b", "There is no such board on this site."),
        (
            "{board}/{alpha}/nobody",
            "A row of this address is not on the board, or not among those that are compared here.",
        ),
        ("{board}/{alpha}/{alpha}", "Choose two rows."),
    ],
)
def test_a_comparison_that_there_is_none_of(browser: Any, made: Path, fragment: str, said: str) -> None:
    board, rows = row_keys(made)
    opened(browser, made / "compare.html", fragment.format(board=board, alpha=rows["alpha"]))
    assert all_of(browser, "#say")[0].text == said
    assert all_of(browser, "#comparison")[0].text == ""


def test_a_trial_opens_from_the_page_of_its_method(browser: Any, made: Path) -> None:
    browser.get((made / "methods" / "alpha.html").as_uri())
    all_of(browser, "details.row a")[0].click()
    wait(browser, lambda: browser.title == "alpha · fold 0 · seed 0")
    assert ["accuracy %", "90.0"] in table(browser, "Metrics"), "nothing stands beside it that was not measured"
    assert len(all_of(browser, "svg")) == 2, "the losses, and the accuracy that was looked at"
    assert all_of(browser, "svg path")[0].get_attribute("d").count("L") == 79
    picture = all_of(browser, "figure img")[0]
    wait(browser, lambda: browser.execute_script("return arguments[0].naturalWidth", picture) > 16)


def test_a_trial_shows_what_its_metrics_are_held_against(browser: Any, made: Path) -> None:
    browser.get((made / "methods" / "beta.html").as_uri())
    all_of(browser, "details.row a")[0].click()
    wait(browser, lambda: browser.title.startswith("beta"))
    heads = [head.text for head in all_of(browser, '[aria-label="Metrics"] thead th')]
    assert heads == ["metric", "value", REFERENCES["pixels"]]
    assert ["accuracy %", "60.0", "-"] in table(browser, "Metrics")
    assert "0.80" in [row[2] for row in table(browser, "Metrics")]


def test_a_link_to_a_folded_row_opens_it(browser: Any, made: Path) -> None:
    method = data(made, "beta")
    anchor = next(s["anchor"] for s in method["shared"] if isinstance(s, dict) and s["name"] == "beta/less")
    browser.get((made / "methods" / "beta.html").as_uri() + f"#{anchor}")
    shown = [row.get_attribute("open") is not None for row in all_of(browser, "details.row")]
    assert shown == [True, True]


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_scrolls_sideways(browser: Any, made: Path, size: tuple[int, int], dark: bool) -> None:
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    screen(browser, size)
    board, rows = row_keys(made)
    trial = data(made, "alpha")["trials"][0]["id"]
    pages = {
        "index.html": "",
        "methods/beta.html": "",
        "trial.html": f"alpha/{trial}",
        "compare.html": f"{board}/{rows['alpha']}/{rows['beta']}",
    }
    for page, fragment in pages.items():
        browser.get("about:blank")
        browser.get((made / page).as_uri() + f"#{fragment}")
        if "/" not in page:
            wait(browser, lambda: browser.execute_script("return document.documentElement.dataset.ready") == "yes")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0], page
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert colour == ("rgb(21, 24, 28)" if dark else "rgb(255, 255, 255)")


def test_pages_can_be_read_without_scripts(browser: Any, made: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get((made / "index.html").as_uri())
    assert methods(browser) == ["alpha", "beta", "gamma", "partial"]
    assert not [part for part in all_of(browser, ".tools, .pick") if part.is_displayed()], "nothing that does nothing"
    all_of(browser, "td.name a")[0].click()
    text = all_of(browser, "main")[0].text
    for words in ("By fold", "By class", "Confusion", "90.0"):
        assert words in text
    browser.get((made / "compare.html").as_uri())
    assert "ferbench compare A B" in all_of(browser, "main")[0].text


def test_a_board_of_many_rows_says_which_are_compared(
    browser: Any, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ferbench.report.site import comparisons

    monkeypatch.setattr(comparisons, "MOST", 2)
    found = [make(m, f, r) for m, r in (("a", 9), ("b", 8), ("c", 7)) for f in (0, 1)]
    target = site(stored(tmp_path / "results", *found), tmp_path / "site")
    _, rows = row_keys(target)
    assert sorted(rows) == ["a", "b"]
    opened(browser, target / "compare.html")
    assert (
        "Of this board the first 2 rows are compared here; 'ferbench compare' takes the other 1 too."
        in all_of(browser, "#say")[0].text
    )
