"""The commands of the tutorials, one after another, as a reader types them, in a small size."""

from __future__ import annotations

import csv
import shlex
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.test_docs_blocks import blocks_in, command_lines, parts_of

TUTORIALS = Path(__file__).parent.parent / "docs" / "tutorials"
SMALL = ("budget=smoke", "budget.steps=8", "trainer.device=cpu")

Call = Callable[..., Any]


def commands_of(page: str) -> list[str]:
    """The lines of a tutorial that call ferbench."""
    blocks = blocks_in((TUTORIALS / page).read_text(encoding="utf-8"), page)
    lines = [line for b in blocks if b.language == "commands" for line in command_lines(b.text)]
    return [line for line in lines if line.startswith("ferbench ")]


def shown_by(page: str) -> list[str]:
    """The blocks of text of a tutorial: what its commands print."""
    return [b.text for b in blocks_in((TUTORIALS / page).read_text(encoding="utf-8"), page) if b.language == "text"]


def typed(ferbench: Call, line: str, more: tuple[str, ...] = (), ends: tuple[int, ...] = (0,)) -> str:
    """What a line prints; `> file` writes it there."""
    (words,) = parts_of(line)
    done = ferbench(*words[1:], *more)
    assert done.status in ends, f"{line}: {done.out}{done.err}"
    if "> " in line:
        Path(line.partition("> ")[2].strip()).write_text(done.out)
    return str(done.out)


@pytest.mark.slow
@pytest.mark.needs("torch", "matplotlib")
def test_the_first_study(ferbench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    small = (*SMALL, "dataset.subjects=10", "dataset.image_size=48")
    told = {}
    for line in commands_of("first-study.md"):
        word = "plan" if "--dry-run" in line else shlex.split(line)[1]
        told[word] = typed(ferbench, line, small if word in ("run", "plan") else ())
    assert "grl" in told["list"]
    assert (tmp_path / "contact-sheet.png").is_file()
    assert (tmp_path / "site" / "index.html").is_file()
    plan, board, comparison = shown_by("first-study.md")
    assert plan.splitlines()[-1] in told["plan"]
    assert all(row.split(maxsplit=1)[1].split("  ")[0] in told["plan"] for row in plan.splitlines()[1:-1])
    heads = next(line for line in board.splitlines() if line.startswith(" # method")).split()
    assert heads in [line.split() for line in told["leaderboard"].splitlines()]
    assert board.splitlines()[0] in told["leaderboard"]
    assert comparison.splitlines()[0] in told["compare"]
    for row in ("accuracy", "identity leakage", "difference", "subjects"):
        assert f"\n  {row}" in comparison
        assert f"\n  {row}" in told["compare"]


@pytest.mark.slow
@pytest.mark.needs("torch", "matplotlib")
@pytest.mark.parametrize("dataset", ["oulu", "ckplus7c"])
def test_a_papers_table(
    dataset: str, ferbench: Call, lab_tree: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a tree of the layout of Oulu-CASIA, and with the one word that the page says to change, of CK+."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(lab_tree(dataset), tmp_path / "OuluCASIA")
    small = (*SMALL, "protocol.folds=[0]", "seeds=[0,1]", "evaluation.judges=0")
    told = {}
    for line in commands_of("a-papers-table.md"):
        words = shlex.split(line)[1:]
        more: tuple[str, ...] = small if words[0] in ("run", "prepare") and "--help" not in words else ()
        if words[0] == "run" and "ablation=all" in words:
            more = (*small, "ablation=no_adversarial")
        ends = (1,) if words[:2] == ["datasets", "check"] else (0,)  # ten people: not as published
        told[words[0]] = typed(
            ferbench,
            line.replace("dataset=oulu", f"dataset={dataset}").replace("check oulu", f"check {dataset}"),
            more,
            ends,
        )
    with (tmp_path / "splits.csv").open(newline="") as file:
        assert {row["subject"] for row in csv.DictReader(file)}
    assert "Nothing leaks." in told["audit"]
    assert "degan" in told["compare"]
    assert "no_adversarial" in told["ablations"]
    table = (tmp_path / "table.tex").read_text()
    assert "\\toprule" in table
    assert all(method in table for method in ("cross\\_entropy", "grl", "degan"))
    assert (tmp_path / "site" / "index.html").is_file()
    with zipfile.ZipFile(tmp_path / "degan.zip") as archive:
        assert not any(name.endswith((".png", ".jpeg", ".safetensors")) for name in archive.namelist())
