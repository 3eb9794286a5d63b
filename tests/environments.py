"""Virtual environments in which tests install plugins."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Environment:
    """A virtual environment that sees all packages of this one, and in which others can be installed."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *words: object, folder: Path | None = None) -> str:
        """Run its Python, in a folder (its own by default). Returns what is printed."""
        command = [str(self.python), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder or self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pip(self, *words: object) -> None:
        command = [sys.executable, "-m", "pip", "--python", str(self.python), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def files(self) -> set[Path]:
        """Whatever lies in its site-packages."""
        return {path for path in self.folder.glob("lib/python*/site-packages/**/*") if "__pycache__" not in path.parts}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")
    return Environment(folder)
