"""Every adapter on a small tree of its dataset's layout, and what it says about copies that are not as they should be."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError, FrameError
from ferbench.config.compose import compose
from ferbench.data.load import load_data
from ferbench.interfaces.dataset import check_frames
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.cards import CARDS
from tests import trees

Tree = Callable[[str], Path]
REGISTRY = load_registry()
WITH_ROOT = [name for name in trees.BUILDERS if name not in ("folders", "table")]
BY_NAME = {
    "mmi": "Sessions", "ravdess": "Actor_01", "cremad": "VideoFlash", "kdef": "AF01", "rafd": "", "bu3dfe": "F0001", "jaffe": "",
}  # fmt: skip
"""Datasets whose file names say everything, and a folder of theirs."""


def load(name: str, root: Path, **settings: Any) -> Any:
    where = {"file": str(root / "frames.csv")} if name == "table" else {"root": str(root)}
    return Component(name, {**where, **settings}).make(REGISTRY, DatasetCard)


def own_card(name: str, dataset: Any) -> DatasetCard:
    return dataset.describe(CARDS[name]) if name in ("folders", "table") else CARDS[name]


# -- what each copy holds


SEQUENCES = {
    "oulu": 60, "ckplus7c": 70, "ckplus7n": 120, "ckplus6": 60, "ckplus8": 140, "mmi": 59, "ravdess": 80, "cremad": 60,
    "jaffe": 70, "kdef": 140, "rafd": 160, "bu3dfe": 130, "rafdb": 70, "affectnet": 80, "fer2013": 70, "ferplus": 69,
    "ckextended": 80, "folders": 50,
    "table": 30, "sfew": 70, "caers": 70, "expw": 140, "radiate": 160, "mead": 150, "casme2": 50, "samm": 50, "smic": 30,
    "megc2019": 40,
}  # fmt: skip
"""Of the built trees: ten people; MMI has a session from the side, FERPlus a face on which nobody agrees."""


@pytest.mark.parametrize("name", trees.BUILDERS)
def test_the_frame_table(lab_tree: Tree, name: str) -> None:
    dataset = load(name, lab_tree(name))
    card = own_card(name, dataset)
    frames = check_frames(dataset.frames(), card)
    assert frames["sequence"].nunique() == SEQUENCES[name]
    assert set(card.expressions) <= set(frames["expression"]) | {"neutral"}
    if "subject" in card.provides:
        assert frames["subject"].nunique() == 10
        neutral = frames[frames["phase"] == "neutral"]
        assert neutral["subject"].nunique() == 10, "a method that needs a neutral face has one of everybody"
    if "split" in card.provides:
        assert {"train", "test"} <= set(frames["split"])
    if "intensity" in card.provides:
        assert "intensity" in frames
    images = [dataset.image(frame) for frame in frames["frame_id"].iloc[[0, len(frames) // 2, -1]]]
    assert all(image.shape == (48, 48, 3) and image.dtype == np.uint8 for image in images)


@pytest.mark.parametrize("name", trees.BUILDERS)
def test_the_fingerprint_is_of_the_content(lab_tree: Tree, own_tree: Tree, name: str) -> None:
    before = load(name, lab_tree(name)).fingerprint()
    copy = own_tree(name)
    assert load(name, copy).fingerprint() == before
    path = a_frame(name, copy)
    path.write_bytes(path.read_bytes() + b"\n")
    assert load(name, copy).fingerprint() != before


def files_of(dataset: Any) -> dict[str, Path]:
    """File by frame, in the order of the table."""
    if hasattr(dataset, "_index"):
        return {frame: dataset._files[row] for frame, row in dataset._index.items()}
    if hasattr(dataset, "_pixels"):
        return {"row 00000": dataset._path}
    return dict(dataset._files)


def a_frame(name: str, root: Path) -> Path:
    """A file with frames in it that count."""
    return list(files_of(load(name, root)).values())[-1]


def test_what_a_card_says_of_its_size_adds_up() -> None:
    for card in CARDS.values():
        if card.published is not None:
            assert sum(card.published.by_expression.values()) == card.published.sequences, card.name
            assert set(card.published.by_expression) == set(card.expressions), card.name


def test_every_card_has_a_licence_a_source_and_a_citation() -> None:
    for card in CARDS.values():
        assert card.name in ("table", "folders") or (card.licence and card.obtain and card.paper), card.name


# -- quirks


def test_mmi_takes_frontal_sessions_with_a_basic_emotion(lab_tree: Tree) -> None:
    front, all_views = load("mmi", lab_tree("mmi")).frames(), load("mmi", lab_tree("mmi"), views="all").frames()
    only = load("mmi", lab_tree("mmi"), views="front_only").frames()
    assert set(front["view"]) == {"front", "half"}
    assert set(only["view"]) == {"front"}
    assert only["sequence"].nunique() == 58
    assert set(all_views["view"]) == {"front", "side", "both"}
    assert all_views["sequence"].nunique() == 60
    assert not front["sequence"].str.endswith("/007").any(), "boredom is none of the six"
    assert "S001/099" not in set(front["sequence"]), "it has no label"


def test_mmi_runs_neutral_apex_neutral(lab_tree: Tree) -> None:
    from ferbench.protocols.select import select

    frames = load("mmi", lab_tree("mmi")).frames()
    one = frames[frames["sequence"] == "S001/001"]
    assert one["phase"].tolist() == ["neutral", "onset", "onset", "apex", "apex", "apex", "offset", "offset", "offset"]
    chosen = select(frames, CARDS["mmi"], "auto")
    assert chosen.loc[chosen["sequence"] == "S001/001", "position"].tolist() == [3, 4, 5]


def test_mmis_images_are_ordered_by_number(lab_tree: Tree) -> None:
    """The third session is of images called ...-98, -99, -100: its middle is the apex."""
    dataset = load("mmi", lab_tree("mmi"))
    files = [dataset._files[f"S001/003/{i:03d}"].name for i in range(3)]
    assert files == ["S001-003-98.jpg", "S001-003-99.jpg", "S001-003-100.jpg"]


def test_a_ravdess_clip_with_and_without_sound_counts_once(lab_tree: Tree) -> None:
    dataset = load("ravdess", lab_tree("ravdess"))
    happy = {p.name for f, p in dataset._files.items() if f.startswith("01/01-03")}
    assert happy == {"02-01-03-01-01-01-01.mp4"}
    assert set(load("ravdess", lab_tree("ravdess"), channel="song").frames()["channel"]) == {"02"}


@pytest.mark.parametrize(("name", "codec"), [("cremad", "flv1"), ("ravdess", "mpeg4"), ("mmi", "mpeg4")])
def test_frames_of_a_video_are_those_that_were_filmed(own_tree: Tree, name: str, codec: str) -> None:
    """Nine flat images, each brighter than the one before: every index gives its own."""
    root = own_tree(name)
    path = a_frame(name, root)
    grays = [20 + 25 * i for i in range(9)]
    trees.film([Image.new("RGB", (48, 48), (gray, gray, gray)) for gray in grays], path, codec)
    dataset = load(name, root)
    ids = [frame for frame, file in files_of(dataset).items() if file == path]
    assert len(ids) == 9
    asked = [ids[8], ids[4], ids[0], ids[5]]
    together = dataset.images(asked)
    assert [round(image.mean() / 25 - 0.8) for image in together] == [8, 4, 0, 5]
    assert all(np.array_equal(image, dataset.image(frame)) for frame, image in zip(asked, together, strict=True))


def test_kdef_and_rafd_take_the_front_unless_told(lab_tree: Tree) -> None:
    assert set(load("kdef", lab_tree("kdef")).frames()["angle"]) == {"S"}
    assert set(load("kdef", lab_tree("kdef"), angles="S+HL").frames()["angle"]) == {"S", "HL"}
    assert set(load("rafd", lab_tree("rafd")).frames()["angle"]) == {"090"}
    assert set(load("rafd", lab_tree("rafd"), angles="all").frames()["angle"]) == {"045", "090"}
    with pytest.raises(
        FerbenchError, match="dataset.angles is 'X'; it can be FL, HL, S, HR, FR, several of them joined"
    ):
        load("kdef", lab_tree("kdef"), angles="X")


def test_bu3dfe_takes_the_strong_intensities(lab_tree: Tree) -> None:
    frames = load("bu3dfe", lab_tree("bu3dfe")).frames()
    assert set(frames.loc[frames["expression"] != "neutral", "intensity"]) == {3, 4}
    assert len(load("bu3dfe", lab_tree("bu3dfe"), levels="all").frames()) == 10 * 25


def test_affectnet_in_its_smaller_layout(tmp_path: Path, faces: Callable[..., Image.Image]) -> None:
    frames = load("affectnet", trees.affectnet_arrays(tmp_path / "A", faces)).frames()
    assert frames["split"].value_counts().to_dict() == {"train": 32, "test": 16}


def test_affectnet_leaves_out_what_shows_no_face(lab_tree: Tree) -> None:
    assert not load("affectnet", lab_tree("affectnet")).frames()["frame_id"].str.contains("none").any()


def test_ferplus_takes_the_majority(lab_tree: Tree) -> None:
    frames = load("ferplus", lab_tree("ferplus")).frames().set_index("frame_id")["expression"]
    assert "row 00002" not in frames, "nobody agreed on it"
    assert frames["row 00008"] == "contempt"
    assert frames["row 00001"] == "disgust"


def test_the_landmarks_of_ckplus(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    dataset = load("ckplus7c", root)
    assert dataset.landmarks("S005/001/001") is None
    path = root / "Landmarks" / "S005" / "001" / "S005_001_00000001_landmarks.txt"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"   {float(i):.7e}   {100.0 - i:.7e}\n" for i in range(68)))
    found = load("ckplus7c", root).landmarks("S005/001/001")
    assert found[:, 0].tolist() == [38.5, 44.5, 30.0, 48.0, 54.0]
    assert (found.sum(axis=1) == 100).all()
    path.write_text("1 2\n")
    with pytest.raises(FrameError, match="S005_001_00000001_landmarks.txt does not hold 68 landmarks"):
        load("ckplus7c", root).landmarks("S005/001/001")


def test_oulu_in_all_conditions(own_tree: Tree) -> None:
    root = own_tree("oulu")
    shutil.copytree(root / "PreProcess Img" / "VL" / "Strong", root / "PreProcess Img" / "VL" / "Dark")
    frames = load("oulu", root, illumination="Strong+Dark").frames()
    assert frames["sequence"].nunique() == 120
    assert set(frames["illumination"]) == {"Strong", "Dark"}
    assert frames["frame_id"].is_unique


# -- bad copies


@pytest.mark.parametrize("name", WITH_ROOT)
def test_roots_that_are_none(lab_tree: Tree, tmp_path: Path, name: str) -> None:
    with pytest.raises(FerbenchError, match=f"dataset={name} needs the folder of your copy: add dataset.root="):
        Component(name).make(REGISTRY, DatasetCard)
    with pytest.raises(FerbenchError, match="nowhere does not exist. .* can be had from"):
        load(name, tmp_path / "nowhere")
    (tmp_path / "data.zip").write_bytes(b"x")
    with pytest.raises(FerbenchError, match="data.zip is not a folder"):
        load(name, tmp_path / "data.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FerbenchError, match="it holds nothing"):
        load(name, tmp_path / "empty")


@pytest.mark.parametrize("name", WITH_ROOT)
def test_a_copy_below_the_root_is_found(lab_tree: Tree, tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "my copy").symlink_to(lab_tree(name))
    found, whole = load(name, tmp_path / "data"), load(name, lab_tree(name))
    assert found.frames().equals(whole.frames())
    assert found.fingerprint() == whole.fingerprint()


LOW = {
    "oulu": "PreProcess Img/VL/Strong", "mmi": "Sessions/1", "rafdb": "EmoLabel", "affectnet": "Manually_Annotated_Images",
}  # fmt: skip
"""Folders that are a part of a copy."""


@pytest.mark.parametrize("name", LOW)
def test_one_level_too_low(lab_tree: Tree, name: str) -> None:
    inner = lab_tree(name) / LOW[name]
    with pytest.raises(FerbenchError, match=f"too low; write dataset.root=.*{lab_tree(name).name}"):
        load(name, inner)


@pytest.mark.parametrize("name", WITH_ROOT)
def test_another_datasets_root(lab_tree: Tree, name: str) -> None:
    other = "kdef" if name != "kdef" else "oulu"
    with pytest.raises(FerbenchError, match=f"it holds .*It looks like .*: write dataset={other}"):
        load(name, lab_tree(other))


@pytest.mark.parametrize(("name", "folder"), BY_NAME.items())
def test_strange_names_are_listed_and_may_be_passed_over(own_tree: Tree, name: str, folder: str) -> None:
    root = own_tree(name)
    sample = a_frame(name, root)
    if name == "mmi":
        session = root / "Sessions" / "1"
        (session / "S001-001.avi").rename(session / "my film.avi")
        strange = "1 labelled session of MMI holds no video"
    else:
        shutil.copy(sample, root / folder / f"AM31X ü{sample.suffix}")
        strange = "1 (image|video) .*not named like .*AM31X ü"
    with pytest.raises(FerbenchError, match=strange + ".*dataset.allow_incomplete=true"):
        load(name, root)
    dataset = load(name, root, allow_incomplete=True)
    assert len(dataset.irregularities()) == 1
    assert dataset.frames()["sequence"].nunique() == SEQUENCES[name] - (name == "mmi")


@pytest.mark.parametrize("name", [n for n in trees.BUILDERS if n not in ("fer2013", "ferplus", "ckextended")])
@pytest.mark.parametrize("content", [b"", b"no image at all", "half"])
def test_a_bad_file_is_named(own_tree: Tree, name: str, content: bytes | str) -> None:
    root = own_tree(name)
    path = a_frame(name, root)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3] if isinstance(content, str) else content)
    if name in ("mmi", "ravdess", "cremad", "mead"):
        if content == "half":  # such a video has the frames that are left
            return
        with pytest.raises(FerbenchError, match=f"1 video of {name} cannot be read or is empty: .*{path.name}"):
            load(name, root)
        return
    dataset = load(name, root)
    broken = [frame for frame, file in files_of(dataset).items() if file == path]
    assert broken
    for frame in broken:
        with pytest.raises(FrameError, match=f"{path.name} is (empty|damaged|no image)"):
            dataset.image(frame)


def test_a_video_that_ends_early_says_which_frame(own_tree: Tree) -> None:
    dataset = load("cremad", own_tree("cremad"))
    path = next(iter(dataset._files.values()))
    trees.film([Image.new("RGB", (48, 48))] * 2, path, "flv1")
    first = next(iter(dataset._files))
    sequence = first.rpartition("/")[0]
    read = dataset.images([f"{sequence}/000", f"{sequence}/005"])
    assert isinstance(read[0], np.ndarray)
    assert isinstance(read[1], FrameError)
    assert f"{path} ends before it (frame 5)" in str(read[1])
    path.unlink()
    with pytest.raises(FrameError, match="is missing"):
        dataset.image(first)


def huge_png(path: Path, side: int) -> None:
    """The header of a PNG of side x side, and no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [9_000, 12_000, 30_000])
