"""Code is hashed by its syntax tree and by what it imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferbench import fingerprint


def package(folder: Path, name: str, files: dict[str, str]) -> None:
    (folder / name).mkdir(exist_ok=True)
    for file, text in {"__init__.py": "", **files}.items():
        (folder / name / file).write_text(text)
    fingerprint._read.cache_clear()
    fingerprint._source.cache_clear()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))


METHOD = '"""Doc."""\nfrom pack_a import losses\n\n\ndef f(x):\n    """Doc."""\n    return losses.g(x) + 1\n'


def test_only_code_counts(tmp_path: Path) -> None:
    package(tmp_path, "pack_a", {"method.py": METHOD, "losses.py": "def g(x):\n    return x\n"})
    before = fingerprint.code(["pack_a.method"])
    commented = METHOD.replace("Doc.", "Another.").replace("    return", "    # a comment\n\n    return")
    package(tmp_path, "pack_a", {"method.py": commented, "losses.py": "def g(x):\n    return x\n"})
    assert fingerprint.code(["pack_a.method"]) == before
    package(tmp_path, "pack_a", {"method.py": METHOD.replace("+ 1", "+ 2"), "losses.py": "def g(x):\n    return x\n"})
    assert fingerprint.code(["pack_a.method"]) != before


def test_what_is_imported_counts_and_what_is_not_does_not(tmp_path: Path) -> None:
    files = {"method.py": METHOD, "losses.py": "def g(x):\n    return x\n", "unrelated.py": "a = 1\n"}
    package(tmp_path, "pack_b", {k: v.replace("pack_a", "pack_b") for k, v in files.items()})
    before = fingerprint.code(["pack_b.method"])
    assert set(before) == {"pack_b", "pack_b.method", "pack_b.losses"}
    (tmp_path / "pack_b" / "unrelated.py").write_text("a = 2\n")
    assert fingerprint.code(["pack_b.method"]) == before
    package(tmp_path, "pack_b", {"losses.py": "def g(x):\n    return 2 * x\n"})
    changed = fingerprint.code(["pack_b.method"])
    assert {name for name in changed if changed[name] != before.get(name)} == {"pack_b.losses"}


def test_relative_imports_are_followed(tmp_path: Path) -> None:
    package(tmp_path, "pack_c", {"a.py": "from . import b\nfrom .c import d\n", "b.py": "x = 1\n", "c.py": "d = 1\n"})
    assert set(fingerprint.code(["pack_c.a"])) == {"pack_c", "pack_c.a", "pack_c.b", "pack_c.c"}


def test_nothing_is_imported(tmp_path: Path) -> None:
    package(tmp_path, "pack_d", {"a.py": "raise RuntimeError\n"})
    assert "pack_d.a" in fingerprint.code(["pack_d.a"])


def test_plain_data() -> None:
    assert fingerprint.digest({"a": 1, "b": [1, 2]}) == fingerprint.digest({"b": [1, 2], "a": 1})
    assert fingerprint.digest([1, 2]) != fingerprint.digest([2, 1])
    with pytest.raises(ValueError, match="JSON"):
        fingerprint.digest(float("nan"))
