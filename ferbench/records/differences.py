"""The differences between two trials in words: settings, data, versions and code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ferbench.errors import enumerate_first
from ferbench.records.identity import Identity

DATA = frozenset({"dataset.fingerprint", "test_subjects", "train_subjects", "frames_digest"})
"""Parts of an identity that describe the data."""

LONG = 6
"""Longest list that is printed in full."""

SHOWN_FUNCTIONS = 8
"""Number of functions that are named; of the others the number is printed."""


@dataclass(frozen=True)
class Difference:
    """One value in which two identities differ.

    Attributes:
        kind: "setting", "data", "version" or "code".
        name: name of the value, as the user writes it: "method.lr", "budget.steps".
        ours, theirs: the value in the first and in the second identity; None if it has none.
    """

    kind: str
    name: str
    ours: Any
    theirs: Any

    def words(self) -> str:
        """The difference as text, such as 'setting method.lr: 0.1 / 0.2'."""
        return f"{self.kind} {self.name}: {_short(self.ours)} / {_short(self.theirs)}"


def differences(ours: Identity, theirs: Identity) -> list[Difference]:
    """All values in which two identities differ."""
    found = _leaves(ours.to_dict(), theirs.to_dict(), "")
    return [Difference(_kind(path), _name(path), a, b) for path, a, b in found]


def function_differences(ours: Mapping[str, Mapping[str, str]], theirs: Mapping[str, Mapping[str, str]]) -> list[str]:
    """All functions that differ or that only one side has, such as 'function ferbench_grl.method:Grl.step (method)'.

    Args:
        ours, theirs: digests of functions by part, as `files.read_code` returns them. Parts that only one side has are ignored.
    """
    names = []
    for part in sorted({*ours} & {*theirs}):
        a, b = ours[part], theirs[part]
        names += [f"function {name} ({part})" for name in sorted({*a, *b}) if a.get(name) != b.get(name)]
    return names


def code_words(ours: Mapping[str, str], theirs: Mapping[str, str], functions: list[str] | None = None) -> str:
    """In which parts the code of two records differs; empty if it is the same or unknown.

    Args:
        ours, theirs: `Record.code` of the records.
        functions: result of `function_differences`.
    """
    if not ours or not theirs or dict(ours) == dict(theirs):
        return ""
    if ("plugins" in ours) != ("plugins" in theirs):
        return "code: cannot be compared, because a record of version 1 states its code in another way"
    parts = [part for part in sorted({*ours} | {*theirs}) if ours.get(part) != theirs.get(part)]
    named = f": {enumerate_first(functions, SHOWN_FUNCTIONS)}" if functions else ""
    return f"code of {', '.join(parts)}{named}"


def _name(path: str) -> str:
    """ "method.settings.lr" -> "method.lr", "method.version" -> "method", "code.method" -> "method"."""
    if path == "version":
        return "identity"
    return path.replace(".settings.", ".").removesuffix(".version").removeprefix("code.")


def _kind(path: str) -> str:
    if path in DATA:
        return "data"
    if path.endswith("version") or path == "core":
        return "version"
    return "code" if path.startswith("code.") else "setting"


def _leaves(a: Any, b: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """(key, first value, second value) of all values that differ; the parts of a key are joined by dots."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in sorted({*a, *b}):
            yield from _leaves(a.get(key), b.get(key), f"{path}.{key}" if path else key)
    elif a != b:
        yield path, a, b


def _short(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) > LONG:
        return f"[{', '.join(map(str, value[:4]))} ... {len(value)} in all]"
    return "-" if value is None else str(value)