def test_an_image_far_too_large_is_refused_before_it_is_decoded(own_tree: Tree, side: int) -> None:
    root = own_tree("ckplus7c")
    dataset = load("ckplus7c", root)
    frame, path = next(iter(dataset._files.items()))
    huge_png(path, side)
    with pytest.raises(FrameError, match=f"{path.name} is ({side} x {side} pixels|far too large)"):
        dataset.image(frame)


@pytest.mark.parametrize("name", ["kdef", "ravdess", "bu3dfe", "jaffe"])
def test_a_link_to_a_folder_above_is_named(own_tree: Tree, name: str) -> None:
    root = own_tree(name)
    inner = next((p for p in sorted(root.iterdir()) if p.is_dir()), root)
    (inner / "again").symlink_to(root)
    with pytest.raises(FerbenchError, match="again is a symbolic link to a folder above it; remove the link"):
        load(name, root)


def test_a_root_that_is_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(FerbenchError, match="loop (does not exist|cannot be opened)"):
        load("kdef", tmp_path / "loop")


def test_a_link_to_a_folder_elsewhere_is_followed(own_tree: Tree, tmp_path: Path) -> None:
    root = own_tree("kdef")
    shutil.move(root / "AF01", tmp_path / "moved")
    (root / "AF01").symlink_to(tmp_path / "moved")
    assert load("kdef", root).frames()["sequence"].nunique() == SEQUENCES["kdef"]


