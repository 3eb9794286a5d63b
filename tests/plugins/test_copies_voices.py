"""Copies of CREMA-D and RAVDESS as they are found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ferbench import DatasetCard, FerbenchError
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.cards import CARDS
from tests import trees

Tree = Callable[[str], Path]
REGISTRY = load_registry()
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 414429\n"
MIRROR = "https://gitlab.com/cs-cooper-lab/crema-d-mirror"


def load(name: str, root: Path, **settings: Any) -> Any:
    return Component(name, {"root": str(root), **settings}).make(REGISTRY, DatasetCard)


def test_pointers_of_git_lfs_are_named(own_tree: Tree) -> None:
    root = own_tree("cremad")
    videos = sorted((root / "VideoFlash").iterdir())
    videos[0].write_text(POINTER)
    with pytest.raises(
        FerbenchError,
        match=f"1 video is there as a small text file, .*{videos[0].name}. The videos can be had from {MIRROR}",
    ):
        load("cremad", root)
    assert load("cremad", root, allow_incomplete=True).frames()["sequence"].nunique() == 59
    for path in videos:
        path.write_text(POINTER)
    with pytest.raises(
        FerbenchError, match=f"All 60 videos in .* are there as a small text file.* can be had from {MIRROR}"
    ):
        load("cremad", root, allow_incomplete=True)


def test_cremad_flat_with_sounds_beside(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("cremad")
    for path in (root / "VideoFlash").iterdir():
        shutil.move(path, root / path.name)
        (root / "AudioWAV" / f"{path.stem}.wav").write_bytes(b"RIFF")
    assert load("cremad", root).frames().equals(load("cremad", lab_tree("cremad")).frames())


def test_cremad_as_mp4_and_in_two_formats(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("cremad")
    videos = sorted((root / "VideoFlash").iterdir())
    frames = [Image.new("RGB", (48, 48))] * 3
    trees.film(frames, root / "VideoMP4" / f"{videos[0].stem}.mp4", "mpeg4")
    both = load("cremad", root)
    assert both.frames().equals(load("cremad", lab_tree("cremad")).frames()), "the distributed format is read"
    assert "1 clip is there in several formats" in both.which_copy()
    videos[0].unlink()
    sequence = "{}/{}-{}-{}".format(*videos[0].stem.split("_"))
    one = load("cremad", root).frames()
    assert (one["sequence"] == sequence).sum() == 3


def test_sounds_are_no_faces(own_tree: Tree) -> None:
    root = own_tree("cremad")
    shutil.rmtree(root / "VideoFlash")
    (root / "AudioWAV" / "1001_DFA_ANG_XX.wav").write_bytes(b"RIFF")
    with pytest.raises(FerbenchError, match="1 sounds and no video of CREMA-D"):
        load("cremad", root)
    actor = root / "speech" / "Actor_01"
    actor.mkdir(parents=True)
    (actor / "03-01-01-01-01-01-01.wav").write_bytes(b"RIFF")
    with pytest.raises(FerbenchError, match="1 sounds and no video of RAVDESS .*Video_Speech_Actor_01.zip"):
        load("ravdess", root / "speech")


def test_archives_of_ravdess_that_are_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "Video_Speech_Actor_01.zip").write_bytes(b"PK")
    with pytest.raises(FerbenchError, match="Video_Speech_Actor_01.zip is not unpacked yet"):
        load("ravdess", tmp_path)


def test_published_counts_of_ravdess_are_those_of_the_channel(lab_tree: Tree) -> None:
    def published(channel: str) -> tuple[int, int, bool]:
        counts = load("ravdess", lab_tree("ravdess"), channel=channel).describe(CARDS["ravdess"]).published
        assert sum(counts.by_expression.values()) == counts.sequences
        return counts.subjects, counts.sequences, counts.complete

    assert published("speech") == (24, 1440, True)
    assert published("song") == (23, 1012, False), "there are no songs of actor 18, and songs show six emotions"
    assert published("all") == (24, 2452, True)


def test_a_channel_that_the_copy_lacks(own_tree: Tree) -> None:
    root = own_tree("ravdess")
    for path in root.rglob("*-02-03-*.mp4"):
        path.unlink()
    with pytest.raises(FerbenchError, match="clips of speech and none of song; write dataset.channel=speech"):
        load("ravdess", root, channel="song")


def test_a_clip_of_ravdess_that_is_there_twice(lab_tree: Tree, own_tree: Tree) -> None:
    root = own_tree("ravdess")
    shutil.copytree(root / "Actor_01", root / "Video_Speech_Actor_01" / "Actor_01")
    dataset = load("ravdess", root)
    assert dataset.frames().equals(load("ravdess", lab_tree("ravdess")).frames())
    assert "are there twice with equal content" in dataset.which_copy()
    clip = next((root / "Video_Speech_Actor_01" / "Actor_01").glob("02-01-04-*"))
    trees.film([Image.new("RGB", (48, 48))] * 3, clip, "mpeg4")
    with pytest.raises(FerbenchError, match="1 sequence or image is there twice, with differences"):
        load("ravdess", root)
