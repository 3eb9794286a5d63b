"""CSV files of ours: no cell starts a formula in a spreadsheet, and what ferbench reads back is what it wrote."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferbench.protocols import splitfile
from ferbench.ranking.aggregate import BoardQuery, boards
from ferbench.report import export
from ferbench.tables import cell, read_csv
from tests.made_records import Make

FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1+1", "'=1+1", "''@x")


@pytest.mark.parametrize("text", FORMULAS)
def test_what_would_be_a_formula_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-0.5", "+3", "1e-3", "-1.5e+10", "P001", "", "'tis", -0.5, None, "a=b", "O'Neil"])
def test_everything_else_stays(value: Any) -> None:
    assert cell(value) is value


@given(st.text(alphabet="'=+-@ａ＝a1.;,\"", min_size=1, max_size=8), st.text(alphabet="'=+-@1.e", min_size=1))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, name: str, value: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["name", "value"], [cell(name), cell(value)]])
    assert read_csv(path).iloc[0].tolist() == [name, value]


def cells_of(text: str) -> list[str]:
    return [value for row in csv.reader(io.StringIO(text)) for value in row]


def is_safe(value: str) -> bool:
    try:
        return float(value) == float(value)
    except ValueError:
        return not value.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_boards(make: Make) -> None:
    record = make("=1+1", metrics={"@metric": -0.5})
    trial = dataclasses.replace(record.trial, variant="-x")
    found = boards([dataclasses.replace(record, trial=trial)], query=BoardQuery())
    values = cells_of(export.to_csv(found))
    assert all(map(is_safe, values)), values
    assert {"'=1+1", "'@metric", "'-x", "-0.5"} <= set(values)


def test_ablations(make: Make, ferbench: Callable[..., Any], tmp_path: Path) -> None:
    from tests.records.test_merge import stored

    folder = stored(tmp_path / "r", *(make("=m", f, variant=v) for f in (0, 1) for v in ("full", "-part")))
    done = ferbench("ablations", folder, "--format", "csv")
    assert done.status == 0, done.err
    values = cells_of(done.out)
    assert all(map(is_safe, values)), values
    assert {"'=m", "'-part"} <= set(values)


def test_splits_are_read_as_they_were(ferbench: Callable[..., Any], tmp_path: Path) -> None:
    from PIL import Image

    for number in range(8):
        path = tmp_path / "D" / ("anger", "fear")[number % 2] / f"-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (number * 20, 0, 0)).save(path)
    (tmp_path / "frames.csv").write_text(
        "path,expression,subject\n"
        + "".join(f"{e}/-{n}.png,{e},=S{n}\n" for n in range(8) for e in [("anger", "fear")[n % 2]])
    )
    done = ferbench(
        "splits", "dataset=table", f"dataset.root={tmp_path / 'D'}", f"dataset.file={tmp_path / 'frames.csv'}",
        "protocol=subject_kfold", "protocol.k=2",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert all(map(is_safe, cells_of(done.out)))
    (tmp_path / "splits.csv").write_text(done.out, encoding="utf-8")
    table = splitfile.read(tmp_path / "splits.csv")
    assert sorted(table["subject"]) == [f"=S{n}" for n in range(8)]
    assert ferbench("audit", tmp_path / "splits.csv").status == 0