LIST, TRAINING = "EmoLabel/list_patition_label.txt", "Manually_Annotated_file_lists/training.csv"


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "sentence"),
    [
        ("rafdb", LIST, "test_00001.jpg 1", "test_00001.jpg 9", "line 1, is 'test_00001.jpg 9'"),
        ("rafdb", LIST, "test_00001.jpg 1", "test_00001.jpg x", "line 1, is 'test_00001.jpg x'"),
        ("rafdb", LIST, "test_00001", "test_99999", "1 image of list_patition_label.txt is missing"),
        ("affectnet", TRAINING, ",0,0,0.1", ",0,x,0.1", "the expression 'x', which is not a number"),
        ("affectnet", TRAINING, ",0,0,0.1", ",0,77,0.1", "has the expression 77"),
        ("affectnet", TRAINING, "expression", "label", "cannot be read as AffectNet's list"),
        ("affectnet", TRAINING, "1/0é", "1/zz", "1 image of AffectNet's lists is missing"),
        ("fer2013", "icml_face_data.csv", "\n0,", "\nsad,", "has another emotion than 0 to 6: 'sad' in row 2"),
        ("fer2013", "icml_face_data.csv", "Training", "Practice", "has another Usage than .*: 'Practice' in row 2"),
        ("fer2013", "icml_face_data.csv", "pixels", "dots", "has no column pixels; it has emotion, usage, dots"),
        ("ferplus", "fer2013new.csv", "fear", "dread", "has no column fear"),
        ("ferplus", "fer2013new.csv", ",8,", ",eight,", "has votes that are not numbers"),
        ("mmi", "Sessions/1/S001-001.xml", 'Value="1"', 'Value="sad"', "the emotion 'sad', which is not a number"),
        ("mmi", "Sessions/1/session.xml", "</session>", "", "session.xml cannot be read as XML"),
    ],
)  # fmt: skip
def test_labels_that_are_none(own_tree: Tree, name: str, file: str, old: str, new: str, sentence: str) -> None:
    root = own_tree(name)
    rewrite(root / file, old, new)
    with pytest.raises(FerbenchError, match=sentence):
        load(name, root)


