"""SFEW, CAER-S, ExpW, RADIATE, MEAD and the micro-expression datasets: the forms of their copies, and what is wrong with others."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError, FrameError, UnknownName
from ferbench.config.compose import compose
from ferbench.data.load import load_data
from ferbench.protocols.select import select
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.cards import CARDS
from ferbench_labdata.layout import LOOKS
from ferbench_labdata.megc2019 import LEFT_OUT
from ferbench_labdata.spreadsheet import records
from tests import trees

Tree = Callable[[str], Path]
REGISTRY = load_registry()
NEW = ("sfew", "caers", "expw", "radiate", "mead", "casme2", "samm", "smic", "megc2019")
WITH_LOOKS = [name for name in NEW if name != "megc2019"]


def load(name: str, root: Path, **settings: Any) -> Any:
    return Component(name, {"root": str(root), **settings}).make(REGISTRY, DatasetCard)


def ids(dataset: Any) -> list[str]:
    return list(dataset.frames()["frame_id"])


# -- all of them


@pytest.mark.parametrize("name", NEW)
def test_a_copy_nested_below_other_folders_is_the_same_dataset(own_tree: Tree, lab_tree: Tree, name: str) -> None:
    root = own_tree(name)
    above = root.parent / "my data"
    (above / "2026").mkdir(parents=True)
    shutil.move(root, above / "2026" / "unpacked")
    (above / ".DS_Store").write_bytes(b"x")
    nested = load(name, above)
    plain = load(name, lab_tree(name))
    assert ids(nested) == ids(plain)
    assert nested.fingerprint() == plain.fingerprint()


@pytest.mark.parametrize("name", NEW)
def test_another_dataset_is_recognised(lab_tree: Tree, name: str) -> None:
    with pytest.raises(FerbenchError, match=r"It looks like .*: write dataset=bu3dfe\."):
        load(name, lab_tree("bu3dfe"))


@pytest.mark.parametrize("name", WITH_LOOKS)
def test_each_is_recognised(lab_tree: Tree, name: str) -> None:
    with pytest.raises(FerbenchError, match=rf"It looks like .*: write dataset={name}\."):
        load("kdef", lab_tree(name))


@pytest.mark.parametrize("name", WITH_LOOKS)
def test_an_empty_folder_says_what_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FerbenchError) as caught:
        load(name, tmp_path / "empty")
    assert "it holds nothing" in str(caught.value)
    assert LOOKS[name][0].example in str(caught.value)


# -- SFEW and CAER-S


def test_sfews_validation_set_is_tested_and_its_test_set_left_out(lab_tree: Tree) -> None:
    dataset = load("sfew", lab_tree("sfew"))
    frames = dataset.frames()
    assert frames["split"].value_counts().to_dict() == {"train": 42, "test": 28}
    assert set(frames["film"]) == {f"Film{i}" for i in range(10)}
    assert "the test images were left out: their labels are not public" in dataset.which_copy()


def test_sfew_in_its_other_forms(own_tree: Tree, lab_tree: Tree) -> None:
    """Both archives in one folder; and the classes right below Train and Val."""
    root = own_tree("sfew")
    expected = ids(load("sfew", lab_tree("sfew")))
    flat, short = root.parent / "flat", root.parent / "short"
    shutil.copytree(root / "Train" / "Train_Aligned_Faces", flat / "images" / "Train_Aligned_Faces")
    shutil.copytree(root / "Val" / "Val_Aligned_Faces_new" / "Val_Aligned_Faces", flat / "images" / "Val_Aligned_Faces")
    assert ids(load("sfew", flat)) == expected
    shutil.copytree(root / "Train" / "Train_Aligned_Faces", short / "Train")
    shutil.copytree(root / "Val" / "Val_Aligned_Faces_new" / "Val_Aligned_Faces", short / "Val")
    assert ids(load("sfew", short)) == expected


def test_a_side_that_is_missing(own_tree: Tree) -> None:
    root = own_tree("sfew")
    shutil.rmtree(root / "Val")
    with pytest.raises(FerbenchError, match="no folder 'Val_Aligned_Faces_new', 'Val_Aligned_Faces', 'Val'"):
        load("sfew", root)
    (root / "Val").mkdir()
    with pytest.raises(FerbenchError, match="Val holds no folders of the classes of SFEW 2.0, such as 'Fear'"):
        load("sfew", root)


def test_a_side_that_is_there_twice_and_differs(own_tree: Tree) -> None:
    root = own_tree("caers")
    shutil.copytree(root / "CAER-S" / "test", root / "old" / "test")
    with pytest.raises(FerbenchError, match="holds 2 folders called 'test'"):
        load("caers", root)


def test_a_class_without_images(own_tree: Tree) -> None:
    root = own_tree("caers")
    shutil.rmtree(root / "CAER-S" / "test" / "Fear")
    with pytest.raises(FerbenchError, match=r"1 class of CAER-S has no images in .*: fear \(test\)"):
        load("caers", root)
    dataset = load("caers", root, allow_incomplete=True)
    assert dataset.frames()["sequence"].nunique() == 66
    assert len(dataset.irregularities()) == 1


def test_caers_counts_anew_in_each_class(lab_tree: Tree) -> None:
    dataset = load("caers", lab_tree("caers"))
    assert {"train:anger:0002/photo/0", "train:fear:0002/photo/0", "test:anger:0001/photo/0"} <= set(ids(dataset))
    assert CARDS["caers"].provides == {"split"}


# -- ExpW


def test_expws_faces_are_cut_out_of_their_pictures(tmp_path: Path) -> None:
    """A picture whose left half is red and right half is blue: each box shows its own."""
    root = tmp_path / "ExpW"
    scene = Image.new("RGB", (100, 40), (250, 0, 0))
    scene.paste((0, 0, 250), (50, 0, 100, 40))
    trees.save(scene, root / "image" / "origin" / "two people.png")
    (root / "label.lst").write_text("two people.png 0 10 5 45 30 9.5 0\ntwo people.png 1 -4 60 140 38 9.5 6\n")
    dataset = load("expw", root)
    left, right = dataset.image("two people/0/0"), dataset.image("two people/1/0")
    assert (left.shape, right.shape) == ((20, 40, 3), (38, 40, 3)), "the second box is cut off where the picture ends"
    assert (left == [250, 0, 0]).all()
    assert (right == [0, 0, 250]).all()
    assert dataset.picture("two people/0/0", 8).size == (40, 20), "a picture is not reduced: the box is in its pixels"
    assert dataset.frames()["expression"].tolist() == ["anger", "neutral"]


def test_faces_of_one_picture_are_never_on_both_sides(lab_tree: Tree) -> None:
    root = lab_tree("expw")
    frames = load("expw", root).frames()
    assert (frames.groupby("subject")["split"].nunique() == 1).all()
    assert set(frames["split"]) == {"train", "test"}
    tested = [
        set(f.loc[f["split"] == "test", "subject"]) for f in (load("expw", root, part=i).frames() for i in range(5))
    ]
    assert set.union(*tested) == set(frames["subject"])
    assert sum(map(len, tested)) == frames["subject"].nunique(), "each picture is tested once"
    with pytest.raises(FerbenchError, match="dataset.part is 5; it can be 0 to 4"):
        load("expw", root, part=5)


def test_lines_of_expw_that_are_there_twice(own_tree: Tree) -> None:
    root = own_tree("expw")
    assert "1 line of label.lst is there twice, and was read once" in load("expw", root).which_copy()
    path = root / "label" / "label.lst"
    first = path.read_text().splitlines()[0]
    path.write_text(path.read_text() + first.rpartition(" ")[0] + " 5\n")
    with pytest.raises(
        FerbenchError, match=r"label.lst has 1 face twice, with different boxes or labels: face 0 of .*line 142"
    ):
        load("expw", root)
    frames = load("expw", root, allow_incomplete=True).frames().set_index("frame_id")["expression"]
    assert frames["anger_actor_0/0/0"] == "anger"


@pytest.mark.parametrize(
    "line", ["a.jpg 0 1 2 3 4 9.5 7", "a.jpg 0 1 2 3 4 9.5", "a.jpg 0 1 2 x 4 9.5 1", "a.jpg one 1 2 3 4 9 1"]
)
def test_a_line_of_expw_that_is_none(own_tree: Tree, line: str) -> None:
    root = own_tree("expw")
    path = root / "label" / "label.lst"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(
        FerbenchError, match=f"label.lst, line 142, is '{line}'; lines are like 'angry_actor_104.jpg 0 "
    ):
        load("expw", root)


def test_pictures_of_expw_that_are_missing(own_tree: Tree) -> None:
    root = own_tree("expw")
    gone = root / "image" / "origin" / "fear_actor_3.png"
    gone.unlink()
    with pytest.raises(FerbenchError, match=r"1 picture of label.lst is missing in .*origin: fear_actor_3.png"):
        load("expw", root)
    assert load("expw", root, allow_incomplete=True).frames()["sequence"].nunique() == 138
    shutil.rmtree(root / "image")
    with pytest.raises(FerbenchError, match="no folder 'origin' or 'image' with the pictures"):
        load("expw", root)
    (root / "image").mkdir()
    with pytest.raises(FerbenchError, match="none of the pictures of label.lst in .*image"):
        load("expw", root)


def test_a_box_outside_of_its_picture(own_tree: Tree) -> None:
    root = own_tree("expw")
    path = root / "label" / "label.lst"
    path.write_text("fear_actor_3.png 0 8 500 553 56 22.5 2\n" + path.read_text())
    dataset = load("expw", root, allow_incomplete=True)
    with pytest.raises(
        FrameError, match=r"fear_actor_3.png \(500 to 553, 8 to 56\) lies outside of the picture, which has 120 x 60"
    ):
        dataset.image("fear_actor_3/0/0")


def test_another_box_is_another_dataset(own_tree: Tree) -> None:
    root = own_tree("expw")
    before = load("expw", root).fingerprint()
    path = root / "label" / "label.lst"
    path.write_text(path.read_text().replace(" 12 72 120 60 ", " 12 73 120 60 "))
    assert load("expw", root).fingerprint() != before


# -- RADIATE


def test_radiates_names(lab_tree: Tree) -> None:
    frames = load("radiate", lab_tree("radiate")).frames().set_index("frame_id")
    assert len(frames) == 10 * 16
    smile = frames.loc["AF01/HE/HE"]
    assert (smile["expression"], smile["race"], smile["sex"], smile["mouth"]) == (
        "happiness",
        "Asian",
        "female",
        "expressive",
    )
    assert frames.loc["AF01/SUR/SUR", "mouth"] == "open"
    assert frames.loc["AF01/NC/NC", "phase"] == "neutral"
    assert frames["subject"].nunique() == 10


def test_radiate_in_one_folder(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("radiate")
    flat = root.parent / "raw"
    flat.mkdir()
    for path in root.rglob("*.jpg"):
        shutil.copy(path, flat)
    assert ids(load("radiate", flat)) == sorted(ids(load("radiate", lab_tree("radiate"))))


def test_radiate_in_several_versions(own_tree: Tree) -> None:
    root = own_tree("radiate")
    path = root / "RADIATE_JPEGS1" / "AF01" / "AF01_AC.jpg"
    trees.save(Image.open(path), root / "RADIATE_BMP" / "AF01" / "AF01_AC.bmp")
    with pytest.raises(
        FerbenchError, match=r"holds RADIATE in several versions: .*AF01_AC.bmp and .*AF01_AC.jpg.*write dataset.root="
    ):
        load("radiate", root)
    (root / "RADIATE_BMP" / "AF01" / "AF01_AC.bmp").unlink()
    shutil.copytree(root / "RADIATE_JPEGS1", root / "RADIATE_BMP" / "RADIATE_JPEGS1")
    assert "80 sequences or images are there twice with equal content" in load("radiate", root).which_copy()


def test_a_photograph_that_is_none_of_radiates(own_tree: Tree) -> None:
    root = own_tree("radiate")
    shutil.copy(root / "RADIATE_JPEGS1" / "AF01" / "AF01_AC.jpg", root / "AF01_XX.jpg")
    with pytest.raises(FerbenchError, match=r"1 image .*not named like those of radiate \(AF01_AC.jpg\): AF01_XX.jpg"):
        load("radiate", root)


# -- MEAD


def test_meads_views_and_levels(lab_tree: Tree) -> None:
    root = lab_tree("mead")
    front = load("mead", root)
    frames = front.frames()
    assert set(frames["view"]) == {"front"}
    assert set(frames["intensity"].dropna()) == {1, 3}
    assert frames.loc[frames["expression"] == "neutral", "intensity"].isna().all()
    assert set(load("mead", root, levels="3").frames()["intensity"]) == {3}
    left = load("mead", root, views="left_30+right_60")
    assert set(left.frames()["subject"]) == {"M003"}
    assert (
        "9 actors have no clip of the chosen views and levels: M005, M007, M009, M011, W004 and 4 more"
        in left.which_copy()
    )
    with pytest.raises(FerbenchError, match="dataset.views is 'side'; it can be front, down, top, left_30"):
        load("mead", root, views="side")
    chosen = select(frames, CARDS["mead"], "auto")
    assert chosen.groupby("sequence")["position"].apply(list).iloc[0] == [3, 4, 5]


def test_the_folder_of_one_actor(lab_tree: Tree) -> None:
    """Its name is the subject's; an archive was unpacked into a folder of its own."""
    assert set(load("mead", lab_tree("mead") / "M003").frames()["subject"]) == {"M003"}
    assert set(load("mead", lab_tree("mead") / "W004").frames()["subject"]) == {"W004"}


