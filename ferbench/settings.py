"""The types that settings of components may have, as Hydra takes them from the command line and records keep them as JSON."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ferbench.errors import FerbenchError

SCALARS = (bool, int, float, str)
ALLOWED = "bool, int, float, str, one of given values (Literal['a', 'b']), a list or tuple of these, or None beside one of them"


def types_of(settings: type, whose: str) -> dict[str, Any]:
    """The type of each setting of a dataclass.

    Args:
        whose: for messages: "method 'mine'".

    Raises:
        FerbenchError: a type is none of ALLOWED, or has a name that is not there when the program runs.
    """
    try:
        found = _types(settings)
    except (NameError, TypeError, AttributeError) as error:
        raise FerbenchError(f"The types of the settings of {whose} cannot be read: {error}.") from error
    for name, kind in found.items():
        if not _allowed(kind):
            shown = getattr(kind, "__name__", kind) if get_origin(kind) is None else kind
            raise FerbenchError(f"The setting '{name}' of {whose} is a {shown}; it can be {ALLOWED}.")
    return found


@cache
def _types(settings: type) -> dict[str, Any]:
    """Of each field, kept: a card is made, registered and composed of one class."""
    hints = get_type_hints(settings)
    return {name: hints[name] for name in settings.__dataclass_fields__}  # type: ignore[attr-defined]


def _allowed(kind: Any) -> bool:
    if kind is Any or kind in SCALARS:
        return True
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return all(part is type(None) or _allowed(part) for part in parts)
    if origin is Literal:
        return len({type(part) for part in parts}) == 1 and type(parts[0]) in SCALARS
    return origin in (list, tuple) and all(part is Ellipsis or _allowed(part) for part in parts)


def fits(value: object, kind: Any) -> bool:
    """Whether a value is of a type that `types_of` allows. A whole number is no float, and True no whole number.

    >>> fits(0.3, float | None), fits(None, float | None), fits(1, float), fits("c", Literal["a", "b"]), fits([1, 2], list[int])
    (True, True, False, False, True)
    """
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin is list or origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        whole = origin is tuple and parts[-1:] != (Ellipsis,)
        kinds = parts if whole else [parts[0]] * len(value)
        return len(kinds) == len(value) and all(map(fits, value, kinds))
    return type(value) is kind


def options_of(kind: Any) -> tuple[object, ...]:
    """The values of a Literal; nothing for other types."""
    return get_args(kind) if get_origin(kind) is Literal else ()


def hydras(kind: Any) -> Any:
    """A type as OmegaConf takes it: for a Literal that of its values.

    >>> hydras(Literal["a", "b"]), hydras(list[Literal[1, 2]]), hydras(float | None)
    (<class 'str'>, list[int], float | None)
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return type(parts[0])
    if origin in (Union, types.UnionType):
        return Union[tuple(map(hydras, parts))] if any(get_origin(part) is Literal for part in parts) else kind  # noqa: UP007
    if origin is list or origin is tuple:
        return origin[tuple(part if part is Ellipsis else hydras(part) for part in parts)]
    return kind


def plain(value: Any) -> Any:
    """A value as records keep it: tuples as lists.

    >>> plain((0.5, (1, 2))), plain("a")
    ([0.5, [1, 2]], 'a')
    """
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return {key: plain(part) for key, part in value.items()} if isinstance(value, Mapping) else value
