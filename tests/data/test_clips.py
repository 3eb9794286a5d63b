"""Clips: the frames of a sequence that a method takes in place of an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ferbench.config.schema import Augment
from ferbench.data.batches import Batches, Images, Labels
from ferbench.data.frames import clip_frames, needed_frames
from ferbench.execution.setup import clip_rows
from ferbench.interfaces.method import Stage
from ferbench.interfaces.sampling import Partner
from ferbench.records.store import Store
from tests.onehead import plugin

Run = Callable[..., Any]


def table(*lengths: int) -> pd.DataFrame:
    """Sequences of so many frames, a0, a1 ..., in a shuffled order."""
    rows = [(f"{'abcdefgh'[s]}{p}", f"{'abcdefgh'[s]}", p) for s, length in enumerate(lengths) for p in range(length)]
    frames = pd.DataFrame(rows, columns=["frame_id", "sequence", "position"])
    frames = frames.assign(subject=frames["sequence"], phase="apex", expression="joy")
    return frames.sample(frac=1, random_state=0).reset_index(drop=True)


def clip(frames: pd.DataFrame, frame: str, length: int) -> list[str]:
    return clip_frames(frames, frames[frames["frame_id"] == frame], length)[0].tolist()


def test_a_clip_goes_from_the_first_frame_to_the_labelled_one() -> None:
    frames = table(9, 3)
    assert clip(frames, "a8", 3) == ["a0", "a4", "a8"]
    assert clip(frames, "a4", 3) == ["a0", "a2", "a4"], "nothing after the labelled frame is seen"
    assert clip(frames, "a8", 9) == [f"a{n}" for n in range(9)]
    assert clip(frames, "b2", 5) == ["b0", "b0", "b1", "b2", "b2"], "where there are fewer frames, they repeat"
    assert clip(frames, "b0", 2) == ["b0", "b0"]
    assert clip(frames, "a8", 1) == ["a8"]


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6), length=st.integers(1, 9), data=st.data())
def test_any_clip(lengths: list[int], length: int, data: st.DataObject) -> None:
    frames = table(*lengths)
    chosen = frames[data.draw(st.lists(st.booleans(), min_size=len(frames), max_size=len(frames)))]
    found = clip_frames(frames, chosen, length)
    assert found.shape == (len(chosen), length)
    place = frames.set_index("frame_id")
    for frame, names in zip(chosen["frame_id"], found, strict=True):
        own = place.loc[names]
        assert names[-1] == frame
        assert own["sequence"].nunique() == 1
        steps = np.diff(own["position"])
        assert (steps >= 0).all()
        assert length == 1 or own["position"].iloc[0] == 0
        assert len(steps) == 0 or steps.max() - steps.min() <= 1, "evenly spaced"


def test_the_frames_of_clips_are_prepared_once_and_last() -> None:
    """So that without clips the prepared images are those of before."""
    frames = table(5, 5)
    chosen = frames[frames["frame_id"].isin(["a4", "b4"])]
    plain = needed_frames(frames, chosen)
    with_clips = needed_frames(frames, chosen, 3)
    assert with_clips[: len(plain)] == plain
    assert sorted(with_clips) == ["a0", "a2", "a4", "b0", "b2", "b4"]


class Source:
    def __init__(self, frames: pd.DataFrame) -> None:
        self.frames = frames


class Readable:
    def __init__(self, *names: str) -> None:
        self.rows = {name: number for number, name in enumerate(names)}


def test_for_a_frame_that_cannot_be_read_its_neighbour_stands_in() -> None:
    frames = table(5)
    last = frames[frames["frame_id"] == "a4"]
    source: Any = Source(frames)
    for readable, expected in [
        (("a0", "a2", "a4"), ["a0", "a2", "a4"]),
        (("a0", "a4"), ["a0", "a0", "a4"]),
        (("a2", "a4"), ["a2", "a2", "a4"]),
        (("a4",), ["a4", "a4", "a4"]),
    ]:
        prepared: Any = Readable(*readable)
        found = clip_rows(source, last, prepared, 3)
        assert found is not None
        assert [readable[row] for row in found[0].tolist()] == expected


ARRAY = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
CLIPS = torch.arange(12).view(4, 3)


def batches(augment: Augment, clips: torch.Tensor | None = CLIPS, **stage: Any) -> Batches:
    images = Images(ARRAY, torch.device("cpu"))
    labels = Labels(CLIPS[:, -1], torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]), clip=clips)
    made = Batches(images, labels, augment, 4, ("key",))
    return made.of(Stage("training", lambda batch, clock: iter(()), {}, **stage)) if stage else made


STILL = Augment(flip=0.0, rotation=0.0, zoom=0.0, shift=0.0, contrast=0.0, brightness=0.0)


def test_a_batch_of_clips_has_their_pixels_in_order() -> None:
    batch = batches(STILL)(0)
    assert batch.index is not None
    assert batch.images.shape == (4, 3, 3, 8, 8)
    for images, number in zip(batch.images, batch.index, strict=True):
        expected = torch.from_numpy(ARRAY[CLIPS[number].numpy()]).permute(0, 3, 1, 2) * (2 / 255) - 1
        assert torch.allclose(images, expected, atol=0.02)
    (whole,) = batches(STILL).unaugmented()
    assert torch.allclose(whole.images[:, -1], batches(STILL, None).images(CLIPS[:, -1]))


def test_the_frames_of_a_clip_are_augmented_alike_and_clips_are_not() -> None:
    same = CLIPS[:1, -1:].expand(4, 3)  # one picture everywhere
    strong = Augment(flip=0.5, rotation=30.0, zoom=0.2, shift=0.2, contrast=0.3, brightness=0.3)
    images = batches(strong, same)(0).images
    assert torch.equal(images, images[:, :1].expand_as(images))
    assert not torch.allclose(images[0, 0], images[1, 0])


def test_views_and_partners_of_clips_are_clips() -> None:
    batch = batches(Augment(), views=2, second=Partner.EXPRESSION)(0)
    assert batch.second is not None
    assert batch.views[1].shape == batch.second.images.shape == (4, 3, 3, 8, 8)
    halves = batch.split(2)
    assert [len(half) for half in halves] == [2, 2]
    assert torch.equal(torch.cat([half.images for half in halves]), batch.images)


def test_single_frames_of_clips_are_the_batches_of_other_methods() -> None:
    """Judges are trained on them, once for all methods on a fold."""
    of_clips, plain = batches(Augment()).single()(3), batches(Augment(), None)(3)
    assert of_clips.tensors().keys() == plain.tensors().keys()
    assert all(torch.equal(value, plain.tensors()[name]) for name, value in of_clips.tensors().items())


STEP = "yield Update('all', F.cross_entropy(self.logits(batch.images), batch.expression))"


def clip_method(folder: Path, name: str = "moving") -> Path:
    """A method of clips: the mean over their frames."""
    text = plugin(name, STEP)
    text = text.replace("    factor: float = 1.0", "    factor: float = 1.0\n    length: int = 3")
    text = text.replace("self.backbone(images)[-1].mean((2, 3))", (
        "self.backbone(images.flatten(0, 1))[-1].mean((2, 3)).unflatten(0, images.shape[:2]).mean(1)"
    ))  # fmt: skip
    text = text.replace('settings=frozenset({"factor"})', 'settings=frozenset({"factor", "length"})')
    text = text.replace("settings=Settings,", "settings=Settings, clip='length',")
    file = folder / f"{name}.py"
    file.write_text(text)
    return file


def test_a_method_of_clips_runs_beside_others(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    """On one board, since they are tested on the same frames; with the same judges."""
    file = clip_method(tmp_path)
    for words in (("method=moving", "--plugin", str(file)), ("method=cross_entropy",)):
        done = ferbench("run", *words, *smoke, "protocol.frames=last_1")
        assert done.status == 0, done.err + done.out
    records = {record.trial.method: record for record in Store(tmp_path / "results").scan()[0]}
    moving, plain = records["moving"], records["cross_entropy"]
    assert moving.cost["images_seen"] == 3 * plain.cost["images_seen"]
    assert moving.cost["forward_flops"] > 2.9 * plain.cost["forward_flops"]
    assert moving.trial.judges is not None
    assert plain.trial.judges is not None
    assert moving.trial.judges.key == plain.trial.judges.key
    assert any(note.startswith("Clips of 3 frames, from the first of a sequence to the one") for note in moving.notes)
    assert moving.metrics["accuracy"] == moving.metrics["sequence_accuracy"], "one clip a sequence"
    board = ferbench("leaderboard", tmp_path / "results", "--format", "csv", "--plugin", file).out
    assert len({line.split(",")[0] for line in board.splitlines()[1:]}) == 1
    shown = ferbench("gradients", moving.trial.id[:8], tmp_path / "results", "--batches", "1")
    assert "training: term" in shown.out, shown.err


@pytest.mark.parametrize("length", [0, -3])
def test_lengths_that_a_clip_cannot_have(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path, length: int) -> None:
    done = ferbench("run", "method=moving", "--plugin", clip_method(tmp_path), *smoke, f"method.length={length}")
    assert done.status == 2
    assert f"method.length={length} is the number of frames of a clip; it has to be at least 1." in done.err


def test_a_dataset_of_single_images_has_no_clips(
    ferbench: Run, smoke: tuple[str, ...], lab_tree: Callable[[str], Path], tmp_path: Path
) -> None:
    words = [word for word in smoke if not word.startswith("dataset")]
    given = ("dataset=jaffe", f"dataset.root={lab_tree('jaffe')}", "dataset.allow_incomplete=true")
    done = ferbench("run", "method=moving", "--plugin", clip_method(tmp_path), *words, *given)
    assert done.status == 1
    assert "reads clips of 3 frames, and the frames of dataset 'jaffe' are single images" in done.out


def test_a_method_of_clips_does_not_synthesise(ferbench: Run, smoke: tuple[str, ...], tmp_path: Path) -> None:
    file = clip_method(tmp_path, "making")
    added = "    def synthesize(self, images, identity):\n        return images\n\n    def logits"
    file.write_text(file.read_text().replace("    def logits", added))
    done = ferbench("run", "method=making", "--plugin", file, *smoke)
    assert done.status == 1
    assert "takes clips and synthesises faces; what it synthesises cannot be measured" in done.out
