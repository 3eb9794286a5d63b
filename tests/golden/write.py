"""Write golden values anew: `python -m tests.golden.write [KEY ...]`, for instance method/grl; all of them without a key."""

from __future__ import annotations

import sys

from tests.golden import files
from tests.golden.cases import cases
from tests.golden.check import versions


def main(keys: list[str]) -> None:
    known = cases()
    if unknown := [key for key in keys if key not in known]:
        raise SystemExit(f"There is nothing called {unknown[0]}. Known: {', '.join(known)}.")
    for key in keys or known:
        files.write(key, versions(known[key]), known[key].values())
        print(files.path_of(key).relative_to(files.FOLDER.parents[2]))
    for key in files.keys() - set(known):
        files.path_of(key).unlink()
        print(f"{key} is no more")


if __name__ == "__main__":
    main(sys.argv[1:])
