"""Docstrings as they are written here: prose, and sections of names and meanings."""

from __future__ import annotations

import re
import textwrap

_ENTRY = re.compile(r"(?P<names>\w+(, \w+)*): (?P<text>.*)")
_SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Columns):")


def parsed(text: str) -> tuple[str, dict[str, dict[str, str]]]:
    """(prose as Markdown, the entries of each section by name): examples of the interpreter are indented.

    >>> parsed("Stage 1.\\n\\nAttributes:\\n    lr: learning rate,\\n        constant.\\n    width: of all layers.")
    ('Stage 1.', {'Attributes': {'lr': 'learning rate, constant.', 'width': 'of all layers.'}})
    >>> parsed("Stage 2.\\n\\nAttributes:\\n    lr: learning rate,\\n        constant.")[1]
    {'Attributes': {'lr': 'learning rate, constant.'}}
    """
    prose: list[str] = []
    tables: dict[str, dict[str, str]] = {}
    for block in re.split(r"\n\n(?=\S)", text):
        first, _, rest = block.partition("\n")
        if _SECTION.fullmatch(first.strip()):
            tables[first.strip()[:-1]] = _entries(textwrap.dedent(rest).strip())
        elif first.startswith(">>> "):
            prose.append("\n".join(f"    {line}" for line in block.splitlines()))
        else:
            prose.append(block)
    return "\n\n".join(prose), tables


def _entries(text: str) -> dict[str, str]:
    """`name: meaning` by name; what has no name, as after Returns, by ""."""
    found: dict[str, str] = {}
    last: list[str] = []
    for line in text.splitlines():
        match = None if line.startswith(" ") else _ENTRY.fullmatch(line)
        if match:
            last = match["names"].split(", ")
            found |= dict.fromkeys(last, match["text"])
        else:
            last = last if line.startswith(" ") and last else [""]
            for name in last:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found
