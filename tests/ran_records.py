"""Records of a real run, made once for all tests that read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods on both folds of eight subjects."""
    from tests.conftest import SMOKE

    place = tmp_path_factory.mktemp("ran") / "results"
    words = [*SMOKE, "dataset.subjects=8", "protocol=subject_kfold", "protocol.k=2", f"results_dir={place}"]
    command = [sys.executable, "-m", "ferbench", "run", "--multirun", "method=cross_entropy,tergan", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place
