"""A record's files have one owner: what is written is read back, under names that no other module knows."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ferbench
from ferbench.errors import FerbenchError
from ferbench.records import files

ROOT = Path(ferbench.__file__).parent


def test_predictions_come_back(tmp_path: Path) -> None:
    frames = pd.DataFrame({"frame_id": ["a", "b"], "subject": ["P1", "P2"], "expression": ["x", "y"], "fold": [0, 0]})
    probabilities = np.array([[0.75, 0.25], [0.5, 0.5]])
    files.write_predictions(tmp_path, frames, ("x", "y"), probabilities)
    table, again = files.read_predictions(tmp_path, ("x", "y"))
    pd.testing.assert_frame_equal(table, frames.drop(columns="fold"))
    assert again.tolist() == probabilities.tolist()
    with pytest.raises(FerbenchError, match=r"The predictions in .* cannot be read: .*p_z"):
        files.read_predictions(tmp_path, ("x", "z"))


def test_arrays_and_references_come_back(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    files.write_array(tmp_path, files.EMBEDDINGS, values)
    files.write_array(tmp_path, files.IDENTITY_EMBEDDINGS, None)
    files.write_references(tmp_path, {"pixels": values})
    files.write_arrays(tmp_path, files.SYNTHESES, {"psnr": values})
    found = files.read_array(tmp_path, files.EMBEDDINGS)
    assert found is not None
    assert found.tolist() == values.tolist()
    assert files.read_array(tmp_path, files.IDENTITY_EMBEDDINGS) is None
    assert list(files.read_references(tmp_path)) == ["pixels"]
    arrays = files.read_arrays(tmp_path, files.SYNTHESES)
    assert arrays is not None
    assert arrays["psnr"].tolist() == values.tolist()


def test_what_the_reader_takes_a_submission_holds(tmp_path: Path) -> None:
    """References of the first records were called floors: they are read, so they are packed."""
    np.save(tmp_path / "floor_pixels.npy", np.zeros(2))
    assert list(files.read_references(tmp_path)) == ["pixels"]
    names = ("floor_pixels.npy", "reference_identity.npy", "logits.npy", "syntheses.npz", "record.json", "code.json")
    assert all(map(files.packed, names))
    assert not any(map(files.packed, ("weights.safetensors", "synthesis.npy", "figures", "../record.json", "x.npy")))


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    files.write_array(tmp_path, files.LOGITS, np.zeros(2))
    sums = files.checksums(tmp_path)
    files.check(tmp_path, sums, [files.LOGITS])
    np.save(tmp_path / files.LOGITS, np.ones(2))
    with pytest.raises(FerbenchError, match=r"logits.npy is not the file that its record names; it was changed\."):
        files.check(tmp_path, sums, [files.LOGITS])
    (tmp_path / files.LOGITS).unlink()
    with pytest.raises(FerbenchError, match=r"logits.npy is missing\."):
        files.check(tmp_path, sums, [files.LOGITS])


def test_no_other_module_knows_the_names() -> None:
    names = {
        files.RECORD, files.STAGE, files.PREDICTIONS, files.LOSSES, files.LOGITS, files.EMBEDDINGS, files.SYNTHESES,
        files.IDENTITY_EMBEDDINGS, files.SYNTHESIS_GRID, files.WEIGHTS, files.CODE, files.TEST_ACCURACY,
    }  # fmt: skip
    for path in ROOT.rglob("*.py"):
        if path != ROOT / "records" / "files.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            assert not strings & names, path
