"""Digests of code: what an edit has to change, and what it may not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.registry import code
from ferbench.registry.code import code_digest, core_functions, functions_of

Write = Callable[[str, dict[str, str]], None]

METHOD = '''"""A method."""
import numpy as np
from .losses import gap as distance


SCALE = 2.0


class Method:
    """Docs."""

    margin: float = 0.5

    def step(self, batch: int) -> float:
        """Docs."""
        return SCALE * distance(np.mean(batch), self.margin)  # a comment
'''
LOSSES = "def gap(a, b):\n    return abs(a - b)\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """write("pack", {"method.py": ...}): a package of these files, whose code is read anew."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def build(name: str, files: dict[str, str]) -> None:
        for file, text in {"__init__.py": "", **files}.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        sys.modules.pop(name, None)
        code._read.cache_clear()
        code.source.cache_clear()

    return build


def digest_of(write: Write, method: str = METHOD, losses: str = LOSSES, module: str = "losses") -> str:
    write("pack_a", {"method.py": method, f"{module}.py": losses})
    return code_digest(functions_of(["pack_a.method"]))


SAME = {
    "a comment": METHOD.replace("# a comment", "# another"),
    "a docstring": METHOD.replace('"""Docs."""', '"""Other words."""'),
    "an annotation": METHOD.replace("batch: int", "batch: list[int]").replace("-> float", "-> object"),
    "an annotated constant": METHOD.replace("SCALE = 2.0", "SCALE: float = 2.0"),
    "formatting": METHOD.replace("SCALE * distance(", "(SCALE * distance)(").replace(
        "(SCALE * distance)(", "SCALE*distance("
    ),
    "another name for an import": METHOD.replace("numpy as np", "numpy as numbers").replace("np.mean", "numbers.mean"),
    "another name for a function of its own": METHOD.replace("gap as distance", "gap").replace("distance(", "gap("),
    "an import that nothing uses": METHOD.replace("import numpy", "import os\nimport numpy"),
    "a list of public names": METHOD + "\n__all__ = ['Method']\n",
    "what type checkers read": METHOD + "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import os\n",
}


@pytest.mark.parametrize("edit", SAME)
def test_what_cannot_change_a_result_changes_no_digest(write: Write, edit: str) -> None:
    before = digest_of(write)
    assert SAME[edit] != METHOD
    assert digest_of(write, SAME[edit]) == before


TWICE = """
class C:
    @property
    def x(self):
        return 1

    @x.setter
    def x(self, value):
        self.y = value
"""


def test_every_definition_of_a_name_counts(write: Write) -> None:
    before = digest_of(write, METHOD + TWICE)
    assert digest_of(write, METHOD + TWICE.replace("return 1", "return 2")) != before


def test_two_functions_of_one_name_are_two_functions(write: Write) -> None:
    """The same name from another module of the package."""
    files = {"losses.py": LOSSES, "others.py": LOSSES.replace("abs(a - b)", "(a - b) ** 2")}
    both = METHOD + "\nfrom . import others\n"
    digests = []
    for method in (both, both.replace("from .losses import gap", "from .others import gap")):
        write("pack_e", {"method.py": method, **files})
        digests.append(code_digest(functions_of(["pack_e.method"])))
    assert digests[0] != digests[1]


def test_what_runs_when_nobody_checks_types_counts(write: Write) -> None:
    text = METHOD + "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    X = 1\nelse:\n    X = 2\n"
    before = digest_of(write, text)
    assert digest_of(write, text.replace("X = 1", "X = 9")) == before
    assert digest_of(write, text.replace("X = 2", "X = 3")) != before


def test_files_of_other_encodings_and_of_newer_pythons_are_digested(write: Write, tmp_path: Path) -> None:
    write("pack_f", {"old.py": "", "new.py": "x = (\n"})
    (tmp_path / "pack_f" / "old.py").write_bytes("# coding: latin-1\nx = 'é'\n".encode("latin-1"))
    assert set(functions_of(["pack_f.old"])) == {"pack_f.old:x"}
    assert set(functions_of(["pack_f.new"])) == {"pack_f.new:"}


