"""`ferbench check`: what it takes, and what it says of what is broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]

FOLDER = """
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ferbench import Dataset, DatasetCard, FerbenchError, Protocol, ProtocolCard, ProtocolSettings, hookimpl


@dataclass
class Settings:
    root: str
    takes: int = 1


class Folder(Dataset):
    def __init__(self, settings):
        super().__init__(settings)
        self.paths = sorted(Path(settings.root).glob("*/*.png"))
        if not self.paths:
            raise FerbenchError(f"There is no image in '{settings.root}'. Write dataset.root=DIR.")

    def frames(self):
        rows = [(p.stem, p.parent.name, p.stem, 0, "apex", ("joy", "woe")[n % 2]) for n, p in enumerate(self.paths)]
        return pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "position", "phase", "expression"])

    def image(self, frame_id):
        (path,) = [path for path in self.paths if path.stem == frame_id]
        return np.asarray(Image.open(path).convert("RGB"))

    def fingerprint(self):
        return str(len(self.paths))


class Halves(Protocol):
    def assign_folds(self, frames):
        return np.arange(len(frames)) % 2


@hookimpl
def ferbench_datasets():
    return [DatasetCard(name="folder", target=f"{__name__}:Folder", title="t", settings=Settings, expressions=("joy", "woe"))]


@hookimpl
def ferbench_protocols():
    return [
        ProtocolCard(name="halves", target=f"{__name__}:Halves", title="t", settings=ProtocolSettings),
        ProtocolCard(name="folder", target=f"{__name__}:Halves", title="t", settings=ProtocolSettings),
    ]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    file = tmp_path / "folder.py"
    file.write_text(FOLDER)
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(4):
        path = tmp_path / "my images" / f"S{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(path)
    return tmp_path / "my images"


def test_a_dataset_with_its_folder(ferbench: Run, folder: Path, root: Path) -> None:
    for words in (("dataset=folder", f"root={root}"), (f"dataset.root={root}", "dataset=folder", "dataset.takes=2")):
        done = ferbench("check", "--plugin", folder, *words)
        assert done.status == 0, done.out + done.err
        assert "holds      dataset_images[folder]" in done.out
        assert done.out.endswith("All hold.\n")


def test_what_cannot_be_made_is_said_once(ferbench: Run, folder: Path, tmp_path: Path) -> None:
    done = ferbench("check", "--plugin", folder, "dataset=folder", f"root={tmp_path / 'nothing'}")
    assert done.status == 1
    assert done.out.count("There is no image in") == 1
    assert "dataset_frames" not in done.out
    assert done.out.endswith("1 of 2 rules broken.\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["folder"], "'folder' is the name of a dataset and of a protocol: write dataset=folder or protocol=folder."),
        (["dataset=folder"], "dataset.root has no value; add dataset.root=... to the command."),
        (["dataset=folder", "rot=x"], "Did you mean 'dataset.root'"),
        (["dataset=folder", "root=x", "takes=many"], "dataset.takes=many"),
        (["executor=inprocess", "method.lr=1"], "'method.lr=1' is no setting of an executor. Write executor.SETTING=VALUE"),
        (["dataset=folder", "method.lr=1"], "'method.lr=1' is no setting of a dataset. Write dataset.SETTING=VALUE"),
        (["evaluator=leakage", "lr=1"], "A component of the kind evaluator has no settings; leave out lr=1."),
        (["evaluator=leakage", "evaluator.lr=1"], "A component of the kind evaluator has no settings; leave out evaluator.lr=1."),
        (["evaluator=leakage", "method.lr=1"], "A component of the kind evaluator has no settings; leave out method.lr=1."),
        (["folder", "halves"], "Several components are named: folder, halves. Write one, as NAME or as KIND=NAME"),
        (["lr=1"], "No component is named. Write one, as NAME or as KIND=NAME"),
        (["halvs"], "There is no component 'halvs'. Did you mean 'halves'"),
        (["dataset=foldr"], "There is no dataset 'foldr'. Did you mean 'folder'"),
        (["halves", "--only", "nothing"], "There is no check 'nothing'."),
    ],
)  # fmt: skip
def test_sentences_about_wrong_words(ferbench: Run, folder: Path, words: list[str], sentence: str) -> None:
    done = ferbench("check", "--plugin", folder, *words)
    assert done.status == 2
    assert sentence in done.err


def test_what_is_broken_and_what_to_do(ferbench: Run, folder: Path) -> None:
    done = ferbench("check", "--plugin", folder, "halves")
    assert done.status == 1
    lines = done.out.splitlines()
    (at,) = [
        number for number, line in enumerate(lines) if line.startswith("BROKEN     subjects_in_one_fold[halves]: ")
    ]
    assert "subject S00, S01, S02 is in several folds" in lines[at]
    assert lines[at + 1].strip().startswith("The rule: No subject is trained on and tested in one fold")
    assert lines[at + 2].strip().startswith("What to do: Give all frames of a subject the same fold")
    assert "BROKEN     folds_reproducible[halves]: the folds depend on the order of the rows" in lines


def test_what_all_variants_break_alike_is_said_once(ferbench: Run, tmp_path: Path) -> None:
    """With the line of the author's file that an unexpected error comes from."""
    from tests.onehead import plugin

    file = tmp_path / "onehead.py"
    file.write_text(
        plugin("onehead", "yield Update('all', F.cross_entropy(self.logits(batch.image), batch.expression))")
    )
    done = ferbench("check", "--plugin", file, "onehead", "--only", "step_on")
    (line,) = [line for line in done.out.splitlines() if line.startswith("BROKEN     step_on_cpu")]
    (number,) = [n for n, text in enumerate(file.read_text().splitlines(), 1) if "batch.image)" in text]
    assert line.startswith(
        "BROKEN     step_on_cpu[all 3 variants]: AttributeError: 'Batch' object has no attribute 'image'"
    )
    assert line.endswith(f"({file}, line {number})")


def test_a_rule_that_does_not_apply(ferbench: Run) -> None:
    done = ferbench("check", "protocol=listed")
    assert done.status == 0
    assert "not tried  folds_of_frames[listed]: protocol=listed needs a file" in done.out
    assert done.out.count("needs a file") == 1
    assert "not tried  subjects_in_one_fold[listed]: for the same reason" in done.out
    assert done.out.endswith("All hold; 3 could not be tried.\n")
