"""Checks of protocols, on the frame table of `make_frames`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.cards import ProtocolCard
from ferbench.errors import FerbenchError
from ferbench.interfaces.protocol import UNUSED, Protocol
from ferbench.randomness import own_random_state
from ferbench.testing.inputs import NotTried, make_frames


def folds_of_frames(card: ProtocolCard, protocol: Protocol) -> None:
    """Each frame gets the number of a fold, TRAIN_ONLY or UNUSED, and each fold has frames to train on.

    Return an array of whole numbers, one for each row of the table: 0, 1, 2 ... for the folds,
    `ferbench.interfaces.protocol.TRAIN_ONLY` for what is never tested and UNUSED for what is left out.
    """
    frames = make_frames()
    folds = _assigned(protocol, frames)
    assert folds.shape == (len(frames),), f"assign_folds returns the shape {folds.shape} for {len(frames)} frames"
    assert np.issubdtype(folds.dtype, np.integer), f"assign_folds returns {folds.dtype}, not whole numbers"
    assert folds.min() >= UNUSED, f"assign_folds returns {folds.min()}"
    tested = sorted(set(folds[folds >= 0].tolist()))
    assert tested, "no frame is tested"
    assert tested == list(range(len(tested))), f"the folds have the numbers {tested}; they have to count from 0"
    for fold in tested:
        assert ((folds != fold) & (folds != UNUSED)).any(), f"fold {fold} has no frames to train on"


def subjects_in_one_fold(card: ProtocolCard, protocol: Protocol) -> None:
    """No subject is trained on and tested in one fold, unless the protocol says that it is `leaky`.

    Give all frames of a subject the same fold. If images of one person are meant to be on both sides, set `leaky = True` in the
    class; boards then say so.
    """
    frames = make_frames()
    used = frames.assign(fold=_assigned(protocol, frames)).query("fold != @UNUSED")
    folds = used.groupby("subject")["fold"].nunique()
    split = sorted(folds[folds > 1].index)
    assert protocol.leaky or not split, f"subject {', '.join(split[:3])} is in several folds, and leaky is False"


def folds_reproducible(card: ProtocolCard, protocol: Protocol) -> None:
    """The folds are the same each time, whatever the order of the rows, and the table stays as it is.

    Sort by subject and frame_id before anything is drawn, draw from `np.random.default_rng(seed)` with a setting as the seed, and
    work on a copy of the table.
    """
    frames = make_frames()
    before = frames.copy()
    with own_random_state(0):
        first = pd.Series(_assigned(protocol, frames), index=frames["frame_id"])
    assert frames.equals(before), "assign_folds changes the frame table"
    with own_random_state(1):
        again = pd.Series(_assigned(protocol, frames), index=frames["frame_id"])
    assert first.equals(again), "assign_folds returns other folds the second time"
    shuffled = frames.sample(frac=1, random_state=0)
    other = pd.Series(_assigned(protocol, shuffled), index=shuffled["frame_id"]).reindex(first.index)
    assert first.equals(other), "the folds depend on the order of the rows"


def _assigned(protocol: Protocol, frames: pd.DataFrame) -> np.ndarray:
    """Raises NotTried if the protocol is not for such frames."""
    try:
        return np.asarray(protocol.assign_folds(frames))
    except FerbenchError as error:
        raise NotTried(str(error)) from error
