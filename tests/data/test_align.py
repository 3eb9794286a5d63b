"""Alignment, by where pixels land; a detector that knows where it drew."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferbench import Dataset, Detector, Face, FerbenchError, FrameError
from ferbench.config.schema import Mode, NoFace, Preparation
from ferbench.data import cache
from ferbench.data.align import align, similarity, template
from ferbench.data.cache import LazyDetector, Prepared, prepare

DOTS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255))


def picture(landmarks: np.ndarray, size: tuple[int, int], radius: float) -> np.ndarray:
    """Gray, with a dot of its own colour around each landmark."""
    image = np.full((size[1], size[0], 3), 128, np.uint8)
    y, x = np.mgrid[0 : size[1], 0 : size[0]] + 0.5
    for (cx, cy), colour in zip(landmarks, DOTS, strict=True):
        image[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = colour
    return image


def centres(image: np.ndarray) -> np.ndarray:
    """Where the dots are: the mean place of the pixels nearest to each colour."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]] + 0.5
    found = []
    for colour in DOTS:
        near = np.abs(image.astype(int) - colour).sum(axis=2) < 150
        found.append((x[near].mean(), y[near].mean()))
    return np.array(found)


def posed(size: int, angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """The template turned, scaled and shifted."""
    z = (template(size, 0.2) - size / 2) @ np.array([1, 1j])
    z = z * scale * np.exp(1j * np.deg2rad(angle)) + complex(*shift)
    return np.stack([z.real, z.imag], 1)


@pytest.mark.parametrize("angle", [0, 25, -70])
@pytest.mark.parametrize("scale", [0.7, 1.0, 3.4])
def test_landmarks_land_at_their_places(angle: float, scale: float) -> None:
    """Also where the image is much larger than the crop and is averaged down first."""
    landmarks = posed(64, angle, scale, (180.0, 150.0))
    made = align(picture(landmarks, (360, 300), 4 * scale), landmarks, 64, 0.2)
    assert made.shape == (64, 64, 3)
    assert np.abs(centres(made) - template(64, 0.2)).max() < 0.5


def test_outside_the_image_is_black() -> None:
    landmarks = posed(64, 0, 1.0, (10.0, 32.0))
    made = align(picture(landmarks, (64, 64), 2), landmarks, 64, 0.2)
    assert (made[:, :10] == 0).all()
    assert (made[:, 60] > 100).all()


def test_a_margin_shows_more() -> None:
    tight, wide = template(100, 0.0), template(100, 0.5)
    assert np.ptp(wide, axis=0) == pytest.approx(np.ptp(tight, axis=0) / 2)
    assert wide.mean(axis=0) - 50 == pytest.approx((tight.mean(axis=0) - 50) / 2)


@given(st.floats(-180, 180), st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_a_similarity_is_found_again(angle: float, scale: float, x: float, y: float) -> None:
    source = posed(64, angle, scale, (x, y))
    a, b = similarity(source, template(64, 0.2))
    moved = (source @ np.array([1, 1j])) * a + b
    assert np.abs(moved - template(64, 0.2) @ np.array([1, 1j])).max() < 1e-6
    assert abs(a) == pytest.approx(1 / scale)


def test_similarity_agrees_with_a_general_solver() -> None:
    """Noisy points: the same least squares problem in four real unknowns."""
    random = np.random.default_rng(0)
    source, target = random.normal(size=(5, 2)) * 30, random.normal(size=(5, 2)) * 30
    a, b = similarity(source, target)
    rows = [[x, -y, 1, 0] for x, y in source] + [[y, x, 0, 1] for x, y in source]
    solved = np.linalg.lstsq(np.array(rows), np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
    assert (a.real, a.imag, b.real, b.imag) == pytest.approx(solved)


def test_landmarks_at_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="all landmarks are the same point"):
        similarity(np.ones((5, 2)), template(64, 0.2))


# -- in the cache


class Drawn(Dataset):
    """Twenty-four pictures with dots; every sixth has none."""

    def frames(self) -> pd.DataFrame:
        ids = [f"f{i:02d}" for i in range(24)]
        return pd.DataFrame(
            {"frame_id": ids, "subject": "s", "sequence": ids, "position": 0, "phase": "apex", "expression": "anger"}
        )

    def where(self, frame_id: str) -> np.ndarray:
        number = int(frame_id[1:])
        return posed(48, number * 3.0, 1 + number / 20, (60.0 + number, 70.0))

    def image(self, frame_id: str) -> np.ndarray:
        if int(frame_id[1:]) % 6 == 5:
            return np.full((120, 160, 3), 128, np.uint8)
        return picture(self.where(frame_id), (160, 120), 4)

    def fingerprint(self) -> str:
        return "drawn"


class Dots(Detector):
    """Finds the dots, and a smaller face in the corner."""

    def detect(self, image: np.ndarray) -> Sequence[Face]:
        with np.errstate(all="ignore"):
            found = [] if (image == 128).all() else [Face(centres(image), 100.0)]
        return [Face(posed(8, 0, 1, (10, 10)), 5.0), *found] if found else []


class Shipped(Drawn):
    """Landmarks of its own for all but one."""

    def landmarks(self, frame_id: str) -> np.ndarray | None:
        return None if frame_id == "f07" else self.where(frame_id)


FINDER = LazyDetector("dots 1", lambda: Dots(None))


def run(dataset: Dataset, folder: Path, detector: LazyDetector | None = FINDER, **settings: Any) -> Prepared:
    frames = dataset.frames()
    preparation = Preparation(48, Mode.align, **{"no_face": NoFace.resize, **settings})
    return prepare(dataset, dataset.fingerprint(), frames, frames, preparation, folder, detector=detector)


def test_every_face_is_at_its_place(tmp_path: Path) -> None:
    prepared = run(Drawn(None), tmp_path)
    for frame, row in prepared.rows.items():
        if frame not in prepared.missed:
            assert np.abs(centres(prepared.images[row]) - template(48, 0.2)).max() < 0.7, frame
    assert prepared.missed == ("f05", "f11", "f17", "f23")


def test_misses_are_counted_and_named(tmp_path: Path) -> None:
    with pytest.raises(
        FrameError, match="In 4 of 24 frames no face was found: f05, f11, f17, f23. Use preparation.no_face"
    ):
        run(Drawn(None), tmp_path / "a", no_face=NoFace.error)
    resized = run(Drawn(None), tmp_path / "b")
    assert resized.notes() == ["In 4 frames no face was found; they were resized instead: f05, f11, f17, f23."]
    assert len(resized.rows) == 24
    skipped = run(Drawn(None), tmp_path / "c", no_face=NoFace.skip)
    assert skipped.notes() == ["In 4 frames no face was found; they were left out: f05, f11, f17, f23."]
    assert len(skipped.rows) == 20
    again = run(Drawn(None), tmp_path / "c", no_face=NoFace.skip)
    assert again.notes() == skipped.notes(), "they are named when the images come from the cache, too"


def test_landmarks_that_are_shipped_need_no_detector(tmp_path: Path) -> None:
    used = []

    class Watched(Dots):
        def detect(self, image: np.ndarray) -> Sequence[Face]:
            used.append(1)
            return super().detect(image)

    run(Shipped(None), tmp_path, LazyDetector("watched 1", lambda: Watched(None)))
    assert len(used) == 1


def test_a_detector_is_made_once(tmp_path: Path) -> None:
    made = []

    def make() -> Detector:
        made.append(threading.get_ident())
        return Dots(None)

    run(Drawn(None), tmp_path, LazyDetector("counted 1", make))
    assert len(made) == 1


def test_an_interrupted_preparation_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CHUNK", 5)
    read: list[str] = []

    class Interrupted(Drawn):
        def image(self, frame_id: str) -> np.ndarray:
            read.append(frame_id)
            if frame_id == "f12" and read.count("f12") == 1:
                raise KeyboardInterrupt
            return super().image(frame_id)

    dataset = Interrupted(None)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, tmp_path / "a")
    part = next((tmp_path / "a" / "images").glob(".*.part"))
    assert [json.loads(line)["start"] for line in (part / "chunks.jsonl").read_text().splitlines()] == [0, 5]
    with (part / "chunks.jsonl").open("a") as log:
        log.write('{"start": 10, "ba')  # cut off
    prepared = run(dataset, tmp_path / "a")
    assert all(read.count(f"f{i:02d}") == 1 for i in range(10)), "what was done is not done again"
    assert prepared.missed == ("f05", "f11", "f17", "f23")
    whole = run(Drawn(None), tmp_path / "b")
    assert np.array_equal(prepared.images, whole.images)
    assert not list((tmp_path / "a" / "images").glob(".*"))


def test_two_that_prepare_at_once_prepare_once(tmp_path: Path) -> None:
    read: list[str] = []

    class Counted(Drawn):
        def image(self, frame_id: str) -> np.ndarray:
            read.append(frame_id)
            return super().image(frame_id)

    dataset = Counted(None)
    both = [threading.Thread(target=run, args=(dataset, tmp_path)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(read) == 24


def test_what_does_not_matter_leaves_the_cache_alone(tmp_path: Path) -> None:
    """Settings of the alignment change nothing where none is asked for."""
    frames = Drawn(None).frames()
    for margin in (0.1, 0.3):
        prepare(Drawn(None), "drawn", frames, frames, Preparation(48, Mode.resize, margin=margin), tmp_path)
    assert len(list((tmp_path / "images").iterdir())) == 1


def test_images_as_they_are(tmp_path: Path) -> None:
    frames = Drawn(None).frames()
    with pytest.raises(FrameError, match="f00 is 160 x 120 pixels; preparation=none takes .*preparation.image_size=48"):
        prepare(Drawn(None), "drawn", frames, frames, Preparation(48, Mode.none), tmp_path)


def test_uniface_missing_says_what_to_install(
    ferbench: Callable[..., Any], lab_tree: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uniface", None)
    words = ["dataset=jaffe", f"dataset.root={lab_tree('jaffe')}", "preparation=align", f"cache_dir={tmp_path}"]
    done = ferbench("prepare", *words)
    assert done.status == 2
    assert "pip install 'ferbench[faces]'" in done.err
    assert "Traceback" not in done.err


def test_uniface_without_its_weights_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    def offline(**settings: Any) -> None:
        raise ConnectionError("Failed to download file from https://example.org.")

    monkeypatch.setitem(__import__("sys").modules, "uniface", types.SimpleNamespace(RetinaFace=offline))
    from ferbench_uniface.detector import UniFace
    from ferbench_uniface.plugin import UniFaceSettings

    with pytest.raises(
        FerbenchError, match="weights of uniface's RetinaFace cannot be had: Failed to download .* copy its cache"
    ):
        UniFace(UniFaceSettings())


def test_uniface_is_given_bgr_and_its_largest_face_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    seen = []

    class RetinaFace:
        def __init__(self, confidence_threshold: float) -> None:
            assert confidence_threshold == 0.5

        def detect(self, image: np.ndarray) -> list[Any]:
            seen.append(image[0, 0].tolist())
            box = np.array([2.0, 3.0, 12.0, 23.0])
            return [types.SimpleNamespace(bbox=box, confidence=0.9, landmarks=np.zeros((5, 2)))]

    monkeypatch.setitem(__import__("sys").modules, "uniface", types.SimpleNamespace(RetinaFace=RetinaFace))
    from ferbench_uniface.detector import UniFace
    from ferbench_uniface.plugin import UniFaceSettings

    (face,) = UniFace(UniFaceSettings()).detect(np.full((4, 4, 3), (1, 2, 3), np.uint8))
    assert seen == [[3, 2, 1]]
    assert face.size == 200
    assert (face.landmarks == 0.5).all()
