"""Packages that are not installed, and the extra of ferbench that brings each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ferbench.errors import FerbenchError

REQUIREMENT = re.compile(r"(?P<package>[\w.-]+)[^;]*;.*\bextra\s*==\s*['\"](?P<extra>[\w.-]+)['\"]")
"""A line of `Requires-Dist` in the metadata of a distribution, e.g. `torch>=2.6; extra == 'train'`."""


@contextmanager
def needed_by(what: str) -> Iterator[None]:
    """Turn the failed import of an optional package into a sentence that says which extra to install.

    Args:
        what: who needs the package, as the sentence begins: "`ferbench run`".

    Raises:
        FerbenchError: an import inside failed, and an extra of ferbench has the package.
        ModuleNotFoundError: an import inside failed for another reason: a bug, or another distribution's dependency.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not (extra := extra_of(package, requirements())):
            raise
        raise FerbenchError(
            f"{what} needs {package}, which is not installed: pip install 'ferbench[{extra}]'."
        ) from error


def requirements() -> list[str]:
    """What the installed ferbench declares in its pyproject.toml; empty where it was not installed."""
    import importlib.metadata

    try:
        return importlib.metadata.requires("ferbench") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def extra_of(package: str, declared: Iterable[str]) -> str:
    """The smallest extra that has the package, by its name on import; empty if none has.

    >>> extra_of("scikit_posthocs", ["rich", "scikit-posthocs>=0.11; extra == 'report'"])
    'report'
    """
    extras: dict[str, set[str]] = {}
    for line in declared:
        if found := REQUIREMENT.match(line):
            extras.setdefault(found["extra"], set()).add(found["package"].lower().replace("-", "_"))
    names = {
        package.lower(),
        f"{package.lower()}_skinny",
    }  # as some distributions call a smaller one of the same package
    having = [extra for extra, packages in extras.items() if names & packages]
    return min(having, key=lambda extra: (len(extras[extra]), extra), default="")