OTHER = {
    "a default": METHOD.replace("margin: float = 0.5", "margin: float = 0.6"),
    "a constant": METHOD.replace("SCALE = 2.0", "SCALE = 2.5"),
    "an operator": METHOD.replace("SCALE *", "SCALE +"),
    "another function of a library": METHOD.replace("np.mean", "np.median"),
    "another library": METHOD.replace("import numpy as np", "import math as np"),
    "another function": METHOD.replace("gap as distance", "other as distance"),
    "a new method": METHOD + "\n    def more(self):\n        return 1\n",
    "a decorator": METHOD.replace("    def step", "    @staticmethod\n    def step"),
}


@pytest.mark.parametrize("edit", OTHER)
def test_what_may_change_a_result_changes_the_digest(write: Write, edit: str) -> None:
    before = digest_of(write)
    assert digest_of(write, OTHER[edit]) != before


def test_a_changed_loss_in_another_module_counts(write: Write) -> None:
    before = digest_of(write)
    assert digest_of(write, losses=LOSSES.replace("abs(a - b)", "(a - b) ** 2")) != before


def test_a_moved_module_does_not_count(write: Write) -> None:
    before = digest_of(write)
    moved = METHOD.replace("from .losses import", "from pack_a.distances import")
    assert digest_of(write, moved, module="distances") == before


def test_an_edit_of_an_unrelated_module_does_not_count(write: Write) -> None:
    write("pack_b", {"method.py": METHOD, "losses.py": LOSSES, "other.py": "x = 1\n"})
    before = functions_of(["pack_b.method"])
    write("pack_b", {"method.py": METHOD, "losses.py": LOSSES, "other.py": "x = 2\n"})
    assert functions_of(["pack_b.method"]) == before
    assert "pack_b.losses:gap" in before


def test_an_edited_function_is_named(write: Write) -> None:
    write("pack_c", {"method.py": METHOD, "losses.py": LOSSES})
    before = functions_of(["pack_c.method"])
    write("pack_c", {"method.py": METHOD.replace("SCALE *", "SCALE +"), "losses.py": LOSSES})
    after = functions_of(["pack_c.method"])
    assert {name for name in before if before[name] != after[name]} == {"pack_c.method:Method.step"}


def test_modules_that_import_each_other_are_read_once(write: Write) -> None:
    write("pack_d", {"a.py": "from . import b\nx = 1\n", "b.py": "from pack_d import a\ny = 2\n"})
    assert set(functions_of(["pack_d.a"])) == {"pack_d.a:x", "pack_d.b:y"}


def test_the_core_is_its_arithmetic() -> None:
    modules = {name.partition(":")[0] for name in core_functions()}
    assert {"ferbench.training.loop", "ferbench.data.batches", "ferbench.interfaces.method"} <= modules
    assert not {name for name in modules if name.startswith(("ferbench.cli", "ferbench.report", "ferbench.ranking"))}


@pytest.mark.parametrize(
    "block",
    [
        "try:\n    import numpy as np\nexcept ImportError as error:\n    raise RuntimeError('no numpy') from error\n",
        "def needs():\n    import numpy as np\n",
        "for x in (1, 2):\n    from .losses import gap\n",
        "if SCALE:\n    import numpy\nelse:\n    import torch\n",
        "try:\n    SCALE = 2\nfinally:\n    import numpy\n",
        "match 1:\n    case 1:\n        import numpy\n",
    ],
)
def test_a_block_of_imports_only(write: Write, block: str) -> None:
    """It is empty without them, and no block may be empty."""
    assert digest_of(write, METHOD + block)


def test_the_code_of_every_plugin_has_digests() -> None:
    from ferbench.registry.loader import load_registry

    modules = {plugin.module.partition(":")[0] for plugin in load_registry().plugins}
    assert len(modules) >= 5
    for module in modules:
        package = module.rpartition(".")[0] or module
        found = functions_of(code.package_modules(package))
        assert found, package
