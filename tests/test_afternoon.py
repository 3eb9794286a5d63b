"""The commands of docs/howto/a-real-benchmark-this-afternoon.md, one after another, on a small tree of RAVDESS' layout."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.cards import DatasetCard
from ferbench.data import download
from ferbench.registry.loader import load_registry
from tests.zenodo import Zenodo, archive

PAGE = Path(__file__).parent.parent / "docs" / "howto" / "a-real-benchmark-this-afternoon.md"
COMMANDS = [line.strip() for line in PAGE.read_text().splitlines() if line.startswith("    ferbench ")]
SMALL = ("budget=smoke", "protocol.folds=[0,1]", "trainer.device=cpu")


def test_the_page_has_all_steps_once() -> None:
    steps = [re.findall(r"ferbench (datasets \w+|\w+)", command)[0] for command in COMMANDS]
    assert steps == [
        "datasets get", "datasets check", "prepare", "run", "run", "leaderboard", "compare", "site",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.needs("av", "torch", "matplotlib")
def test_its_commands_lead_from_the_download_to_a_site(
    ferbench: Callable[..., Any],
    lab_tree: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = load_registry().get(DatasetCard, "ravdess").download
    assert record is not None
    tree = lab_tree("ravdess")
    zenodo = Zenodo()
    zenodo.files[record.number] = {"Audio_Speech_Actors_01-24.zip": b"x"} | {
        f"Video_Speech_{actor.name}.zip": archive({f"{actor.name}/{p.name}": p for p in sorted(actor.iterdir())})
        for actor in sorted(tree.iterdir())
    }
    monkeypatch.setattr(download, "ZENODO", zenodo.address)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    told = {}
    for command in COMMANDS:
        words = shlex.split(command)[1:]
        words += {"datasets": ["--yes"] if "get" in words else [], "prepare": SMALL, "run": SMALL}.get(words[0], [])
        done = ferbench(*words)
        small_copy = words[:2] == ["datasets", "check"]  # ten actors of 24: it is not as published
        assert done.status == int(small_copy), f"{command}: {done.out}{done.err}"
        told[words[0] if words[0] != "datasets" else words[1]] = done.out
    zenodo.close()
    assert "All 250 frames that count, and neutral faces, can be read." in told["check"]
    assert "cross_entropy" in told["leaderboard"]
    assert "degan" in told["compare"]
    assert (tmp_path / "site" / "index.html").is_file()
