"""Copies from the web that are nested, doubled, contradictory or another dataset's: none is read wrongly without a word."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError, NoSuch
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.layout import called, find
from tests import trees

Tree = Callable[[str], Path]
Face = Callable[..., Image.Image]
REGISTRY = load_registry()
RAF_LIST = "EmoLabel/list_patition_label.txt"
LISTS = "Manually_Annotated_file_lists"
WORDS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def load(name: str, root: Path, **settings: Any) -> Any:
    return Component(name, {"root": str(root), **settings}).make(REGISTRY, DatasetCard)


def ids(dataset: Any) -> list[str]:
    return list(dataset.frames()["frame_id"])


def picture(path: Path, level: int, size: int = 48) -> None:
    """No two levels look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((size, size, 3), np.uint8)
    image[0, 0] = level % 256, level // 256, 7
    Image.fromarray(image).save(path, quality=100)


def by_class(
    root: Path, sides: tuple[str, ...], names: tuple[str, ...], file: str, size: int = 48, each: int = 2
) -> Path:
    """Images in folders by split and class; `file` may have {side} and {n}, which counts all images."""
    level = 0
    for side in sides:
        for name in names:
            for _ in range(each):
                level += 1
                picture(root / side / name / file.format(side=side, n=level), level, size)
    return root


def rafdb_folders(root: Path) -> Path:
    return by_class(root, ("train", "test"), tuple("1234567"), "{side}_{n:05d}_aligned.jpg")


def affectnet_folders(root: Path) -> Path:
    return by_class(root, ("train", "val"), tuple("01234567"), "image{n:07d}.jpg")


def fer_folders(root: Path, file: str = "im{n}.png") -> Path:
    return by_class(root, ("train", "test"), WORDS, file)


