"""Copies of the classic datasets as users hold them: nested, renamed, mixed with what systems leave behind."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError
from ferbench.config.compose import compose
from ferbench.data.load import load_data
from ferbench.protocols.settings import AssignedSettings
from ferbench.protocols.subject_10fold_blocks import SubjectTenFoldBlocks
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.cards import CARDS
from tests import trees

Tree = Callable[[str], Path]
Face = Callable[..., Image.Image]
REGISTRY = load_registry()


def load(name: str, root: Path, **settings: Any) -> Any:
    return Component(name, {"root": str(root), **settings}).make(REGISTRY, DatasetCard)


def moved(root: Path, *pairs: tuple[str, str]) -> Path:
    """Rename folders below `root`: (from, to)."""
    for old, new in pairs:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)
    return root


def littered(root: Path) -> Path:
    """Put what macOS and Windows leave behind into every folder."""
    for folder in [root, *(p for p in root.rglob("*") if p.is_dir())]:
        file = next((p for p in sorted(folder.iterdir()) if p.is_file()), None)
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", f"._{file.name if file else '000.jpeg'}"):
            (folder / name).write_bytes(b"x")
    waste = root / "__MACOSX" / root.name
    waste.mkdir(parents=True)
    (waste / "._000.jpeg").write_bytes(b"x")
    return root


ALL = ("oulu", "ckplus7c", "mmi", "kdef", "jaffe", "rafd", "bu3dfe", "ckextended")


@pytest.mark.parametrize("name", ALL)
def test_leftovers_of_systems_change_nothing(lab_tree: Tree, own_tree: Tree, name: str) -> None:
    assert load(name, littered(own_tree(name))).fingerprint() == load(name, lab_tree(name)).fingerprint()


@pytest.mark.parametrize("name", ALL)
def test_an_archive_unpacked_inside_itself(lab_tree: Tree, own_tree: Tree, name: str) -> None:
    root = own_tree(name)
    inner = root.parent / "outer" / root.name / root.name / root.name
    inner.parent.mkdir(parents=True)
    root.rename(inner)
    assert load(name, root.parent / "outer").fingerprint() == load(name, lab_tree(name)).fingerprint()


@pytest.mark.parametrize("name", ["kdef", "jaffe", "rafd", "bu3dfe"])
def test_stills_in_any_folders_and_of_any_type(lab_tree: Tree, tmp_path: Path, name: str) -> None:
    """Flat, by class, and as PNG: the same frames in the same order."""
    official = load(name, lab_tree(name))
    for number, path in enumerate(sorted(lab_tree(name).rglob("*.*"))):
        if path.suffix.lower() not in (".jpg", ".tiff", ".bmp"):
            continue
        for folder, suffix in (("flat", path.suffix), (f"sorted/{number % 7}", path.suffix), ("png", ".png")):
            trees.save(Image.open(path), tmp_path / folder / f"{path.stem}{suffix}")
    for folder in ("flat", "sorted", "png"):
        read = load(name, tmp_path / folder).frames()
        assert read.equals(official.frames()), folder


def test_one_still_in_two_types(own_tree: Tree) -> None:
    root = own_tree("jaffe")
    path = root / "KA.AN1.1.tiff"
    Image.open(path).save(path.with_suffix(".png"))
    with pytest.raises(
        FerbenchError, match=r"1 sequence or image is there twice, with differences: .*\.png and .*\.tiff"
    ):
        load("jaffe", root)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("other", ["oulu", "ckplus7c", "mmi", "kdef"])
def test_another_dataset_is_named_without_regular_expressions(lab_tree: Tree, name: str, other: str) -> None:
    if name == other:
        return
    with pytest.raises(FerbenchError) as caught:
        load(name, lab_tree(other))
    assert f"write dataset={other}." in str(caught.value)
    assert not set("\\^$|") & set(str(caught.value))


# -- Oulu-CASIA


OULU = {
    "VL_Acropped": [("PreProcess Img/VL", "PreProcess Img/VL_Acropped")],
    "PreProcess_Img": [("PreProcess Img/VL", "PreProcess_Img/VL_Acropped")],
    "B_OriginalImg twice": [("PreProcess Img/VL", "B_OriginalImg/B_OriginalImg/OriginalImg/VL")],
    "B_OriginalImg": [("PreProcess Img/VL", "B_OriginalImg/VL")],
    "Kaggle": [("PreProcess Img/VL", "Oulu_CASIA_NIR_VIS/VL")],
    "the folder of VL": [("PreProcess Img/VL", "VL")],
    "twice": [("PreProcess Img", "PreProcess Img 2"), ("PreProcess Img 2/VL", "PreProcess Img/PreProcess Img/VL_Acropped")],
}  # fmt: skip


@pytest.mark.parametrize("form", OULU)
def test_forms_of_oulu(lab_tree: Tree, own_tree: Tree, form: str) -> None:
    root = own_tree("oulu")
    shutil.rmtree(root / "OriginalImg")
    dataset = load("oulu", moved(root, *OULU[form]))
    assert dataset.frames().equals(load("oulu", lab_tree("oulu")).frames())
    cropped = "PreProcess" in OULU[form][-1][1]
    assert dataset.which_copy().startswith(
        "the cropped faces were read" if cropped else "the original pictures were read"
    )
    assert OULU[form][-1][1] in dataset.which_copy()


def test_oulu_from_the_folder_of_a_camera(own_tree: Tree) -> None:
    root = moved(own_tree("oulu"), ("PreProcess Img/VL", "PreProcess Img/VL_Acropped"))
    below = load("oulu", root / "PreProcess Img" / "VL_Acropped")
    assert below.fingerprint() == load("oulu", root).fingerprint()
    assert "cropped faces" in below.which_copy()


def test_oulu_takes_the_original_where_no_cropped_face_is_of_the_condition(own_tree: Tree) -> None:
    root = moved(own_tree("oulu"), ("PreProcess Img/VL", "PreProcess Img/VL_Acropped"))
    shutil.rmtree(root / "OriginalImg")
    shutil.copytree(root / "PreProcess Img" / "VL_Acropped" / "Strong", root / "OriginalImg" / "VL" / "Strong")
    shutil.copytree(root / "PreProcess Img" / "VL_Acropped" / "Strong", root / "OriginalImg" / "VL" / "Weak")
    assert "the cropped faces" in load("oulu", root).which_copy()
    assert (
        "the original pictures were read (OriginalImg/VL/Weak)" in load("oulu", root, illumination="Weak").which_copy()
    )
    both = load("oulu", root, illumination="Strong+Weak")
    assert "the original pictures" in both.which_copy(), "one kind of pictures for all conditions"
    assert "the original pictures" in load("oulu", root, images="original").which_copy()
    with pytest.raises(FerbenchError, match="no cropped faces of VL/Weak; it holds OriginalImg/VL/Strong"):
        load("oulu", root, illumination="Weak", images="preprocessed")


def test_oulu_that_lacks_one_sequence(own_tree: Tree) -> None:
    root = moved(own_tree("oulu"), ("PreProcess Img/VL", "PreProcess Img/VL_Acropped"))
    shutil.rmtree(root / "PreProcess Img" / "VL_Acropped" / "Strong" / "P003" / "Fear")
    with pytest.raises(FerbenchError, match="1 sequence of Oulu-CASIA is missing .*P003 fear"):
        load("oulu", root)
    assert load("oulu", root, allow_incomplete=True).frames()["sequence"].nunique() == 59


# -- CK+


CKPLUS = {
    "as the archives unpack": [
        ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images"),
        ("Emotion", "Emotion_labels/Emotion"),
    ],
    "upper case, twice": [("cohn-kanade-images", "Cohn-Kanade-Images/x"), ("Emotion", "emotion/y")],
    "without the inner folders": [("cohn-kanade-images", "extended-cohn-kanade-images"), ("Emotion", "Emotion_labels")],
}  # fmt: skip


@pytest.mark.parametrize("form", CKPLUS)
def test_forms_of_ckplus(lab_tree: Tree, own_tree: Tree, form: str) -> None:
    root = moved(own_tree("ckplus7c"), *CKPLUS[form])
    if form == "upper case, twice":
        moved(root, ("Cohn-Kanade-Images/x", "Cohn-Kanade-Images/cohn-kanade-images"), ("emotion/y", "emotion/Emotion"))
    assert load("ckplus7c", root).fingerprint() == load("ckplus7c", lab_tree("ckplus7c")).fingerprint()


def test_landmarks_of_ckplus_as_the_archive_unpacks(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    path = root / "Landmarks" / "Landmarks" / "S005" / "001" / "S005_001_00000001_landmarks.txt"
    path.parent.mkdir(parents=True)
    path.write_text("1 2\n" * 68)
    assert load("ckplus7c", root).landmarks("S005/001/001").shape == (5, 2)


def test_a_frame_of_ckplus_in_two_types(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    path = root / "cohn-kanade-images" / "S005" / "001" / "S005_001_00000002.png"
    Image.open(path).save(path.with_suffix(".tiff"))
    with pytest.raises(FerbenchError, match=r"1 frame of CK\+ is there twice, .*002.png and .*002.tiff. With"):
        load("ckplus7c", root)
    assert len(load("ckplus7c", root, allow_incomplete=True).frames()) == 70 * 5


@pytest.fixture(scope="module")
def ck48(faces: Face, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.ck48(tmp_path_factory.mktemp("kaggle"), faces)


@pytest.mark.parametrize(("name", "sequences"), [("ckplus7c", 70), ("ckplus6", 60)])
def test_ck48_has_subjects_and_sequences(ck48: Path, lab_tree: Tree, name: str, sequences: int) -> None:
    dataset = load(name, ck48)
    frames = dataset.frames()
    assert frames["sequence"].nunique() == sequences
    assert frames["frame_id"].iloc[0] == "S005/001/013"
    assert frames["position"].tolist() == [0, 1, 2] * sequences
    assert set(frames["phase"]) == {"apex"}
    assert set(frames["subject"]) == set(load(name, lab_tree(name)).frames()["subject"])
    assert set(frames.loc[frames["sequence"] == "S005/004", "expression"]) == {"happiness"}
    assert dataset.describe(CARDS[name]).provides == CARDS[name].provides - {"neutral"}
    assert "CK+48" in dataset.which_copy()


def test_ck48_in_training_and_test_folders(ck48: Path, tmp_path: Path) -> None:
    for folder in (ck48 / "CK+48").iterdir():
        side = "train" if folder.name < "fear" else "test"
        shutil.copytree(folder, tmp_path / "CK" / side / folder.name)
    assert load("ckplus7c", tmp_path).fingerprint() == load("ckplus7c", ck48).fingerprint()


@pytest.mark.parametrize(("name", "instead"), [("ckplus7n", "ckplus6"), ("ckplus8", "ckplus7c")])
def test_ck48_has_no_neutral_class(ck48: Path, name: str, instead: str) -> None:
    with pytest.raises(
        FerbenchError, match=f"is CK.48, the last three frames .*where faces are neutral.*dataset={instead}"
    ):
        load(name, ck48)


def test_a_ck48_that_is_not_as_it_should_be(ck48: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(ck48, tmp_path / "copy"))
    (root / "CK+48" / "happy" / "S005_004_00000014.png").unlink()
    with pytest.raises(FerbenchError, match="1 sequence of CK.48 has fewer than three images .*S005/004"):
        load("ckplus7c", root)
    (root / "CK+48" / "happy" / "S005_004_00000015.png").rename(root / "CK+48" / "fear" / "S005_004_00000015.png")
    with pytest.raises(FerbenchError, match=r"1 sequence of CK.48 lies in folders of different classes: S005/004 \("):
        load("ckplus7c", root)
    shutil.copy(root / "CK+48" / "fear" / "S005_004_00000015.png", root / "CK+48" / "fear" / "me.png")
    with pytest.raises(FerbenchError, match=r"1 image .* not named like those of CK.48 .*fear/me.png"):
        load("ckplus7c", root)


def test_ck48_is_checked_and_has_the_published_folds(ferbench: Callable[..., Any], ck48: Path) -> None:
    checked = ferbench("datasets", "check", "ckplus7c", f"dataset.root={ck48}")
    assert checked.status == 1, checked.err
    assert "All 210 frames that count can be read" in checked.out, "it has no neutral faces"
    assert "not as it should be" not in checked.out
    (config,) = compose(REGISTRY, ["dataset=ckplus7c", f"dataset.root={ck48}"], method_needed=False)
    selected = load_data(REGISTRY, config).selected
    ids = sorted(selected["subject"].unique())
    assert dict(zip(selected["subject"], selected["fold"], strict=True)) == {s: ids.index(s) % 10 for s in ids}


def test_ckextended_says_what_it_lacks(lab_tree: Tree, own_tree: Tree) -> None:
    dataset = load("ckextended", lab_tree("ckextended"))
    assert dataset.frames()["expression"].value_counts()["contempt"] == 10
    assert "no subjects" in dataset.which_copy()
    with pytest.raises(FerbenchError, match=r"no folder 'cohn-kanade-images'.*write dataset=ckextended\."):
        load("ckplus7c", lab_tree("ckextended"))
    path = own_tree("ckextended") / "ckextended.csv"
    text = path.read_text()
    for old, new, sentence in (
        ("\n0,", "\n9,", "1 row of .* has another emotion than 0 to 7: '9' in row 2"),
        (
            "Training",
            "Practice",
            "1 row of .* has another Usage than Training, PublicTest, PrivateTest: 'Practice' in row 2",
        ),
        ("pixels", "dots", "has no column pixels; it has emotion, dots, usage"),
    ):
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(FerbenchError, match=sentence):
            load("ckextended", path.parent)


# -- MMI


def session(root: Path, number: int, name: str, size: tuple[int, int], view: int = 0, emotion: int = 4) -> Path:
    """A session of five frames of `size`, whose left upper quarter is white."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = 255
    folder = root / "Sessions" / str(number)
    trees.film([Image.fromarray(picture)] * 5, folder / f"{name}.avi", "mpeg4")
    (folder / "session.xml").write_text(f'<session><track type="Video" view="{view}"/></session>')
    (folder / f"{name}.xml").write_text(f'<Metadata><Metatag Name="Emotion" Value="{emotion}"/></Metadata>')
    return folder


