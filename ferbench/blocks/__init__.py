"""Networks that methods share, third-party ones too: each is written once and takes sizes from the backbone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

Init = Callable[[str], contextlib.AbstractContextManager[None]]
"""Inside which a part's initial weights are drawn: `task.scope("name of the network")`."""


def any_init(part: str) -> contextlib.AbstractContextManager[None]:
    """Whatever the global generator gives."""
    return contextlib.nullcontext()
