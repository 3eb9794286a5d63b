"""Class-balanced sampling: classes equally often, every frame of a class before any of it again, from key and step alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ferbench.config.schema import Augment, Sampling
from ferbench.data.batches import Batches, Images, Labels

OFF = Augment(0, 0, 0, 0, 0, 0)
COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any)
"""Frames of each class; some classes may have none in a training fold."""


def batches(counts: Sequence[int], size: int, key: tuple[object, ...] = (0, "fold")) -> Batches:
    expression = torch.tensor([c for c, count in enumerate(counts) for _ in range(count)])
    shuffled = expression[torch.randperm(len(expression), generator=torch.Generator().manual_seed(7))]
    rows = torch.arange(len(shuffled))
    images = Images(np.zeros((len(rows), 16, 16, 3), np.uint8), torch.device("cpu"))
    return Batches(images, Labels(rows, shuffled, rows % 2), OFF, size, key, Sampling.class_balanced)


def drawn(made: Batches, steps: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(steps, size): frames, and their classes."""
    frames = torch.stack([made._choose(step) for step in steps])
    return frames.numpy(), made.labels.expression[frames].numpy()


@settings(max_examples=60)
@given(COUNTS, st.integers(1, 20), st.integers(1, 30))
def test_after_any_number_of_steps_classes_were_drawn_equally_often(counts: list[int], size: int, steps: int) -> None:
    _, classes = drawn(batches(counts, size), range(steps))
    present = [c for c, count in enumerate(counts) if count]
    often = np.stack([(classes == c).sum(axis=1).cumsum() for c in present])
    assert (often.max(axis=0) - often.min(axis=0)).max() <= 1
    assert set(classes.ravel()) <= set(present), "a class without training frames is not drawn"
    within = np.stack([(classes == c).sum(axis=1) for c in present])
    assert (within.max(axis=0) - within.min(axis=0)).max() <= (0 if size % len(present) == 0 else 2)


@settings(max_examples=60)
@given(COUNTS, st.integers(1, 20))
def test_every_frame_of_a_class_comes_before_any_of_it_again(counts: list[int], size: int) -> None:
    """After any number of steps, the frames of a class were drawn equally often, to within one."""
    made = batches(counts, size)
    frames, _ = drawn(made, range(40))
    for code in (c for c, count in enumerate(counts) if count):
        members = (made.labels.expression == code).nonzero()[:, 0].numpy()
        often = np.stack([(frames == m).sum(axis=1).cumsum() for m in members])
        assert (often.max(axis=0) - often.min(axis=0)).max() <= 1


@settings(max_examples=30)
@given(COUNTS, st.integers(1, 20), st.lists(st.integers(0, 2000), min_size=1, max_size=6))
def test_a_balanced_step_depends_on_the_key_and_the_step_alone(counts: list[int], size: int, steps: list[int]) -> None:
    made = batches(counts, size)
    for step in steps:
        assert torch.equal(made._choose(step), batches(counts, size)._choose(step))


def test_epochs_of_a_class_and_batches_have_new_orders() -> None:
    frames, classes = drawn(batches([6, 6], 12), range(4))
    first, second = (frames[step][classes[step] == 0] for step in (0, 1))
    assert sorted(first) == sorted(second)
    assert first.tolist() != second.tolist()
    assert len({tuple(row) for row in classes.tolist()}) == 4, "the places of the classes in a batch change"
    other, _ = drawn(batches([6, 6], 12, key=(1, "fold")), range(4))
    assert other.tolist() != frames.tolist()


def test_neighbours_in_a_batch_are_of_one_class_as_often_as_by_chance() -> None:
    """Methods pair an image with the next one."""
    _, classes = drawn(batches([40, 40, 40, 40], 32), range(200))
    alike = (classes[:, 1:] == classes[:, :-1]).mean()
    assert alike == pytest.approx(7 / 31, abs=0.02)


def test_a_step_of_a_large_unbalanced_set_takes_milliseconds_and_keeps_little() -> None:
    made = batches([130_000, 130_000, 40_000, 500, 3], 64)
    made._choose(500)
    began = time.perf_counter()
    for step in range(501, 601):
        made._choose(step)
    assert (time.perf_counter() - began) / 100 < 0.05
    assert sum(len(order) for order in made._orders.values()) < 2 * 300_503 + 1000


def test_uniform_is_the_default_and_draws_as_before() -> None:
    rows = torch.arange(10)
    images = Images(np.zeros((10, 16, 16, 3), np.uint8), torch.device("cpu"))
    labels = Labels(rows, rows % 3, rows % 2)
    plain, named = (Batches(images, labels, OFF, 4, (0,), *more) for more in ((), (Sampling.uniform,)))
    for step in (0, 1, 2, 7, 500):
        assert torch.equal(plain._choose(step), named._choose(step))
    seen = torch.cat([plain._choose(step) for step in range(5)])
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))


def test_both_samplings_of_one_method_are_two_boards(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path
) -> None:
    words = ("run", "method=cross_entropy", *smoke)
    for more in ((), ("trainer.sampling=class_balanced",), ("trainer.sampling=uniform",)):
        done = ferbench(*words, *more)
        assert done.status == 0, done.err
    assert "Nothing to run" in done.out, "uniform is what was run first"
    shown = ferbench("leaderboard", tmp_path / "results", "--format", "markdown").out
    assert shown.count("sampling class_balanced") == 1
    assert shown.count("budget smoke") == 2


def test_an_unknown_sampling_is_named_with_the_known_ones(ferbench: Callable[..., Any], smoke: tuple[str, ...]) -> None:
    done = ferbench("run", "method=cross_entropy", *smoke, "trainer.sampling=balanced")
    assert done.status == 2
    assert "uniform, class_balanced" in done.err
