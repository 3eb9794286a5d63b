"""Worker processes that do not run the user's script again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without_main() -> Iterator[None]:
    """A context in which processes are started that import what they need, and not the module `__main__` of this process.

    A spawned process runs its parent's script once more, to find what is defined there. Nothing of ours is; and a script that
    calls `ferbench.run` outside `if __name__ == "__main__"` would begin its study again in each worker.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
