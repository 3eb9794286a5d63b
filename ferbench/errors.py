"""The exceptions of ferbench. Each one's text is the sentence that the user reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class FerbenchError(Exception):
    """An error that the user can fix. Its text says what happened, with which value, the usual cause and what to type next.

    The command line prints the text without a traceback and exits with status 2. Any other exception is a bug of ferbench
    or of a plugin and shows its traceback.
    """


LISTED = 40
"""Longest list of valid names that an error prints in full; of a longer one it prints the length."""


class UnknownName(FerbenchError):
    """A name that does not exist. The text suggests up to three similar names and lists the valid ones.

    Args:
        kind: what is named, such as "method" or "metric".
        name: the name that was given.
        options: the valid names.
        hint: a sentence that is added at the end.
    """

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


class NoSuch(FerbenchError):
    """Something that is not where it was looked for, among too many things to list."""

    def __init__(self, kind: str, name: object, place: str) -> None:
        super().__init__(f"There is no {kind} '{name}' in {place}.")


class NotMeasurable(FerbenchError):
    """The data do not allow a metric: too few subjects, a single expression. The metric stays empty, and the sentence is kept as
    a note of the record. Every other error of an evaluator ends the evaluation."""


class FrameError(FerbenchError):
    """Frames that cannot be read. `frames` holds their frame_ids."""

    def __init__(self, text: str, frames: Iterable[str] = ()) -> None:
        super().__init__(text)
        self.frames = tuple(frames)


class TrainingError(FerbenchError):
    """A trial that cannot continue. `stage` and `step` say where it stopped; "" and -1 where that is unknown."""

    def __init__(self, text: str, stage: str = "", step: int = -1) -> None:
        super().__init__(text)
        self.stage = stage
        self.step = step


def a(noun: str) -> str:
    """A noun with its article.

    >>> a("method"), a("evaluator")
    ('a method', 'an evaluator')
    """
    return f"{'an' if noun[:1] in set('aeiou') else 'a'} {noun}"


def _either(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]


_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_HIDDEN_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str, lines: bool = False) -> str:
    r"""A text in which control characters, and bytes that are no UTF-8 (such as those in names from archives packed on Chinese
    Windows), are written as \x1b and \xbf: names of files, and what strangers wrote, before they are shown.

    Args:
        lines: whether line breaks and tabs stay.

    >>> printable("a\udcbf.jpg") == "a\\xbf.jpg", printable("a\nb\x1b[2J") == "a\\nb\\x1b[2J", printable("開.jpg")
    (True, True, '開.jpg')
    """
    return text if text.isprintable() else (_HIDDEN_IN_LINES if lines else _HIDDEN).sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode gives it
        code -= 0xDC00
    return match.group().encode("unicode_escape").decode() if code < 0x80 or code > 0xFF else f"\\x{code:02x}"


def enumerate_first(items: Iterable[object], limit: int = 5) -> str:
    """The first `limit` items, `printable` and separated by commas, and the number of the others: 'a, b, c and 4 more'."""
    all_items = [printable(str(item)) for item in items]
    text = ", ".join(all_items[:limit])
    rest = len(all_items) - limit
    return f"{text} and {rest} more" if rest > 0 else text


def not_a_choice(name: str, value: str, options: Sequence[str]) -> str:
    """The error message for a value that is not among the `options` of a setting."""
    near = get_close_matches(value, options, 1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"{name} is '{value}'; it can be {', '.join(options)}.{hint}"
