"""Copies of the datasets of laboratories that contradict themselves, lack parts, or are named at the wrong level."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError
from ferbench.config.compose import compose
from ferbench.data.counts import compared
from ferbench.data.loaded import Loaded, load_dataset
from ferbench.hashing import digest
from ferbench.protocols.select import select
from ferbench.records.schema import as_json
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata import layout
from ferbench_labdata.cards import CARDS
from tests import trees

Tree = Callable[[str], Path]
Face = Callable[..., Image.Image]
REGISTRY = load_registry()


def load(name: str, root: Path | str, **settings: Any) -> Any:
    return Component(name, {"root": str(root), **settings}).make(REGISTRY, DatasetCard)


def read(name: str, root: Path, **settings: object) -> Loaded:
    given = [f"dataset.{key}={value}" for key, value in {"root": root, **settings}.items()]
    (config,) = compose(REGISTRY, [f"dataset={name}", *given], method_needed=False)
    return load_dataset(REGISTRY, config.dataset)


def moved(old: Path, new: Path) -> Path:
    new.parent.mkdir(parents=True, exist_ok=True)
    return old.rename(new)


# -- CK+


@pytest.mark.parametrize("name", ["Emotion", "cohn-kanade-images", "Landmarks", "CK+48"])
def test_a_root_that_is_called_like_a_part_of_ckplus(own_tree: Tree, lab_tree: Tree, name: str) -> None:
    root = moved(own_tree("ckplus7c"), own_tree("jaffe").parent / name)
    dataset = load("ckplus7c", root)
    assert dataset.fingerprint() == load("ckplus7c", lab_tree("ckplus7c")).fingerprint()
    assert "whole sequences were read (cohn-kanade-images, labels of Emotion)" in dataset.which_copy()
    assert "was not read" not in dataset.which_copy()


def test_a_sequence_of_ckplus_without_its_peak(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    (root / "cohn-kanade-images/S005/001/S005_001_00000005.png").unlink()
    with pytest.raises(FerbenchError, match=r"1 sequence of CK\+ lacks the peak in .*: S005/001 \(frame 5\)"):
        load("ckplus7c", root)
    assert "S005/001" not in set(load("ckplus7c", root, allow_incomplete=True).frames()["sequence"])


def test_gaps_in_the_numbers_of_frames_are_said(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    (root / "cohn-kanade-images/S005/001/S005_001_00000003.png").unlink()
    copy = load("ckplus7c", root).which_copy()
    assert "1 sequence has gaps in the numbers of the frames (S005/001: frame 4 follows 2)" in copy
    root = own_tree("oulu")
    for number in (1, 2):
        next((root / "PreProcess Img/VL/Strong/P001/Anger").glob(f"00{number}.*")).unlink()
    assert "(P001/Anger: frame 3 follows 0)" in load("oulu", root).which_copy()
    root = own_tree("mmi")
    (root / "Sessions/3/S001-003-100.jpg").unlink()
    assert "(S001/003: frame 101 follows 99)" in load("mmi", root).which_copy()
    root = own_tree("samm")
    (root / "SAMM/006/006_1_2/006_05557.jpg").unlink()
    assert "(006/006_1_2: frame 5558 follows 5556)" in load("samm", root).which_copy()


def test_two_labels_of_one_sequence_of_ckplus(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    folder = root / "Emotion/S005/001"
    other = folder / "S005_001_00000007_emotion.txt"
    other.write_text("   1.0000000e+00\n")
    assert len(load("ckplus7c", root).frames()) == 350, "the same label again"
    other.write_text("   5.0000000e+00\n")
    with pytest.raises(
        FerbenchError, match=r"1 sequence of CK\+ has several labels that differ: S005/001 \(anger, happiness\)"
    ):
        load("ckplus7c", root)
    frames = load("ckplus7c", root, allow_incomplete=True).frames()
    assert set(frames.loc[frames["sequence"] == "S005/001", "expression"]) == {"anger"}


def test_files_of_another_sequence_of_ckplus(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    images = root / "cohn-kanade-images"
    shutil.copy(images / "S005/001/S005_001_00000003.png", images / "S005/001/S006_002_00000009.png")
    with pytest.raises(
        FerbenchError, match=r"1 image of CK\+ lies in the folder of another sequence: .*S006_002_00000009"
    ):
        load("ckplus7c", root)
    frames = load("ckplus7c", root, allow_incomplete=True).frames()
    assert len(frames[frames["sequence"] == "S005/001"]) == 5
    (images / "S005/001/S006_002_00000009.png").unlink()
    label = root / "Emotion/S005/001/S005_001_00000005_emotion.txt"
    label.rename(label.with_name("S006_001_00000005_emotion.txt"))
    with pytest.raises(FerbenchError, match=r"1 label of CK\+ lies in the folder of another sequence: .*S006_001_0"):
        load("ckplus7c", root)


def test_names_of_ckplus_in_other_cases(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    label = root / "Emotion/S005/001/S005_001_00000005_emotion.txt"
    label.rename(label.with_name("S005_001_00000005_Emotion.TXT"))
    for side in ("Emotion", "cohn-kanade-images"):
        (root / side / "S006").rename(root / side / "s006")
    path = root / "Landmarks/s006/001/S006_001_00000001_landmarks.txt"
    path.parent.mkdir(parents=True)
    path.write_text("1 2\n" * 68)
    dataset = load("ckplus7c", root)
    assert dataset.fingerprint() == load("ckplus7c", lab_tree("ckplus7c")).fingerprint()
    assert dataset.landmarks("S006/001/001").shape == (5, 2)


def test_a_label_of_ckplus_with_a_mark_of_its_encoding(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    label = root / "Emotion/S005/001/S005_001_00000005_emotion.txt"
    label.write_bytes(b"\xef\xbb\xbf   1.0\r\n")
    assert load("ckplus7c", root).fingerprint() == load("ckplus7c", lab_tree("ckplus7c")).fingerprint()


def test_the_images_of_ckplus_twice(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    shutil.copytree(root / "cohn-kanade-images", root / "extended-cohn-kanade-images/cohn-kanade-images")
    with pytest.raises(
        FerbenchError,
        match="holds 2 folders 'cohn-kanade-images': .*Keep one of them there, and move the others elsewhere",
    ):
        load("ckplus7c", root)


def test_ck48_beside_ckplus(own_tree: Tree, faces: Face) -> None:
    root = trees.ck48(own_tree("ckplus7c"), faces)
    assert "CK+48 beside them was not read" in load("ckplus7c", root).which_copy()


def test_one_class_of_ck48(tmp_path: Path, faces: Face) -> None:
    root = trees.ck48(tmp_path / "data", faces) / "CK+48"
    with pytest.raises(
        FerbenchError,
        match=rf"happy holds happiness of CK\+48 only; it is too low; write dataset\.root={re.escape(str(root))}\.$",
    ):
        load("ckplus7c", root / "happy")
    alone = moved(root / "happy", tmp_path / "alone" / "happy")
    with pytest.raises(FerbenchError, match=r"alone holds happiness of CK\+48 only; the other classes are missing\.$"):
        load("ckplus7c", alone.parent)


# -- Oulu-CASIA


def test_cropped_faces_of_some_subjects(own_tree: Tree) -> None:
    root = own_tree("oulu")
    moved(root / "PreProcess Img/VL", root / "PreProcess Img/VL_Acropped")
    shutil.copytree(root / "PreProcess Img/VL_Acropped/Strong", root / "OriginalImg/VL/Strong", dirs_exist_ok=True)
    for person in ("P001", "P002"):
        shutil.rmtree(root / "PreProcess Img/VL_Acropped/Strong" / person)
    with pytest.raises(
        FerbenchError,
        match=r"2 subjects have original pictures and no cropped faces: P001 \(VL/Strong\), P002 .*images=original reads all",
    ):
        load("oulu", root)
    assert load("oulu", root, images="original").frames()["subject"].nunique() == 10
    assert load("oulu", root, images="preprocessed").frames()["subject"].nunique() == 8
    assert load("oulu", root, allow_incomplete=True).frames()["subject"].nunique() == 8


def test_other_words_for_expressions_of_oulu(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("oulu")
    person = root / "PreProcess Img/VL/Strong/P001"
    (person / "Happiness").rename(person / "Happy")
    assert load("oulu", root).fingerprint() == load("oulu", lab_tree("oulu")).fingerprint()
    shutil.copytree(person / "Happy", person / "Happiness")
    with pytest.raises(FerbenchError, match="Happiness and Happy beside it are one expression. Move one of them"):
        load("oulu", root)


def test_links_that_lead_nowhere(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("oulu")
    strong = root / "PreProcess Img/VL/Strong"
    (strong / "P099").symlink_to(root / "gone")
    with pytest.raises(FerbenchError, match=r"P099 is a symbolic link that leads nowhere"):
        load("oulu", root)
    (strong / "P099").unlink()
    (strong / "P099").symlink_to(strong / "P099")
    with pytest.raises(FerbenchError, match=r"P099 is a symbolic link that leads nowhere"):
        load("oulu", root)
    root = own_tree("jaffe")
    (root / "link").symlink_to(root / "link")
    assert load("jaffe", root).frames().equals(load("jaffe", lab_tree("jaffe")).frames())


# -- MMI


def test_several_videos_of_one_session_of_mmi(own_tree: Tree, lab_tree: Tree, faces: Face) -> None:
    root = own_tree("mmi")
    session = root / "Sessions/1"
    trees.film([Image.new("RGB", (48, 48))] * 4, session / "A_preview.avi", "mpeg4")
    trees.film([Image.new("RGB", (48, 48))] * 4, session / "S001-001b.avi", "mpeg4")
    assert load("mmi", root).fingerprint() == load("mmi", lab_tree("mmi")).fingerprint(), "its own name decides"
    (session / "S001-001.avi").rename(session / "S001-001a.avi")
    with pytest.raises(
        FerbenchError, match=r"1 labelled session .* several videos: .*Sessions/1 \(S001-001a.avi, S001-001b"
    ):
        load("mmi", root)
    assert load("mmi", root, allow_incomplete=True).frames()["sequence"].nunique() == 59


def test_a_frame_of_mmi_in_two_types(own_tree: Tree) -> None:
    root = own_tree("mmi")
    path = root / "Sessions/3/S001-003-100.jpg"
    Image.open(path).save(path.with_suffix(".png"))
    with pytest.raises(FerbenchError, match=r"1 frame of MMI is there twice, .*100.jpg and .*100.png"):
        load("mmi", root)
    frames = load("mmi", root, allow_incomplete=True).frames()
    assert (frames["sequence"] == "S001/003").sum() == 9


def test_sessions_of_mmi_in_other_forms(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("mmi")
    moved(moved(root / "Sessions/2", root / "inner"), root / "Sessions/2/2")
    labels = root / "Sessions/1/S001-001.xml"
    labels.rename(labels.with_name("S001-001.XML")).write_text(
        labels.name and '<M><Metatag Name="Emotion" Value="1.0"/></M>'
    )
    assert load("mmi", root).fingerprint() == load("mmi", lab_tree("mmi")).fingerprint()


def test_a_session_of_mmi_whose_view_is_not_stated(own_tree: Tree) -> None:
    root = own_tree("mmi")
    (root / "Sessions/5/session.xml").unlink()  # filmed from the side
    with pytest.raises(
        FerbenchError, match=r"no session.xml, .*Sessions/5\. With dataset.allow_incomplete, it is read as filmed"
    ):
        load("mmi", root)
    assert load("mmi", root, allow_incomplete=True).frames()["sequence"].nunique() == 60


def test_an_emotion_of_mmi_that_is_none_is_named_with_its_session(own_tree: Tree) -> None:
    root = own_tree("mmi")
    (root / "Sessions/1/S001-001.xml").write_text('<M><Metatag Name="Emotion" Value="2.5"/></M>')
    with pytest.raises(FerbenchError, match=r"Sessions/1 has the emotion '2.5', which is not a number such as 4"):
        load("mmi", root)


@pytest.mark.parametrize("value", ["", " "])
def test_an_emotion_of_mmi_that_is_blank_is_none(own_tree: Tree, value: str) -> None:
    root = own_tree("mmi")
    (root / "Sessions/1/S001-001.xml").write_text(f'<M><Metatag Name="Emotion" Value="{value}"/></M>')
    assert "S001/001" not in set(load("mmi", root).frames()["sequence"])


def test_metadata_of_mmi_in_an_unknown_encoding(own_tree: Tree) -> None:
    root = own_tree("mmi")
    path = root / "Sessions/1/S001-001.xml"
    path.write_text('<?xml version="1.0" encoding="klingon"?><M/>')
    with pytest.raises(FerbenchError, match=r"S001-001.xml cannot be read as XML: .*klingon"):
        load("mmi", root)


def test_a_still_beside_the_frames_of_mmi_is_no_frame(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("mmi")
    session = root / "Sessions/3"
    shutil.copy(session / "S001-003-100.jpg", session / "S001-003.jpg")
    dataset = load("mmi", root)
    assert dataset.fingerprint() == load("mmi", lab_tree("mmi")).fingerprint()
    assert "1 image called by a session, without the number of a frame, was left out" in dataset.which_copy()


# -- micro-expressions


@pytest.mark.parametrize(("apex", "phases"), [("10", {"apex", "offset"}), ("11", {"neutral", "apex", "offset"})])
def test_a_clip_whose_apex_is_its_first_frame(own_tree: Tree, apex: str, phases: set[str]) -> None:
    root = own_tree("casme2")
    trees.edited(coding(root), lambda rows: next(r for r in rows if r[:2] == ["02", "EP01_01f"]).__setitem__(4, apex))
    frames = load("casme2", root).frames()
    clip = frames[frames["sequence"] == "sub02/EP01_01f"]
    assert set(clip["phase"]) == phases
    assert clip.loc[clip["phase"] == "apex", "frame_id"].tolist() == [f"sub02/EP01_01f/{apex}"]
    assert "sub02/EP01_01f" in set(select(frames, CARDS["casme2"], "auto")["sequence"])


def coding(root: Path) -> Path:
    return root / "CASME2-coding-20140508.csv"


@pytest.mark.parametrize(("column", "value"), [(8, "surprise"), (4, "15"), (5, "16")])
def test_a_clip_that_is_coded_twice(own_tree: Tree, lab_tree: Tree, column: int, value: str) -> None:
    root = own_tree("casme2")
    trees.edited(coding(root), lambda rows: rows.append([*rows[1]]))
    again = load("casme2", root)
    assert again.frames().equals(load("casme2", lab_tree("casme2")).frames()), "the same row again"
    trees.edited(coding(root), lambda rows: rows[-1].__setitem__(column, value))
    with pytest.raises(
        FerbenchError, match=r"1 clip of CASME II is coded twice, with other labels or frames: sub01/EP01_01f"
    ):
        load("casme2", root)
    first = load("casme2", root, allow_incomplete=True)
    assert first.frames().equals(load("casme2", lab_tree("casme2")).frames())


def test_an_apex_that_is_coded_and_missing(own_tree: Tree) -> None:
    root = own_tree("casme2")
    assert "the apex of 10 clips of CASME II is not coded" in load("casme2", root).which_copy()
    (root / "Cropped/Cropped/sub02/EP01_01f/reg_img14.jpg").unlink()
    with pytest.raises(
        FerbenchError, match=r"1 clip of CASME II lacks the frame of the apex: sub02/EP01_01f \(frame 14\)"
    ):
        load("casme2", root)
    partial = load("casme2", root, allow_incomplete=True)
    assert "sub02/EP01_01f" not in set(partial.frames()["sequence"])
    assert "the apex of 10 clips of CASME II is not coded" in partial.which_copy()
    trees.edited(coding(root), lambda rows: next(r for r in rows if r[:2] == ["02", "EP01_01f"]).__setitem__(4, "900"))
    assert "the apex of 1 clip of CASME II is coded outside of the clip" in load("casme2", root).which_copy()


def test_a_clip_without_its_onset(own_tree: Tree) -> None:
    root = own_tree("casme2")
    (root / "Cropped/Cropped/sub02/EP03_01f/reg_img10.jpg").unlink()
    copy = load("casme2", root).which_copy()
    assert "1 clip of CASME II lacks the frame of the onset or offset (sub02/EP03_01f)" in copy


@pytest.mark.parametrize(
    ("name", "folder", "image", "again"),
    [
        ("casme2", "Cropped/Cropped/sub02/EP01_01f", "reg_img14.jpg", "reg_img14.png"),
        ("samm", "SAMM/006/006_1_2", "006_05559.jpg", "006_05559.png"),
        ("smic", "SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01", "reg_image3.bmp", "reg_image3.png"),
        ("megc2019", "SMIC/SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01", "reg_image3.bmp", "reg_image3.png"),
    ],
)
def test_a_frame_of_a_clip_in_two_types(
    own_tree: Tree, lab_tree: Tree, name: str, folder: str, image: str, again: str
) -> None:
    root = own_tree(name)
    Image.open(root / folder / image).save(root / folder / again)
    with pytest.raises(FerbenchError, match=rf"1 frame of .* is there twice, .*{image} and .*{again}\. With"):
        load(name, root)
    frames = load(name, root, allow_incomplete=True).frames()
    assert frames.equals(load(name, lab_tree(name)).frames())


def test_cropped_and_whole_frames_in_one_folder(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("casme2")
    folder = root / "Cropped/Cropped/sub02/EP01_01f"
    shutil.copy(folder / "reg_img14.jpg", folder / "img14.jpg")
    assert load("casme2", root).fingerprint() == load("casme2", lab_tree("casme2")).fingerprint()


def test_clips_that_are_there_as_whole_frames_only(own_tree: Tree) -> None:
    root = own_tree("casme2")
    shutil.rmtree(root / "Cropped/Cropped/sub02/EP01_01f")
    with pytest.raises(
        FerbenchError,
        match=r"1 clip has whole frames and no cropped ones: sub02/EP01_01f. dataset.images=raw reads whole",
    ):
        load("casme2", root)
    assert load("casme2", root, allow_incomplete=True).frames()["sequence"].nunique() == 49
    assert (
        "59 clips have images of the other kind only and were left out"
        in load("casme2", root, images="raw").which_copy()
    )
    assert load("casme2", root, images="raw").frames()["sequence"].unique().tolist() == ["sub02/EP01_01f"]


def test_clips_of_smic_inside_themselves_count_once(own_tree: Tree) -> None:
    root = own_tree("smic")
    shutil.copytree(root / "SMIC_all_cropped/HS", root / "SMIC_all_cropped/HS/HS")
    assert "the apex of 30 clips of SMIC is not coded" in load("smic", root).which_copy()


def test_megc2019_names_the_dataset_that_is_missing(own_tree: Tree, lab_tree: Tree) -> None:
    root = own_tree("megc2019")
    shutil.rmtree(root / "SAMM")
    with pytest.raises(FerbenchError) as caught:
        load("megc2019", root)
    said = str(caught.value)
    assert "holds no clips of SAMM, only CASME II and SMIC." in said
    assert "put all three below one folder, and name it. SAMM can be had from" in said
    assert "looks like" not in said
    with pytest.raises(
        FerbenchError, match="holds no clips of CASME II, SAMM, SMIC; .*It looks like KDEF: write dataset=kdef"
    ):
        load("megc2019", lab_tree("kdef"))


# -- videos


@pytest.mark.parametrize("name", ["ravdess", "cremad", "mead"])
@pytest.mark.parametrize("other", ["ravdess", "cremad", "mead"])
def test_datasets_of_videos_are_told_apart(lab_tree: Tree, name: str, other: str) -> None:
    if name == other:
        return
    for settings in ({}, {"allow_incomplete": True}):
        with pytest.raises(FerbenchError, match=rf"It looks like .*: write dataset={other}\.$"):
            load(name, lab_tree(other), **settings)


def test_a_channel_that_ravdess_lacks(own_tree: Tree) -> None:
    root = own_tree("ravdess")
    for path in sorted(root.rglob("*.mp4")):
        words = path.name.split("-")
        path.rename(path.with_name("-".join([words[0], "03", *words[2:]])))
    with pytest.raises(FerbenchError, match="no video named like RAVDESS's"):
        load("ravdess", root, channel="all")


def test_clips_of_the_other_channel_are_counted_once(own_tree: Tree) -> None:
    root = own_tree("ravdess")
    for path in root.rglob("*-02-03-*.mp4"):
        path.unlink()
    with pytest.raises(FerbenchError, match="holds 80 clips of speech and none of song"):
        load("ravdess", root, channel="song")


# -- KDEF


def test_names_of_kdef_in_lower_case_by_class(lab_tree: Tree, tmp_path: Path) -> None:
    for path in lab_tree("kdef").rglob("*.JPG"):
        new = tmp_path / path.stem[4:6].lower() / path.name.lower()
        new.parent.mkdir(exist_ok=True)
        shutil.copy(path, new)
    assert load("kdef", tmp_path).fingerprint() == load("kdef", lab_tree("kdef")).fingerprint()


# -- sizes


def test_a_part_of_a_dataset_is_a_note_of_every_run(
    ferbench: Callable[..., Any], own_tree: Tree, tmp_path: Path
) -> None:
    root = own_tree("kdef")
    note = "This copy of kdef has 10 of the 70 published subjects and 140 of the 980 published sequences."
    assert note in read("kdef", root).notes
    assert note in ferbench("splits", "dataset=kdef", f"dataset.root={root}").err
    done = ferbench(
        "run", "method=cross_entropy", "dataset=kdef", f"dataset.root={root}", "budget=smoke", "protocol.folds=[0]",
        f"results_dir={tmp_path / 'results'}", "trainer.device=cpu",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert any(note in path.read_text() for path in (tmp_path / "results").rglob("record.json"))


def test_more_than_is_published_is_said_too(lab_tree: Tree) -> None:
    import dataclasses

    loaded = read("kdef", lab_tree("kdef"))
    assert loaded.card.published is not None
    small = dataclasses.replace(loaded.card.published, subjects=9, sequences=140)
    card = dataclasses.replace(loaded.card, published=small)
    assert compared(card, loaded.frames) == "This copy of kdef has 10 subjects, where 9 are published."
    small = dataclasses.replace(small, sequences=130)
    card = dataclasses.replace(card, published=small)
    assert compared(card, loaded.frames) == (
        "This copy of kdef has 10 subjects, where 9 are published, and 140 sequences, where 130 are published."
    )
    assert compared(dataclasses.replace(card, published=None), loaded.frames) == ""
    exact = dataclasses.replace(small, subjects=10, sequences=140)
    assert compared(dataclasses.replace(card, published=exact), loaded.frames) == ""


@pytest.mark.parametrize(
    ("name", "settings", "sequences"),
    [
        ("kdef", {"angles": "all"}, 4900),
        ("kdef", {"angles": "HL"}, 980),
        ("rafd", {"angles": "045+090"}, 3216),
        ("bu3dfe", {"levels": "all"}, 2400),
        ("bu3dfe", {"levels": "4"}, 600),
        ("bu3dfe", {"levels": "4+3"}, 1200),
        ("mmi", {"views": "all"}, None),
        ("smic", {"camera": "NIR"}, None),
    ],
)
def test_what_is_published_is_of_the_settings(
    lab_tree: Tree, name: str, settings: dict[str, str], sequences: int | None
) -> None:
    card = load(name, lab_tree(name), **settings).describe(CARDS[name])
    if sequences is None:
        assert card.published is None
    else:
        assert card.published.sequences == sequences == sum(card.published.by_expression.values())


def test_what_is_published_of_several_conditions_of_oulu(own_tree: Tree) -> None:
    root = own_tree("oulu")
    shutil.copytree(root / "PreProcess Img/VL/Strong", root / "PreProcess Img/VL/Weak")
    both = load("oulu", root, illumination="Strong+Weak").describe(CARDS["oulu"]).published
    assert (both.subjects, both.sequences, both.by_expression["fear"]) == (80, 960, 160)
    assert both.source.endswith("(VL/Strong, VL/Weak)")
    assert load("oulu", root, illumination="Weak").describe(CARDS["oulu"]) is CARDS["oulu"]


def test_black_pictures_of_kdef_are_not_missing(tmp_path: Path) -> None:
    for code in ("AF", "AN", "SU"):
        for angle in ("FL", "HL", "S", "HR", "FR"):
            colour = (0, 0, 0) if code + angle == "SUFR" else (100, 90, 80)
            trees.save(Image.new("RGB", (20, 26), colour), tmp_path / f"AF01{code}{angle}.JPG")
    published = load("kdef", tmp_path, angles="all").describe(CARDS["kdef"]).published
    assert (published.sequences, published.by_expression["surprise"], published.by_expression["fear"]) == (
        4899,
        699,
        700,
    )
    assert published.source.endswith("(FL, HL, S, HR, FR), without 1 black pictures")


# -- roots


LOW = [
    ("oulu", "PreProcess Img/VL/Strong", "PreProcess Img"),
    ("oulu", "PreProcess Img/VL/Strong/P001", "PreProcess Img"),
    ("ckplus7c", "Emotion", ""),
    ("ckplus7c", "Emotion/S005", ""),
    ("ckplus7c", "cohn-kanade-images/S005", ""),
    ("ckplus7c", "cohn-kanade-images/S005/001", ""),
    ("mmi", "Sessions/1", ""),
    ("ravdess", "Actor_01", ""),
    ("kdef", "AF01", ""),
    ("bu3dfe", "F0001", ""),
    ("radiate", "RADIATE_JPEGS1/AF01", "RADIATE_JPEGS1"),
    ("casme2", "Cropped", ""),
    ("casme2", "Cropped/Cropped/sub01", ""),
    ("samm", "SAMM/006", ""),
    ("mead", "M003/video", ""),
    ("folders", "train/angry", ""),
]


@pytest.mark.parametrize(("name", "folder", "right"), LOW)
def test_a_folder_that_is_too_low_names_the_right_one(lab_tree: Tree, name: str, folder: str, right: str) -> None:
    root = lab_tree(name)
    with pytest.raises(FerbenchError) as caught:
        load(name, root / folder)
    told = re.search(r"write dataset\.root=(.+)\.$", str(caught.value))
    assert told, str(caught.value)
    assert Path(told.group(1)) == root / right
    load(name, told.group(1))


def test_a_label_folder_as_its_archive_unpacks(own_tree: Tree) -> None:
    root = own_tree("ckplus7c")
    moved(moved(root / "Emotion", root / "inner"), root / "Emotion_labels/Emotion")
    moved(moved(root / "cohn-kanade-images", root / "inner"), root / "extended-cohn-kanade-images/cohn-kanade-images")
    for folder in ("Emotion_labels", "Emotion_labels/Emotion", "extended-cohn-kanade-images"):
        with pytest.raises(FerbenchError, match=rf"write dataset\.root={re.escape(str(root))}[.,]"):
            load("ckplus7c", root / folder)


def test_one_actor_of_ravdess_as_its_archive_unpacks(own_tree: Tree) -> None:
    root = own_tree("ravdess")
    for folder in sorted(root.glob("Actor_*")):
        moved(folder, root / f"Video_Speech_{folder.name}" / folder.name)
    for low in ("Video_Speech_Actor_01", "Video_Speech_Actor_01/Actor_01"):
        with pytest.raises(
            FerbenchError, match=rf"one of several actors .*write dataset\.root={re.escape(str(root))}\.$"
        ):
            load("ravdess", root / low)
    shutil.move(root / "Video_Speech_Actor_01", root.parent / "alone")
    assert load("ravdess", root.parent / "alone").frames()["subject"].nunique() == 1, "the only one that was downloaded"


def test_half_of_a_split_is_not_recommended_as_folders(own_tree: Tree) -> None:
    root = own_tree("folders")
    for path in list(root.rglob("*.png")):  # four digits would be names of CAER-S
        path.rename(path.with_name(f"face {path.name}"))
    with pytest.raises(FerbenchError, match=rf"write dataset=folders dataset\.root={re.escape(str(root))}\.$"):
        load("kdef", root / "train")


def test_another_dataset_beside_the_folder_does_not_make_it_too_low(lab_tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "jaffe").symlink_to(lab_tree("jaffe"))
    (tmp_path / "oulu").symlink_to(lab_tree("oulu"))
    with pytest.raises(FerbenchError, match=r"It looks like JAFFE.*: write dataset=jaffe\."):
        load("oulu", tmp_path / "jaffe")


def test_radiate_in_two_versions_says_what_can_be_done(own_tree: Tree) -> None:
    root = own_tree("radiate")
    flat = root.parent / "flat"
    flat.mkdir()
    for path in root.rglob("*.jpg"):
        shutil.copy(path, flat)
    Image.open(flat / "AF01_AC.jpg").save(flat / "AF01_AC.bmp")
    with pytest.raises(FerbenchError, match="in several versions: .*; move one version to a folder of its own"):
        load("radiate", flat)
    shutil.copytree(flat, root.parent / "both" / "BMP", ignore=shutil.ignore_patterns("*.jpg"))
    shutil.copytree(root, root.parent / "both" / "JPG")
    with pytest.raises(FerbenchError, match=rf"write dataset\.root={re.escape(str(root.parent / 'both' / 'JPG'))},"):
        load("radiate", root.parent / "both")
    load("radiate", root.parent / "both" / "JPG")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("oulu", "PreProcess Img/VL"), ("mead", "M003"), ("smic", "SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01"),
        ("ckplus7c", "."), ("mmi", "Sessions"), ("kdef", "AF01/.."),
    ],
)  # fmt: skip
def test_a_relative_root_is_the_same(lab_tree: Tree, monkeypatch: pytest.MonkeyPatch, name: str, folder: str) -> None:
    absolute = load(name, lab_tree(name) / folder)
    monkeypatch.chdir(lab_tree(name) / folder)
    assert load(name, ".").fingerprint() == absolute.fingerprint()
    assert load(name, ".").which_copy() == absolute.which_copy()


def test_a_search_that_stops_says_so(own_tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = own_tree("ckplus7c")
    for number in range(60):
        (root / "Dokumente" / str(number)).mkdir(parents=True)
    monkeypatch.setattr(layout, "MOST", 50)
    with pytest.raises(
        FerbenchError,
        match=r"holds more than 50 folders; the search for the dataset stopped at .*Name the dataset's own folder",
    ):
        load("ckplus7c", root)


# -- names that are no UTF-8


def test_names_that_are_no_utf8_are_hashed_and_recorded(lab_tree: Tree, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode("数据".encode("gbk"))
    folder.symlink_to(lab_tree("oulu"))
    assert load("oulu", folder).frames().equals(load("oulu", lab_tree("oulu")).frames())
    assert digest({"root": str(folder)}) != digest({"root": str(tmp_path)})
    assert digest("Jürgen") == hashlib.sha256('"Jürgen"'.encode()).hexdigest()[:16]
    text = as_json({"root": str(folder), "name": "Jürgen"})
    assert json.loads(text.encode().decode()) == {"root": str(folder), "name": "Jürgen"}
    assert "Jürgen" in as_json({"name": "Jürgen"}), "other letters are written as they are"
