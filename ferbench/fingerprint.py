"""Hashes by content: of plain data, and of the code that a result depends on."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path


def digest(data: object, length: int = 16) -> str:
    """Hexadecimal SHA-256 of plain data (dicts, lists, strings, numbers); the order of keys does not count."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code(modules: Iterable[str], within: Iterable[str] = ()) -> Mapping[str, str]:
    """Hash of each given module and of what it imports from its own package or from the packages `within`.

    Hashed is the syntax tree without docstrings: comments, blank lines and documentation do not count. Nothing is
    imported; imports are read from the text, so that a change in an unrelated file of a package leaves the hash alone.
    """
    waiting = list(modules)
    roots = {name.partition(".")[0] for name in waiting} - {"ferbench"}
    prefixes = tuple({f"{root}." for root in roots} | roots | set(within))
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _source(name)
        if path is None:
            continue
        found[name], imports = _read(path, name, path.stat().st_mtime_ns)
        waiting += [i for i in imports if any(i == p or i.startswith(p.rstrip(".") + ".") for p in prefixes)]
    return dict(sorted(found.items()))


def package_modules(package: str) -> list[str]:
    """Names of all modules of a package, without importing them."""
    origin = _source(package)
    if origin is None or origin.name != "__init__.py":
        return [package]
    base = origin.parent
    names = []
    for path in sorted(base.rglob("*.py")):
        parts = [package, *path.relative_to(base).with_suffix("").parts]
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


@lru_cache(maxsize=1024)
def _read(path: Path, name: str, changed: int) -> tuple[str, tuple[str, ...]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join(parts[: len(parts) - node.level + 1] + ([base] if base else []))
            imports.add(base)
            imports.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12], tuple(sorted(imports))


@lru_cache(maxsize=1024)
def _source(name: str) -> Path | None:
    """The file of a module, found without importing it or its parents."""
    root, _, rest = name.partition(".")
    loaded = sys.modules.get(root)
    if loaded is not None and getattr(loaded, "__file__", None):
        origin = str(loaded.__file__)
    else:
        try:
            spec = importlib.util.find_spec(root)
        except (ImportError, ValueError):
            return None
        if spec is None or spec.origin is None:
            return None
        origin = spec.origin
    path = Path(origin)
    if not rest:
        return path if path.suffix == ".py" else None
    base = path.parent.joinpath(*rest.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
