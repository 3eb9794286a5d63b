"""An extension of griffe that hands it docstrings as it reads them: one name to an entry, examples as code.

Ours write `a, b: meaning` for names that share a meaning, and `>>> example` without a heading.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

SECTION = re.compile(r"(Args|Attributes|Columns|Returns|Raises|Yields):")
NAMES = re.compile(r"(?P<indent>\s+)(?P<names>\w+(?:, \w+)+): (?P<text>.*)")


class Docstrings(griffe.Extension):
    """Rewrites each docstring once, before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)


def readable(text: str) -> str:
    """The docstring in the Google style as griffe has it.

    >>> print(readable("Adds.\\n\\nArgs:\\n    a, b: numbers,\\n        finite."))
    Adds.
    <BLANKLINE>
    Args:
        a: numbers, finite.
        b: numbers, finite.
    """
    blocks = [_block(block) for block in re.split(r"\n\n(?=\S)", text)]
    return "\n\n".join(blocks)


def _block(block: str) -> str:
    first = block.partition("\n")[0]
    if first.startswith(">>> "):
        return f"```pycon\n{block}\n```"
    if not SECTION.fullmatch(first.strip()):
        return block
    lines: list[str] = []
    for line in block.replace("Columns:", "Attributes:", 1).splitlines():
        indent = len(line) - len(line.lstrip())
        if indent > 4 and lines:
            lines[-1] += f" {line.strip()}"  # a meaning in one line
        else:
            lines.append(line)
    made: list[str] = []
    for line in lines:
        found = NAMES.fullmatch(line)
        names = found["names"].split(", ") if found else []
        made += [f"{found['indent']}{name}: {found['text']}" for name in names] if found else [line]
    return "\n".join(made)