def test_archives_of_mead_that_are_not_unpacked(own_tree: Tree) -> None:
    root = own_tree("mead")
    shutil.rmtree(root / "W006" / "video")
    with pytest.raises(FerbenchError, match=r"1 archive of MEAD is not unpacked: W006/video.tar\."):
        load("mead", root)
    assert load("mead", root, allow_incomplete=True).frames()["subject"].nunique() == 9
    for folder in root.glob("*/video"):
        shutil.rmtree(folder)
    with pytest.raises(
        FerbenchError, match=r"holds MEAD's archives and no videos: M003/video.tar.*as in tar -xf video.tar\."
    ):
        load("mead", root)


def test_a_video_that_lies_elsewhere(own_tree: Tree) -> None:
    root = own_tree("mead")
    (root / "extra").mkdir()
    shutil.copy(root / "M003" / "video" / "front" / "angry" / "level_1" / "001.mp4", root / "extra" / "talk.mp4")
    with pytest.raises(
        FerbenchError, match=r"1 video does not lie as MEAD's do \(M003/video/front/angry/level_1/001.mp4\): extra/talk"
    ):
        load("mead", root)


# -- micro-expressions


@pytest.mark.parametrize(("name", "coded"), [("casme2", 4), ("samm", 4), ("smic", 4)])
def test_a_clip_runs_from_onset_over_apex_to_offset(lab_tree: Tree, name: str, coded: int) -> None:
    dataset = load(name, lab_tree(name))
    frames = dataset.frames()
    one = frames[frames["sequence"] == frames["sequence"].iloc[0]]
    assert one["phase"].tolist() == ["neutral", *["onset"] * (coded - 1), "apex", *["offset"] * 4]
    chosen = select(frames, CARDS[name], "auto")
    assert (chosen["phase"] == "apex").all()
    assert chosen["sequence"].nunique() == len(chosen) == frames["sequence"].nunique()


