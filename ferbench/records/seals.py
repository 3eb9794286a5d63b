"""Seals: a file holds the SHA-256 of its own content, so that any later change of its bytes is noticed where it is read.

A file without a seal, as earlier versions wrote it, is read as it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SEAL = "seal"
"""Key of the seal, in JSON and in the metadata of safetensors."""

CHANGED = "it was changed since it was written"

_LIKE_A_SEAL = re.compile(r'"[^"]*": "[0-9a-f]{64}"\n\}\s*$')
_BEFORE = f'\n "{SEAL}": "'
_BLANK = "0" * 64
_PLACE = f'"{SEAL}":"'.encode()


def seal(text: str) -> str:
    """The text of a JSON object, with its seal as the last entry.

    >>> unseal(seal('{"a": 1}'))
    {'a': 1}
    """
    body = text.rstrip().removesuffix("}").rstrip()
    if not body.endswith("{"):
        body += ","
    return f'{body}{_BEFORE}{_sha256(body)}"\n}}'


def unseal(text: str, shown: Callable[[str], str] = str) -> dict[str, Any]:
    """The values of a JSON object without the seal, which is checked if there is one.

    Args:
        shown: gives the JSON that is read in place of the text.

    Raises:
        ValueError: the text is no JSON object, or it is not the text that was sealed.
    """
    values = json.loads(shown(text))
    if not isinstance(values, dict):
        raise ValueError("it is no JSON object")
    found = values.pop(SEAL, None)
    if found is None and _LIKE_A_SEAL.search(text) is None:
        return values
    if found != _sha256(text.rpartition(_BEFORE)[0]):
        raise ValueError(CHANGED)
    return values


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def blank(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a safetensors file that `seal_tensors` is going to seal."""
    return {**metadata, SEAL: _BLANK}


def seal_tensors(path: Path) -> None:
    """Write the seal into a safetensors file whose metadata is `blank`. Raises OSError if it cannot be written."""
    place, value, found = _tensors(path)
    assert value == _BLANK
    with path.open("r+b") as file:
        file.seek(place)
        file.write(found.encode())


def check_tensors(path: Path) -> dict[str, str]:
    """Compare a safetensors file with its seal.

    Returns:
        Its metadata.

    Raises:
        ValueError: it has none, or is not the file that was sealed.
        OSError: it cannot be read.
    """
    _, value, found = _tensors(path)
    if value != found:
        raise ValueError(CHANGED)
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        metadata: dict[str, str] = json.loads(file.read(size))["__metadata__"]
    return metadata


def _tensors(path: Path) -> tuple[int, str, str]:
    """(place of the seal in the file, the seal, SHA-256 of the file with a blank seal)."""
    with path.open("rb") as file:
        start = file.read(8)
        header = file.read(min(int.from_bytes(start, "little"), path.stat().st_size))
        before, found, after = header.partition(_PLACE)
        if not found or len(after) < len(_BLANK):
            raise ValueError("it has no seal")
        value = after[: len(_BLANK)].decode(errors="replace")
        state = hashlib.sha256(start + before + found + _BLANK.encode() + after[len(_BLANK) :])
        while block := file.read(2**20):
            state.update(block)
    return len(start) + len(before) + len(found), value, state.hexdigest()
