"""Studies with an extra dataset, from the command line to the board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.records.store import Store

Run = Callable[..., Any]

PLUGIN = '''
"""A method with a classifier of its own for the extra dataset, trained beside the other in one stage."""

from dataclasses import dataclass

from torch import nn
from torch.nn import functional as F

from ferbench import Group, Method, MethodCard, Stage, StageCard, Update, hookimpl


@dataclass
class Settings:
    weight: float = 1.0


class Beside(Method):
    def __init__(self, task, backbone, settings):
        super().__init__(task, backbone, settings)
        self.backbone = backbone
        self.own = nn.Linear(backbone.channels[-1], len(task.expressions))
        self.theirs = nn.Linear(backbone.channels[-1], len(task.extra.expressions))

    def stages(self):
        return [Stage("both", self.step, {"all": Group([self.backbone, self.own, self.theirs])})]

    def step(self, batch, clock):
        assert len(batch.extra) == len(batch)
        assert int(batch.extra.subject.max()) < len(self.task.extra.subjects)
        terms = {
            "own": F.cross_entropy(self.logits(batch.images), batch.expression),
            "theirs": F.cross_entropy(self.theirs(self.features(batch.extra.images)), batch.extra.expression),
        }
        yield Update.total("all", terms)

    def features(self, images):
        return self.backbone(images)[-1].mean((2, 3))

    def logits(self, images):
        return self.own(self.features(images))


@hookimpl
def ferbench_methods():
    return [
        MethodCard(
            name="beside",
            target=f"{__name__}:Beside",
            title="two classifiers",
            settings=Settings,
            needs=frozenset({"extra"}),
            stages=[StageCard(name="both", data="both", settings=frozenset({"weight"}))],
        )
    ]
'''

EXTRA = ("extra_dataset=synthfaces", "extra_dataset.seed=1", "extra_dataset.subjects=14", "extra_dataset.image_size=48")


def test_derl_is_pretrained_on_it(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    without = ferbench("run", "method=pixel_residue", *smoke, "protocol.folds=[0]")
    assert without.status == 0, without.err
    result = ferbench("run", "method=pixel_residue", *smoke, "protocol.folds=[0]", *EXTRA)
    assert result.status == 0, result.err
    folder = next(word for word in smoke if word.startswith("results_dir=")).partition("=")[2]
    plain, made = sorted(Store(folder).scan()[0], key=lambda record: len(record.stages))
    assert [stage.name for stage in plain.stages] == ["de_expression", "residue"]
    assert [stage.name for stage in made.stages] == ["pretraining", "de_expression", "residue"]
    assert made.stages[1].steps == plain.stages[0].steps  # the steps of the pretraining come on top
    assert made.stages[1].weights != plain.stages[0].weights
    assert plain.trial.judges == made.trial.judges  # which are trained on the training set alone
    assert made.trial.label.startswith("pixel_residue+synthfaces · ")
    assert any(note.startswith("Trained on synthfaces too: ") for note in made.notes)
    board = ferbench("leaderboard", folder, "--format", "markdown")
    assert "pixel_residue+synthfaces" in board.out
    assert "Rows with +synthfaces were trained on that dataset too (extra_dataset)" in " ".join(board.out.split())
    compared = ferbench("compare", "pixel_residue+synthfaces", "pixel_residue", folder)
    assert compared.status == 0, compared.err


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_method_gets_a_batch_of_each(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, accumulate: int) -> None:
    plugin = tmp_path / "beside.py"
    plugin.write_text(PLUGIN)
    words = ("run", "--plugin", str(plugin), "method=beside", *smoke, "protocol.folds=[0]", "evaluation.judges=0")
    refused = ferbench(*words)
    assert refused.status != 0
    assert "method 'beside' needs another dataset to train on too: add extra_dataset=NAME." in refused.err
    result = ferbench(*words, *EXTRA, f"trainer.accumulate={accumulate}")
    assert result.status == 0, result.err


def test_a_method_that_does_not_train_on_it_is_refused(ferbench: Run, smoke: tuple[str, ...]) -> None:
    result = ferbench("run", "method=cross_entropy", *smoke, *EXTRA)
    assert result.status != 0
    assert "method 'cross_entropy' does not train on extra data: leave extra_dataset=synthfaces out." in result.err


def test_it_has_to_have_what_the_method_needs(
    ferbench: Run, smoke: tuple[str, ...], lab_tree: Callable[[str], Path]
) -> None:
    result = ferbench("run", "method=derl", *smoke, "extra_dataset=rafdb", f"extra_dataset.root={lab_tree('rafdb')}")
    assert result.status != 0
    assert "method 'derl' needs 'neutral', which dataset 'rafdb' does not provide" in " ".join(result.err.split())


TAKING = PLUGIN.replace('name="beside",', 'name="taking", unlabelled=True,').replace(
    "len(task.extra.expressions)", "max(1, len(task.extra.expressions))"
)


def test_a_method_that_takes_frames_without_an_expression(
    ferbench: Run, smoke: tuple[str, ...], tmp_path: Path
) -> None:
    """They have -1 for a class, which the check of the method tries too."""
    from PIL import Image

    from ferbench_synthfaces.dataset import SynthFaces
    from ferbench_synthfaces.plugin import SynthFacesSettings

    source = SynthFaces(SynthFacesSettings(subjects=3, image_size=48, seed=5))
    lines = ["path,subject"]
    for frame in source.frames().groupby("subject").head(10)["frame_id"]:
        path = tmp_path / f"{frame.replace('/', '-')}.png"
        Image.fromarray(source.image(frame)).save(path)
        lines.append(f"{path},{frame.split('/')[0]}")
    (tmp_path / "faces.csv").write_text("\n".join(lines))
    extra = ("extra_dataset=table", f"extra_dataset.file={tmp_path / 'faces.csv'}", "extra_dataset.unlabelled=true")
    plugin = tmp_path / "taking.py"
    words = ("run", "--plugin", str(plugin), "method=taking", *smoke, "evaluation.judges=0", *extra)
    plugin.write_text(TAKING)
    failed = ferbench(*words)
    assert failed.status == 1
    assert "Target -1 is out of bounds" in failed.out, "a loss that takes -1 for a class"
    plugin.with_name("right.py").write_text(
        TAKING.replace('name="taking"', 'name="right"').replace(
            "batch.extra.expression)", "batch.extra.expression, ignore_index=-1, reduction='sum')"
        )
    )
    right = ("run", "--plugin", str(plugin.with_name("right.py")), "method=right", *words[4:])
    done = ferbench(*right)
    assert done.status == 0, done.err + done.out
    (record,) = Store(tmp_path / "results").scan()[0]
    assert any("30 frames of 3 subjects, of which 30 have no expression" in note for note in record.notes)
    checked = ferbench("check", "--plugin", plugin, "taking", "--only", "step_on_cpu")
    assert checked.status == 1, checked.out
    assert ferbench("check", "--plugin", plugin.with_name("right.py"), "right", "--only", "step_on_cpu").status == 0
