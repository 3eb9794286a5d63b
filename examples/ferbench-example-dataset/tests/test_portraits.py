"""The dataset keeps the rules of ferbench, and says what is wrong with a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ferbench_example_dataset.dataset import Portraits
from ferbench_example_dataset.plugin import PortraitsSettings
from PIL import Image

from ferbench import FerbenchError, FrameError
from ferbench.testing import conformance

test_conformance = conformance("dataset", "portraits", fixture="copy")


def test_frames_carry_subject_and_expression(root: Path) -> None:
    frames = Portraits(PortraitsSettings(str(root))).frames().set_index("frame_id")
    assert len(frames) == 4 * 7 * 2
    assert frames.loc["anna/fear/001", ["subject", "expression", "phase"]].tolist() == ["anna", "fear", "apex"]
    assert frames.loc["ben/neutral/002", "phase"] == "neutral"


def test_pixels_are_those_of_the_file(root: Path) -> None:
    image = Portraits(PortraitsSettings(str(root))).image("dan/anger/002")
    assert np.array_equal(image, np.asarray(Image.open(root / "dan" / "anger" / "002.png")))


def test_the_fingerprint_is_of_the_content(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    first = Portraits(PortraitsSettings(str(root))).fingerprint()
    assert Portraits(PortraitsSettings(str(copy))).fingerprint() == first
    (copy / "anna" / "fear" / "001.png").unlink()
    assert Portraits(PortraitsSettings(str(copy))).fingerprint() != first


def test_sentences_about_a_copy_that_is_not_right(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FerbenchError, match=r"There is no image .* dataset\.root=DIR"):
        Portraits(PortraitsSettings(str(tmp_path)))
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    (copy / "anna" / "fear" / "001.png").write_bytes(b"no image")
    with pytest.raises(FrameError, match=r"001\.png cannot be read"):
        Portraits(PortraitsSettings(str(copy))).image("anna/fear/001")
