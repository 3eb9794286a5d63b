"""Tables as people write them: labels, blanks, numbers, and files that Excel made."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ferbench import DatasetCard, FerbenchError
from ferbench.interfaces.dataset import check_frames
from ferbench.registry.component import Component
from ferbench.registry.loader import load_registry
from ferbench_labdata.cards import CARDS

REGISTRY = load_registry()


def write(tmp_path: Path, text: str, encoding: str = "utf-8", name: str = "frames.csv") -> Path:
    for number in range(8):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def load(path: Path, **settings: Any) -> Any:
    return Component("table", {"file": str(path), **settings}).make(REGISTRY, DatasetCard)


def labels(dataset: Any) -> list[Any]:
    frames = check_frames(dataset.frames(), dataset.describe(CARDS["table"]))
    return [None if pd.isna(value) else value for value in frames["expression"]]


def test_labels_are_translated_and_counted(tmp_path: Path) -> None:
    dataset = load(
        write(
            tmp_path, "path,expression\n0.png,Happy\n1.png,Anger \n2.png,anger\n3.png, Helpless\n4.png,\n5.png,happy\n"
        )
    )
    assert labels(dataset) == ["happiness", "anger", "anger", "helpless", None, "happiness"]
    assert dataset.describe(CARDS["table"]).expressions == ("anger", "happiness", "helpless")
    assert dataset.which_copy() == (
        "1 of 6 rows have no label; 'Happy' is read as happiness in 1 row; 'Anger ' is read as anger in 1 row; "
        "' Helpless' is read as helpless in 1 row; 'happy' is read as happiness in 1 row"
    )


def test_numbers_are_what_the_codes_say(tmp_path: Path) -> None:
    path = write(tmp_path, "path,expression\n0.png,0\n1.png,3.0\n2.png,sad\n")
    assert labels(load(path)) == ["0", "3.0", "sadness"]
    assert labels(load(path, codes="affectnet")) == ["neutral", "surprise", "sadness"]
    assert labels(load(path, codes="fer2013")) == ["anger", "happiness", "sadness"]
    with pytest.raises(FerbenchError, match=r"labels that dataset.codes=rafdb lacks \(0\) in 1 rows: 2"):
        load(path, codes="rafdb")


@pytest.mark.parametrize("subject", ["NA", "None", "nan", "null", "007", "1e3", "-"])
def test_any_word_may_be_a_subject(tmp_path: Path, subject: str) -> None:
    dataset = load(write(tmp_path, f"path,expression,subject\n0.png,anger,{subject}\n1.png,fear,b\n"))
    assert dataset.frames()["subject"].tolist() == [subject, "b"]
    assert "subject" in dataset.describe(CARDS["table"]).provides


def test_a_column_that_is_blank_counts_as_absent(tmp_path: Path) -> None:
    dataset = load(write(tmp_path, "path,expression,subject\n0.png,anger,\n1.png,fear, \n"))
    assert "subject" not in dataset.describe(CARDS["table"]).provides
    assert dataset.which_copy() == "the column subject is blank"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "path,expression,subject\n0.png,anger,a\n1.png,fear,\n2.png,fear, \n",
            "has no subject in 2 of 3 rows: 3, 4",
        ),
        ("path,expression\n0.png,anger\n,fear\n", "has no path in 1 of 2 rows: 3"),
        ("path,expression,split\n0.png,anger,train\n1.png,fear,\n", "has no split in 1 of 2 rows: 3"),
        (
            "path,expression,split\n0.png,anger,training\n1.png,fear,hold-out\n",
            "row 3, has the split 'holdout'; it can be train,",
        ),
        (
            "path,expression,phase\n0.png,anger,peak\n",
            "row 2, has the phase 'peak'; it can be neutral, onset, apex, offset",
        ),
        (
            "path,expression,position\n0.png,anger,1.5\n",
            "row 2, has the position '1.5', which is not a number without a fraction",
        ),
        ("path,expression,position\n0.png,anger,inf\n", "row 2, has the position 'inf'"),
        (
            "path,expression\n0.png,anger\n\n1.png,fear\n0.png,anger\n",
            "a path more than once: '0.png' in the rows 2, 5",
        ),
        ("path,frame_id,expression\n0.png,a,anger\n1.png,a,fear\n", "a frame_id more than once: 'a' in the rows 2, 3"),
        ("path,expression\n0.png\n", "row 2, has 1 values for 2 columns"),
        ("path,expression\n0.png,anger,more\n", "row 2, has 3 values for 2 columns"),
        ("path,expression,path\n0.png,anger,1.png\n", "has several columns called 'path'"),
        ("Path,path,expression\n0.png,1.png,anger\n", "has several columns called 'path'"),
        ("path,expression,position\n0.png,anger,1e30\n", "row 2, has the position '1e30', which is not a number"),
        ("path,expression\n", "has names of columns and no row below them"),
        (
            'path,expression\n0.png,"anger\n1.png,fear\n',
            "row 3, cannot be read as CSV: .* A quotation mark may be missing",
        ),
        ("path,expression\n0.png, \n", "has no frame with an expression"),
    ],
)
def test_tables_that_say_too_little(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        load(write(tmp_path, text))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_that_excel_makes(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    rows = [
        ["path", "expression", "subject", "age", ""],
        ["0.png", "Anger", "Jürgen", "31", ""],
        ["1.png", "fear", "Zoë", "", ""],
    ]
    dataset = load(write(tmp_path, end.join(map(separator.join, [*rows, [""] * 5])), encoding))
    assert dataset.frames()["subject"].tolist() == ["Jürgen", "Zoë"]
    assert dataset.frames()["age"].iloc[0] == 31
    assert labels(dataset) == ["anger", "fear"]


def test_files_that_are_no_text(tmp_path: Path) -> None:
    for content, sentence in (
        (b"PK\x03\x04 sheet", "is an Excel file or an archive; save the sheet as CSV"),
        (b"a,\0b\n\x81", "no text"),
    ):
        path = write(tmp_path, "")
        path.write_bytes(content)
        with pytest.raises(FerbenchError, match=sentence):
            load(path)
    with pytest.raises(FerbenchError, match="cannot be read as CSV: Is a directory"):
        load(tmp_path)


def test_a_parquet_file(tmp_path: Path) -> None:
    write(tmp_path, "")
    path = tmp_path / "frames.parquet"
    table = pd.DataFrame(
        {"path": ["0.png", "1.png"], "expression": ["Happy", None], "subject": [3, 4], "dose": [0.5, None]}
    )
    table.to_parquet(path)
    dataset = load(path)
    assert labels(dataset) == ["happiness", None]
    assert dataset.frames()["subject"].tolist() == ["3", "4"]
    assert dataset.frames()["dose"].iloc[0] == 0.5
    path.write_bytes(b"no parquet")
    with pytest.raises(FerbenchError, match="cannot be read as Parquet"):
        load(path)


def test_a_parquet_file_with_lists_in_its_cells(tmp_path: Path) -> None:
    write(tmp_path, "")
    path = tmp_path / "frames.parquet"
    pd.DataFrame({"path": ["0.png"], "expression": ["Happy"], "boxes": [[1, 2]]}).to_parquet(path)
    assert load(path).frames()["boxes"].tolist() == ["[1 2]"]


def test_a_parquet_file_whose_columns_differ_in_blanks(tmp_path: Path) -> None:
    write(tmp_path, "")
    path = tmp_path / "frames.parquet"
    pd.DataFrame({"path": ["0.png"], "expression": ["Happy"], "split ": ["train"], "split": ["test"]}).to_parquet(path)
    with pytest.raises(FerbenchError, match="has several columns called 'split'"):
        load(path)


def test_paths_of_windows(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "faces").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "faces" / "a.png")
    dataset = load(write(tmp_path, "path,expression\nfaces\\a.png,anger\n"))
    assert dataset.image("faces\\a.png").shape == (8, 8, 3)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.sampled_from(
                ["path", "expression", "subject", ",", ";", "\t", '"', "\n", "\r", "0.png", " ", "é", "NA", "3"]
            ),
            max_size=24,
        )
        .map("".join)
        .map(lambda text: ("path,expression\n" + text).encode("cp1252")),
    )
)
def test_no_file_makes_a_traceback(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "")
    path.write_bytes(content)
    with contextlib.suppress(FerbenchError):
        dataset = load(path)
        check_frames(dataset.frames(), dataset.describe(CARDS["table"]))
