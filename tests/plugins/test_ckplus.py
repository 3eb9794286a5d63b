"""The CK+ adapter on trees of the real layout, quirks included."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError
from ferbench.interfaces.dataset import check_frames
from ferbench.protocols.select import select
from ferbench.registry.loader import load_registry
from ferbench_labdata import ckplus
from ferbench_labdata.settings import LabSettings

LABELLED = {
    "S005/001": 3, "S010/001": 1, "S010/002": 7, "S010/004": 2, "S011/003": 5, "S011/006": 0, "S999/001": 4, "S999/002": 6,
}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path, faces: Callable[..., Image.Image]) -> Path:
    """Sequences with and without a label, empty label folders, system files, numbers that do not start at 1."""
    root = tmp_path / "CK+"
    sequences = [*LABELLED, "S010/005", "S502/001"]
    for index, sequence in enumerate(sequences):
        images = root / "cohn-kanade-images" / sequence
        labels = root / "Emotion" / sequence
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        first = 7 if sequence == "S010/002" else 1
        name = sequence.replace("/", "_")
        for number in range(first, first + 5):
            face = faces(index % 8, "surprise", number - first)
            if index % 2:
                face = face.convert("L")  # most of CK+ is gray
            face.save(images / f"{name}_{number:08d}.png")
        if sequence in LABELLED:
            (labels / f"{name}_{first + 4:08d}_emotion.txt").write_text(f"   {float(LABELLED[sequence]):.7e}\n")
    (root / "cohn-kanade-images" / ".DS_Store").write_bytes(b"x")
    (root / "cohn-kanade-images" / "S005" / ".DS_Store").write_bytes(b"x")
    (root / "cohn-kanade-images" / "S005" / "001" / ".DS_Store").write_bytes(b"x")
    return root


def load(root: Path, kind: Any = ckplus.CkPlus7c) -> Any:
    return kind(LabSettings(root=str(root)))


def test_codes_are_floats_in_text_and_contempt_is_two(tree: Path) -> None:
    frames = load(tree).frames().drop_duplicates("sequence").set_index("sequence")["expression"]
    assert frames.to_dict() == {
        "S005/001": "disgust", "S010/001": "anger", "S010/002": "surprise", "S010/004": "contempt", "S011/003": "happiness",
        "S999/001": "fear", "S999/002": "sadness",
    }  # fmt: skip


def test_numbers_need_not_start_at_one(tree: Path) -> None:
    frames = load(tree).frames()
    one = frames[frames["sequence"] == "S010/002"]
    assert one["frame_id"].tolist() == [f"S010/002/{n:03d}" for n in range(7, 12)]
    assert one["position"].tolist() == [0, 1, 2, 3, 4]
    assert one["phase"].tolist() == ["neutral", "onset", "apex", "apex", "apex"]


@pytest.mark.parametrize(
    ("kind", "name", "sequences", "images"),
    [
        (ckplus.CkPlus6, "ckplus6", 6, 18),
        (ckplus.CkPlus7c, "ckplus7c", 7, 21),
        (ckplus.CkPlus7n, "ckplus7n", 6, 6 * 3 + 6),
        (ckplus.CkPlus8, "ckplus8", 7, 7 * 3 + 7),
    ],
)
def test_class_sets_are_datasets_of_their_own(tree: Path, kind: Any, name: str, sequences: int, images: int) -> None:
    """Last three of each sequence, and with neutral as a class the first of each. 'S011/006' is labelled
    neutral itself: it has no apex and is left out."""
    card = load_registry().get(DatasetCard, name)
    frames = check_frames(load(tree, kind).frames(), card)
    assert set(card.expressions) == set(kind.classes)
    chosen = select(frames, card, "auto")
    labelled = chosen[chosen["expression"] != "neutral"]
    assert labelled["sequence"].nunique() == sequences
    assert len(chosen) == images
    assert load(tree, kind).fingerprint() != load(tree, ckplus.CkPlus7c).fingerprint() or kind is ckplus.CkPlus7c


def test_images_are_rgb(tree: Path) -> None:
    dataset = load(tree)
    assert dataset.image("S010/001/001").shape == (48, 48, 3)
    assert dataset.image("S005/001/005").shape == (48, 48, 3)


def test_a_changed_label_changes_the_fingerprint(tree: Path) -> None:
    before = load(tree).fingerprint()
    next((tree / "Emotion" / "S005" / "001").glob("*.txt")).write_text("5.0")
    assert load(tree).fingerprint() != before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sad", "holds 'sad', which is not a number"),
        ("9.0", "holds the emotion code 9; CK"),
        ("", "holds '', which is not a number"),
    ],
)
def test_bad_labels_are_named(tree: Path, text: str, sentence: str) -> None:
    next((tree / "Emotion" / "S005" / "001").glob("*.txt")).write_text(text)
    with pytest.raises(FerbenchError, match=f"S005_001_00000005_emotion.txt {sentence}"):
        load(tree)


def test_wrong_roots(tree: Path, tmp_path: Path, oulu_tree: Callable[..., Path]) -> None:
    other = oulu_tree(subjects=1)
    with pytest.raises(FerbenchError, match="It looks like Oulu-CASIA NIR&VIS: write dataset=oulu"):
        load(other)
    shutil.rmtree(other)
    assert load(tree.parent).fingerprint() == load(tree).fingerprint(), "a folder above it is good enough"
    with pytest.raises(
        FerbenchError,
        match=r"cohn-kanade-images holds no folder 'Emotion'.*or write dataset.root=.*CK\+, which holds it",
    ):
        load(tree / "cohn-kanade-images")
    (tree / "Emotion").rename(tree / "Emotions")
    with pytest.raises(
        FerbenchError, match=r"holds no folder 'Emotion'.*\(Emotion_labels.zip\): unpack it beside the images\.$"
    ):
        load(tree)
    (tree / "Emotion").mkdir()
    with pytest.raises(FerbenchError, match="There is no label in"):
        load(tree)


def test_missing_images_and_strange_names(tree: Path) -> None:
    folder = tree / "cohn-kanade-images" / "S005" / "001"
    (folder / "face.png").write_bytes(b"x")
    with pytest.raises(FerbenchError, match="face.png is not a frame of CK"):
        load(tree)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(FerbenchError, match="1 labelled sequence of CK.* fewer than two images .*S005/001"):
        load(tree)


def test_a_run_on_the_layout(ferbench: Callable[..., Any], tree: Path, tmp_path: Path) -> None:
    done = ferbench(
        "run", "method=degan", "dataset=ckplus7c", f"dataset.root={tree}", "budget=smoke", "protocol=loso", "protocol.folds=[1]",
        f"results_dir={tmp_path / 'results'}",
    )  # fmt: skip
    assert done.status == 0, done.err
