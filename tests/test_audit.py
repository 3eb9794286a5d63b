"""The auditor of splits, on clean and on leaky ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ferbench.audit import audit, image_hash, read, sides
from ferbench.errors import FerbenchError

Run = Callable[..., Any]


def table(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame({name: [str(v) for v in values] for name, values in columns.items()})


CLEAN = {"frame_id": ["a", "b", "c", "d"], "subject": ["P1", "P1", "P2", "P3"], "fold": [0, 0, 1, 1]}


def write(tmp_path: Path, frame: pd.DataFrame) -> Path:
    path = tmp_path / "splits.csv"
    frame.to_csv(path, index=False)
    return path


def test_a_clean_split(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench("audit", write(tmp_path, table(**CLEAN)))
    assert (done.status, done.out.splitlines()[-1]) == (0, "Nothing leaks.")
    assert "fold 0: 2 frames of 1 subjects tested, 2 trained on" in done.out


def test_subjects_on_both_sides(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench("audit", write(tmp_path, table(**{**CLEAN, "fold": [0, 1, 1, 0]})))
    assert done.status == 1
    assert "LEAK  1 of 2 subjects are trained on too: P1" in done.out
    assert "2 of 2 sides leak." in done.out


def test_what_splits_prints_is_clean(ferbench: Run, tmp_path: Path) -> None:
    printed = ferbench("splits", "dataset=synthfaces", "dataset.subjects=12", "dataset.takes=1")
    path = tmp_path / "s.csv"
    path.write_text(printed.out)
    assert ferbench("audit", path).status == 0


def test_a_class_ordered_slice_leaks_as_it_does_in_the_wild() -> None:
    """Frames sorted by class and sliced into folds: subjects come back in every class, so they are on both sides."""
    rows = [(f"{e}{s}{i}", f"P{s}", f"{s}/{e}", e) for e in "abc" for s in range(10) for i in range(3)]
    frame = pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "expression"])
    frame["fold"] = (np.arange(len(frame)) % 30 // 10).astype(str)
    findings = audit(frame)
    assert len(findings) == 3
    assert all(found.subjects for found in findings)
    ten = frame.assign(fold=[str(int(s[1:]) % 5) for s in frame["subject"]])
    assert not any(found.leaks for found in audit(ten))


def test_sequences_and_frames_on_both_sides() -> None:
    frame = table(
        frame_id=["a", "b", "c", "a"],
        subject=["P1", "P2", "P3", "P4"],
        sequence=["q", "r", "q", ""],
        split=["train", "train", "test", "test"],
    )
    (found,) = audit(frame)
    assert found.sequences == ("q",)
    assert found.doubles == ("a",)
    assert found.subjects == ()


def test_a_class_on_one_side_is_a_note_and_no_leak(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench("audit", write(tmp_path, table(**CLEAN, expression=["joy", "fear", "joy", "joy"])))
    assert done.status == 0
    assert "note  on one side only: fear" in done.out


def test_a_validation_set_is_no_training_data_for_the_test_set() -> None:
    frame = table(frame_id=["a", "b", "c"], subject=["P1", "P2", "P2"], split=["train", "val", "test"])
    assert [(name, len(tested), len(trained)) for name, tested, trained in sides(frame)] == [
        ("split test", 1, 1),
        ("split val", 1, 1),
    ]
    assert not any(found.leaks for found in audit(frame))


def test_near_duplicates_by_hash() -> None:
    frame = table(**CLEAN, hash=["00000000000000ff", "ffffffffffffffff", "00000000000000fe", "0f0f0f0f0f0f0f0f"])
    first, second = audit(frame)
    assert first.near == (("a", "c"),)
    assert second.near == (("c", "a"),)


def test_images_are_hashed_where_their_folder_is_given(
    ferbench: Run, tmp_path: Path, faces: Callable[..., Image.Image]
) -> None:
    faces(0, "anger", 7).save(tmp_path / "a.png")
    faces(0, "anger", 7).resize((90, 90)).save(tmp_path / "copy.jpg", quality=60)
    faces(3, "surprise", 7).save(tmp_path / "other.png")
    frame = table(path=["a.png", "copy.jpg", "other.png"], subject=["P1", "P2", "P3"], split=["train", "test", "test"])
    done = ferbench("audit", write(tmp_path, frame), "--root", tmp_path)
    assert done.status == 1
    assert "LEAK  1 images are nearly the same as one that is trained on: copy.jpg ~ a.png" in done.out
    assert image_hash(tmp_path / "nothing.png") == ""


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (table(subject=["a"], fold=[0]), "neither a column frame_id nor path; it has subject, fold"),
        (table(path=["a"], fold=[0]), "no column subject"),
        (table(path=["a"], subject=["P1"]), "neither a column fold nor split"),
        (table(path=["a"], subject=[""], fold=[0]), "1 rows without a subject"),
        (table(path=["a"], subject=["P1"], fold=[0]), "There is one fold only"),
        (table(path=["a", "b"], subject=["P1", "P2"], split=["x", "y"]), "No split is called test"),
        (table(**CLEAN, hash=["zz", "", "ff", "0"]), "not 16 hexadecimal digits"),
        (table(path=[], subject=[], fold=[]), "has no rows"),
    ],
)
def test_files_that_cannot_be_audited(ferbench: Run, tmp_path: Path, frame: pd.DataFrame, sentence: str) -> None:
    done = ferbench("audit", write(tmp_path, frame))
    assert done.status == 2
    assert sentence in done.err
    assert done.err.startswith("Error: ")


def test_no_file_and_no_csv(ferbench: Run, tmp_path: Path) -> None:
    assert ferbench("audit", tmp_path / "no.csv").status == 2
    binary = tmp_path / "x.csv"
    binary.write_bytes(bytes(range(256)))
    assert ferbench("audit", binary).status == 2


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=40))
def test_a_side_leaks_exactly_where_a_subject_is_in_two_folds(rows: list[tuple[int, int]]) -> None:
    frame = table(frame_id=list(range(len(rows))), subject=[s for s, _ in rows], fold=[f for _, f in rows])
    if frame["fold"].nunique() < 2:
        with pytest.raises(FerbenchError, match="one fold only"):
            audit(frame)
        return
    for found in audit(frame):
        fold = found.side.removeprefix("fold ")
        expected = {s for s in frame["subject"] if set(frame.loc[frame["subject"] == s, "fold"]) > {fold}}
        assert set(found.subjects) == expected & set(frame.loc[frame["fold"] == fold, "subject"])


def test_columns_may_be_written_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("Path, Subject ,SPLIT\na,P1,train\nb,P2,test\n")
    assert list(read(path).columns) == ["path", "subject", "split", "frame_id"]
