"""What a stage may ask of its batches: P subjects x K frames, balanced classes, partners; from key and step alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ferbench import Batch, FerbenchError
from ferbench.config.schema import Augment, Sampling
from ferbench.data.batches import Batches, Images, Labels
from ferbench.errors import TrainingError
from ferbench.interfaces.method import Stage, Update
from ferbench.interfaces.replicas import Place
from ferbench.interfaces.sampling import PK, Balanced, Partner

CPU = torch.device("cpu")
OFF = Augment(0, 0, 0, 0, 0, 0)
FRAMES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40)
"""(subject, expression) of each frame: identities may lack expressions, and there may be one frame."""

SOME = st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 3)), min_size=1, max_size=40)
"""The same with frames that have no expression, as those of an extra dataset may."""


def no_step(batch: Batch, clock: object) -> Iterator[Update]:
    yield from ()


def stage(**asked: Any) -> Stage:
    return Stage("training", no_step, {}, **asked)


def labels(frames: Sequence[tuple[int, int]], neutral: bool = False) -> Labels:
    """Subjects are numbered without gaps, as those of a task."""
    known = sorted({s for s, _ in frames})
    subject = torch.tensor([known.index(s) for s, _ in frames])
    rows = torch.arange(len(frames))
    faces = (rows + len(frames), rows % 2 == 0) if neutral else (None, None)
    return Labels(rows, torch.tensor([e for _, e in frames]), subject, *faces)


def batches(
    frames: Sequence[tuple[int, int]], size: int = 12, key: tuple[object, ...] = (0, "fold"), **more: Any
) -> Batches:
    made = more.pop("labels", None) or labels(frames)
    array = np.random.default_rng(0).integers(0, 256, (2 * len(frames), 8, 8, 3), np.uint8)
    return Batches(Images(array, CPU), made, OFF, size, key, **more)


# -- P subjects x K frames


@settings(max_examples=80)
@given(FRAMES, st.integers(2, 5), st.integers(1, 6), st.integers(0, 300))
def test_a_batch_has_p_subjects_with_k_frames_each(frames: list[tuple[int, int]], k: int, p: int, step: int) -> None:
    made = batches(frames, size=p * k).of(stage(batches=PK(k)))
    batch = made(step)
    groups = batch.subject.view(p, k)
    assert (groups == groups[:, :1]).all(), "a subject's frames follow one another"
    trained = len({s for s, _ in frames})
    often = torch.bincount(groups[:, 0], minlength=trained)
    assert int((often > 0).sum()) == min(p, trained)
    assert int(often.max() - often.min()) <= 1 or p < trained
    assert batch.index is not None
    for subject in range(trained):
        own = batch.index[batch.subject == subject]
        assert (made.labels.subject[own] == subject).all()
        count = int((made.labels.subject == subject).sum())
        drawn = torch.bincount(own, minlength=len(frames))[made.labels.subject == subject]
        assert int(drawn.max() - drawn.min()) <= 1, "all of a subject's frames come before one of them again"
        assert len(own.unique()) == min(count, len(own))


def test_every_frame_of_a_subject_is_drawn_equally_often_at_every_place() -> None:
    made = batches([(s, e) for s in range(4) for e in range(5)], size=9).of(stage(batches=PK(3)))
    often = torch.zeros(20, 3)
    for step in range(4000):
        index = made(step).index
        assert index is not None
        for place in range(3):
            often[index[place::3], place] += 1
    assert (often / 4000 - 3 / 4 / 5).abs().max() < 0.03  # a subject is in 3 of 4 batches; five standard deviations


@settings(max_examples=30)
@given(FRAMES, st.lists(st.integers(0, 500), min_size=1, max_size=4))
def test_a_batch_depends_on_the_key_and_the_step_alone(frames: list[tuple[int, int]], steps: list[int]) -> None:
    asked = stage(batches=PK(3), second=Partner.SUBJECT, third=Partner.EXPRESSION)
    going_on = batches(frames).of(asked)
    for step in steps:
        ours, anew = going_on(step).tensors(), batches(frames).of(asked)(step).tensors()
        assert ours.keys() == anew.keys()
        assert all(torch.equal(value, anew[name]) for name, value in ours.items())


def test_subjects_change_from_batch_to_batch_and_all_come() -> None:
    frames = [(s, e) for s in range(10) for e in range(4)]
    made = batches(frames, size=8).of(stage(batches=PK(2)))
    drawn = [frozenset(made(step).subject.tolist()) for step in range(40)]
    assert len(set(drawn)) > 20
    assert set().union(*drawn) == set(range(10))
    first, other = made(0).index, batches(frames, size=8, key=(1, "fold")).of(stage(batches=PK(2)))(0).index
    assert first is not None
    assert other is not None
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize(("accumulate", "devices"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_parts_of_a_batch_hold_whole_groups(accumulate: int, devices: int) -> None:
    frames = [(s, e) for s in range(10) for e in range(4)]
    whole = batches(frames, size=16).of(stage(batches=PK(4)))(3)
    parts = [
        part
        for rank in range(devices)
        for part in batches(frames, size=16, place=Place(rank, devices))
        .of(stage(batches=PK(4)), accumulate)(3)
        .split(accumulate)
    ]
    assert torch.equal(torch.cat([part.subject for part in parts]), whole.subject)
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    for part in parts:
        assert (part.subject.view(-1, 4) == part.subject.view(-1, 4)[:, :1]).all()


@pytest.mark.parametrize(("size", "accumulate", "devices", "goes"), [(10, 1, 1, 8), (16, 8, 1, 32), (24, 2, 2, 32)])
def test_a_batch_that_would_tear_groups_is_refused(size: int, accumulate: int, devices: int, goes: int) -> None:
    frames = [(s, e) for s in range(10) for e in range(4)]
    asked = stage(batches=PK(4))
    with pytest.raises(TrainingError, match=rf"tear them apart. budget.batch_size={goes} goes"):
        batches(frames, size=size, place=Place(0, devices)).of(asked, accumulate)
    batches(frames, size=goes, place=Place(0, devices)).of(asked, accumulate)(0)


def test_groups_and_sampling_by_class_are_refused_together() -> None:
    with pytest.raises(TrainingError, match=r"Leave trainer\.sampling out"):
        batches([(0, 0)], sampling=Sampling.class_balanced).of(stage(batches=PK(2)))


def test_a_group_is_two_frames_or_more() -> None:
    with pytest.raises(FerbenchError, match="forms no pair"):
        PK(frames=1)


def test_what_is_missing_for_groups_is_counted() -> None:
    frames = [(0, 0), (0, 1), (0, 2), (1, 0), (2, 1)]
    assert batches(frames, size=12).of(stage(batches=PK(3))).notes() == [
        "Batches of stage 'training': 2 of 3 training subjects have fewer than 3 frames, which repeat in a batch.",
        "Batches of stage 'training': a batch has places for 4 subjects, and 3 are trained on, who repeat.",
    ]
    assert batches(frames * 3, size=6).of(stage(batches=PK(3))).notes() == []


# -- balanced classes


@settings(max_examples=30)
@given(FRAMES, st.integers(0, 200))
def test_balanced_batches_are_those_of_the_setting(frames: list[tuple[int, int]], step: int) -> None:
    asked = batches(frames).of(stage(batches=Balanced()))(step)
    setting = batches(frames, sampling=Sampling.class_balanced)(step)
    assert torch.equal(asked.images, setting.images)
    often = torch.bincount(asked.expression)
    often = often[often > 0]
    assert int(often.max() - often.min()) <= 2
    assert len(often) == len({e for _, e in frames})


# -- partners


def allowed(kind: Partner, frames: Labels, frame: int) -> tuple[set[int], bool]:
    """The frames that may be the partner of a frame, found by looking at all of them, and whether they are what was asked for."""
    subject, expression = frames.subject.tolist(), frames.expression.tolist()
    others = [f for f in range(len(subject)) if f != frame]
    if expression[frame] < 0:
        return {frame}, False
    others = [f for f in others if expression[f] >= 0]
    same_subject = {f for f in others if subject[f] == subject[frame]}
    same_expression = {f for f in others if expression[f] == expression[frame]}
    right = same_expression - same_subject if kind is Partner.EXPRESSION else same_subject - same_expression
    return (right, True) if right else ((same_subject & same_expression) or {frame}, False)


@settings(max_examples=80)
@given(SOME, st.sampled_from([Partner.EXPRESSION, Partner.SUBJECT]), st.integers(0, 300))
def test_partners_are_as_asked_or_marked(frames: list[tuple[int, int]], kind: Partner, step: int) -> None:
    made = batches(frames).of(stage(second=kind))
    batch = made(step)
    second = batch.second
    assert second is not None
    assert batch.index is not None
    assert second.index is not None
    assert second.related is not None
    for frame, partner, related in zip(
        batch.index.tolist(), second.index.tolist(), second.related.tolist(), strict=True
    ):
        candidates, right = allowed(kind, made.labels, frame)
        assert partner in candidates
        assert related == right
    plain = made.labels
    assert torch.equal(second.subject, plain.subject[second.index])
    assert torch.equal(second.expression, plain.expression[second.index])
    expected = batches(frames).images(plain.rows[second.index])
    assert torch.allclose(second.images, expected, atol=1e-5)


@pytest.mark.parametrize("kind", [Partner.EXPRESSION, Partner.SUBJECT])
def test_every_partner_is_drawn_equally_often(kind: Partner) -> None:
    frames = [(s, e) for s in range(3) for e in range(3)] * 2
    made = batches(frames, size=18).of(stage(third=kind))
    often = torch.zeros(18, 18)
    for step in range(600):
        batch = made(step)
        assert batch.index is not None
        assert batch.third is not None
        assert batch.third.index is not None
        often[batch.index, batch.third.index] += 1
    for frame in range(18):
        candidates = sorted(allowed(kind, made.labels, frame)[0])
        assert sorted(often[frame].nonzero()[:, 0].tolist()) == candidates
        assert (often[frame][candidates] / 600 - 1 / len(candidates)).abs().max() < 0.1


def test_pairs_do_not_change_the_images_that_are_paired() -> None:
    frames = [(s, e) for s in range(4) for e in range(3)]
    plain, paired = batches(frames), batches(frames).of(stage(second=Partner.SUBJECT))
    plain.augment = paired.augment = Augment()
    for step in (0, 7):
        assert torch.equal(plain(step).images, paired(step).images)
        second = paired(step).second
        assert second is not None
        assert not torch.equal(second.images, plain(step).images)


def test_neutral_partners_are_the_neutral_images() -> None:
    frames = [(s, e) for s in range(4) for e in range(3)]
    made = batches(frames, labels=labels(frames, neutral=True)).of(stage(second=Partner.NEUTRAL))
    batch = made(2)
    second = batch.second
    assert second is not None
    assert batch.neutral is not None
    assert batch.index is not None
    assert second.related is not None
    assert torch.equal(second.images, batch.neutral)
    assert torch.equal(second.subject, batch.subject)
    assert set(second.expression.tolist()) == {-1}
    assert torch.equal(second.related, batch.index % 2 == 0)
    assert made.notes() == [
        (
            "Batches of stage 'training': for 6 of 12 training frames there is no neutral frame of the same sequence; one of "
            "another sequence of the subject stands in."
        ),
    ]


def test_neutral_partners_need_neutral_frames() -> None:
    with pytest.raises(TrainingError, match="the method's card needs 'neutral'"):
        batches([(0, 0)]).of(stage(second=Partner.NEUTRAL))


def test_stand_ins_are_counted_by_frame() -> None:
    """The first subject shows two expressions, the second one of them twice, the third another one once."""
    frames = [(0, 0), (0, 1), (1, 0), (1, 0), (2, 2)]
    asked = stage(second=Partner.SUBJECT, third=Partner.EXPRESSION)
    other_expression, other_subject = batches(frames).of(asked).notes()
    assert (
        "for 3 of 5 training frames there is no frame of the same subject with another expression" in other_expression
    )
    assert "stands in for 2, the frame itself for 1." in other_expression
    assert "for 2 of 5 training frames there is no frame of another subject with the same expression" in other_subject
    assert "stands in for 0, the frame itself for 2." in other_subject


# -- batches


def test_a_stage_that_asks_for_nothing_gets_the_batches_of_the_run() -> None:
    made = batches([(0, 0), (1, 1)])
    assert made.of(stage()) is made
    assert made.notes() == []


def test_the_index_is_that_of_the_training_set() -> None:
    made = batches([(s, e) for s in range(4) for e in range(3)])
    batch = made(5)
    assert batch.index is not None
    assert torch.equal(made.labels.subject[batch.index], batch.subject)
    assert torch.equal(made.labels.expression[batch.index], batch.expression)


def test_a_batch_is_its_tensors_and_splits_with_its_partners() -> None:
    frames = [(s, e) for s in range(4) for e in range(3)]
    made = batches(frames, labels=labels(frames, neutral=True))
    batch = made.of(stage(second=Partner.NEUTRAL, third=Partner.SUBJECT))(1)
    again = Batch.of(batch.tensors())
    assert {"neutral", "index", "second.related", "third.images"} <= set(batch.tensors())
    assert all(torch.equal(value, again.tensors()[name]) for name, value in batch.tensors().items())
    halves = batch.split(2)
    assert [len(half) for half in halves] == [6, 6]
    for name, value in batch.tensors().items():
        assert torch.equal(torch.cat([half.tensors()[name] for half in halves]), value)


def test_images_on_disk_give_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [(s, e) for s in range(4) for e in range(3)]
    asked = stage(second=Partner.SUBJECT, third=Partner.NEUTRAL)
    resident = batches(frames, labels=labels(frames, neutral=True)).of(asked)(3)
    monkeypatch.setattr("ferbench.data.batches.RESIDENT_FRACTION", 0.0)
    made = batches(frames, labels=labels(frames, neutral=True)).of(asked)
    assert not made.resident
    assert all(torch.equal(value, resident.tensors()[name]) for name, value in made(3).tensors().items())
