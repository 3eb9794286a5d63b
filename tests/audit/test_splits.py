"""The auditor of splits, on clean and on leaky ones."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ferbench.audit.splits import audit, image_hash, read, sides
from ferbench.config.compose import compose
from ferbench.errors import FerbenchError
from ferbench.interfaces.protocol import TRAIN_ONLY, UNUSED
from ferbench.plan.study import plan
from ferbench.protocols.listed import Listed
from ferbench.protocols.settings import ListedSettings
from ferbench.registry.loader import load_registry

Run = Callable[..., Any]


def table(**columns: Sequence[object]) -> pd.DataFrame:
    return pd.DataFrame({name: [str(v) for v in values] for name, values in columns.items()})


CLEAN: dict[str, Sequence[object]] = {
    "frame_id": ["a", "b", "c", "d"],
    "subject": ["P1", "P1", "P2", "P3"],
    "fold": [0, 0, 1, 1],
}


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


@settings(max_examples=40)
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


def frames_of(tree: Path, fold: Callable[[int, pd.DataFrame], pd.Series]) -> pd.DataFrame:
    """The images of a built KDEF copy, three folds."""
    rows = [(p.relative_to(tree).as_posix(), p.name[1:4], p.name[4:6]) for p in sorted(tree.rglob("*S.JPG"))]
    frame = pd.DataFrame(rows, columns=["path", "subject", "expression"])
    return frame.assign(fold=fold(3, frame))


def by_image(k: int, frame: pd.DataFrame) -> pd.Series:
    return pd.Series(np.arange(len(frame)) % k)


def by_subject(k: int, frame: pd.DataFrame) -> pd.Series:
    return frame["subject"].str[1:].astype(int) % k


def test_what_a_leak_is_worth(ferbench: Run, lab_tree: Callable[[str], Path], tmp_path: Path) -> None:
    """Both splits are trained and tested; the CSV and the images are enough."""
    tree = lab_tree("kdef")
    file = write(tmp_path, frames_of(tree, by_image))
    words = ("budget=smoke", f"results_dir={tmp_path / 'r'}", "trainer.device=cpu")
    done = ferbench("audit", file, "--root", tree, "--worth", *words)
    assert done.status == 1, done.err
    assert "6 trials, on this split and on 3 folds of whole subjects" in done.out
    found = re.findall(r"(this|clean) split +accuracy +([\d.]+) % \[", done.out)
    assert [name for name, _ in found] == ["this", "clean"]
    gap = float(found[0][1]) - float(found[1][1])
    assert float(re.findall(r"difference +([+-][\d.]+) points", done.out)[0]) == pytest.approx(gap, abs=0.11)


def test_worth_needs_overrides_of_its_own(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench("audit", write(tmp_path, table(**CLEAN)), "method=grl")
    assert (done.status, done.err) == (2, "Error: 'method=grl' is for --worth, which trains and tests on the split.\n")


def test_a_leaky_split_is_refused_in_a_run(ferbench: Run, lab_tree: Callable[[str], Path], tmp_path: Path) -> None:
    file = write(tmp_path, frames_of(lab_tree("kdef"), by_image))
    words = ("run", "method=cross_entropy", "dataset=table", f"dataset.file={file}", f"dataset.root={lab_tree('kdef')}")
    done = ferbench(*words, "budget=smoke", "protocol=listed", f"protocol.file={file}", f"results_dir={tmp_path / 'r'}")
    assert done.status == 2
    assert "The protocol trains on and tests the same subjects: F01, F03" in done.err


def listed(file: Path, frames: pd.DataFrame, **more: Any) -> np.ndarray:
    return Listed(ListedSettings(file=str(file), **more)).assign_folds(frames)


def test_a_split_from_a_file(tmp_path: Path) -> None:
    frames = pd.DataFrame({"frame_id": ["a", "b", "c", "d", "e"]})
    file = write(tmp_path, table(frame_id=["e", "a", "b", "c"], Split=["Val", "Train", "TEST", "train"]))
    assert listed(file, frames).tolist() == [TRAIN_ONLY, 0, TRAIN_ONLY, UNUSED, UNUSED]
    file = write(tmp_path, table(frame_id=["a", "b", "c"], split=["train", "val", "train"]))
    assert listed(file, frames).tolist() == [TRAIN_ONLY, 0, TRAIN_ONLY, UNUSED, UNUSED]
    file = write(tmp_path, table(path=["a", "b", "c"], fold=["10", "2", "x"]))
    assert listed(file, frames).tolist() == [1, 0, 2, UNUSED, UNUSED]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"frame_id": ["z"], "fold": [0]},
            "None of the 2 frames of the dataset is in .* are like a, b; the file's are like z",
        ),
        ({"name": ["a"], "fold": [0]}, "has neither a column frame_id nor path; it has name, fold"),
        ({"frame_id": ["a"], "split": ["train"]}, "has the splits train; it needs a training split and a test split"),
    ],
)
def test_files_that_are_no_split(tmp_path: Path, columns: dict[str, list[object]], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        listed(write(tmp_path, table(**columns)), pd.DataFrame({"frame_id": ["a", "b"]}))
    with pytest.raises(FerbenchError, match="gone.csv cannot be read as CSV"):
        listed(tmp_path / "gone.csv", pd.DataFrame({"frame_id": ["a"]}))
    with pytest.raises(FerbenchError, match="add protocol.file="):
        Listed(ListedSettings()).assign_folds(pd.DataFrame({"frame_id": ["a"]}))


def test_the_split_counts_for_a_trial_and_its_path_does_not(lab_tree: Callable[[str], Path], tmp_path: Path) -> None:
    tree = lab_tree("kdef")
    registry = load_registry()

    def ids(name: str, frame: pd.DataFrame) -> list[str]:
        file = tmp_path / name
        frame.to_csv(file, index=False)
        words = ["method=grl", "dataset=table", f"dataset.file={tmp_path / 'frames.csv'}", f"dataset.root={tree}"]
        return [
            t.id for t in plan(registry, compose(registry, [*words, "protocol=listed", f"protocol.file={file}"])).trials
        ]

    frame = frames_of(tree, by_subject)
    frame.drop(columns="fold").to_csv(tmp_path / "frames.csv", index=False)
    first = ids("a.csv", frame)
    assert ids("b.csv", frame) == first
    fewer = frame[frame.index % 7 != 0]
    assert not set(ids("c.csv", fewer)) & set(first)


def test_blanks_around_a_name_are_no_other_person(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench("audit", write(tmp_path, table(**{**CLEAN, "subject": ["P1", "P1 ", " P1", "P3"]})))
    assert done.status == 1
    assert "LEAK  1 of 1 subjects are trained on too: P1" in done.out


def test_names_that_may_be_one_person_are_said(ferbench: Run, tmp_path: Path) -> None:
    done = ferbench("audit", write(tmp_path, table(**{**CLEAN, "subject": ["P1", "P1", "p01", "P10"]})))
    assert "note  1 groups of subjects may be one person each: P1 and p01" in done.out
    assert done.status == 0


def test_nearest_hashes_against_counting_bits() -> None:
    random = np.random.default_rng(0)
    codes = random.integers(0, 2**63, 300, dtype=np.uint64)
    codes[150:200] = codes[:50] ^ (np.uint64(1) << random.integers(0, 63, 50, dtype=np.uint64))
    frames = table(
        frame_id=range(300), subject=range(300), fold=[0] * 150 + [1] * 150, hash=[f"{code:016x}" for code in codes]
    )
    first, second = audit(frames)
    expected = {
        (str(i), str(j))
        for i in range(150)
        for j in range(150, 300)
        if bin(int(codes[i]) ^ int(codes[j])).count("1") <= 4
    }
    assert set(first.near) == expected
    assert {(b, a) for a, b in second.near} == expected


def test_people_on_both_sides_of_two_datasets_are_found(
    ferbench: Run, lab_tree: Callable[[str], Path], tmp_path: Path
) -> None:
    words = ["dataset=ckplus6", f"dataset.root={lab_tree('ckplus6')}", "test_dataset=ckplus7n"]
    words += [f"test_dataset.root={lab_tree('ckplus7n')}", "protocol.allow_overlap=subjects"]
    printed = ferbench("splits", *words)
    assert "10 of the 10 subjects of the test set are in the training set too" in printed.err
    (tmp_path / "splits.csv").write_text(printed.out)
    done = ferbench("audit", tmp_path / "splits.csv")
    assert done.status == 1
    assert "LEAK  10 of 10 subjects are trained on too: CK+/S005" in done.out


def test_listed_and_audit_read_a_split_alike(ferbench: Run, lab_tree: Callable[[str], Path], tmp_path: Path) -> None:
    """Blanks, upper case and several words for a test set never make training frames of tested ones."""
    printed = ferbench("splits", "dataset=jaffe", f"dataset.root={lab_tree('jaffe')}").out
    rows = [line.split(",") for line in printed.splitlines()[1:]]
    people = sorted({row[1] for row in rows})
    for words in (("test ", "train"), ("Test", "eval"), ("test", "val "), ("TEST", "Training")):
        side = dict(zip(people, words, strict=False))
        lines = [f"{row[0]},{row[1]},{side.get(row[1], 'train')}" for row in rows]
        (tmp_path / "s.csv").write_text("\n".join(["frame_id,subject,split", *lines]))
        shown = ferbench(
            "splits",
            "dataset=jaffe",
            f"dataset.root={lab_tree('jaffe')}",
            "protocol=listed",
            f"protocol.file={tmp_path / 's.csv'}",
        )
        assert shown.status == 0, shown.err
        trained = {line.split(",")[1] for line in shown.out.splitlines() if line.endswith("train")}
        asked = {person for person in people if side.get(person, "train").strip().lower() in ("train", "training")}
        assert trained == asked
        assert ferbench("audit", tmp_path / "s.csv").status == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("path,subject,split,Subject\na,P1,test,P1\n", "has several columns called 'subject'"),
        ("path,subject,split,split\na,P1,test,train\n", "has several columns called 'split'"),
        ("path,subject,split\na,P1,\nb,P2,test\n", "has no split in 1 of 2 rows: 2. Fill it in"),
        ("path,split\nDoe, J/1.png,train\n", "row 2, has 3 values for 2 columns"),
        ("path,subject,split\na,P1\nb,P2,test\n", "row 2, has 2 values for 3 columns"),
        ("path,subject,fold,hash\na,P1,0,0x0\nb,P2,1,0x0\n", "holds '0x0', which is not 16 hexadecimal digits"),
    ],
)
def test_split_files_that_are_none(ferbench: Run, tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    done = ferbench("audit", tmp_path / "s.csv")
    assert done.status == 2
    assert sentence in done.err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_split_files_of_excel(ferbench: Run, tmp_path: Path, encoding: str, separator: str) -> None:
    rows = [["path", "subject", "fold"], ["ä", "é", "01"], ["b", "é", "1.0"], ["c", "X", "2"]]
    (tmp_path / "s.csv").write_bytes("\r\n".join(separator.join(row) for row in rows).encode(encoding))
    done = ferbench("audit", tmp_path / "s.csv")
    assert done.out.splitlines()[0] == "fold 1: 2 frames of 1 subjects tested, 1 trained on", done.err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_split_files_that_excel_exports(tmp_path: Path, separator: str, encoding: str) -> None:
    rows = [
        ("Path", "Subject", "Split"),
        ("Zo\u00eb, 1.png", "Zo\u00eb", "Train"),
        ("b.png", "P2", "test"),
        ("", "", ""),
    ]
    with (tmp_path / "s.csv").open("w", encoding=encoding, newline="") as out:
        csv.writer(out, delimiter=separator).writerows(rows)
    found = read(tmp_path / "s.csv")
    assert found["frame_id"].tolist() == ["Zo\u00eb, 1.png", "b.png"]
    assert found["split"].tolist() == ["train", "test"]
