"""Frames are decoded once; bad ones are named, counted, and never dropped in silence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ferbench.config.schema import BadFrames, Fit, Preparation
from ferbench.data import cache
from ferbench.data.cache import Prepared, prepare
from ferbench.data.frames import needed_frames, neutral_frames
from ferbench.data.images import square
from ferbench.errors import FerbenchError, FrameError
from ferbench.interfaces.dataset import Dataset, Pictures
from ferbench_labdata.oulu import Oulu
from ferbench_labdata.settings import OuluSettings, TableSettings
from ferbench_labdata.table import Table
from tests.damage import DAMAGES, flipped
from tests.disks import Disk


def ready(
    root: Path,
    folder: Path,
    tell: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **more: Any,
) -> tuple[Dataset, Prepared]:
    dataset = Oulu(OuluSettings(root=str(root)))
    frames = dataset.frames()
    preparation = Preparation(image_size=32, **more)
    prepared = prepare(dataset, dataset.fingerprint(), frames, frames, preparation, folder, progress, tell=tell)
    return dataset, prepared


def test_rows_hold_the_frames(oulu_tree: Callable[..., Path], tmp_path: Path) -> None:
    dataset, prepared = ready(oulu_tree(subjects=2), tmp_path / "cache")
    assert prepared.images.shape == (60, 32, 32, 3)
    for frame in ("P001/Anger/000", "P002/Surprise/004"):
        assert np.array_equal(prepared.images[prepared.rows[frame]], square(dataset.image(frame), Preparation(32)))


def test_the_second_time_nothing_is_read(
    oulu_tree: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = oulu_tree(subjects=1)
    _, first = ready(root, tmp_path / "cache")
    monkeypatch.setattr(Oulu, "image", lambda self, frame: pytest.fail("a frame was read again"))
    _, second = ready(root, tmp_path / "cache")
    assert np.array_equal(first.images, second.images)


@pytest.mark.parametrize("file", ["images.npy", "frames.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_images_are_named_and_prepared_again(
    oulu_tree: Callable[..., Path], tmp_path: Path, file: str, damage: str
) -> None:
    root, told = oulu_tree(subjects=1), list[str]()
    before = np.array(ready(root, tmp_path / "cache")[1].images)
    (place,) = (tmp_path / "cache" / "images").glob("[!.]*")
    DAMAGES[damage](place / file)
    _, again = ready(root, tmp_path / "cache", told.append)
    assert np.array_equal(again.images, before)
    (sentence,) = told
    assert sentence.startswith(f"the prepared images in {place} are damaged (")
    assert sentence.endswith(") and are prepared again")
    ready(root, tmp_path / "cache", told.append)
    assert len(told) == 1


def test_images_of_other_settings_in_a_folder_of_this_name(oulu_tree: Callable[..., Path], tmp_path: Path) -> None:
    root, told = oulu_tree(subjects=1), list[str]()
    ready(root, tmp_path / "other", fit=Fit.squash)
    before = np.array(ready(root, tmp_path / "cache")[1].images)
    (place,) = (tmp_path / "cache" / "images").glob("[!.]*")
    (other,) = (tmp_path / "other" / "images").glob("[!.]*")
    shutil.rmtree(place)
    other.rename(place)
    assert np.array_equal(ready(root, tmp_path / "cache", told.append)[1].images, before)
    assert f"it is {other.name}" in told[0]


def test_a_preparation_goes_on_with_what_is_whole(
    oulu_tree: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after two of four chunks, of which the first one is damaged then."""
    monkeypatch.setattr(cache, "CHUNK", 8)
    root, read = oulu_tree(subjects=1), list[str]()
    before = np.array(ready(root, tmp_path / "whole")[1].images)

    def dies(done: int, total: int) -> None:
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ready(root, tmp_path / "cache", progress=dies)
    (array,) = (tmp_path / "cache" / "images").glob(".*.part/images.npy")
    flipped(array, 1000)
    image = Oulu.picture

    def counted(self: Oulu, frame: str, size: int) -> Image.Image:
        read.append(frame)
        return image(self, frame, size)

    monkeypatch.setattr(Oulu, "picture", counted)
    _, prepared = ready(root, tmp_path / "cache")
    assert np.array_equal(prepared.images, before)
    assert len(read) == 30 - 8


def test_a_full_disk_is_a_sentence_and_the_preparation_goes_on(
    oulu_tree: Callable[..., Path], tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "CHUNK", 8)
    root = oulu_tree(subjects=1)
    before = np.array(ready(root, tmp_path / "whole")[1].images)
    disk.resize(60)  # of 92 KiB
    with pytest.raises(FerbenchError, match=r"cannot be written to .*: No space left on device. .*cache_dir=FOLDER"):
        ready(root, disk.path)
    disk.resize(1024)
    assert np.array_equal(ready(root, disk.path)[1].images, before)


def test_images_that_are_ready_are_read_from_a_read_only_disk(
    oulu_tree: Callable[..., Path], tmp_path: Path, disk: Disk
) -> None:
    root = oulu_tree(subjects=1)
    before = np.array(ready(root, disk.path)[1].images)
    disk.remount("ro")
    assert np.array_equal(ready(root, disk.path)[1].images, before)
    with pytest.raises(FerbenchError, match=r"cannot be written to .*: Read-only file system"):
        ready(root, disk.path, fit=Fit.squash)


