"""Digests of plain data and of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ferbench.hashing import digest, file_digest


def test_the_order_of_keys_does_not_count_and_that_of_lists_does() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_what_is_not_plain_data_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        digest(float("nan"))


def test_a_file_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert file_digest(path) == hashlib.sha256(b"abc").hexdigest()
