"""The embedded dataset: deterministic, in sequences, with its factors."""

from __future__ import annotations

import numpy as np
import pytest

from ferbench import FerbenchError, FrameError
from ferbench_synthfaces.dataset import SynthFaces
from ferbench_synthfaces.plugin import EXPRESSIONS, SynthFacesSettings

SMALL = SynthFacesSettings(subjects=4, image_size=32)


def test_every_subject_shows_every_expression() -> None:
    frames = SynthFaces(SMALL).frames()
    assert len(frames) == 4 * 6 * 8
    assert frames.groupby("subject")["expression"].nunique().eq(6).all()
    assert set(frames["expression"]) == set(EXPRESSIONS)


def test_sequences_run_from_neutral_to_apex() -> None:
    frames = SynthFaces(SMALL).frames()
    for _, sequence in frames.groupby("sequence"):
        assert sequence["phase"].iloc[0] == "neutral"
        assert sequence["intensity"].is_monotonic_increasing
        assert sequence["phase"].iloc[-3:].eq("apex").all()
        units = sequence.filter(regex=r"^au\d+$")
        assert units.iloc[0].eq(0).all()
        assert units.iloc[-1].max() > 0.5


def test_action_units_are_intensities() -> None:
    units = SynthFaces(SMALL).frames().filter(regex=r"^au\d+$")
    assert units.shape[1] == 15
    assert units.min().min() >= 0
    assert units.max().max() <= 1


def test_the_same_seed_gives_the_same_pixels_in_any_order() -> None:
    a, b = SynthFaces(SMALL), SynthFaces(SMALL)
    ids = a.frames()["frame_id"].iloc[[5, 100, 191]].tolist()
    assert np.array_equal(a.images(ids), b.images(ids[::-1])[::-1])
    assert np.array_equal(a.images(ids)[1], a.image(ids[1]))


def test_a_subject_does_not_depend_on_how_many_there_are() -> None:
    few, many = SynthFaces(SMALL), SynthFaces(SynthFacesSettings(subjects=9, image_size=32))
    frame = "S002/fear/0/007"
    assert np.array_equal(few.image(frame), many.image(frame))


def test_another_seed_gives_other_people() -> None:
    other = SynthFaces(SynthFacesSettings(seed=1, subjects=4, image_size=32))
    assert not np.array_equal(other.image("S001/fear/0/007"), SynthFaces(SMALL).image("S001/fear/0/007"))
    assert other.fingerprint() != SynthFaces(SMALL).fingerprint()


def test_what_it_refuses() -> None:
    with pytest.raises(FerbenchError, match="dataset.frames is 1; it has to be at least 2"):
        SynthFaces(SynthFacesSettings(frames=1))
    with pytest.raises(FrameError, match="no frame 'S9/x'"):
        SynthFaces(SMALL).image("S9/x")