def test_bad_frames_are_an_error_and_leave_no_cache(oulu_tree: Callable[..., Path], tmp_path: Path) -> None:
    root = oulu_tree(subjects=1)
    broken = root / "PreProcess Img" / "VL" / "Strong" / "P001" / "Fear" / "002.jpeg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(FrameError, match=r"1 of 30 frames cannot be read: .*Fear/002.jpeg is damaged") as caught:
        ready(root, tmp_path / "cache")
    assert caught.value.frames == ("P001/Fear/002",)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_bad_frames_may_be_left_out_and_are_counted(oulu_tree: Callable[..., Path], tmp_path: Path) -> None:
    root = oulu_tree(subjects=1)
    (root / "PreProcess Img" / "VL" / "Strong" / "P001" / "Fear" / "002.jpeg").write_bytes(b"")
    dataset, prepared = ready(root, tmp_path / "cache", bad_frames=BadFrames.skip)
    assert list(prepared.bad) == ["P001/Fear/002"]
    assert "is empty" in prepared.bad["P001/Fear/002"]
    assert len(prepared.rows) == 29
    frame = "P001/Surprise/004"
    assert np.array_equal(prepared.images[prepared.rows[frame]], square(dataset.image(frame), Preparation(32)))


def test_a_file_that_a_dataset_itself_cannot_open_is_a_bad_frame(
    oulu_tree: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow's error for a file that is no image is an OSError."""
    root = oulu_tree(subjects=1)
    picture = Oulu.picture

    def opens_itself(self: Oulu, frame: str, size: int) -> Image.Image:
        if frame == "P001/Fear/002":
            raise OSError("image file is truncated")
        return picture(self, frame, size)

    monkeypatch.setattr(Oulu, "picture", opens_itself)
    _, prepared = ready(root, tmp_path / "cache", bad_frames=BadFrames.skip)
    assert prepared.bad == {"P001/Fear/002": "P001/Fear/002: image file is truncated"}


@pytest.mark.parametrize(("fit", "column"), [(Fit.crop, 1), (Fit.pad, 0), (Fit.squash, 0)])
def test_how_an_image_is_made_square(fit: Fit, column: int) -> None:
    """A wide image whose left quarter is white: cut off, kept beside bars, or squeezed."""
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, :10] = 255
    made = square(image, Preparation(image_size=40, fit=fit))
    assert made.shape == (40, 40, 3)
    middle_row = made[20, :, 0]
    assert (middle_row[0] > 200) == (fit != Fit.crop)
    assert (made[0, 0, 0] > 200) == (fit == Fit.squash)


def test_the_neutral_face_is_of_the_sequence_or_else_of_the_subject() -> None:
    frames = pd.DataFrame(
        [
            ("a0", "A", "A/x", 0, "neutral"),
            ("a1", "A", "A/x", 1, "apex"),
            ("a2", "A", "A/y", 0, "apex"),
            ("b0", "B", "B/x", 0, "apex"),
        ],
        columns=["frame_id", "subject", "sequence", "position", "phase"],
    )
    selected = frames[frames["phase"] == "apex"]
    assert neutral_frames(frames, selected).tolist()[:2] == ["a0", "a0"]
    assert pd.isna(neutral_frames(frames, selected).iloc[2])
    assert needed_frames(frames, selected) == ["a1", "a2", "b0", "a0"]


def test_a_large_jpeg_is_decoded_at_a_fraction_and_looks_the_same(tmp_path: Path) -> None:
    """Half of 200 pixels is more than the 64 asked for: decoded so. The difference to a full decode is that of JPEG's own
    scaling, a few gray levels; an image of less than twice the size is decoded whole, to the same pixels."""
    y, x = np.mgrid[0:200, 0:200]
    waves = np.stack([128 + 100 * np.sin(x / 9), 128 + 100 * np.cos(y / 11), (x + y) / 2], 2).astype(np.uint8)
    (tmp_path / "images").mkdir()
    Image.fromarray(waves).save(tmp_path / "images" / "large.jpg", quality=95)
    Image.fromarray(waves[:120, :120]).save(tmp_path / "images" / "small.jpg", quality=95)
    (tmp_path / "t.csv").write_text("path,expression\nimages/large.jpg,a\nimages/small.jpg,b\n")
    dataset = Table(TableSettings(file=str(tmp_path / "t.csv")))
    assert isinstance(dataset, Pictures)
    assert dataset.picture("images/large.jpg", 64).size == (100, 100)
    assert dataset.picture("images/small.jpg", 64).size == (120, 120)
    frames = dataset.frames()
    prepared = prepare(dataset, "key", frames, frames, Preparation(64), tmp_path / "cache")
    whole = {frame: square(dataset.image(frame), Preparation(64)).astype(int) for frame in frames["frame_id"]}
    difference = np.abs(prepared.images[0].astype(int) - whole["images/large.jpg"])
    assert difference.mean() < 2
    assert np.array_equal(prepared.images[1], whole["images/small.jpg"])
