"""Results folders in Python: frames, boards and comparisons."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

import ferbench
from ferbench import FerbenchError
from ferbench.api.results import LEADING, TRAILING, frame_of
from ferbench.ranking.aggregate import boards
from ferbench.records.merge import Collected
from ferbench.records.schema import OOM, Outcome
from ferbench.records.store import Store
from ferbench.report import notebook
from ferbench.report.columns import columns
from tests.disks import Disk
from tests.made_records import Make


@pytest.mark.needs("torch")
@pytest.mark.slow
def test_a_row_is_a_trial_with_all_that_its_record_says(ran: Path) -> None:
    frame = ferbench.load_results(ran).set_index("trial", drop=False)
    stored = {path.parent.name: json.loads(path.read_text()) for path in ran.glob("*/record.json")}
    assert set(frame.index) == set(stored)
    assert tuple(frame.columns[: len(LEADING)]) == LEADING
    assert tuple(frame.columns[-len(TRAILING) :]) == TRAILING
    for name, record in stored.items():
        row = frame.loc[name]
        config = record["trial"]["config"]
        assert (row["method"], row["status"], row["error"]) == (config["method"]["name"], "done", "")
        assert (row["seed"], row["fold"], row["folds"]) == (record["trial"]["seed"], record["trial"]["fold"], 2)
        assert row["budget"] == "smoke"
        assert row["budget.steps"] == config["budget"]["steps"]
        assert row["dataset.subjects"] == 8
        assert row["cost.steps"] == record["cost"]["steps"]
        assert Path(row["folder"], "record.json").is_file()
        for metric, value in record["metrics"].items():
            assert row[metric] == value or (value is None and math.isnan(row[metric]))
    assert frame.loc[frame["method"] == "tergan", "method.lr"].notna().all()


def test_trials_that_failed_are_rows_too(make: Make, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    store.write_failure(Outcome(make("mine", fold=1).trial, OOM, "CUDA ran out of memory.", seconds=3.0))
    frame = ferbench.load_results(tmp_path)
    (row,) = frame.to_dict("records")
    assert (row["status"], row["error"], row["method"], row["fold"], row["seconds"], row["folder"]) == (
        "oom", "CUDA ran out of memory.", "mine", 1, 3.0, "",
    )  # fmt: skip


def test_a_trial_that_failed_once_and_is_done_is_one_row(make: Make) -> None:
    record = make("mine")
    frame = frame_of([record], [Outcome(record.trial, OOM, "of old")], {})
    assert frame["status"].tolist() == ["done"]


def test_a_metric_with_the_name_of_another_column_keeps_both(make: Make) -> None:
    frame = frame_of([make("mine", seed=4, metrics={"seed": 0.5})], [], {})
    assert frame.loc[0, "seed"] == 4
    assert frame.loc[0, "metric.seed"] == 0.5


def test_settings_and_metrics_that_a_trial_lacks_are_empty(make: Make) -> None:
    frame = frame_of([make("one", metrics={"mig": 0.5}), make("two")], [], {})
    assert frame["mig"].isna().tolist() == [False, True]


def test_folders_without_trials_are_errors(tmp_path: Path) -> None:
    with pytest.raises(FerbenchError, match="There is no results folder"):
        ferbench.load_results(tmp_path / "nothing")
    with pytest.raises(FerbenchError, match="There is no record in"):
        ferbench.leaderboard([tmp_path])
    with pytest.raises(FerbenchError, match="The name of the results folder is empty"):
        ferbench.load_results("")


def test_one_metric_or_plugin_file_is_written_without_a_list(make: Make, tmp_path: Path) -> None:
    record, folder, file = make("mine"), tmp_path / "results", tmp_path / "nothing.py"
    store = Store(folder)
    store.prepare()
    store.write(record.trial.id, lambda _: record)
    assert ferbench.leaderboard(folder, metrics="accuracy").metrics == ("accuracy",)
    with pytest.raises(FerbenchError, match="no metric 'acuracy'"):
        ferbench.leaderboard(folder, metrics="acuracy")
    for plugins in (str(file), file):
        with pytest.raises(FerbenchError, match=f"There is no plugin file {file}"):
            ferbench.leaderboard(folder, plugins=plugins)
        with pytest.raises(FerbenchError, match=f"There is no plugin file {file}"):
            ferbench.compare(folder, "a", "b", plugins=plugins)


def test_what_is_neither_a_text_nor_several_is_refused() -> None:
    with pytest.raises(FerbenchError, match="folders has 3, of type int; it is a text, or a list of texts"):
        ferbench.load_results(3)  # type: ignore[arg-type]
    with pytest.raises(FerbenchError, match="folders has None, of type NoneType"):
        ferbench.load_results(["results", None])  # type: ignore[list-item]


@pytest.mark.needs("torch", "jinja2")
@pytest.mark.slow
def test_boards_and_comparisons(ran: Path) -> None:
    board = ferbench.leaderboard(ran, metrics=["macro_f1", "accuracy"], baseline="tergan")
    assert board.metrics == ("macro_f1", "accuracy")
    assert set(board.frame["method"]) == {"cross_entropy", "tergan"}
    assert "tergan" in str(board)
    shown = board._repr_html_()
    assert shown is not None
    assert shown.count("<tr") == 3
    assert "to tergan" in shown
    found = ferbench.compare([ran], "cross_entropy", "tergan", metric="identity_leakage")
    (row,) = found.frame.to_dict("records")
    assert row["difference"] == pytest.approx(row["ours"] - row["theirs"])
    assert row["conclusion"] in str(found)
    html = found._repr_html_()
    assert html is not None
    assert "cross_entropy against tergan" in html
    with pytest.raises(FerbenchError, match="no metric 'acuracy'"):
        ferbench.compare(ran, "cross_entropy", "tergan", metric="acuracy")
    with pytest.raises(FerbenchError, match="no method among the records 'nothing'"):
        ferbench.leaderboard(ran, baseline="nothing")


def test_what_strangers_wrote_is_escaped(make: Make) -> None:
    records = [make("<script>alert(1)</script>", fold=fold, dataset="<b>made</b>") for fold in (0, 1)]
    given = Collected(records={record.trial.id: record for record in records}, notes=["<i>note</i>"])
    pytest.importorskip("jinja2")
    shown = notebook.boards(boards(records), given, columns())
    assert shown is not None
    assert not any(text in shown for text in ("<script", "<b>", "<i>"))
    assert "&lt;script&gt;" in shown


def test_without_jinja_the_text_is_shown(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "find_spec", lambda name: None)
    record = make()
    assert notebook.boards(boards([record]), Collected(records={record.trial.id: record}), columns()) is None


@pytest.mark.needs("torch")
@pytest.mark.slow
def test_a_folder_that_is_read_only_can_be_read(ran: Path, disk: Disk) -> None:
    disk.resize(200_000)
    folder = disk.path / "results"
    shutil.copytree(ran, folder, ignore=shutil.ignore_patterns(".stages"))
    disk.remount("ro")
    assert len(ferbench.load_results(folder)) == 4
    assert "tergan" in str(ferbench.leaderboard(folder))
