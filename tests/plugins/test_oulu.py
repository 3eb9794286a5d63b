"""The Oulu-CASIA adapter on trees of the real layout, and what it says about wrong ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferbench import DatasetCard, FerbenchError, FrameError
from ferbench.interfaces.dataset import check_frames
from ferbench.registry.loader import load_registry
from ferbench_labdata.oulu import Oulu
from ferbench_labdata.settings import OuluSettings

Build = Callable[..., Path]


def oulu(root: Path, **more: object) -> Oulu:
    return Oulu(OuluSettings(root=str(root), **more))  # type: ignore[arg-type]


def test_the_frame_table(oulu_tree: Build) -> None:
    frames = check_frames(oulu(oulu_tree(subjects=3, frames=5)).frames(), load_registry().get(DatasetCard, "oulu"))
    assert len(frames) == 3 * 6 * 5
    first = frames[frames["sequence"] == "P001/Anger"]
    assert first["frame_id"].tolist() == [f"P001/Anger/{i:03d}" for i in range(5)]
    assert first["position"].tolist() == [0, 1, 2, 3, 4]
    assert first["phase"].tolist() == ["neutral", "onset", "apex", "apex", "apex"]
    assert set(first["expression"]) == {"anger"}
    assert set(frames["subject"]) == {"P001", "P002", "P003"}


def test_the_published_size(oulu_tree: Build) -> None:
    """Last three frames of 6 sequences a subject: 1,440 for the 80 subjects of the dataset, 18 a subject."""
    from ferbench.protocols.select import select

    card = load_registry().get(DatasetCard, "oulu")
    assert len(select(oulu(oulu_tree(subjects=4)).frames(), card, "auto")) == 4 * 18


@pytest.mark.parametrize(
    "more",
    [
        {"images": "OriginalImg"},
        {"images": "ORIGINALIMG", "suffix": ".JPG"},
        {"camera": "vl", "illumination": "strong", "suffix": ".jpg"},
    ],
)
def test_quirks_of_copies(oulu_tree: Build, more: dict[str, str]) -> None:
    root = oulu_tree(subjects=2, **more)
    (root / ".DS_Store").write_bytes(b"x")
    for folder in list(root.rglob("Anger")):
        (folder / "Thumbs.db").write_bytes(b"x")
        (folder / ".hidden.jpeg").write_bytes(b"x")
    assert len(oulu(root).frames()) == 2 * 6 * 5


def test_numbers_order_the_frames_not_names(oulu_tree: Build) -> None:
    root = oulu_tree(subjects=1, frames=3)
    folder = root / "PreProcess Img" / "VL" / "Strong" / "P001" / "Anger"
    shutil.copy(folder / "000.jpeg", folder / "1000.jpeg")
    frames = oulu(root).frames()
    assert frames["frame_id"].tolist()[:4] == [f"P001/Anger/{i}" for i in ("000", "001", "002", "1000")]


def test_images_are_rgb(oulu_tree: Build) -> None:
    image = oulu(oulu_tree(subjects=1)).image("P001/Anger/000")
    assert image.shape == (48, 48, 3)
    assert image.dtype == np.uint8


def test_the_fingerprint_is_of_the_content(oulu_tree: Build, tmp_path: Path) -> None:
    root = oulu_tree(subjects=1)
    before = oulu(root).fingerprint()
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved)
    assert oulu(moved).fingerprint() == before
    folder = moved / "PreProcess Img" / "VL" / "Strong" / "P001" / "Anger"
    shutil.copy(folder / "004.jpeg", folder / "000.jpeg")
    assert oulu(moved).fingerprint() != before


def test_a_root_that_is_not_there(oulu_tree: Build) -> None:
    with pytest.raises(
        FerbenchError, match="nowhere does not exist. Oulu-CASIA NIR&VIS can be had from the University of Oulu"
    ):
        oulu(oulu_tree(subjects=1).parent / "nowhere")


def test_no_root() -> None:
    with pytest.raises(FerbenchError, match="add dataset.root=/path/to/it"):
        Oulu(OuluSettings())


def test_a_file_as_root(tmp_path: Path) -> None:
    file = tmp_path / "oulu.zip"
    file.write_bytes(b"x")
    with pytest.raises(FerbenchError, match="oulu.zip is not a folder"):
        oulu(file)


def test_another_datasets_root(tmp_path: Path) -> None:
    label = tmp_path / "Emotion" / "S005" / "001" / "S005_001_00000011_emotion.txt"
    label.parent.mkdir(parents=True)
    label.write_text("3.0")
    with pytest.raises(
        FerbenchError, match=r"no folder 'VL', .*it holds Emotion\..*looks like CK\+: write dataset=ckplus7c"
    ):
        oulu(tmp_path)


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "PreProcess Img" / "VL" / "Strong" / "P001" / "Anger").mkdir(parents=True)
    with pytest.raises(FerbenchError, match="holds no frame of Oulu-CASIA NIR&VIS; it holds PreProcess Img"):
        oulu(tmp_path)


def test_an_empty_root(tmp_path: Path) -> None:
    with pytest.raises(FerbenchError, match="it holds nothing"):
        oulu(tmp_path)


def test_a_condition_that_is_not_there(oulu_tree: Build) -> None:
    root = oulu_tree(subjects=1)
    with pytest.raises(
        FerbenchError, match="holds no cropped faces or original pictures of NI/Strong; it holds .*VL/Strong"
    ):
        oulu(root, camera="NI")
    with pytest.raises(FerbenchError, match="pictures of VL/Weak; it holds PreProcess Img/VL/Strong"):
        oulu(root, illumination="Weak")
    with pytest.raises(FerbenchError, match="dataset.camera is 'IR'; it can be VL, NI"):
        oulu(root, camera="IR")


def test_a_subject_with_one_expression(oulu_tree: Build) -> None:
    root = oulu_tree(subjects=3)
    for expression in ("Disgust", "Fear", "Happiness", "Sadness", "Surprise"):
        shutil.rmtree(root / "PreProcess Img" / "VL" / "Strong" / "P002" / expression)
    with pytest.raises(
        FerbenchError, match="5 sequences of Oulu-CASIA are missing .*P002 disgust.*dataset.allow_incomplete=true"
    ):
        oulu(root)
    frames = oulu(root, allow_incomplete=True).frames()
    assert set(frames.loc[frames["subject"] == "P002", "expression"]) == {"anger"}


def test_strange_folders(oulu_tree: Build) -> None:
    root = oulu_tree(subjects=1)
    strong = root / "PreProcess Img" / "VL" / "Strong"
    (strong / "P001" / "Contempt").mkdir()
    with pytest.raises(FerbenchError, match="that are not expressions: Contempt"):
        oulu(root)
    (strong / "P001" / "Contempt").rmdir()
    (strong / "backup").mkdir()
    with pytest.raises(FerbenchError, match="that are not subjects .*: backup"):
        oulu(root)


def test_strange_frame_names(oulu_tree: Build) -> None:
    root = oulu_tree(subjects=1)
    folder = root / "PreProcess Img" / "VL" / "Strong" / "P001" / "Anger"
    shutil.copy(folder / "000.jpeg", folder / "000.jpg")
    with pytest.raises(FerbenchError, match="holds a frame number twice"):
        oulu(root)
    (folder / "000.jpg").rename(folder / "face.jpg")
    with pytest.raises(FerbenchError, match=r"face.jpg is not a frame of Oulu-CASIA"):
        oulu(root)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"no image at all", "is no image in one of the formats JPEG, PNG"),
        (None, "is damaged"),
        ("gone", "is missing"),
    ],
)
def test_a_bad_frame_is_named(oulu_tree: Build, content: bytes | str | None, reason: str) -> None:
    root = oulu_tree(subjects=1)
    dataset = oulu(root)
    path = root / "PreProcess Img" / "VL" / "Strong" / "P001" / "Fear" / "002.jpeg"
    if content == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-300] if content is None else bytes(content))  # type: ignore[arg-type]
    with pytest.raises(FrameError, match=rf"Fear/002.jpeg {reason}") as caught:
        dataset.image("P001/Fear/002")
    assert caught.value.frames == ("P001/Fear/002",)
