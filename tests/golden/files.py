"""A file for each component: the versions that its values are of, the libraries that they were made with, a line a value."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "values"
LIBRARIES = ("torch", "numpy", "scikit-learn", "timm", "pillow")


def path_of(key: str) -> Path:
    """values/method/grl.json of "method/grl"."""
    return FOLDER / f"{key}.json"


def read(key: str) -> dict[str, Any]:
    """{"versions": by component, "made_with": by library, "values": by path}."""
    return json.loads(path_of(key).read_text(encoding="utf-8"))


def write(key: str, versions: Mapping[str, int], values: Mapping[str, Any]) -> None:
    lines = ",\n".join(f"  {json.dumps(path)}: {json.dumps(value)}" for path, value in values.items())
    head = f'{{\n "versions": {json.dumps(versions)},\n "made_with": {json.dumps(libraries())},\n "values": {{\n'
    path_of(key).parent.mkdir(parents=True, exist_ok=True)
    path_of(key).write_text(f"{head}{lines}\n }}\n}}\n", encoding="utf-8")


def libraries() -> dict[str, str]:
    return {name: installed(name) for name in LIBRARIES} | {"machine": platform.machine()}


def keys() -> set[str]:
    """Of all files."""
    return {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.glob("*/*.json")}
