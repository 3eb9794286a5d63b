"""SHA-256 of plain data and of files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def digest(data: object, length: int = 16) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of plain data. The order of a dict's keys does not matter.

    Args:
        data: dicts, lists, tuples, strings, finite numbers, booleans and None, nested as you like.

    Raises:
        TypeError, ValueError: the data cannot be written as JSON, or hold NaN or an infinite number.
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:length]  # names of files may be no UTF-8


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
