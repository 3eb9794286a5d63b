"""Images in folders: classes, splits, numbers, identities, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError
from ferbench.interfaces.dataset import check_frames
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.cards import CARDS

REGISTRY = load_registry()
CLASSES = ("Angry", "happy", "sadness")


def load(root: Path, **settings: Any) -> Any:
    return Component("folders", {"root": str(root), **settings}).make(REGISTRY, DatasetCard)


def card(dataset: Any) -> DatasetCard:
    described: DatasetCard = dataset.describe(CARDS["folders"])
    return described


def picture(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (level % 256, level // 256, 7)).save(path)


def build(
    root: Path, sides: tuple[str, ...] = ("",), names: tuple[str, ...] = CLASSES, file: str = "{i:03d}.png"
) -> Path:
    """Four images in each class of each split, no two alike."""
    level = 0
    for side in sides:
        for name in names:
            for i in range(4):
                level += 1
                picture(root / side / name / file.format(i=i, level=level), level)
    return root


@pytest.mark.parametrize("above", ["", "archive", "data/archive"])
def test_folders_of_classes(tmp_path: Path, above: str) -> None:
    build(tmp_path / "D" / above)
    (tmp_path / "D" / above / ".DS_Store").write_bytes(b"x")
    (tmp_path / "D" / above / "__MACOSX" / "happy").mkdir(parents=True)
    dataset = load(tmp_path / "D")
    frames = check_frames(dataset.frames(), card(dataset))
    assert card(dataset).expressions == ("anger", "happiness", "sadness")
    assert (card(dataset).provides, card(dataset).protocol) == (frozenset(), "image_kfold")
    assert frames["frame_id"].iloc[0] == "Angry/000.png/0"
    assert frames["subject"].nunique() == 12
    assert dataset.which_copy() == "folders by class"


@pytest.mark.parametrize(
    ("sides", "splits"),
    [
        (("train", "test"), {"train": 12, "test": 12}),
        (("Train", "TEST", "Validation"), {"train": 12, "test": 12, "val": 12}),
        (("train", "valid"), {"train": 12, "test": 12}),
        (("training", "testing"), {"train": 12, "test": 12}),
    ],
)
def test_folders_of_splits(tmp_path: Path, sides: tuple[str, ...], splits: dict[str, int]) -> None:
    dataset = load(build(tmp_path / "D", sides))
    assert dataset.frames()["split"].value_counts().to_dict() == splits
    assert (card(dataset).provides, card(dataset).protocol) == (frozenset({"split"}), "fixed")
    assert ("no test set" in dataset.which_copy()) == (sides == ("train", "valid"))


def test_a_single_split_is_none(tmp_path: Path) -> None:
    dataset = load(build(tmp_path / "D", ("train",)))
    assert "split" not in dataset.frames()
    assert "the only split is train" in dataset.which_copy()


def test_nested_copies_and_empty_folders(tmp_path: Path) -> None:
    root = build(tmp_path / "D", ("train/train", "test/test"))
    (root / "train" / "train" / "fear").mkdir()
    dataset = load(root)
    assert dataset.frames()["split"].value_counts().to_dict() == {"train": 12, "test": 12}
    assert "folders without an image: train/fear" in dataset.which_copy()
    assert "fear" not in card(dataset).expressions


def test_numbers_are_what_the_codes_say(tmp_path: Path) -> None:
    root = build(tmp_path / "D", names=("0", "1", "6"))
    with pytest.raises(
        FerbenchError, match=r"folders called by numbers: 0, 1, 6. .*dataset.codes=affectnet\|ckplus\|fer2013"
    ):
        load(root)
    assert card(load(root, codes="affectnet")).expressions == ("anger", "happiness", "neutral")
    assert card(load(root, codes="fer2013")).expressions == ("anger", "disgust", "neutral")
    with pytest.raises(
        FerbenchError, match=r"1 folder has numbers that dataset.codes=rafdb lacks \(1 surprise, .*\): 0"
    ):
        load(root, codes="rafdb")
    with pytest.raises(FerbenchError, match="There is no value of dataset.codes 'raf'"):
        load(root, codes="raf")


def test_numbers_before_a_word_are_passed_over(tmp_path: Path) -> None:
    assert card(load(build(tmp_path / "D", names=("0_neutral", "1 - Anger")))).expressions == ("anger", "neutral")


def test_folders_that_are_no_class_are_refused(tmp_path: Path) -> None:
    root = build(tmp_path / "D", ("train", "test"))
    picture(root / "train" / "landscapes" / "1.png", 900)
    picture(root / "models" / "1.png", 901)
    picture(root / "train" / "loose.png", 902)
    picture(root / "looser.png", 903)
    with pytest.raises(
        FerbenchError,
        match="4 folders or images in .* belong to no class .*models, looser.png, train/landscapes, train/loose.png",
    ):
        load(root)
    dataset = load(root, allow_incomplete=True)
    assert len(dataset.frames()) == 24
    assert "landscapes" in dataset.irregularities()[0]


def test_no_folder_is_a_class(tmp_path: Path) -> None:
    with pytest.raises(
        FerbenchError, match="None of the folders in .* is called by an expression or a split: cats, dogs"
    ):
        load(build(tmp_path / "D", names=("dogs", "cats")))
    (tmp_path / "E").mkdir()
    with pytest.raises(FerbenchError, match="it holds nothing"):
        load(tmp_path / "E")
    for name in CLASSES:
        (tmp_path / "F" / name).mkdir(parents=True)
    with pytest.raises(FerbenchError, match="no image in its folders"):
        load(tmp_path / "F")


def test_the_same_picture_in_two_classes_is_refused(tmp_path: Path) -> None:
    root = build(tmp_path / "D")
    shutil.copy(root / "happy" / "001.png", root / "sadness" / "other.png")
    shutil.copy(root / "happy" / "002.png", root / "happy" / "again.png")
    with pytest.raises(
        FerbenchError, match="1 picture is in several classes at once: happy/001.png and sadness/other.png"
    ):
        load(root)
    dataset = load(root, allow_incomplete=True)
    left = set(dataset.frames()["frame_id"])
    assert not left & {"happy/001.png/0", "sadness/other.png/0"}
    assert "1 image is there again in the same class" in dataset.which_copy()


# -- identities


def people(root: Path) -> Path:
    """S001_01_001.png: three subjects, a sequence of three frames for each class."""
    level = 0
    for subject in range(3):
        for sequence, name in enumerate(("neutral", "happy"), 1):
            for position in (9, 10, 8):
                level += 1
                picture(root / name / f"S{subject:03d}_{sequence:02d}_{position}.png", level)
    return root


def test_a_pattern_says_who_is_seen(tmp_path: Path) -> None:
    dataset = load(people(tmp_path / "D"), pattern="{subject}_{sequence}_{position}")
    frames = check_frames(dataset.frames(), card(dataset))
    assert card(dataset).provides == {"subject", "sequence", "neutral"}
    assert card(dataset).protocol == "subject_kfold"
    assert frames["subject"].nunique() == 3
    assert frames["sequence"].nunique() == 6
    one = frames[frames["sequence"] == "S000/02/happiness"]
    assert one["frame_id"].tolist() == [f"S000/02/happiness/{n}" for n in ("8", "9", "10")], "by number, not by name"


def test_a_pattern_may_leave_parts_out(tmp_path: Path) -> None:
    root = build(tmp_path / "D", file="anna-{level}.jpg")
    dataset = load(root, pattern="{subject}-{position}.jpg")
    assert set(dataset.frames()["subject"]) == {"anna"}
    assert card(dataset).provides == {"subject"}


@pytest.mark.parametrize(
    "pattern", ["{person}_{position}", "S001", "{subject}_{subject}", "{position}", r"(?P<subject>\d+)"]
)
def test_patterns_that_are_none(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(
        FerbenchError, match=r"write what names of images say with \{subject\}, \{sequence\} and \{position\}"
    ) as caught:
        load(build(tmp_path / "D"), pattern=pattern)
    assert "(?P" not in str(caught.value).replace(pattern, "")


def test_names_that_a_pattern_does_not_describe(tmp_path: Path) -> None:
    root = people(tmp_path / "D")
    picture(root / "happy" / "holiday.png", 500)
    with pytest.raises(
        FerbenchError, match=r"1 image is not named as dataset.pattern=\{subject\}_.* says: happy/holiday.png"
    ):
        load(root, pattern="{subject}_{sequence}_{position}")


def test_two_images_with_one_position(tmp_path: Path) -> None:
    root = people(tmp_path / "D")
    picture(root / "happy" / "S000_02_9.jpg", 500)
    with pytest.raises(FerbenchError, match="have the same position, 9, in the sequence S000/02/happiness"):
        load(root, pattern="{subject}_{sequence}_{position}")


def listed(root: Path, text: str) -> str:
    (root.parent / "people.csv").write_text(text, encoding="utf-8")
    return str(root.parent / "people.csv")


def test_a_file_says_who_is_seen(tmp_path: Path) -> None:
    root = build(tmp_path / "D")
    rows = [
        f"{p.relative_to(root).as_posix()};NA;{'train' if i % 2 else 'Test'}"
        for i, p in enumerate(sorted(root.rglob("*.png")))
    ]
    dataset = load(root, file=listed(root, "\n".join(["path;subject;split", *rows])))
    assert set(dataset.frames()["subject"]) == {"NA"}
    assert dataset.frames()["split"].value_counts().to_dict() == {"train": 6, "test": 6}
    assert card(dataset).provides == {"subject", "split"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,subject\na,b\n", "has no column path; it has file, subject"),
        ("path,age\na,3\n", "has none of the columns subject, sequence, position and split"),
        ("path,subject\nhappy/000.png,\n", "row 2, has no subject"),
        ("path,split\nhappy/000.png,elsewhere\n", "row 2, has no split called train, val or test"),
        ("path,subject\nhappy/000.png,a\nhappy/000.png,b\n", "row 3, names 'happy/000.png' again"),
        ("path,subject\nhappy/000.png,a\n", "11 images are not listed in .*people.csv"),
        ("path,subject\nhappy/none.png,a\n", "1 image of .*people.csv is missing"),
    ],
)
def test_files_that_say_too_little(tmp_path: Path, text: str, sentence: str) -> None:
    root = build(tmp_path / "D")
    with pytest.raises(FerbenchError, match=sentence):
        load(root, file=listed(root, text))
    with pytest.raises(FerbenchError, match="leave one of them out"):
        load(root, file=listed(root, text), pattern="{subject}")


@pytest.mark.parametrize("form", ["relative", "absolute", "resolved", "dotted"])
def test_paths_and_columns_as_people_write_them(tmp_path: Path, form: str) -> None:
    build(tmp_path / "real" / "D")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    root = tmp_path / "link" / "D"
    above = {"relative": "", "absolute": f"{root}/", "resolved": f"{root.resolve()}/", "dotted": "./x/../"}[form]
    rows = [f"{above}{p.relative_to(root).as_posix()},P{p.stem}" for p in sorted(root.rglob("*.png"))]
    dataset = load(root, file=listed(root, "\n".join(["Path,Subject", *rows])))
    assert set(dataset.frames()["subject"]) == {"P000", "P001", "P002", "P003"}


def test_an_image_that_two_paths_name(tmp_path: Path) -> None:
    root = build(tmp_path / "D" / "inner").parent
    text = "path,subject\nhappy/000.png,a\ninner/happy/000.png,b\n"
    with pytest.raises(FerbenchError, match="row 3, names 'inner/happy/000.png' again, the image of row 2"):
        load(root, file=listed(root, text))
    with pytest.raises(FerbenchError, match="has several columns called 'path'"):
        load(root, file=listed(root, "path,Path,subject\na,b,c\n"))


def test_folders_of_no_class_that_lie_too_deep(tmp_path: Path) -> None:
    root = tmp_path / "D"
    picture(root / "a" / "b" / "c" / "d" / "e" / "f" / "1.png", 1)
    with pytest.raises(FerbenchError, match=r"None of the folders in .*/D/a/b/c/d is called by .*: e\. "):
        load(root)


# -- beside datasets that have a reader of their own


def test_a_copy_with_a_reader_of_its_own_is_named(lab_tree: Callable[[str], Path], tmp_path: Path) -> None:
    root = build(tmp_path / "F", ("train", "test"), file="Training_{level}.png")
    assert "it looks like FER2013, and dataset=fer2013" in load(root).which_copy()
    with pytest.raises(FerbenchError, match="It looks like KDEF: write dataset=kdef"):
        load(lab_tree("kdef"))


def test_a_run_on_folders(ferbench: Callable[..., Any], tmp_path: Path) -> None:
    root = build(tmp_path / "my 数据", ("train", "test"))
    words = ["budget=smoke", f"results_dir={tmp_path / 'results'}", "trainer.device=cpu", "protocol.folds=[0]"]
    done = ferbench("run", "method=cross_entropy", "dataset=folders", f"dataset.root={root}", *words)
    assert done.status == 0, done.err
    checked = ferbench("datasets", "check", "folders", f"dataset.root={root}")
    assert "frames that count can be read" in checked.out, checked.err


def test_braces_in_a_path_are_no_placeholders(tmp_path: Path) -> None:
    root = build(tmp_path / "my {copy} {0}", ("train", "test"))
    picture(root / "models {x}" / "1.png", 901)
    with pytest.raises(
        FerbenchError, match=r"1 folder or image in .*my \{copy\} \{0\} belongs to no class .*models \{x\}"
    ):
        load(root)


def test_folders_by_number_are_recognised(tmp_path: Path) -> None:
    root = build(tmp_path / "D", ("train", "test"), names=("3", "4"))
    with pytest.raises(FerbenchError, match="write dataset=folders dataset.codes=WHOSE"):
        Component("oulu", {"root": str(root)}).make(REGISTRY, DatasetCard)
