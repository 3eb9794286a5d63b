"""`--plugin`, for the commands that run and for those that read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ferbench as library
from ferbench.errors import FerbenchError
from ferbench.records.store import Store
from tests.made_records import Make
from tests.onehead import plugin
from tests.ranking.test_cards import PLUGIN
from tests.records.test_merge import stored

Run = Callable[..., Any]

STEP = "yield Update('all', F.cross_entropy(self.logits(batch.images), batch.expression))"


@pytest.fixture
def gaze(tmp_path: Path) -> Path:
    file = tmp_path / "gaze.py"
    file.write_text(PLUGIN)
    return file


@pytest.fixture
def results(make: Make, tmp_path: Path) -> str:
    """Two methods with a metric of a plugin of which the records state nothing."""
    metrics = {"gaze_kept": 0.25}
    return stored(tmp_path / "results", *(make(m, f, metrics=metrics) for m in ("m", "n") for f in (0, 1)))


@pytest.mark.parametrize(
    "command",
    [
        ("run", "method=cross_entropy", "dataset=synthfaces", "--dry-run"),
        ("splits", "dataset=synthfaces"),
        ("list", "methods"),
        ("leaderboard",),
        ("compare", "m", "n"),
        ("ablations",),
        ("site",),
        ("evaluate",),
        ("power", "--difference", "2", "--subjects", "80"),
    ],
    ids=lambda words: words[0],
)
def test_a_file_that_is_not_there_or_raises_is_an_error(
    ferbench: Run, results: str, tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*command, results) if command[0] == "power" else command
    done = ferbench(*words, "--plugin", "nofile.py")
    assert done.status == 2
    assert f"The plugin file {tmp_path / 'nofile.py'} could not be loaded: There is no plugin file" in done.err
    assert done.out == ""
    (tmp_path / "raises.py").write_text("1 / 0")
    done = ferbench(*words, "--plugin", "raises.py")
    assert done.status == 2
    assert "raises.py could not be loaded: ZeroDivisionError: division by zero." in done.err


def test_a_file_that_prints_leaves_what_a_program_reads_alone(ferbench: Run, results: str, tmp_path: Path) -> None:
    file = tmp_path / "talks.py"
    file.write_text("print('hello')\n" + PLUGIN)
    done = ferbench("leaderboard", results, "--format", "csv", "--plugin", file)
    assert done.status == 0, done.err
    assert done.out.splitlines()[0].startswith("dataset")
    assert "hello" not in done.out
    assert f"Plugin 'talks' ({file}) prints: hello" in done.err
    done = ferbench("leaderboard", results, "--format", "json", "--plugin", file)
    assert json.loads(done.out)


def test_a_board_has_the_headings_of_a_plugin_file(ferbench: Run, results: str, gaze: Path) -> None:
    words = ("leaderboard", results, "--metric", "gaze_kept")
    assert "gaze kept" not in ferbench(*words).out
    done = ferbench(*words, "--plugin", gaze)
    assert "gaze kept" in done.out
    assert "25.00" in done.out
    board = library.leaderboard(results, metrics=["gaze_kept"], plugins=[gaze])
    assert "gaze kept" in str(board)
    with pytest.raises(FerbenchError, match=r"nofile\.py could not be loaded"):
        library.compare(results, "m", "n", plugins=["nofile.py"])


@pytest.mark.needs("torch")
def test_a_record_states_the_plugins_of_its_components(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(plugin("own", STEP))
    done = ferbench("run", "method=own", "--plugin", file, "evaluation.judges=0", *smoke)
    assert done.status == 0, done.err
    (record,) = Store(tmp_path / "results").scan()[0]
    plugins = record.provenance["plugins"]
    assert plugins["method"] == "file own.py"
    assert plugins["dataset"] == plugins["evaluator recognition"] == f"ferbench {library.__version__}"

    moved = file.rename(tmp_path / "moved.py")

    def show(*words: object) -> str:  # in a process that has not loaded the file from its former place
        command = [sys.executable, "-m", "ferbench", "show", record.trial.id[:6], tmp_path / "results", *words]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout

    assert "cannot be compared with what is installed" in show()
    assert f"--plugin {moved}" in show("--plugin", moved)
    assert "  code: as installed" in show("--plugin", moved)


def test_a_comparison_says_on_which_backbone(ferbench: Run, make: Make, tmp_path: Path) -> None:
    import dataclasses

    from ferbench.records.identity import ComponentIdentity
    from tests.records.test_merge import changed

    def on(name: str, method: str, fold: int) -> Any:
        record = make(method, fold)
        identity = dataclasses.replace(record.trial.identity, backbone=ComponentIdentity(name, 1))
        trial = dataclasses.replace(record.trial, id=f"{record.trial.id}-{name}", identity=identity)
        return changed(record, trial=trial)

    records = [on(b, m, f) for b in ("thin", "wide") for m in ("m", "n") for f in (0, 1)]
    folder = stored(tmp_path / "backbones", *records)
    heads = [line for line in ferbench("compare", "m", "n", folder).out.splitlines() if line.startswith("m against n")]
    assert sorted(head.rpartition(" · ")[2] for head in heads) == ["thin", "wide"]
    found = library.compare(folder, "m", "n")
    assert isinstance(found.frame, pd.DataFrame)
    assert all(head in str(found) for head in heads)


LEVEL = """
from ferbench import EvaluatorCard, Metric, hookimpl

def level(outputs):
    return {f"level{end}": 1.0 for end in outputs.representations}

@hookimpl
def ferbench_evaluators():
    return [EvaluatorCard(name="level", target=f"{__name__}:level", title="t", metrics=[Metric(name="level", title="Level")])]
"""


def run(*words: str) -> None:
    """The command line in a process of its own, which reads plugin files anew."""
    subprocess.run([sys.executable, "-m", "ferbench", "run", *words], check=True, timeout=300)


def test_an_evaluator_that_was_edited_measures_the_references_anew(smoke: tuple[str, ...], tmp_path: Path) -> None:
    """They are worked out once for all methods on a fold, with the same code as the methods' own values."""
    file = tmp_path / "level.py"
    for method, level in (("cross_entropy", "1.0"), ("grl", "2.0")):
        file.write_text(LEVEL.replace("1.0", level))
        run("--plugin", str(file), f"method={method}", *smoke, "evaluation.judges=0")
    found = {record.trial.method: record.metrics for record in Store(tmp_path / "results").scan()[0]}
    for method, expected in (("cross_entropy", 1.0), ("grl", 2.0)):
        assert {found[method][f"level{end}"] for end in ("", "/pixels", "/untrained")} == {expected}, method