def test_a_pixel_that_is_no_number(own_tree: Tree) -> None:
    root = own_tree("fer2013")
    text = (root / "icml_face_data.csv").read_text().splitlines()
    text[1] = "0,Training,1 2 three"
    (root / "icml_face_data.csv").write_text("\n".join(text))
    with pytest.raises(FrameError, match="row 00000, does not hold 48 x 48 numbers"):
        load("fer2013", root).image("row 00000")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("kdef", "AF01/AF01ANS.JPG", "AF01/AF01XXS.JPG"),
        ("kdef", "AF01/AF01ANS.JPG", "AF01/CF01ANS.JPG"),
        ("ravdess", "Actor_01/02-01-05-01-01-01-01.mp4", "Actor_01/02-01-09-01-01-01-01.mp4"),
        ("ravdess", "Actor_01/02-01-05-01-01-01-01.mp4", "Actor_01/02-01-05-01-01-01-77.mp4"),
        ("cremad", "VideoFlash/1001_DFA_ANG_HI.flv", "VideoFlash/1001_DFA_BOR_HI.flv"),
        ("cremad", "VideoFlash/1001_DFA_ANG_HI.flv", "VideoFlash/X1_DFA_ANG_HI.flv"),
        ("jaffe", "KA.AN1.1.tiff", "KA.XX1.1.tiff"),
        ("rafd", "Rafd090_01_Caucasian_female_angry_frontal.jpg", "Rafd090_01_Caucasian_female_bored_frontal.jpg"),
        ("rafd", "Rafd090_01_Caucasian_female_angry_frontal.jpg", "Rafd090_x_Caucasian_female_angry_frontal.jpg"),
        ("bu3dfe", "F0001/F0001_AN03WH_F2D.bmp", "F0001/F0001_XX03WH_F2D.bmp"),
        ("bu3dfe", "F0001/F0001_AN03WH_F2D.bmp", "F0001/Q0001_AN03WH_F2D.bmp"),
    ],
)
def test_codes_and_subjects_that_nobody_knows(own_tree: Tree, name: str, old: str, new: str) -> None:
    root = own_tree(name)
    (root / old).rename(root / new)
    with pytest.raises(FerbenchError, match=f"1 (image|video) .*{Path(new).name}.*dataset.allow_incomplete=true"):
        load(name, root)


