"""list, plugins, leaderboard and the frame of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("datasets", ["oulu", "synthfaces"]), ("backbones", ["convnet", "timm"]), ("methods", ["cross_entropy", "degan"]),
        ("protocols", ["subject_10fold_ordered", "subject_kfold"]), ("plugins", ["degan", "timm", "labdata"]),
        ("evaluators", ["leakage", "recognition"]), ("executors", ["inprocess", "processes"]),
    ],
)  # fmt: skip
def test_list(ferbench: Run, kind: str, names: list[str]) -> None:
    done = ferbench("list", kind)
    assert done.status == 0
    assert all(name in done.out for name in names)
    assert f"ferbench {metadata.version('ferbench')}" in done.out


def test_the_doctor_names_a_broken_plugin_and_the_rest_works(ferbench: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_this_name\n")
    told = ferbench("plugins", "-v", "--plugin", broken)
    assert told.status == 1
    assert "No module named" in " ".join(told.out.split())
    assert "Traceback" in told.out
    assert ferbench("list", "plugins", "--plugin", broken).status == 1
    assert ferbench("plugins").status == 0


def test_a_list_without_what_is_broken_says_so(ferbench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ferbench.registry import loader

    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ferbench]\nbroken = nothing_of_this_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loader._load.cache_clear()
    listed = ferbench("list", "methods")
    loader._load.cache_clear()
    assert listed.status == 0
    assert "degan" in listed.out
    assert "'ferbench plugins' says which and why" in listed.err


def test_the_leaderboard_of_nothing(ferbench: Run, tmp_path: Path) -> None:
    assert "There is no results folder" in ferbench("leaderboard", tmp_path / "no").err
    (tmp_path / "empty").mkdir()
    done = ferbench("leaderboard", tmp_path / "empty")
    assert done.status == 2
    assert "There is no record in" in done.err


def test_leaderboard_formats_and_options(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert ferbench("run", "method=cross_entropy", *smoke, "protocol.folds=[0,1]").status == 0
    (row,) = json.loads(ferbench("leaderboard", results, "--format", "json").out)
    assert (row["method"], row["rank"], row["trials_done"]) == ("cross_entropy", 1, 2)
    assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
    assert "| 1 | cross_entropy | 2/2 |" in ferbench("leaderboard", results, "--format", "markdown").out
    table = ferbench("leaderboard", results)
    assert "2/2" in table.out
    file = tmp_path / "board.csv"
    done = ferbench("leaderboard", results, "--format", "csv", "--output", file)
    assert (done.status, done.out) == (0, "")
    assert file.read_text().startswith("dataset,protocol,setting,rank,rank_low,rank_high,tied,method")
    assert ferbench("leaderboard", results, "--output", tmp_path / "no" / "x").status == 2
    assert "no metric 'acuracy'. Did you mean 'accuracy'" in ferbench("leaderboard", results, "--metric", "acuracy").err
    assert "dataset among the records" in ferbench("leaderboard", results, "--dataset", "oulu").err


def test_the_leaderboard_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom ferbench.cli.main import main\n"
        "sys.argv = ['ferbench', 'leaderboard', sys.argv[1]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_help_version_and_wrong_usage(ferbench: Run) -> None:
    assert "ferbench run method=degan dataset=oulu" in ferbench("--help").out
    assert "key=value" in ferbench("run", "--help").out
    assert ferbench("--version").out == f"ferbench {metadata.version('ferbench')}\n"
    assert ferbench("nonsense").status == 2
    assert ferbench("leaderboard", "--nonsense").status == 2
    assert ferbench("list", "nonsense").status == 2
    assert ferbench("check", "nonsense").status == 2