def test_each_subject_is_left_out_once(lab_tree: Tree) -> None:
    (config,) = compose(REGISTRY, ["dataset=megc2019", f"dataset.root={lab_tree('megc2019')}"], method_needed=False)
    selected = load_data(REGISTRY, config).selected
    assert selected.groupby("fold")["subject"].nunique().tolist() == [1] * 10


def test_casme2_takes_cropped_frames_unless_told(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("casme2")
    auto = load("casme2", root)
    assert "cropped and whole frames are there, and the cropped ones were read" in auto.which_copy()
    assert {path.name[:4] for path in auto._files.values()} == {"reg_"}
    assert "10 clips of CASME II with other labels were left out (fear 10)" in auto.which_copy()
    assert "the apex of 10 clips of CASME II is not coded, and is the frame in the middle" in auto.which_copy()
    raw = load("casme2", root, images="raw")
    assert list(raw._files) == [f"sub02/EP01_01f/{n}" for n in range(10, 19)], "frames before and after are left out"
    assert raw.frames()["phase"].tolist() == ["neutral", *["onset"] * 3, "apex", *["offset"] * 4]
    with pytest.raises(UnknownName, match="dataset.images"):
        load("casme2", root, images="reg")
    shutil.rmtree(root / "CASME2_RAW_selected")
    with pytest.raises(FerbenchError, match="holds cropped faces only, .*dataset.images=raw finds none"):
        load("casme2", root, images="raw")


def test_an_offset_before_the_onset_does_not_count(lab_tree: Tree) -> None:
    frames = load("casme2", lab_tree("casme2")).frames()
    assert (frames[frames["expression"] == "repression"].groupby("sequence").size() == 9).all()


def test_samms_labels_and_numbers(lab_tree: Tree) -> None:
    dataset = load("samm", lab_tree("samm"))
    frames = dataset.frames()
    assert set(frames["expression"]) == {"anger", "contempt", "happiness", "others", "surprise"}
    assert [f for f in ids(dataset) if f.startswith("006/006_1_2/")] == [f"006/006_1_2/{n}" for n in range(5555, 5564)]
    assert "(sadness 10)" in dataset.which_copy()


@pytest.mark.parametrize(
    ("name", "file", "sentence"),
    [
        (
            "casme2",
            "CASME2-coding-20140508.csv",
            "holds clips of CASME2, and not the file with their labels, such as CASME2-coding-",
        ),
        (
            "samm",
            "SAMM_Micro_FACS_Codes_v2.csv",
            "holds clips of SAMM, and not the file with their labels, such as SAMM_Micro_FACS",
        ),
    ],
)
def test_without_a_coding_file(own_tree: Tree, name: str, file: str, sentence: str) -> None:
    root = own_tree(name)
    text = (root / file).read_text()
    (root / file).unlink()
    with pytest.raises(FerbenchError, match=sentence):
        load(name, root)
    (root / file).write_text(text.replace("Filename", "Clip"))
    with pytest.raises(FerbenchError, match=f"{file} has no heading with the columns .*'Filename'"):
        load(name, root)
    (root / file).unlink()
    (root / file).with_suffix(".xls").write_bytes(b"x")
    with pytest.raises(
        FerbenchError, match=r"is in an old format of Excel. Open it, and save it beside it as .xlsx or .csv"
    ):
        load(name, root)


def test_without_clips(own_tree: Tree) -> None:
    root = own_tree("casme2")
    shutil.rmtree(root / "Cropped")
    shutil.rmtree(root / "CASME2_RAW_selected")
    with pytest.raises(
        FerbenchError, match="holds no clips of CASME II; it holds CASME2-coding-20140508.csv. Files look like"
    ):
        load("casme2", root)


@pytest.mark.parametrize(
    ("name", "folder", "clip"),
    [("casme2", "Cropped/Cropped/sub03/EP02_01", "sub03/EP02_01"), ("samm", "SAMM/008/008_3_2", "008_3_2")],
)
def test_a_coded_clip_that_is_missing(own_tree: Tree, name: str, folder: str, clip: str) -> None:
    root = own_tree(name)
    shutil.rmtree(root / folder)
    with pytest.raises(FerbenchError, match=f"1 clip in the coding file of .* has no folder of frames: {clip}"):
        load(name, root)
    assert load(name, root, allow_incomplete=True).frames()["sequence"].nunique() == 49


def test_a_clip_whose_frames_are_others(own_tree: Tree) -> None:
    root = own_tree("samm")

    def shift(rows: list[list[str]]) -> None:
        heading = next(i for i, row in enumerate(rows) if "Filename" in row)
        rows[heading + 1][3:6] = ["90000", "90004", "90008"]

    trees.edited(root / "SAMM_Micro_FACS_Codes_v2.csv", shift)
    with pytest.raises(
        FerbenchError, match=r"1 clip of SAMM has no frames from onset to offset: 006/006_1_2 \(90000 to 90008\)"
    ):
        load("samm", root)


def test_the_newest_coding_file_counts(own_tree: Tree) -> None:
    root = own_tree("casme2")
    newer = root / "CASME2-coding-20190701.csv"
    shutil.copy(root / "CASME2-coding-20140508.csv", newer)
    trees.edited(newer, lambda rows: rows[1].__setitem__(8, "surprise"))
    dataset = load("casme2", root)
    assert "2 coding files are there, and CASME2-coding-20190701.csv was read" in dataset.which_copy()
    assert dataset.frames()["expression"].iloc[0] == "surprise"


def test_a_coding_file_with_other_separators(tmp_path: Path) -> None:
    path = tmp_path / "coding.csv"
    path.write_bytes("\ufeffnotes\r\n\r\nSubject;File name;On set\r\n01;EP1; 4 \r\n;;\r\n".encode())
    assert records(path, {"clip": "Filename", "onset": "OnSet"}) == [{"clip": "EP1", "onset": "4"}]


@pytest.mark.needs("openpyxl")
def test_a_coding_file_of_excel(own_tree: Tree, lab_tree: Tree) -> None:
    import openpyxl

    for name, file in (("casme2", "CASME2-coding-20140508.csv"), ("samm", "SAMM_Micro_FACS_Codes_v2.csv")):
        root = own_tree(name)
        path = root / file
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                sheet.append([int(cell) if cell.isdigit() and cell[0] != "0" else cell or None for cell in row])
        path.unlink()
        path.with_suffix(".xlsx").write_bytes(b"")
        with pytest.raises(FerbenchError, match=r"\.xlsx cannot be read as an Excel file"):
            load(name, root)
        book.save(path.with_suffix(".xlsx"))
        assert load(name, root).fingerprint() == load(name, lab_tree(name)).fingerprint()


def test_a_coding_file_of_excel_without_openpyxl(own_tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    root = own_tree("casme2")
    (root / "CASME2-coding-20140508.csv").rename(root / "CASME2-coding-20140508.xlsx")
    with pytest.raises(
        FerbenchError, match=r"pip install 'ferbench\[excel\]'. Or save it beside it as CASME2-coding-20140508.csv\."
    ):
        load("casme2", root)


def test_smics_cameras(lab_tree: Tree, own_tree: Tree) -> None:
    dataset = load("smic", lab_tree("smic"))
    assert dataset.frames()["subject"].nunique() == 10
    assert not [f for f in ids(dataset) if f.startswith("s01/ne-02")], "a movement that is no micro-expression"
    assert set(load("smic", lab_tree("smic"), camera="NIR").frames()["subject"]) == {"s01"}
    with pytest.raises(UnknownName, match="dataset.camera"):
        load("smic", lab_tree("smic"), camera="RGB")
    root = own_tree("smic")
    shutil.rmtree(root / "SMIC_all_cropped" / "NIR")
    with pytest.raises(FerbenchError, match="holds no clips of SMIC's camera NIR, only of HS and VIS"):
        load("smic", root, camera="NIR")
    shutil.move(root / "SMIC_all_cropped" / "HS" / "s3", root.parent / "only" / "s3")
    unnamed = load("smic", root.parent / "only")
    assert set(unnamed.frames()["subject"]) == {"s03"}, "below no folder of a camera"
    assert "no folder says which camera filmed 3 clips of SMIC, and they are read as of HS" in unnamed.which_copy()
    with pytest.raises(FerbenchError, match="no clips of SMIC's camera VIS, only of an unnamed one"):
        load("smic", root.parent / "only", camera="VIS")


def test_a_camera_of_smic_in_a_longer_name(own_tree: Tree) -> None:
    root = own_tree("smic")
    vis = (root / "SMIC_all_cropped" / "VIS").rename(root.parent / "SMIC_VIS")
    dataset = load("smic", vis, camera="VIS")
    assert set(dataset.frames()["subject"]) == {"s01"}
    assert "no folder says" not in dataset.which_copy()
    with pytest.raises(FerbenchError, match="no clips of SMIC's camera HS, only of VIS"):
        load("smic", vis)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_coding_files_that_excel_exports(own_tree: Tree, lab_tree: Tree, separator: str, encoding: str) -> None:
    root = own_tree("samm")
    path = root / "SAMM_Micro_FACS_Codes_v2.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    rows[0] = ["Notes, with commas, about; the \u201ccoding\u201d"]
    rows[-1][-1] = "brow, lip, jaw, chin, nose, eye, cheek, ear, hair, neck, arm, hand, leg, foot"
    with path.open("w", encoding=encoding, newline="") as out:
        csv.writer(out, delimiter=separator).writerows(rows)
    assert load("samm", root).frames().equals(load("samm", lab_tree("samm")).frames())


def test_a_box_of_expw_without_an_end(own_tree: Tree) -> None:
    root = own_tree("expw")
    path = root / "label" / "label.lst"
    path.write_text(path.read_text().replace(" 53 ", " inf ", 1))
    with pytest.raises(FerbenchError, match="label.lst, line 1, is .*inf"):
        load("expw", root)


def test_smics_long_version(own_tree: Tree) -> None:
    root = own_tree("smic")
    long = root.parent / "SMIC-E_raw image" / "HS_long" / "SMIC-HS-E"
    shutil.copytree(root / "SMIC_all_cropped" / "HS" / "s1" / "micro" / "negative", long / "s01")
    with pytest.raises(FerbenchError, match=r"holds the long version of SMIC \(SMIC-E\)"):
        load("smic", root.parent / "SMIC-E_raw image")
    assert "1 clip of SMIC's long version (SMIC-E) was left out" in load("smic", root.parent).which_copy()


def test_megc2019_is_the_three_in_three_classes(lab_tree: Tree) -> None:
    dataset = load("megc2019", lab_tree("megc2019"))
    clips = dataset.frames().drop_duplicates("sequence").set_index("sequence")
    assert clips["dataset"].value_counts().to_dict() == {"casme2": 16, "samm": 15, "smic": 9}
    assert set(clips["expression"]) == {"negative", "positive", "surprise"}
    assert clips.loc["sub01/EP04_01", "expression"] == "negative", "repression"
    assert clips.loc["006/006_6_2", "expression"] == "negative", "sadness"
    assert "4 clips of CASME II with other labels were left out" not in dataset.which_copy(), "others and fear: eight"
    assert "8 clips of CASME II with other labels were left out (fear 4, others 4)" in dataset.which_copy()
    assert "3 clips of SAMM with other labels were left out (others 3)" in dataset.which_copy()


def test_megc2019_leaves_out_two_clips_of_casme2(own_tree: Tree) -> None:
    root = own_tree("megc2019")
    frames = root / "CASME2" / "Cropped" / "Cropped" / "sub04"
    (frames / "EP01_01f").rename(frames / "EP12_01f")
    coding = root / "CASME2" / "CASME2-coding-20140508.csv"

    def rename(rows: list[list[str]]) -> None:
        next(row for row in rows if row[:2] == ["04", "EP01_01f"])[1] = "EP12_01f"

    trees.edited(coding, rename)
    assert ("sub04", "EP12_01f") in LEFT_OUT
    assert "sub04/EP12_01f" in set(load("casme2", root / "CASME2").frames()["sequence"])
    assert "sub04/EP12_01f" not in set(load("megc2019", root).frames()["sequence"])


@pytest.mark.parametrize(
    ("folder", "sentence"), [("SAMM", "no clips of SAMM"), ("SMIC", "no clips of SMIC"), ("CASME2", "CASME II")]
)
def test_megc2019_says_which_part_is_missing(own_tree: Tree, folder: str, sentence: str) -> None:
    root = own_tree("megc2019")
    shutil.rmtree(root / folder)
    with pytest.raises(FerbenchError, match=sentence):
        load("megc2019", root)


def test_a_damaged_frame_is_named(own_tree: Tree) -> None:
    root = own_tree("samm")
    path = root / "SAMM" / "006" / "006_1_2" / "006_05559.jpg"
    path.write_bytes(path.read_bytes()[:200])
    dataset = load("samm", root)
    with pytest.raises(FrameError, match=r"006_05559.jpg is damaged"):
        dataset.image("006/006_1_2/5559")
    assert isinstance(dataset.image("006/006_1_2/5560"), np.ndarray)


def test_videos_of_another_dataset(lab_tree: Tree) -> None:
    with pytest.raises(
        FerbenchError, match=r"holds no video that lies as MEAD's do; .*It looks like CREMA-D: write dataset=cremad"
    ):
        load("mead", lab_tree("cremad"))