def fer_csv(path: Path, rows: list[tuple[str, str, int]], separator: str = ",", heading: bool = True) -> Path:
    """fer2013.csv of (emotion, Usage, level) of gray faces."""
    lines = [separator.join(("emotion", "pixels", "Usage"))] if heading else []
    lines += [separator.join((emotion, " ".join([str(level)] * 2304), usage)) for emotion, usage, level in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path.parent


FER_ROWS = [(str(i % 7), ("Training", "PublicTest", "PrivateTest")[i % 3], i) for i in range(42)]


# -- where a copy lies


def test_a_folder_below_is_preferred_to_the_roots_own_name(tmp_path: Path) -> None:
    root = tmp_path / "test"
    (root / "deep" / "Test" / "Anger").mkdir(parents=True)
    assert find(root, called("test")) == [root / "deep" / "Test"]
    assert find(root / "deep" / "Test", called("test")) == [root / "deep" / "Test"]


@pytest.mark.parametrize("above", ["test", "train", "val", "a/Test/b", "train/test"])
@pytest.mark.parametrize("name", ["caers", "sfew", "fer2013", "rafdb", "affectnet"])
def test_a_folder_above_the_data_decides_no_split(
    name: str, above: str, lab_tree: Tree, faces: Callable[..., Image.Image], tmp_path: Path
) -> None:
    if name in ("caers", "sfew"):
        plain = lab_tree(name)
    else:
        plain = {"fer2013": fer_folders, "rafdb": rafdb_folders, "affectnet": affectnet_folders}[name](
            tmp_path / "plain"
        )
    shutil.copytree(plain, tmp_path / "copy" / above)
    expected = load(name, plain).frames()
    for root in (tmp_path / "copy", tmp_path / "copy" / above):
        assert load(name, root).frames().equals(expected)


def test_affectnets_arrays_below_a_folder_called_train(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    plain = trees.affectnet_arrays(tmp_path / "plain", faces)
    shutil.copytree(plain, tmp_path / "train" / "x")
    assert load("affectnet", tmp_path / "train").frames().equals(load("affectnet", plain).frames())


def test_versions_in_numbered_folders_are_no_classes(tmp_path: Path) -> None:
    rafdb_folders(tmp_path / "versions" / "2" / "DATASET")
    assert len(load("rafdb", tmp_path).frames()) == 28


@pytest.mark.parametrize(
    ("name", "build", "low"),
    [
        ("rafdb", rafdb_folders, "train"),
        ("rafdb", rafdb_folders, "train/1"),
        ("affectnet", affectnet_folders, "train"),
        ("affectnet", affectnet_folders, "val/0"),
        ("fer2013", fer_folders, "train"),
        ("fer2013", fer_folders, "test/angry"),
    ],
)
def test_one_part_of_a_split_is_too_low(tmp_path: Path, name: str, build: Callable[[Path], Path], low: str) -> None:
    root = build(tmp_path / "D")
    with pytest.raises(
        FerbenchError, match=rf"one part of .* only. The folder is too low; write dataset.root={root}\."
    ):
        load(name, root / low)


def test_one_part_of_affectnets_arrays_is_too_low(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    root = trees.affectnet_arrays(tmp_path / "A", faces)
    with pytest.raises(FerbenchError, match=rf"The folder is too low; write dataset.root={root}\."):
        load("affectnet", root / "train_set" / "images")


@pytest.mark.parametrize("low", ["image", "image/origin", "label"])
def test_one_folder_of_expw_is_too_low(lab_tree: Tree, low: str) -> None:
    root = lab_tree("expw")
    with pytest.raises(FerbenchError, match=rf"The folder is too low; write dataset.root={root}\."):
        load("expw", root / low)


def test_a_folder_beside_that_is_another_datasets_is_not_advised(tmp_path: Path) -> None:
    (tmp_path / "test" / "notes").mkdir(parents=True)
    by_class(tmp_path, ("train",), WORDS, "{n}.png")
    with pytest.raises(FerbenchError) as caught:
        load("rafdb", tmp_path / "test")
    assert "too low" not in str(caught.value)


def test_a_part_inside_another_is_refused(own_tree: Tree) -> None:
    root = own_tree("caers")
    shutil.move(root / "CAER-S" / "test", root / "CAER-S" / "train" / "test")
    with pytest.raises(
        FerbenchError, match=r"train/test lies inside .*train, so that images of one part .* Move it beside"
    ):
        load("caers", root)


# -- what is there twice


@pytest.mark.parametrize("below", ["train", "train/Anger"])
def test_an_archive_inside_itself_is_read_once(own_tree: Tree, lab_tree: Tree, below: str) -> None:
    root = own_tree("caers")
    folder = root / "CAER-S" / below
    shutil.copytree(folder, root / "copy")
    shutil.move(root / "copy", folder / folder.name)
    dataset = load("caers", root)
    assert ids(dataset) == ids(load("caers", lab_tree("caers")))
    assert "are there twice with equal content, and were read once" in dataset.which_copy()
    changed = next((folder / folder.name).rglob("*.png"))
    picture(changed, 77)
    with pytest.raises(FerbenchError, match=rf"1 sequence or image is there twice, with differences: .*{changed.name}"):
        load("caers", root)


@pytest.mark.parametrize("name", ["fer2013", "folders"])
def test_a_class_inside_itself_is_read_once(tmp_path: Path, name: str) -> None:
    root = fer_folders(tmp_path / "F")
    expected = ids(load(name, root))
    shutil.copytree(root / "train" / "angry", tmp_path / "copy")
    shutil.move(tmp_path / "copy", root / "train" / "angry" / "angry")
    dataset = load(name, root)
    assert ids(dataset) == expected
    assert "2 images are there twice with equal content, and were read once" in dataset.which_copy()


def test_a_line_of_rafdb_with_another_label(own_tree: Tree) -> None:
    root = own_tree("rafdb")
    text = (root / RAF_LIST).read_text()
    (root / RAF_LIST).write_text(text + "test_00001.jpg 1\n")
    assert "1 sequence or image is there twice with equal content" in load("rafdb", root).which_copy()
    (root / RAF_LIST).write_text(text + "test_00001.jpg 4\n")
    with pytest.raises(
        FerbenchError, match="1 .* twice, with differences: test_00001/basic as surprise and as happiness"
    ):
        load("rafdb", root)
    frames = load("rafdb", root, allow_incomplete=True).frames().set_index("frame_id")["expression"]
    assert frames["test_00001/basic/0"] == "surprise"


def test_one_picture_in_two_folders_of_rafdb(tmp_path: Path) -> None:
    root = rafdb_folders(tmp_path / "R")
    moved = root / "train" / "2" / "train_00003_aligned.jpg"
    shutil.copy(moved, root / "train" / "3" / moved.name)
    with pytest.raises(FerbenchError, match="1 .* twice, with differences: train_00003/basic as fear and as disgust"):
        load("rafdb", root)


def test_a_list_of_rafdbs_folders_that_contradicts_itself(tmp_path: Path) -> None:
    root = rafdb_folders(tmp_path / "R")
    (root / "train_labels.csv").write_text("image,label\ntrain_00001_aligned.jpg,1.0\ntrain_00001_aligned.jpg,2\n")
    with pytest.raises(
        FerbenchError, match="train_labels.csv has 1 image twice, with different labels: train_00001_al"
    ):
        load("rafdb", root)


def test_rafdbs_images_in_two_formats(own_tree: Tree) -> None:
    root = own_tree("rafdb")
    picture(root / "Image" / "aligned" / "test_00001_aligned.png", 3)
    with pytest.raises(FerbenchError, match="1 image in .* several formats: test_00001_aligned.png"):
        load("rafdb", root)


def test_a_row_of_affectnet_with_another_label(own_tree: Tree) -> None:
    root = own_tree("affectnet")
    path = root / LISTS / "training.csv"
    path.write_text(path.read_text(encoding="utf-8") + "1/0é face.jpg,0,3,0.1\n", encoding="utf-8")
    with pytest.raises(
        FerbenchError, match="twice, with differences: train:1:0é face.jpg/8 as neutral and as surprise"
    ):
        load("affectnet", root)


def test_a_row_in_both_of_affectnets_lists(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("affectnet")
    path = root / LISTS / "training.csv"
    path.write_text(path.read_text(encoding="utf-8") + "0/0é face.jpg,0,0,0.1\n", encoding="utf-8")
    with pytest.raises(FerbenchError, match="1 image is in both of AffectNet's lists, .*: 0/0é face.jpg"):
        load("affectnet", root)
    assert ids(load("affectnet", root, allow_incomplete=True)) == ids(load("affectnet", lab_tree("affectnet")))


def test_two_lists_of_affectnet_that_differ(own_tree: Tree) -> None:
    root = own_tree("affectnet")
    shutil.copy(root / LISTS / "training.csv", root / "Manually_Annotated_Images")
    load("affectnet", root)
    other = root / "Manually_Annotated_Images" / "training.csv"
    other.write_text("\n".join(other.read_text(encoding="utf-8").splitlines()[:5]), encoding="utf-8")
    with pytest.raises(
        FerbenchError, match="training.csv and .*training.csv differ, and nothing says which one counts"
    ):
        load("affectnet", root)


def test_one_picture_in_two_folders_of_affectnet(tmp_path: Path) -> None:
    root = affectnet_folders(tmp_path / "A")
    first = root / "train" / "0" / "image0000001.jpg"
    shutil.copy(first, root / "train" / "3" / first.name)
    picture(root / "val" / "3" / first.name, 999)  # another picture of that name is another picture
    with pytest.raises(
        FerbenchError, match=r"1 image is in two of AffectNet's folders: .*0/image0000001.jpg and .*3/im"
    ):
        load("affectnet", root)
    left = ids(load("affectnet", root, allow_incomplete=True))
    assert [name for name in left if "image0000001" in name] == ["test:3:image0000001.jpg/8/0"]


def test_loose_images_of_affectnet(tmp_path: Path) -> None:
    root = affectnet_folders(tmp_path / "A")
    picture(root / "train" / "loose.jpg", 5)
    with pytest.raises(FerbenchError, match="1 folder or image is in none of AffectNet's folders, .*loose.jpg"):
        load("affectnet", root)


def test_affectnets_arrays_are_one_image_and_one_number_each(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    root = trees.affectnet_arrays(tmp_path / "A", faces)
    picture(root / "train_set" / "images" / "1.png", 3)
    with pytest.raises(FerbenchError, match="1 image of AffectNet is there in several formats: .*1.png"):
        load("affectnet", root)
    (root / "train_set" / "images" / "1.png").unlink()
    label = root / "train_set" / "annotations" / "3_exp.npy"
    for content, sentence in (
        (np.array("2.7"), "holds the expression '2.7', which is not"),
        (np.array([1, 2]), "holds .*1 2"),
    ):
        np.save(label, content)
        with pytest.raises(FerbenchError, match=f"3_exp.npy {sentence}"):
            load("affectnet", root)
    label.write_bytes(b"")
    with pytest.raises(FerbenchError, match="3_exp.npy cannot be read as an expression"):
        load("affectnet", root)
    np.save(label, np.array("3"))
    (root / "train_set" / "images" / "3.jpg").unlink()
    with pytest.raises(FerbenchError, match="1 label of AffectNet has no image, such as 0.jpg: .*3_exp.npy"):
        load("affectnet", root)


def test_two_lists_of_expw_that_differ(own_tree: Tree) -> None:
    root = own_tree("expw")
    shutil.copy(root / "label" / "label.lst", root / "label.lst")
    load("expw", root)
    (root / "label.lst").write_text("fear_actor_3.png 0 8 5 53 56 22.5 2\n")
    with pytest.raises(FerbenchError, match="label.lst and .*label.lst differ, and nothing says which one counts"):
        load("expw", root)


# -- FER2013


def test_two_texts_of_fer2013_that_differ(tmp_path: Path) -> None:
    root = fer_csv(tmp_path / "F" / "fer2013.csv", FER_ROWS)
    fer_csv(root / "old" / "fer2013.csv", FER_ROWS[:-1])
    with pytest.raises(FerbenchError, match="fer2013.csv and .*old/fer2013.csv differ"):
        load("fer2013", root)


def test_pictures_of_fer2013_that_are_there_again_are_counted(tmp_path: Path) -> None:
    root = fer_csv(tmp_path / "F" / "fer2013.csv", FER_ROWS)
    assert "there before" not in load("fer2013", root).which_copy()
    fer_csv(root / "fer2013.csv", [*FER_ROWS, FER_ROWS[0], ("1", "PrivateTest", 3)])
    assert (
        "2 rows show a picture that is there before, 1 such picture is in several parts of the split, 1 has several labels"
        in load("fer2013", root).which_copy()
    )
    images = fer_folders(tmp_path / "I")
    shutil.copy(images / "train" / "angry" / "im1.png", images / "test" / "happy" / "im99.png")
    assert (
        "1 image shows a picture that is there before, 1 such picture is in several parts of the split, 1 has several labels"
        in load("fer2013", images).which_copy()
    )


@pytest.mark.parametrize(
    "other", ["train/happy/Training_1.png", "test/angry/Training_1.png", "train/angry/Training_1.jpg"]
)
def test_an_image_of_fer2013_that_is_there_twice(tmp_path: Path, other: str) -> None:
    root = fer_folders(tmp_path / "F", "Training_{n}.png")
    Image.open(root / "train" / "angry" / "Training_1.png").save(root / other)
    with pytest.raises(FerbenchError, match=rf"1 image of FER2013 is there twice, in another folder.*{other}"):
        load("fer2013", root)


def test_loose_images_of_fer2013(tmp_path: Path) -> None:
    root = fer_folders(tmp_path / "F")
    picture(root / "train" / "loose.png", 5)
    with pytest.raises(FerbenchError, match="1 folder or image in .* is in none of FER2013's classes, .*loose.png"):
        load("fer2013", root)


def test_folders_called_by_usage(tmp_path: Path) -> None:
    root = by_class(tmp_path / "F", ("Training", "PublicTest", "PrivateTest"), WORDS, "{n}.png")
    dataset = load("fer2013", root)
    assert dataset.frames()["split"].value_counts().to_dict() == {"train": 14, "val": 14, "test": 14}
    assert dataset.which_copy() == "images in folders"


def test_names_of_some_images_say_the_usage(tmp_path: Path) -> None:
    root = by_class(tmp_path / "F", ("train",), WORDS, "Training_{n}.png", each=1)
    by_class(root, ("test",), WORDS, "PublicTest_{n}.png", each=1)
    picture(root / "test" / "angry" / "more.png", 70)
    dataset = load("fer2013", root)
    assert dataset.frames()["split"].value_counts().to_dict() == {"train": 7, "val": 7, "test": 1}
    assert "the names of 14 of 15 images say which are PublicTest" in dataset.which_copy()
    assert "nothing says" not in dataset.which_copy()
    shutil.move(root / "train" / "sad" / "Training_5.png", root / "test" / "sad" / "Training_5.png")
    assert "1 image is in another part of the split than named" in load("fer2013", root).which_copy()


def test_separators_of_fer2013s_text(tmp_path: Path) -> None:
    expected = load("fer2013", fer_csv(tmp_path / "a" / "fer2013.csv", FER_ROWS)).frames()
    for name, separator in (("b", ";"), ("c", "\t")):
        assert load("fer2013", fer_csv(tmp_path / name / "fer2013.csv", FER_ROWS, separator)).frames().equals(expected)


@pytest.mark.parametrize("name", ["fer2013", "ckextended"])
def test_a_text_without_names_of_columns(tmp_path: Path, name: str) -> None:
    root = fer_csv(tmp_path / "F" / f"{name}.csv", FER_ROWS, heading=False)
    with pytest.raises(
        FerbenchError, match=r"has no names of columns in its first row.*Write a row above it"
    ) as caught:
        load(name, root)
    assert len(str(caught.value)) < 500


def test_ferplus_rows_that_were_swapped(own_tree: Tree) -> None:
    root = own_tree("ferplus")
    path = root / "fer2013new.csv"
    lines = path.read_text().splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FerbenchError, match="row 3, is for the image fer0000000.png, which should come before"):
        load("ferplus", root)


def test_the_names_that_the_authors_file_has_wrong_pass(own_tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = own_tree("ferplus")
    path = root / "fer2013new.csv"
    path.write_text(path.read_text().replace("fer0000001.png", "fer0006953.png").replace("fer0000004.png", ""))
    with pytest.raises(FerbenchError, match="should come before"):
        load("ferplus", root)
    monkeypatch.setattr("ferbench_labdata.fer2013.MISNAMED", {1: 6953})
    load("ferplus", root)


def test_ferplus_votes_below_zero(own_tree: Tree) -> None:
    root = own_tree("ferplus")
    path = root / "fer2013new.csv"
    path.write_text(path.read_text().replace(",0,", ",-1,", 1))
    with pytest.raises(FerbenchError, match="1 row of .* has votes that are not numbers from 0 upwards: 2. With"):
        load("ferplus", root)
    assert "row 00000" not in set(load("ferplus", root, allow_incomplete=True).frames()["frame_id"])


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("fer2013", "\n0,", "\n9,"), ("ckextended", "\n0,", "\n9,"), ("fer2013", "Training", "Practice"),
        ("ferplus", "Training", "Practice"), ("ckextended", "Training", "Practice"),
    ],
)  # fmt: skip
def test_rows_of_gray_faces_may_be_left_out(own_tree: Tree, name: str, old: str, new: str) -> None:
    root = own_tree(name)
    whole = load(name, root)
    path = root / ("ckextended.csv" if name == "ckextended" else "icml_face_data.csv")
    path.write_text(path.read_text().replace(old, new, 1))
    if name == "ferplus":
        votes = root / "fer2013new.csv"
        votes.write_text(votes.read_text().replace(old, new, 1))
    with pytest.raises(FerbenchError, match="1 row of .* in row 2. With dataset.allow_incomplete, it is left out"):
        load(name, root)
    dataset = load(name, root, allow_incomplete=True)
    expected = whole.frames()[whole.frames()["frame_id"] != "row 00000"].reset_index(drop=True)
    assert dataset.frames().equals(expected)
    assert len(dataset.irregularities()) == 1


def test_images_of_fer2013_may_be_left_out(tmp_path: Path) -> None:
    root = fer_folders(tmp_path / "F", "Training_{n}.png")
    whole = load("fer2013", root).frames()
    picture(root / "train" / "landscapes" / "1.png", 900)
    Image.open(root / "train" / "angry" / "Training_1.png").save(root / "train" / "angry" / "Training_1.jpg")
    dataset = load("fer2013", root, allow_incomplete=True)
    assert len(dataset.frames()) == len(whole)
    assert len(dataset.irregularities()) == 2


def test_a_frame_of_fer2013_is_asked_by_digits(tmp_path: Path) -> None:
    dataset = load("fer2013", fer_csv(tmp_path / "F" / "fer2013.csv", FER_ROWS))
    with pytest.raises(NoSuch, match="no frame 'row \u00b2'"):
        dataset.image("row \u00b2")


def test_a_column_of_fer2013_that_is_there_twice(tmp_path: Path) -> None:
    root = fer_csv(tmp_path / "F" / "fer2013.csv", FER_ROWS)
    path = root / "fer2013.csv"
    path.write_text(
        path.read_text().replace("emotion,pixels,Usage", "emotion,pixels,Usage,Emotion").replace("ing\n", "ing,1\n")
    )
    with pytest.raises(FerbenchError, match="fer2013.csv has several columns called 'emotion'"):
        load("fer2013", root)


def test_a_label_of_affectnet_that_is_no_array(faces: Face, tmp_path: Path) -> None:
    root = trees.affectnet_arrays(tmp_path / "A", faces)
    (root / "train_set/annotations/0_exp.npy").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(FerbenchError, match="0_exp.npy cannot be read as an expression"):
        load("affectnet", root)


# -- equal copies are one dataset


def test_rafdb_by_folder_and_by_list_are_one_dataset(tmp_path: Path) -> None:
    folders = rafdb_folders(tmp_path / "K")
    images = sorted(folders.rglob("*.jpg"), key=lambda p: (p.name.startswith("test"), p.name))
    (tmp_path / "L" / "EmoLabel").mkdir(parents=True)
    (tmp_path / "L" / "Image" / "aligned").mkdir(parents=True)
    lines = [f"{p.name.replace('_aligned', '')} {p.parent.name}" for p in images]
    (tmp_path / "L" / RAF_LIST).write_text("\n".join(lines))
    for path in images:
        shutil.copy(path, tmp_path / "L" / "Image" / "aligned")
    one, other = load("rafdb", tmp_path / "L"), load("rafdb", folders)
    assert one.frames().equals(other.frames())
    assert one.fingerprint() == other.fingerprint()


# -- what is written


def test_labels_as_floats_and_marks_at_the_start(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("rafdb")
    (root / RAF_LIST).write_text((root / RAF_LIST).read_text().replace("\n", ".0\n"))
    assert load("rafdb", root).frames().equals(load("rafdb", lab_tree("rafdb")).frames())
    root = own_tree("expw")
    path = root / "label" / "label.lst"
    path.write_text("\ufeff" + path.read_text().replace("\n", ".0\n"), encoding="utf-8")
    assert load("expw", root).frames().equals(load("expw", lab_tree("expw")).frames())
    root = own_tree("ckextended")
    path = root / "ckextended.csv"
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join(["\ufeff" + lines[0], *(line.replace(",", ".0,", 1) for line in lines[1:])]), encoding="utf-8"
    )
    assert load("ckextended", root).frames().equals(load("ckextended", lab_tree("ckextended")).frames())


@pytest.mark.parametrize("mark", [";", "\t"])
def test_separators_of_affectnets_lists(own_tree: Tree, lab_tree: Tree, mark: str) -> None:
    root = own_tree("affectnet")
    for path in (root / LISTS).iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace(",", mark), encoding="utf-8")
    assert load("affectnet", root).frames().equals(load("affectnet", lab_tree("affectnet")).frames())


def test_an_empty_list_of_affectnet(own_tree: Tree) -> None:
    root = own_tree("affectnet")
    for content in ("", (root / LISTS / "training.csv").read_text(encoding="utf-8").splitlines()[0] + "\n"):
        (root / LISTS / "training.csv").write_text(content)
        with pytest.raises(FerbenchError, match="training.csv has no row of an image"):
            load("affectnet", root)


def test_a_table_with_float_codes(own_tree: Tree, tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    (tmp_path / "frames.csv").write_text("path,expression\na.png,3.00\n")
    asked = Component("table", {"file": str(tmp_path / "frames.csv"), "codes": "fer2013"})
    dataset: Any = asked.make(REGISTRY, DatasetCard)
    assert list(dataset.frames()["expression"]) == ["happiness"]


def test_the_copies_of_caers_and_expw_are_named(lab_tree: Tree) -> None:
    assert load("caers", lab_tree("caers")).which_copy() == "images by split and class"
    assert "label.lst, and the pictures in the folder 'origin'" in load("expw", lab_tree("expw")).which_copy()


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    root = by_class(tmp_path / "D", ("",), ("angry", "happy"), "{n}.png")
    before = load("folders", root).fingerprint()
    os.rename(  # noqa: PTH104  (pathlib has no bytes)
        os.fsencode(root / "happy" / "3.png"), os.fsencode(root / "happy") + b"/" + "开心".encode("gbk") + b".png"
    )
    dataset = load("folders", root)
    name = next(name for name in ids(dataset) if "\\x" in name)
    assert name == r"happy/\xbf\xaa\xd0\xc4.png/0"
    assert dataset.image(name).shape == (48, 48, 3)
    assert dataset.fingerprint() != before


# -- other datasets


def test_folders_and_images_that_are_no_class_of_caers(own_tree: Tree) -> None:
    root = own_tree("caers")
    train = root / "CAER-S" / "train"
    picture(train / "Contempt" / "0001.png", 1)
    picture(train / "loose.png", 2)
    picture(train / "Anger" / "Fear" / "0001.png", 3)
    picture(train / "Anger" / "test" / "0001.png", 3)
    with pytest.raises(
        FerbenchError, match="4 folders or images belong to no class of CAER-S's split: .*Contempt.*loose.png"
    ):
        load("caers", root)
    shutil.copytree(root / "CAER-S" / "test", root / "CAER-S" / "val")
    with pytest.raises(FerbenchError, match="1 folder is no part of CAER-S's split: .*val"):
        load("caers", root)


def test_images_that_are_not_named_as_caers(own_tree: Tree) -> None:
    root = own_tree("caers")
    picture(root / "CAER-S" / "train" / "Anger" / "holiday.png", 3)
    with pytest.raises(FerbenchError, match=r"1 image is not named like those of CAER-S \(0001.png\): .*holiday.png"):
        load("caers", root)


@pytest.mark.parametrize("name", ["caers", "sfew"])
def test_fer2013_is_not_read_as_another(tmp_path: Path, name: str) -> None:
    root = fer_folders(tmp_path / "F", "Training_{n}.png")
    if name == "sfew":
        (root / "test").rename(root / "val")
    with pytest.raises(
        FerbenchError, match="no image named like those of .*It looks like FER2013: write dataset=fer2013"
    ):
        load(name, root)


def test_caers_is_not_read_as_fer2013(tmp_path: Path) -> None:
    names = ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
    root = by_class(tmp_path / "C", ("train", "test"), names, "{n:04d}.png", size=64)
    with pytest.raises(FerbenchError, match="no image of 48 x 48 pixels.*It looks like CAER-S: write dataset=caers"):
        load("fer2013", root)


def test_sfew_is_not_read_as_caers_or_fer2013(lab_tree: Tree, tmp_path: Path) -> None:
    shutil.copytree(lab_tree("sfew") / "Train" / "Train_Aligned_Faces", tmp_path / "S" / "train")
    shutil.copytree(lab_tree("sfew") / "Train" / "Train_Aligned_Faces", tmp_path / "S" / "test")
    with pytest.raises(FerbenchError, match="It looks like SFEW 2.0: write dataset=sfew"):
        load("caers", tmp_path / "S")


def test_photographs_beside_the_aligned_faces_of_sfew(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("sfew")
    picture(root / "Train" / "Angry" / "Film1_000000000.png", 3)
    assert ids(load("sfew", root)) == ids(load("sfew", lab_tree("sfew")))


def test_numbers_of_one_dataset_are_not_anothers(tmp_path: Path) -> None:
    affectnet = affectnet_folders(tmp_path / "A")
    with pytest.raises(
        FerbenchError, match="not named like RAF-DB's .*It looks like AffectNet: write dataset=affectnet"
    ):
        load("rafdb", affectnet)
    raf = by_class(tmp_path / "R", ("train", "val"), tuple("0123456"), "train_{n:05d}_aligned.jpg")
    with pytest.raises(FerbenchError, match="images are named like those of RAF-DB: write dataset=rafdb"):
        load("affectnet", raf)
    numbered = by_class(tmp_path / "N", ("train", "test"), tuple("0123456"), "{side}_{n:05d}.jpg")
    with pytest.raises(FerbenchError, match="a copy with other ones can be read by dataset=folders with dataset.codes"):
        load("rafdb", numbered)


@pytest.mark.parametrize("name", ["caers", "sfew", "fer2013"])
@pytest.mark.parametrize("other", ["rafdb", "affectnet"])
def test_folders_by_number_are_named(tmp_path: Path, name: str, other: str) -> None:
    root = {"rafdb": rafdb_folders, "affectnet": affectnet_folders}[other](tmp_path / "D")
    with pytest.raises(FerbenchError, match=f"It looks like .*: write dataset={other}"):
        load(name, root)


# -- images in folders


def test_a_class_above_the_split_keeps_the_split(tmp_path: Path) -> None:
    root = by_class(tmp_path / "D", ("angry", "happy"), ("train", "test"), "{n}.png")
    picture(root / "happy" / "test" / "more.png", 100)
    dataset = load("folders", root)
    assert dataset.frames()["split"].value_counts().to_dict() == {"train": 4, "test": 5}
    picture(root / "angry" / "loose.png", 200)
    with pytest.raises(
        FerbenchError, match="1 folder or image in .* belongs to no class and no split, .*angry/loose.png"
    ):
        load("folders", root)


@pytest.mark.parametrize("inner", ["happy", "Sadness", "test", "web/neutral"])
def test_a_class_or_split_inside_another_is_refused(tmp_path: Path, inner: str) -> None:
    root = by_class(tmp_path / "D", ("train", "val"), ("angry", "happy"), "{n}.png")
    picture(root / "train" / "angry" / inner / "q.png", 300)
    with pytest.raises(FerbenchError, match=f"1 folder or image .* or to two: train/angry/{inner}/q.png"):
        load("folders", root)


def test_folders_of_people_in_a_class_are_read(tmp_path: Path) -> None:
    root = by_class(tmp_path / "D", ("",), ("angry/SU", "angry/001", "happy/AN"), "{n}.png")
    assert load("folders", root, codes="rafdb").frames()["expression"].value_counts().to_dict() == {
        "anger": 4,
        "happiness": 2,
    }


def test_a_picture_that_is_trained_on_and_tested_is_said(tmp_path: Path) -> None:
    root = by_class(tmp_path / "D", ("train", "test"), ("angry", "happy"), "{n}.png")
    shutil.copy(root / "train" / "angry" / "1.png", root / "test" / "angry" / "again.png")
    copy = load("folders", root).which_copy()
    assert "1 picture is in several parts of the split at once" in copy
    assert "train/angry/1.png" in copy
    assert "in the same class" not in copy


def test_half_of_a_split_says_that_the_other_half_is_there(tmp_path: Path) -> None:
    root = by_class(tmp_path / "D", ("train", "test"), ("angry", "happy"), "{n}.png")
    assert f"{root} holds another part of a split too" in load("folders", root / "train").which_copy()
    assert "another part" not in load("folders", root).which_copy()
