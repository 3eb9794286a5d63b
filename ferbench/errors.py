"""The one exception family of ferbench: the text of each is the sentence that the user reads."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class FerbenchError(Exception):
    """Something the user can mend: what happened, with which value, the usual cause, what to type next.

    The command line prints the text and exits with status 2. Every other exception is a bug of ferbench or of
    a plugin and shows its traceback.
    """


LISTED = 40
"""Names up to which an error lists them all."""


class UnknownName(FerbenchError):
    """A name that no catalogue has, with the nearest names that exist."""

    def __init__(self, kind: str, name: object, options: Iterable[str], hint: str = "") -> None:
        known = sorted(options)
        near = get_close_matches(str(name), known, n=3, cutoff=0.5)
        text = f"There is no {kind} '{name}'."
        if near:
            text += f" Did you mean {_either(near)}?"
        if not known:
            text += f" No {kind} is known."
        elif len(known) > LISTED:
            text += f" {len(known)} are known."
        else:
            text += f" Known: {', '.join(known)}."
        super().__init__(f"{text} {hint}".strip())


class FrameError(FerbenchError):
    """Frames that cannot be read; `frames` holds their identifiers."""

    def __init__(self, text: str, frames: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.frames = tuple(frames)


class TrainingError(FerbenchError):
    """A trial that cannot go on, with the stage and step at which it stopped."""

    def __init__(self, text: str, stage: str = "", step: int = -1) -> None:
        super().__init__(text)
        self.stage = stage
        self.step = step


def _either(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]


def enumerate_first(items: Iterable[object], limit: int = 5) -> str:
    """The first few items in words, with the count of the rest: 'a, b, c and 4 more'."""
    all_items = [str(item) for item in items]
    text = ", ".join(all_items[:limit])
    rest = len(all_items) - limit
    return f"{text} and {rest} more" if rest > 0 else text
