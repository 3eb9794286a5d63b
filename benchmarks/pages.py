"""How long pages of `ferbench site` take to show, with many records: `python benchmarks/pages.py [METHODS [FOLDER]]`.

100 methods on 10 folds with 10 seeds are 10,000 records. Each page is opened five times from disk in headless Chromium, with an
empty cache; first paint is the browser's own first-contentful-paint, ready is when its scripts have done their work.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from test_leaderboard import FOLDS, SEEDS, generated

PAINT = "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
READY = "return document.documentElement.dataset.ready === 'yes' ? performance.now() : null"
TIMES = 5


def records(folder: Path, methods: int) -> None:
    """As a run leaves them, but not flushed to disk one by one."""
    random = np.random.default_rng(0)
    for method in range(methods):
        for fold in range(FOLDS):
            for seed in range(SEEDS):
                record = generated(method, fold, seed, random)
                place = folder / record.trial.id
                place.mkdir()
                (place / "record.json").write_text(record.to_json(), encoding="utf-8")


def chromium() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def asked(browser: webdriver.Chrome, script: str) -> float:
    """What a script gives in the end, in seconds."""
    while (found := browser.execute_script(script)) is None:
        time.sleep(0.01)
    return float(found) / 1000


def measure(browser: webdriver.Chrome, address: str, scripts: bool = True) -> tuple[list[float], list[float]]:
    """(first paint, ready) of each time that a page is opened, in seconds."""
    paints, readies = [], []
    for _ in range(TIMES):
        browser.get("about:blank")
        browser.execute_cdp_cmd("Network.clearBrowserCache", {})
        browser.get(address)
        paints.append(asked(browser, PAINT))
        readies.append(asked(browser, READY) if scripts else paints[-1])
    return paints, readies


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"


def pages(site: Path) -> dict[str, tuple[str, bool]]:
    """The address of each kind of page, and whether its scripts say that they are ready."""
    import json

    text = (site / "data" / "boards.js").read_text(encoding="utf-8")
    board: dict[str, Any] = json.loads(json.loads(text[text.index(",") + 1 : text.rindex(")")]))[0]
    first, second = board["rows"][:2]
    trial = f"{first['file']}/{first['name'].removeprefix('method').zfill(3)}0000".ljust(len(first["file"]) + 17, "0")
    return {
        "home": ((site / "index.html").as_uri(), True),
        "method": ((site / "methods" / f"{first['file']}.html").as_uri(), False),
        "trial": ((site / "trial.html").as_uri() + f"#{trial}", True),
        "compare": ((site / "compare.html").as_uri() + f"#{board['key']}/{first['key']}/{second['key']}", True),
    }


def main(methods: str = "100", place: str | None = None) -> None:
    with tempfile.TemporaryDirectory(dir=place) as name:
        results, site = Path(name, "results"), Path(name, "site")
        results.mkdir()
        records(results, int(methods))
        start = time.perf_counter()
        command = [sys.executable, "-m", "ferbench", "site", str(results), "--output", str(site)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = [path for path in site.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in found) / 1e6
        seconds = time.perf_counter() - start
        print(
            f"{int(methods) * FOLDS * SEEDS:,} records: written in {seconds:.0f} s, {len(found)} files, {size:.0f} MB"
        )
        browser = chromium()
        for page, (address, scripts) in pages(site).items():
            paints, readies = measure(browser, address, scripts)
            print(f"| {page} | first paint {spread(paints)} | ready {spread(readies)} |", flush=True)
        browser.quit()


if __name__ == "__main__":
    main(*sys.argv[1:])
