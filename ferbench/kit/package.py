"""Writing a new package from the templates in `templates/`.

A template is a file that ends in `.tmpl`: those in `common/` are for every kind, the others for that of their folder. In names of
files and in texts, @name@ stands for the component, @package@ for the Python package, @class@ for the class; `_words` has the
others.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import unicodedata
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from ferbench.cards import API, BackboneCard, Card, DatasetCard, EvaluatorCard, MethodCard, ProtocolCard
from ferbench.errors import FerbenchError, a
from ferbench.files import draft_of, move
from ferbench.registry.loader import Registry

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".tmpl"

KINDS: Mapping[str, type[Card]] = {
    card.kind: card for card in (MethodCard, DatasetCard, BackboneCard, EvaluatorCard, ProtocolCard)
}
"""The kinds of components that a package can be written for."""

_WITH_TORCH = (MethodCard, BackboneCard)
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_MARK = re.compile(r"@(\w+)@")


def write_package(registry: Registry, kind: str, name: str, into: Path) -> Path:
    """Write the package of a new component. Either all of it is written, or nothing.

    Args:
        registry: the installed components, whose names are taken.
        kind: one of KINDS.
        name: of the component; '-' and '_' are the same.
        into: folder in which the package's folder is made.

    Returns:
        The folder of the package.

    Raises:
        FerbenchError: the name is not valid or taken, there is no folder `into`, or the package's folder exists or cannot be
            written.
    """
    component = name.replace("-", "_")
    words = _words(kind, component)
    folder = into / words["distribution"]
    _check_name(registry, kind, name, component, words["package"])
    if not into.is_dir():
        raise FerbenchError(f"There is no folder {into}. Make it, or name another with --into DIR.")
    if folder.exists() or folder.is_symlink():
        raise FerbenchError(f"{folder} exists already. Choose another name, or another folder with --into DIR.")
    draft = draft_of(folder)
    try:
        for source, target in _files(kind):
            path = draft / _filled(target, words)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(source.read_text(encoding="utf-8"), words), encoding="utf-8")
        move(draft, folder)
    except OSError as error:
        raise FerbenchError(f"{folder} cannot be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(draft)
    return folder


def first_steps(folder: Path) -> list[str]:
    """The commands with which a package's README begins."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if re.match(" {4}(pip|python|ferbench|pytest)", line)]


def _check_name(registry: Registry, kind: str, name: str, component: str, package: str) -> None:
    """Raise FerbenchError if a new component cannot have this name."""
    if not _NAME.fullmatch(name):
        plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
        proposal = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_").lstrip("0123456789_")
        foreign = any(c.isalnum() and not c.isascii() for c in plain)
        hint = f" Write {proposal}." if _NAME.fullmatch(proposal) and not foreign else ""
        raise FerbenchError(
            f"'{name}' cannot be the name of {a(kind)}: a name has the lower-case letters a to z, digits, '-' or '_' between "
            f"words, and begins with a letter.{hint}"
        )
    if taken := registry.catalogue(KINDS[kind]).get(component):
        raise FerbenchError(
            f"There is {a(kind)} '{component}' already ({registry.owner(taken).origin}). Choose another name."
        )
    for card in registry.catalogue(EvaluatorCard).values() if kind == EvaluatorCard.kind else ():
        if component in {metric.name for metric in card.metrics}:
            raise FerbenchError(
                f"There is a metric '{component}' already, of the evaluator '{card.name}'. Choose another name."
            )
    if importlib.util.find_spec(package) is not None:
        raise FerbenchError(f"A Python package '{package}' is installed already. Choose another name.")


def _words(kind: str, component: str) -> dict[str, str]:
    """What the marks in templates stand for."""
    parts = component.split("_")
    own = parts if len(parts) > 1 and parts[-1] == kind else [*parts, kind]
    return {
        "name": component,
        "kind": kind,
        "distribution": "-".join(["ferbench", *parts]),
        "package": f"ferbench_{component}",
        "class": "".join(part.capitalize() for part in own),
        "requires": "ferbench[train]" if KINDS[kind] in _WITH_TORCH else "ferbench",
        "ferbench": ".".join(version("ferbench").split(".")[:2]),
        "api": str(API),
    }


def _files(kind: str) -> list[tuple[Path, str]]:
    """Each template, and the path in the package that it is for."""
    found = []
    for base in (TEMPLATES / "common", TEMPLATES / kind):
        for source in sorted(base.rglob(f"*{SUFFIX}")):
            found.append((source, source.relative_to(base).as_posix().removesuffix(SUFFIX)))
    return found


def _filled(text: str, words: Mapping[str, str]) -> str:
    """Raises KeyError for a mark that stands for nothing."""
    return _MARK.sub(lambda match: words[match[1]], text)
