"""What a card and the file of its component say, for the page of the component. The file is read and not run."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ferbench.cards import Card
from ferbench.docstrings import parsed


@dataclass(frozen=True)
class Setting:
    """A setting with its default as text, and what its dataclass says of it."""

    name: str
    default: str
    meaning: str


C = TypeVar("C", bound=Card)


@dataclass(frozen=True)
class Described(Generic[C]):
    """A component as its card, the dataclass of its settings and the docstring of its file describe it.

    Attributes:
        texts: the docstrings of its file and of the file of its settings: equations, what is stated, and what is our reading.
        readings: the first paragraph of each settings dataclass, such as "Our reading, unless marked (stated)."
    """

    card: C
    texts: list[str]
    readings: list[str]
    settings: list[Setting]


def described(card: C) -> Described[C]:
    """What is known of a component that is installed."""
    readings: list[str] = []
    meanings: dict[str, str] = {}
    for kind in reversed(card.settings.__mro__[:-1]):
        head, sections = parsed(inspect.cleandoc(kind.__doc__ or "") if "__doc__" in vars(kind) else "")
        readings += [head] if head and not head.startswith(f"{kind.__name__}(") else []
        meanings |= sections.get("Attributes", {})
    settings = [Setting(name, _text(value), meanings.get(name, "")) for name, value in card.defaults().items()]
    modules = dict.fromkeys([card.module, card.settings.__module__])
    texts = [text for module in modules if (text := _docstring(module))]
    return Described(card, texts, readings, settings)


def _docstring(module: str) -> str:
    """The docstring of a module; empty where its source cannot be read."""
    try:
        found = importlib.util.find_spec(module)
        source = Path(found.origin).read_text(encoding="utf-8") if found is not None and found.origin else ""
        return ast.get_docstring(ast.parse(source)) or ""
    except (ImportError, OSError, SyntaxError, ValueError):
        return ""


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
