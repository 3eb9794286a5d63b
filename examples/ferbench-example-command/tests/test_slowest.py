"""The command is found, and refuses what it does not know."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def ferbench(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ferbench", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_a_command() -> None:
    assert "slowest" in ferbench("--help").stdout
    assert "--count" in ferbench("slowest", "--help").stdout


def test_wrong_usage() -> None:
    done = ferbench("slowest", "--cuont", "3")
    assert done.returncode == 2
    assert "usage: ferbench slowest" in done.stderr


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = ferbench("slowest", tmp_path / "nothing")
    assert done.returncode == 2
    assert "There is no results folder" in done.stderr