def test_a_subject_of_ckplus_that_is_none(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    (root / "Emotion" / "S005").rename(root / "Emotion" / "Anna")
    with pytest.raises(FerbenchError, match="is of the subject 'Anna'; subjects of CK"):
        load("ckplus7c", root)


@pytest.mark.parametrize(
    ("name", "gone", "sentence"),
    [
        ("ckplus7c", "Emotion", "holds no folder 'Emotion'"),
        ("rafdb", LIST, "holds no EmoLabel/list_patition_label.txt"),
        ("rafdb", "Image/aligned", "holds no folder 'aligned' and no folder 'original'"),
        (
            "affectnet",
            "Manually_Annotated_Images",
            "holds AffectNet's lists, but no folder 'Manually_Annotated_Images'",
        ),
        ("affectnet", TRAINING, "lacks 1 of AffectNet's two lists: training.csv"),
        ("ferplus", "fer2013new.csv", "FERPlus' labels are missing: .*github.com/microsoft/FERPlus"),
    ],
)
def test_labels_that_are_missing(own_tree: Tree, name: str, gone: str, sentence: str) -> None:
    root = own_tree(name)
    path = root / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(FerbenchError, match=sentence):
        load(name, root)


def test_mmi_without_its_metadata(own_tree: Tree) -> None:
    root = own_tree("mmi")
    for path in root.rglob("S*.xml"):
        path.unlink()
    with pytest.raises(FerbenchError, match="No session in .* has an emotion"):
        load("mmi", root)


def test_videos_without_pyav(lab_tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lab_tree("cremad")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(FerbenchError, match=r"PyAV, which is missing here: pip install 'ferbench\[video\]'"):
        load("cremad", root)


# -- tables


def test_a_table_decides_its_own_classes(lab_tree: Tree) -> None:
    card = own_card("table", load("table", lab_tree("table")))
    assert card.expressions == ("anger", "happiness", "surprise")
    assert card.provides == {"subject", "sequence", "neutral"}
    assert (card.frames, card.protocol) == ("apex", "subject_kfold")


def test_a_table_of_paths_and_labels(own_tree: Tree) -> None:
    root = own_tree("table")
    (root / "frames.csv").write_text(
        "path,expression,split\nBilder/Jürgen Ψ 0/anger 3.png,anger,train\nBilder/Jürgen Ψ 1/anger 3.png,neutral,test\n"
    )
    dataset = load("table", root)
    card = own_card("table", dataset)
    assert card.expressions == ("anger", "neutral")
    assert (card.provides, card.protocol) == (frozenset({"split"}), "fixed")
    assert dataset.frames()["phase"].tolist() == ["apex", "neutral"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,expression\na.png,anger\n", "has no column path; it has file, expression"),
        ("path\na.png\n", "has no column expression"),
        ("path,expression\nmissing.png,anger\n", "1 of 1 images of .* are missing: .*missing.png"),
        ("path,expression\nfaces/a.png,\n", "has no frame with an expression"),
        ("path,expression,position\nfaces/a.png,anger,first\n", "row 2, has the position 'first'"),
        ("", "cannot be read as CSV: it is empty"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "faces").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "faces" / "a.png")
    (tmp_path / "frames.csv").write_text(text)
    with pytest.raises(FerbenchError, match=sentence):
        load("table", tmp_path)
    with pytest.raises(FerbenchError, match=r"gone.csv cannot be read as CSV: No such file"):
        Component("table", {"file": str(tmp_path / "gone.csv")}).make(REGISTRY, DatasetCard)
    with pytest.raises(FerbenchError, match="add dataset.file="):
        Component("table").make(REGISTRY, DatasetCard)


# -- used


def where(name: str, root: Path) -> list[str]:
    key = f"dataset.file={root / 'frames.csv'}" if name == "table" else f"dataset.root={root}"
    return [f"dataset={name}", key]


def test_ordered_folds_of_ckplus_are_the_published_ones(lab_tree: Tree) -> None:
    (config,) = compose(REGISTRY, where("ckplus7c", lab_tree("ckplus7c")), method_needed=False)
    selected = load_data(REGISTRY, config).selected
    ids = sorted(selected["subject"].unique())
    assert dict(zip(selected["subject"], selected["fold"], strict=True)) == {s: ids.index(s) % 10 for s in ids}


@pytest.mark.parametrize("name", trees.BUILDERS)
def test_check_splits_and_run(ferbench: Callable[..., Any], lab_tree: Tree, tmp_path: Path, name: str) -> None:
    """The three commands on every dataset. DE-GAN needs identities; sets from the web have none, and it says so."""
    root = lab_tree(name)
    if name != "table":
        checked = ferbench("datasets", "check", name, f"dataset.root={root}")
        assert checked.status == (0 if CARDS[name].published is None else 1), checked.err
        assert "frames that count, and neutral faces, can be read" in checked.out
        assert "cannot be run" not in checked.out
    splits = ferbench("splits", *where(name, root))
    assert splits.status == 0, splits.err
    last = "split" if CARDS[name].protocol == "fixed" or name == "folders" else "fold"
    assert splits.out.startswith(f"frame_id,subject,sequence,expression,phase,{last}\n")
    file = tmp_path / "splits.csv"
    file.write_text(splits.out)
    assert ferbench("audit", file).status == 0, "what splits prints can be audited, and leaks nothing"
    run = ["budget=smoke", "protocol.folds=[0]", f"results_dir={tmp_path / 'results'}", "trainer.device=cpu"]
    done = ferbench("run", "method=degan", *where(name, root), *run)
    if "subject" not in CARDS[name].provides and name != "table":
        assert done.status == 2
        assert f"method 'degan' needs 'subject', which dataset '{name}' does not provide" in done.err
        done = ferbench("run", "method=cross_entropy", *where(name, root), *run)
    assert done.status == 0, done.err


def test_check_names_pictures_of_one_colour(ferbench: Callable[..., Any], own_tree: Tree) -> None:
    root = own_tree("jaffe")
    path = a_frame("jaffe", root)
    Image.new("L", (48, 48)).save(path)
    checked = ferbench("datasets", "check", "jaffe", f"dataset.root={root}")
    assert "of one colour: 1 of 70 frames" in checked.out
    assert checked.status == 1
