"""Start-up against `import torch`. Goal: `ferbench --help` under 0.2 of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FERBENCH = str(Path(sys.executable).parent / "ferbench")


def import_torch() -> None:
    subprocess.run([sys.executable, "-c", "import torch"], check=True)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("list", "methods"), ("run", "method=degan", "--cfg", "job")], ids=" ".join
)
def test_startup(paired: Callable[..., float], arguments: tuple[str, ...]) -> None:
    def ours() -> None:
        subprocess.run([FERBENCH, *arguments], check=True, capture_output=True)

    paired(f"ferbench {' '.join(arguments)} / import torch", ours, import_torch, rounds=5)