def white(image: np.ndarray) -> str:
    """The quarter of a picture that is white."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    light = {
        "left upper": image[:height, :width].mean(), "right upper": image[:height, width:].mean(),
        "left lower": image[height:, :width].mean(), "right lower": image[height:, width:].mean(),
    }  # fmt: skip
    return max(light, key=light.__getitem__)


def test_mmi_turns_what_is_stored_lying(tmp_path: Path) -> None:
    session(tmp_path, 1, "S031-001", (144, 96))
    session(tmp_path, 2, "S053-001", (640, 480))
    session(tmp_path, 3, "S032-001", (96, 144))
    session(tmp_path, 4, "S021-001", (144, 96), view=1)
    dataset = load("mmi", tmp_path, views="all")
    turned = dataset.image("S031/001/002")
    assert turned.shape == (144, 96, 3)
    assert white(turned) == "right upper", "clockwise"
    side = dataset.image("S021/001/002")
    assert (side.shape, white(side)) == ((144, 96, 3), "left lower"), "counter-clockwise"
    assert dataset.image("S053/001/002").shape == (480, 640, 3)
    assert dataset.image("S032/001/002").shape == (144, 96, 3)
    assert "2 of 4 sequences are stored lying on the side and were turned upright" in dataset.which_copy()
    never = load("mmi", tmp_path, views="all", turn="never")
    assert never.image("S031/001/002").shape == (96, 144, 3)
    assert "were left so (dataset.turn=never)" in never.which_copy()
    assert never.fingerprint() != dataset.fingerprint()
    with pytest.raises(FerbenchError, match="value of dataset.turn"):
        load("mmi", tmp_path, turn="left")


def test_mmi_cuts_out_the_front_of_both_views(tmp_path: Path) -> None:
    session(tmp_path, 1, "S001-001", (144, 96), view=2)
    session(tmp_path, 2, "S003-001", (144, 96), view=2)
    session(tmp_path, 3, "S040-001", (144, 96), view=2)
    dataset = load("mmi", tmp_path)
    assert dataset.image("S001/001/000").shape == (96, 72, 3)
    assert dataset.image("S001/001/000").mean() < 10, "the right half"
    assert dataset.image("S003/001/000").mean() > 100, "the left half"
    assert set(dataset.frames()["subject"]) == {"S001", "S003"}
    assert "1 session of both views was left out" in dataset.which_copy()
    assert load("mmi", tmp_path, views="all").image("S040/001/000").shape == (96, 144, 3)


def test_mmi_in_several_downloads(tmp_path: Path) -> None:
    for date, number in (("2019-04-27_05_06_23", 1), ("2020-12-13_20_07_13", 2)):
        root = tmp_path / f"mmi-facial-expression-database_download_{date}"
        session(root, number, f"S031-00{number}", (96, 96))
    shutil.copytree(root / "Sessions" / "2", root.parent / "again" / "Sessions" / "2")
    dataset = load("mmi", tmp_path)
    assert set(dataset.frames()["sequence"]) == {"S031/001", "S031/002"}
    assert "3 downloads were read together" in dataset.which_copy()
    assert "1 sequence or image is there twice with equal content" in dataset.which_copy()


def test_mmi_from_a_folder_of_sessions(tmp_path: Path) -> None:
    session(tmp_path, 1, "S031-001", (96, 96))
    (tmp_path / "Sessions").rename(tmp_path / "videos")
    assert len(load("mmi", tmp_path / "videos").frames()) == 5


def test_photographs_of_mmi_are_no_sequences(tmp_path: Path) -> None:
    session(tmp_path, 1, "S031-001", (96, 96))
    folder = session(tmp_path, 2, "S031-002", (96, 96))
    (folder / "S031-002.avi").unlink()
    Image.new("RGB", (96, 96)).save(folder / "S031-002.jpg")
    dataset = load("mmi", tmp_path)
    assert set(dataset.frames()["sequence"]) == {"S031/001"}
    assert "1 labelled session of photographs is no sequence" in dataset.which_copy()


MMI_FOLDS = """
S050 S053 S054|S047 S048 S049|S044 S045 S046|S041 S042 S043|S038 S039 S040|S034 S035 S036 S037|S031 S032 S033|S016 S028 S030|
S005 S006 S015|S001 S002 S003
"""


def test_blocks_of_subjects_are_the_public_folds_of_mmi() -> None:
    import pandas as pd

    folds = [part.split() for part in MMI_FOLDS.split("|")]
    table = pd.DataFrame({"subject": sorted(s for fold in folds for s in fold)})
    given = SubjectTenFoldBlocks(AssignedSettings()).assign_folds(table)
    assert [table.loc[given == number, "subject"].tolist() for number in range(10)] == folds
    assert CARDS["mmi"].protocol == "subject_10fold_blocks"
    ck = pd.DataFrame({"subject": [f"S{i:03d}" for i in range(118)]})
    sizes = np.bincount(SubjectTenFoldBlocks(AssignedSettings()).assign_folds(ck))
    assert sizes.tolist() == [12, 12, 11, 12, 12, 12, 12, 11, 12, 12], "the public list of CK+"
    other = SubjectTenFoldBlocks(dataclasses.replace(AssignedSettings(), assignment=1)).assign_folds(table)
    assert sorted(np.bincount(other)) == sorted(np.bincount(given))
    assert (other != given).any()


# -- KDEF


def kdef_people(root: Path) -> Iterator[Path]:
    for person in ("AF31", "AM31", "AF01", "BM24"):
        for code in ("AF", "AN", "DI", "HA", "NE", "SA", "SU"):
            for angle in ("FL", "HL", "S", "HR", "FR"):
                path = root / "KDEF_and_AKDEF" / "KDEF_and_AKDEF" / "KDEF" / person / f"{person}{code}{angle}.JPG"
                trees.save(Image.new("RGB", (20, 26), (100, 90, 80)), path)
                yield path


@pytest.fixture
def kdef_zip(tmp_path: Path) -> Path:
    """As the archive unpacks into itself, with its faults: wrong names, black pictures, average faces beside."""
    root = tmp_path / "data"
    paths = {p.stem: p for p in kdef_people(root)}
    paths["AF31SAHL"].rename(paths["AF31SAHL"].with_name("AF31V.JPG"))
    paths["AM31SUHR"].rename(paths["AM31SUHR"].with_name("AM31H.JPG"))
    for name in ("AF01SUFR", "BM24DIFL"):
        Image.new("RGB", (20, 26), (1, 0, 1)).save(paths[name])
    for name in ("FAFS.JPG", "FAHR.JPG", "MNES.jpg"):
        trees.save(Image.new("RGB", (20, 26)), root / "KDEF_and_AKDEF" / "KDEF_and_AKDEF" / "AKDEF" / name)
    return root


def test_kdef_as_published(kdef_zip: Path) -> None:
    straight = load("kdef", kdef_zip)
    assert len(straight.frames()) == 4 * 7
    assert "3 average faces (AKDEF) are no frames" in straight.which_copy()
    assert "black" not in straight.which_copy(), "none of these is straight"
    every = load("kdef", kdef_zip, angles="all")
    assert len(every.frames()) == 4 * 7 * 5 - 2
    ids = set(every.frames()["frame_id"])
    assert {"F31/A-SA-HL/HL", "M31/A-SU-HR/HR"} <= ids
    assert not {"F01/A-SU-FR/FR", "M24/B-DI-FL/FL"} & ids
    assert "AF31V as AF31SAHL, AM31H as AM31SUHR" in every.which_copy()
    assert "2 pictures that are black in the published copy were left out (AF01SUFR, BM24DIFL)" in every.which_copy()
    assert not every.irregularities()


def test_a_picture_of_kdef_that_is_not_black_is_kept(kdef_zip: Path) -> None:
    """Where somebody got the right picture from the owners."""
    Image.new("RGB", (20, 26), (90, 90, 90)).save(next(kdef_zip.rglob("AF01SUFR.JPG")))
    assert "F01/A-SU-FR/FR" in set(load("kdef", kdef_zip, angles="all").frames()["frame_id"])


def test_kdef_flat_with_average_faces_between(kdef_zip: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in kdef_zip.rglob("*.*"):
        shutil.copy(path, flat / path.name)
    assert load("kdef", flat, angles="all").fingerprint() == load("kdef", kdef_zip, angles="all").fingerprint()


# -- JAFFE


def test_jaffe_as_its_archive_unpacks(lab_tree: Tree, tmp_path: Path) -> None:
    folder = tmp_path / "jaffedbase" / "jaffe"
    for path in lab_tree("jaffe").glob("*.tiff"):
        trees.save(Image.open(path), folder / f"{path.stem}.jpg")
    for name in ("README", "README~", "a_names.dat", ".DS_Store"):
        (folder / name).write_bytes(b"x")
    trees.save(Image.new("L", (48, 48)), folder / "KM.SA5.13.tiff.bmp")
    frames = load("jaffe", tmp_path).frames()
    assert len(frames) == 71
    assert "KM/SA5/13" in set(frames["frame_id"])
