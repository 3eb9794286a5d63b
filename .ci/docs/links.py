"""Ask the network for every page of others that a built site links to: `python .ci/docs/links.py site`.

A page that cannot be had is named, with the pages that link to it; the exit status is then 1. Not a part of CI: others' pages come
and go.
"""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

SECONDS = 20
AGENT = {"User-Agent": "Mozilla/5.0 (links of a documentation)"}


def linked(site: Path) -> dict[str, set[str]]:
    """The pages that link to each address."""
    found: dict[str, set[str]] = defaultdict(set)
    for page in site.rglob("*.html"):
        for address in re.findall(r'<a[^>]*\shref="(https?://[^"#]+)', page.read_text(encoding="utf-8")):
            found[unescape(address)].add(page.relative_to(site).as_posix())
    return found


def complaint(address: str) -> str:
    """What is wrong with an address; "" where it can be had, or where its server wants a person and says so (403, 429)."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=AGENT), timeout=SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code in (403, 429) else f"status {error.code}"
    except (OSError, ValueError) as error:
        return str(error)


def main(site: Path) -> int:
    found = linked(site)
    with ThreadPoolExecutor(8) as several:
        wrong = {a: told for a, told in zip(found, several.map(complaint, found), strict=True) if told}
    for address, told in wrong.items():
        print(f"{address}: {told}; linked from {', '.join(sorted(found[address])[:3])}")
    print(f"{len(found) - len(wrong)} of {len(found)} addresses can be had.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
