"""The frames that a study needs: those that its protocol selects, and neutral faces of their subjects; and the columns."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from ferbench.cards import MethodCard
from ferbench.errors import FerbenchError, UnknownName, enumerate_first


def neutral_frames(frames: pd.DataFrame, selected: pd.DataFrame) -> pd.Series:
    """For each row of `selected` the frame_id of a neutral face of the same subject; missing if there is none.

    It is the first neutral frame of the same sequence or, if that has none, the subject's first neutral frame.
    """
    neutral = frames[frames["phase"] == "neutral"].sort_values(["sequence", "position"])
    of_sequence = neutral.drop_duplicates("sequence").set_index("sequence")["frame_id"]
    of_subject = neutral.drop_duplicates("subject").set_index("subject")["frame_id"]
    return selected["sequence"].map(of_sequence).fillna(selected["subject"].map(of_subject))


def clip_frames(frames: pd.DataFrame, selected: pd.DataFrame, length: int) -> np.ndarray:
    """The clip of each row of `selected`: frames of its sequence, evenly spaced from the first to the row's own. Where there are
    fewer, they repeat.

    Returns:
        (rows of `selected`, `length`), frame_ids; the last column is that of `selected`.
    """
    ordered = frames.sort_values(["sequence", "position"], kind="stable")
    place = pd.Series(ordered.groupby("sequence", sort=False).cumcount().to_numpy(), index=ordered["frame_id"])
    start = pd.Series(np.arange(len(ordered)), index=ordered["frame_id"]) - place
    first, last = (values[selected["frame_id"]].to_numpy() for values in (start, place))
    steps = np.rint(last[:, None] * np.linspace(0, 1, length) if length > 1 else last[:, None]).astype(int)
    found: np.ndarray = ordered["frame_id"].to_numpy()[first[:, None] + steps]
    return found


def needed_frames(frames: pd.DataFrame, selected: pd.DataFrame, clip: int = 0) -> list[str]:
    """frame_ids of the selected frames, of their neutral faces, and of clips of so many frames, without repetition."""
    clips = clip_frames(frames, selected, clip).ravel() if clip else ()
    return list(dict.fromkeys([*selected["frame_id"], *neutral_frames(frames, selected).dropna(), *clips]))


def factor_columns(frames: pd.DataFrame, card: MethodCard, dataset: str) -> dict[str, bool]:
    """The columns of a frame table that a method is trained on, in the table's order, and of each whether it has numbers.

    Args:
        frames: the frames that the protocol uses.
        dataset: its name, for messages.

    Raises:
        FerbenchError: there is no such column, it is empty, or it has text where the method takes numbers.
    """
    numbers, levels = (_matching(frames, names, card, dataset) for names in (card.factors, card.levels))
    if text := [name for name in numbers if not pd.api.types.is_numeric_dtype(frames[name])]:
        value = frames[text[0]].dropna().iloc[0]
        raise FerbenchError(
            f"Method '{card.name}' takes the column '{text[0]}' for numbers, and dataset '{dataset}' has text in it ({value}). The "
            "card of a method lists such columns in levels=."
        )
    if both := set(numbers) & set(levels):
        raise FerbenchError(
            f"Method '{card.name}' takes the column '{min(both)}' both for numbers and for levels; one of them is enough."
        )
    return {str(name): name in numbers for name in frames.columns if name in numbers or name in levels}


def _matching(frames: pd.DataFrame, names: Sequence[str], card: MethodCard, dataset: str) -> list[str]:
    found: list[str] = []
    for pattern in names:
        matching = [str(name) for name in frames.columns if fnmatchcase(str(name), pattern)]
        if not matching:
            raise UnknownName(
                "column", pattern, map(str, frames.columns),
                f"Method '{card.name}' is trained on it, and dataset '{dataset}' lacks it; another dataset, or a method that does "
                "without it, goes.",
            )  # fmt: skip
        if frames[matching].isna().all(axis=None):
            raise FerbenchError(
                f"Method '{card.name}' is trained on '{pattern}', and no frame of dataset '{dataset}' that the protocol uses has a "
                f"value in {enumerate_first(matching)}."
            )
        found += matching
    return found
