"""What each part of a method is worth, from records."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scipy import stats

from ferbench.ranking.ablations import ablations
from ferbench.records.schema import Record
from ferbench.records.store import Store

Make = Callable[..., Record]
FULL = {"identity_head": True, "lr": 0.001}
LESS = {"identity_head": False, "lr": 0.001}


def study(make: Make, full: int = 8, less: int = 5) -> list[Record]:
    """Four folds with two subjects each, the variant right in fewer of ten frames."""
    return [
        *(make("m", fold, full, folds=4, settings=FULL) for fold in range(4)),
        *(make("m", fold, less, folds=4, variant="no_head", settings=LESS) for fold in range(4)),
    ]


def test_the_difference_on_the_same_subjects(make: Make) -> None:
    (table,) = ablations(study(make))
    full, less = table.variants
    assert (full.row.variant, less.row.variant) == ("full", "no_head")
    assert full.difference is None
    assert less.removed == "identity_head=false"
    assert less.difference is not None
    assert less.difference.mean == pytest.approx(-0.3)
    half = stats.t.ppf(0.975, 7) / 80
    assert (less.difference.low, less.difference.high) == pytest.approx((-0.3 - half, -0.3 + half)), "one frame of 80"
    assert less.difference.p == less.corrected == pytest.approx(2 / 2**8)
    assert less.leakage == pytest.approx(0)


def test_p_values_are_corrected_over_the_variants(make: Make) -> None:
    records = study(make)
    records += [
        make("m", fold, 8, folds=4, variant="same", settings={"identity_head": True, "lr": 0.1}) for fold in range(4)
    ]
    (table,) = ablations(records)
    by_name = {v.row.variant: v for v in table.variants}
    less, same = by_name["no_head"].difference, by_name["same"].difference
    assert less is not None
    assert same is not None
    assert by_name["no_head"].corrected == pytest.approx(2 * less.p)
    assert by_name["same"].corrected == same.p == 1
    assert by_name["same"].removed == "lr=0.1"
    assert [v.row.variant for v in table.variants] == ["full", "no_head", "same"], "the largest loss first"


def test_only_shared_folds_are_compared(make: Make) -> None:
    """The full method is right everywhere on the fold that the variant lacks; that must not count against the variant."""
    records = study(make)[:-1]
    records[3] = make("m", 3, 10, folds=4, settings=FULL)
    (table,) = ablations(records)
    less = table.variants[1].difference
    assert less is not None
    assert less.mean == pytest.approx(-0.3)
    (table,) = ablations([records[0], records[5]])
    assert table.variants[1].difference is None, "folds 0 and 1: nothing is shared"


def test_only_what_is_asked_for(make: Make) -> None:
    other = [make("n", 0, 8, settings=FULL), make("n", 0, 8, variant="x", settings=LESS)]
    assert [t.method for t in ablations([*study(make), *other])] == ["m", "n"]
    assert [t.method for t in ablations([*study(make), *other], method="n")] == ["n"]
    assert not ablations(study(make), dataset="another")
    assert not ablations(study(make)[:4]), "no variant of it"
    assert not ablations(study(make)[4:]), "no full method"


@pytest.fixture
def folder(make: Make, tmp_path: Path) -> Path:
    store = Store(tmp_path / "results")
    store.prepare()
    for record in study(make):
        store.write(record.trial.id, lambda _, record=record: record)  # type: ignore[misc]
    return tmp_path / "results"


@pytest.mark.needs("matplotlib")
def test_the_command(ferbench: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    done = ferbench("ablations", folder, "--method", "m", "--dataset", "made")
    assert done.status == 0, done.err
    assert "-30.0 [-33.0, -27.0]" in done.out
    assert "  identity_head=false" in done.out
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == before, (
        "it writes nothing"
    )
    chart = tmp_path / "chart.png"
    told = ferbench("ablations", folder, "--chart", chart)
    assert f"Chart of m on made: {chart}" in told.out
    with Image.open(chart) as image:
        assert image.width > 600
        assert "ferbench trials m-full-made-0" in image.info["Source"]


@pytest.mark.needs("matplotlib")
def test_other_formats(ferbench: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    chart = tmp_path / "c.svg"
    done = ferbench("ablations", folder, "--format", "csv", "--output", file, "--chart", chart)
    assert done.status == 0, done.err
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert rows[1]["variant"] == "no_head"
    assert float(rows[1]["difference"]) == pytest.approx(-0.3)
    assert float(rows[1]["p_holm"]) == pytest.approx(2 / 2**8, abs=1e-6)
    assert rows[0]["difference"] == ""
    assert chart.read_text().startswith("<?xml")
    assert (rows[1]["metric"], rows[1]["value"]) == ("accuracy", rows[1]["accuracy"])
    shown = ferbench("ablations", folder, "--format", "markdown")
    assert "| no_head | identity_head=false | 4/4 |" in shown.out


@pytest.mark.needs("matplotlib")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--method", "n"], "no method among the records 'n'. .*Known: m"),
        (["--dataset", "oulu"], "no dataset among the records 'oulu'"),
        (["method=m"], "method=m is an option here: --method m"),
        (["results_dir=x"], "Results folders are written as they are: x instead of results_dir=x"),
        (["--chart", "/nowhere/c.png"], "The chart /nowhere/c.png cannot be written"),
        (["--chart", "c.docx"], "The chart c.docx cannot be written"),
    ],
)
def test_bad_words(ferbench: Callable[..., Any], folder: Path, words: list[str], sentence: str) -> None:
    done = ferbench("ablations", folder, *words)
    assert done.status == 2
    import re

    assert re.search(sentence, done.err), done.err


def test_another_metric_has_a_column(ferbench: Callable[..., Any], make: Make, tmp_path: Path) -> None:
    """Its differences could not be read without it."""
    store = Store(tmp_path)
    store.prepare()
    for variant, kept in (("full", 0.75), ("no_head", 0.25)):
        for fold in (0, 1):
            record = make("m", fold, variant=variant, metrics={"gaze_kept": kept})
            store.write(record.trial.id, lambda _, record=record: record)  # type: ignore[misc]
    words = ("ablations", tmp_path, "--metric", "gaze_kept")
    assert "0.75" in ferbench(*words).out
    assert "| accuracy % | gaze_kept | id leak |" in ferbench(*words, "--format", "markdown").out.replace("\\", "")
    (full, *_) = csv.DictReader(io.StringIO(ferbench(*words, "--format", "csv").out))
    assert (full["metric"], float(full["value"])) == ("gaze_kept", 0.75)


def test_nothing_to_compare(ferbench: Callable[..., Any], make: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    store.write("m-full-made-0-0-1-10", lambda _: make("m", 0))
    done = ferbench("ablations", tmp_path)
    assert done.status == 2
    assert "There is no full method with ablations of it" in done.err


def test_boards_are_called_as_on_the_leaderboard(ferbench: Callable[..., Any], tmp_path: Path) -> None:
    """By what the installed cards say of datasets and backbones: the preset is part of the name, default settings are not."""
    folder = tmp_path / "synthfaces"
    with tarfile.open(Path(__file__).parents[2] / "docs" / "records" / "synthfaces.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    heads = [line for line in ferbench("ablations", folder, "--method", "degan").out.splitlines() if "degan ·" in line]
    assert [head.split(" · ")[1] for head in heads] == ["synthfaces", "synthfaces confounded"]
    shown = ferbench("ablations", folder, "--method", "degan").out
    assert "backbone convnet\n" in shown
