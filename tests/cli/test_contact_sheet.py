"""`ferbench contact-sheet`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Run = Callable[..., Any]


def test_subjects_in_rows_expressions_in_columns(ferbench: Run, tmp_path: Path) -> None:
    file = tmp_path / "sheet.png"
    done = ferbench(
        "contact-sheet", "dataset=synthfaces", "dataset.subjects=5", "--subjects", "3", "--size", "40", "--output", file
    )
    assert (done.status, done.out) == (0, f"3 subjects, 8 columns: {file}\n")
    with Image.open(file) as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape[0] == 18 + 3 * 44
    last = pixels[-44:-4, -44:-4]
    assert last.std() > 10


def test_any_dataset(ferbench: Run, oulu_tree: Callable[..., Path], tmp_path: Path) -> None:
    done = ferbench(
        "contact-sheet", "dataset=oulu", f"dataset.root={oulu_tree(subjects=2)}", "--output", tmp_path / "s.png"
    )
    assert done.status == 0, done.err
    assert "2 subjects, 7 columns" in done.out


def test_what_it_refuses(ferbench: Run, tmp_path: Path) -> None:
    assert ferbench("contact-sheet", "dataset=synthfaces", "--subjects", "0").status == 2
    done = ferbench("contact-sheet", "dataset=synthfaces", "dataset.subjects=1", "--output", tmp_path / "no" / "s.png")
    assert done.status == 2
    assert "cannot be written" in done.err
