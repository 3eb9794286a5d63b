"""Copies of the datasets from the web as they are found: AffectNet, RAF-DB, FER2013 and FERPlus."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.affectnet import BROKEN
from ferbench_labdata.cards import CARDS
from tests import trees

Tree = Callable[[str], Path]
REGISTRY = load_registry()
LISTS = "Manually_Annotated_file_lists"


def load(name: str, root: Path, **settings: Any) -> Any:
    return Component(name, {"root": str(root), **settings}).make(REGISTRY, DatasetCard)


def same(name: str, one: Path, other: Path) -> bool:
    return bool(load(name, one).frames().equals(load(name, other).frames()))


# -- AffectNet


def without_names(path: Path) -> None:
    """Rows of nine values, as the list of the validation set comes, and no names of columns."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(
            [r["subDirectory_filePath"], 0, 0, 1, 1, "1;2", r["expression"], 0.1, 0.2] for r in rows
        )


def test_a_list_without_names_of_columns(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("affectnet")
    without_names(root / LISTS / "validation.csv")
    assert same("affectnet", root, lab_tree("affectnet"))


@pytest.mark.parametrize("place", ["Manually_Annotated", "Manually_Annotated_Images", "a/Manually_Annotated"])
def test_affectnets_images_further_down(lab_tree: Tree, own_tree: Tree, place: str) -> None:
    root = own_tree("affectnet")
    shutil.move(root / "Manually_Annotated_Images", root / "moved")
    (root / place).mkdir(parents=True)
    shutil.move(root / "moved", root / place / "Manually_Annotated_Images")
    assert same("affectnet", root, lab_tree("affectnet"))


@pytest.mark.parametrize("place", ["", "Manually_Annotated", "Manually_Annotated/Manually_Annotated_Images"])
def test_affectnets_lists_beside_or_above_the_images(lab_tree: Tree, own_tree: Tree, place: str) -> None:
    root = own_tree("affectnet")
    (root / "Manually_Annotated").mkdir()
    shutil.move(root / "Manually_Annotated_Images", root / "Manually_Annotated" / "Manually_Annotated_Images")
    for name in ("training.csv", "validation.csv"):
        shutil.move(root / LISTS / name, root / place / name)
    (root / LISTS).rmdir()
    assert same("affectnet", root, lab_tree("affectnet"))


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text(encoding="utf-8")
    assert change(text) != text
    path.write_text(change(text), encoding="utf-8")


def test_labels_as_floats_backslashes_and_a_mark_at_the_start(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("affectnet")
    rewrite(root / LISTS / "training.csv", lambda text: "\ufeff" + text.replace("/", "\\").replace(",0.1", ".0,0.1"))
    assert same("affectnet", root, lab_tree("affectnet"))


def test_an_image_in_another_format_than_the_list_says(own_tree: Tree) -> None:
    root = own_tree("affectnet")
    rewrite(root / LISTS / "training.csv", lambda text: text.replace("1/0é face.jpg", "1/0é face.bmp"))
    dataset = load("affectnet", root)
    assert "train:1:0é face.bmp/8/0" in set(dataset.frames()["frame_id"])
    assert "1 image is there in another format than the lists say" in dataset.which_copy()


def test_the_image_that_is_damaged_in_every_copy(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("affectnet")
    rewrite(root / LISTS / "training.csv", lambda text: f"{text}{BROKEN},0,1,0.1\r\n")
    dataset = load("affectnet", root)
    assert dataset.frames().equals(load("affectnet", lab_tree("affectnet")).frames())
    assert BROKEN in dataset.which_copy()
    assert not dataset.irregularities()


def test_affectnets_arrays_twice_in_folders_of_one_name(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    root = trees.affectnet_arrays(tmp_path / "A", faces)
    before = load("affectnet", root).frames()
    shutil.move(root / "train_set", root / "moved")
    (root / "train_set").mkdir()
    shutil.move(root / "moved", root / "train_set" / "train_set")
    assert load("affectnet", root).frames().equals(before)
    (root / "train_set" / "train_set" / "annotations" / "0_exp.npy").unlink()
    with pytest.raises(FerbenchError, match="1 image of AffectNet has no label in 'annotations'.*allow_incomplete"):
        load("affectnet", root)


def by_number(root: Path, face: trees.Face, sides: tuple[str, str], numbers: range, name: str) -> Path:
    """A folder for each number, two images in each."""
    for first, side in enumerate(sides):
        for number in numbers:
            for subject in range(2):
                file = name.format(side=side, number=10 * number + subject + 1000 * first)
                trees.save(face(subject, "anger", number), root / side / str(number) / file)
    return root


def test_affectnet_in_folders_by_number(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    root = by_number(tmp_path / "A", faces, ("train", "val"), range(8), "image{number:07d}.jpg")
    frames = load("affectnet", root).frames()
    assert frames.groupby("split")["expression"].nunique().to_dict() == {"train": 8, "test": 8}
    assert (
        dict(zip(frames["frame_id"], frames["expression"], strict=True))["train:7:image0000070.jpg/8/0"] == "contempt"
    )


def test_a_missing_list_and_missing_images_of_affectnet(own_tree: Tree) -> None:
    root = own_tree("affectnet")
    shutil.rmtree(root / LISTS)
    with pytest.raises(FerbenchError, match="AffectNet's images, but no list 'training.csv' or 'validation.csv'"):
        load("affectnet", root)


# -- RAF-DB


LIST = "EmoLabel/list_patition_label.txt"


@pytest.mark.parametrize("line", ["test_00001.jpg 1 3", "test_00001.jpg", "test_00001.jpg 1 0.2 0.1 0 0 0 0"])
def test_lines_of_other_lists_are_no_labels(own_tree: Tree, line: str) -> None:
    root = own_tree("rafdb")
    rewrite(root / LIST, lambda text: text.replace("test_00001.jpg 1", line))
    with pytest.raises(FerbenchError, match=f"line 1, is '{line}'; lines are like 'train_00001.jpg 5'"):
        load("rafdb", root)


def test_rafdb_nested_in_upper_case_and_with_a_mark(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("rafdb")
    rewrite(root / LIST, lambda text: "\ufeff" + text.replace(".jpg 1", ".JPG 1"))
    images = root / "Image" / "aligned"
    for path in sorted(images.iterdir())[:5]:
        path.rename(path.with_suffix(".JPG"))
    shutil.move(images, root / "moved")
    images.mkdir()
    shutil.move(root / "moved", images / "aligned")
    (root / "basic").mkdir()
    for name in ("EmoLabel", "Image"):
        shutil.move(root / name, root / "basic" / name)
    assert same("rafdb", root, lab_tree("rafdb"))


def test_the_list_of_the_compound_part_is_not_taken(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("rafdb")
    (root / "basic").mkdir()
    for name in ("EmoLabel", "Image"):
        shutil.move(root / name, root / "basic" / name)
    shutil.copytree(root / "basic" / "EmoLabel", root / "compound" / "EmoLabel")
    assert same("rafdb", root, lab_tree("rafdb"))


def kaggle_rafdb(tree: Path, root: Path) -> Path:
    for side in ("train", "test"):
        (root / "DATASET" / side).mkdir(parents=True)
        (root / f"{side}_labels.csv").write_text("image,label\n")
    for line in (tree / LIST).read_text().splitlines():
        name, label = line.split()
        side, stem = name.partition("_")[0], name.removesuffix(".jpg")
        folder = root / "DATASET" / side / label
        folder.mkdir(exist_ok=True)
        shutil.copy(tree / "Image" / "aligned" / f"{stem}_aligned.jpg", folder)
        with (root / f"{side}_labels.csv").open("a") as out:
            out.write(f"{stem}_aligned.jpg,{label}\n")
    return root


def test_a_list_above_the_copy_of_rafdb_is_not_read(lab_tree: Tree, tmp_path: Path) -> None:
    root = kaggle_rafdb(lab_tree("rafdb"), tmp_path / "K")
    (root / "train_labels.csv").write_text("image,label\ntrain_00001_aligned.jpg,1\ntrain_00001_aligned.jpg,2\n")
    with pytest.raises(FerbenchError, match="1 image twice"):
        load("rafdb", root)
    assert len(load("rafdb", root / "DATASET").frames()) == len(load("rafdb", lab_tree("rafdb")).frames())


def test_rafdb_in_folders_by_number_is_the_same_dataset(lab_tree: Tree, tmp_path: Path) -> None:
    root = kaggle_rafdb(lab_tree("rafdb"), tmp_path / "K")
    here, there = (
        load("rafdb", r).frames().sort_values("frame_id", ignore_index=True) for r in (root, lab_tree("rafdb"))
    )
    assert here.equals(there)
    moved = next((root / "DATASET" / "train" / "1").iterdir())
    shutil.move(moved, root / "DATASET" / "train" / "2" / moved.name)
    with pytest.raises(
        FerbenchError, match=f"1 image is in another folder than RAF-DB's list of labels says: .*{moved.name}"
    ):
        load("rafdb", root)


def test_the_numbers_of_one_dataset_are_not_read_as_those_of_another(
    lab_tree: Tree, tmp_path: Path, faces: Callable[..., Image.Image]
) -> None:
    raf = kaggle_rafdb(lab_tree("rafdb"), tmp_path / "K")
    shutil.move(raf / "DATASET" / "test", raf / "DATASET" / "val")
    with pytest.raises(FerbenchError, match="It looks like RAF-DB: write dataset=rafdb"):
        load("affectnet", raf)
    affect = by_number(tmp_path / "A", faces, ("train", "test"), range(8), "image{number:07d}.jpg")
    with pytest.raises(FerbenchError, match="are not named like RAF-DB's"):
        load("rafdb", affect)


def test_rafdbs_address_is_right() -> None:
    assert CARDS["rafdb"].obtain.startswith("http://www.whdeng.cn/RAF/model1.html")


# -- FER2013 and FERPlus


def fer_images(root: Path, face: trees.Face, names: tuple[str, str, str]) -> Path:
    """Two folders, the second with both test sets."""
    number = 0
    for side, name in (("train", names[0]), ("test", names[1]), ("test", names[2])):
        for folder in ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"):
            number += 1
            trees.save(face(number % 3, "fear", number % 8).convert("L"), root / side / folder / name.format(number))
    return root


def test_fer2013_as_images_whose_names_keep_the_split(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    root = fer_images(tmp_path / "F", faces, ("Training_{}.jpg", "PublicTest_{}.jpg", "PrivateTest_{}.jpg"))
    dataset = load("fer2013", root)
    frames = dataset.frames()
    assert frames["split"].value_counts().to_dict() == {"train": 7, "val": 7, "test": 7}
    assert set(frames["expression"]) == set(CARDS["fer2013"].expressions)
    assert dataset.image("train/angry/Training_1.jpg").shape == (48, 48, 3)
    assert "say which are PublicTest" in dataset.which_copy()
    before = dataset.fingerprint()
    Image.new("L", (48, 48)).save(root / "train" / "angry" / "Training_1.jpg")
    assert load("fer2013", root).fingerprint() != before


def test_fer2013_as_images_whose_names_say_nothing(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    dataset = load("fer2013", fer_images(tmp_path / "F", faces, ("im{}.png", "im{}.png", "im{}.png")))
    assert dataset.frames()["split"].value_counts().to_dict() == {"train": 7, "test": 14}
    assert "nothing says which images of 'test' are PublicTest" in dataset.which_copy()


def test_a_folder_that_is_no_class_of_fer2013(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    root = fer_images(tmp_path / "F", faces, ("im{}.png", "im{}.png", "im{}.png"))
    (root / "train" / "bored").mkdir()
    with pytest.raises(FerbenchError, match="1 folder or image in .* is in none of FER2013's classes, .*bored"):
        load("fer2013", root)


def test_fer2013s_text_in_a_folder_below(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("fer2013")
    (root / "fer2013").mkdir()
    shutil.move(root / "icml_face_data.csv", root / "fer2013" / "icml_face_data.csv")
    assert same("ferplus", root, lab_tree("ferplus"))


VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")


def votes(root: Path, *rows: dict[str, int]) -> Path:
    """FERPlus' file with these votes in its first rows."""
    path = root / "fer2013new.csv"
    lines = path.read_text().splitlines()
    for number, row in enumerate(rows, 1):
        usage, image = lines[number].split(",")[:2]
        lines[number] = ",".join([usage, image, *(str(row.get(name, 0)) for name in VOTES)])
    path.write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize(
    ("row", "majority", "crossentropy", "multi_target"),
    [
        ({"anger": 5, "fear": 1, "sadness": 1, "surprise": 1, "neutral": 1, "NF": 1}, "anger", "anger", "anger"),
        ({"anger": 5, "fear": 5}, None, "anger", "anger"),
        ({"anger": 4, "fear": 3, "sadness": 3}, None, "anger", "anger"),
        ({"anger": 3, "fear": 3, "sadness": 2, "surprise": 2}, None, None, "anger"),
        ({"unknown": 6, "fear": 4}, None, None, None),
        ({"fear": 4, "unknown": 4, "anger": 2}, None, None, "fear"),
        ({"NF": 10}, None, None, None),
        (dict.fromkeys(VOTES, 1), None, None, None),
    ],
)  # fmt: skip
def test_labels_of_votes(
    own_tree: Tree, row: dict[str, int], majority: str | None, crossentropy: str | None, multi_target: str | None
) -> None:
    root = votes(own_tree("ferplus"), row)
    for labels, expected in (("majority", majority), ("crossentropy", crossentropy), ("multi_target", multi_target)):
        frames = load("ferplus", root, labels=labels).frames().set_index("frame_id")["expression"]
        assert frames.get("row 00000") == expected, labels


def test_the_published_counts_are_those_of_the_setting(lab_tree: Tree) -> None:
    root = lab_tree("ferplus")
    sizes = {}
    for labels in ("majority", "crossentropy", "multi_target"):
        sizes[labels] = load("ferplus", root, labels=labels).describe(CARDS["ferplus"]).published.sequences
    assert sizes == {"majority": 31412, "crossentropy": 34966, "multi_target": 34615}
    assert CARDS["ferplus"].published is not None
    assert CARDS["ferplus"].published.sequences == 25060 + 3199 + 3153
    with pytest.raises(FerbenchError, match="There is no value of dataset.labels 'majorty'. Did you mean 'majority'"):
        load("ferplus", root, labels="majorty")


def test_rows_of_fer2013_and_ferplus_that_do_not_correspond(own_tree: Tree) -> None:
    root = own_tree("ferplus")
    lines = (root / "fer2013new.csv").read_text().splitlines()
    lines[1], lines[-1] = lines[-1], lines[1]
    if lines[1].split(",")[0] == lines[-1].split(",")[0]:
        lines[1] = lines[1].replace("Training", "PrivateTest")
    (root / "fer2013new.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(FerbenchError, match=r"differ in the column Usage in \d+ rows: 2.*neither sorted nor filtered"):
        load("ferplus", root)


def test_ferplus_needs_the_text(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    root = fer_images(tmp_path / "F", faces, ("Training_{}.jpg", "PublicTest_{}.jpg", "PrivateTest_{}.jpg"))
    with pytest.raises(FerbenchError, match="whose rows FERPlus labels; a copy of FER2013 as images will not do"):
        load("ferplus", root)


@pytest.mark.parametrize("name", ["affectnet", "ferplus"])
def test_seven_classes_are_named(name: str) -> None:
    assert set(CARDS[name].expressions) - set(CARDS[name].class_sets["7"]) == {"contempt"}


def test_an_archive_that_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "fer2013.tar.gz").write_bytes(b"x")
    with pytest.raises(FerbenchError, match=r"fer2013.tar.gz is not unpacked yet; unpack it there"):
        load("fer2013", tmp_path)


def test_arrays_may_hold_texts_and_floats(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    root = trees.affectnet_arrays(tmp_path / "A", faces)
    np.save(root / "train_set" / "annotations" / "0_exp.npy", np.array("3.0"))
    frames = load("affectnet", root).frames().set_index("frame_id")["expression"]
    assert frames["train:0.jpg/8/0"] == "surprise"


@pytest.mark.parametrize("name", ["affectnet", "rafdb", "fer2013"])
def test_two_copies_below_the_root_are_not_mixed(name: str, tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    if name == "fer2013":
        first = fer_images(tmp_path / "a", faces, ("im{}.png", "im{}.png", "im{}.png"))
    else:
        numbers = range(8) if name == "affectnet" else range(1, 8)
        first = by_number(
            tmp_path / "a",
            faces,
            ("train", "test" if name == "rafdb" else "val"),
            numbers,
            "{side}_{number:05d}.jpg" if name == "rafdb" else "image{number:07d}.jpg",
        )
    assert load(name, tmp_path).frames().equals(load(name, first).frames())
    shutil.copytree(first, tmp_path / "b")
    with pytest.raises(FerbenchError, match="holds 2 folders .*Name the folder above"):
        load(name, tmp_path)


def test_the_images_alone_are_too_low(lab_tree: Tree) -> None:
    root = lab_tree("rafdb")
    with pytest.raises(FerbenchError, match=f"The folder is too low; write dataset.root={root}"):
        load("rafdb", root / "Image")
