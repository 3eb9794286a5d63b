"""The page of the plugin interface is that of the classes, and has all that plugins use."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import ferbench
from ferbench import blocks, metrics, testing
from ferbench.api.results import LEADING, TRAILING
from ferbench.docstrings import parsed
from ferbench.kit.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "plugin-interface.md"


@pytest.fixture(scope="module")
def text() -> str:
    return page()


def test_the_page_is_that_of_the_classes(text: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == text, (
        "python -m ferbench.kit.reference > docs/reference/plugin-interface.md"
    )


def test_every_public_name_is_on_it(text: str) -> None:
    headings = {line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")}
    constants = {"CPU", "EXPRESSIONS", "SIZE", "STEPS", "SUBJECTS"}
    names = {*ferbench.__all__, *testing.__all__} - constants - {"__version__", "hookimpl"}
    assert names <= headings, sorted(names - headings)


def test_every_block_and_metric_is_on_it(text: str) -> None:
    """The public classes and functions of the modules of ferbench.blocks, and the metrics; not what they inherit from."""
    modules = [import_module(f"ferbench.blocks.{found.name}") for found in pkgutil.iter_modules(blocks.__path__)]
    names = {
        name
        for module in modules
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__
    }
    names |= {*metrics.__all__}
    headings = {line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")}
    assert len(names) > 30
    assert names <= headings, sorted(names - headings)


def test_what_a_constructor_takes_has_types_and_defaults(text: str) -> None:
    assert "| `cells` | `int` | `1` | 1 averages over the whole map;" in text
    assert "| `probe` | `str` | `'linear'` |" in text


def test_every_field_has_a_meaning(text: str) -> None:
    """A row of a table of fields ends with what the field means."""
    rows = [line for line in text.splitlines() if line.startswith("| `") and line.count(" | ") == 3]
    assert len(rows) > 100
    assert not [row for row in rows if row.endswith("|  |")]


def test_how_a_docstring_is_read() -> None:
    args = "Args:\n    a, b: both,\n        on two lines.\n    c: one."
    prose, tables = parsed(f"What it is,\nin two lines.\n\n{args}\n\nReturns:\n    (N,), int.\n\n>>> 1 + 1\n2")
    assert prose == "What it is,\nin two lines.\n\n    >>> 1 + 1\n    2"
    assert tables == {
        "Args": {"a": "both, on two lines.", "b": "both, on two lines.", "c": "one."},
        "Returns": {"": "(N,), int."},
    }


def test_each_column_of_trials_is_explained_by_itself(text: str) -> None:
    columns = text.split("### load_results")[1].split("Columns:")[1].split("Raises:")[0]
    told = dict(re.findall(r"- `(\w+)`: (.+)", columns))
    assert list(told) == [*LEADING, *TRAILING]
    assert len(set(told.values())) == len(told)
    assert len(columns.split("\n- ")) == 1 + len(told), "nothing else is listed"
