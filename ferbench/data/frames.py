"""The frames that a study needs: those that its protocol selects, and neutral faces of their subjects."""

from __future__ import annotations

import pandas as pd


def neutral_frames(frames: pd.DataFrame, selected: pd.DataFrame) -> pd.Series:
    """For each row of `selected` the frame_id of a neutral face of the same subject; missing if there is none.

    It is the first neutral frame of the same sequence or, if that has none, the subject's first neutral frame.
    """
    neutral = frames[frames["phase"] == "neutral"].sort_values(["sequence", "position"])
    of_sequence = neutral.drop_duplicates("sequence").set_index("sequence")["frame_id"]
    of_subject = neutral.drop_duplicates("subject").set_index("subject")["frame_id"]
    return selected["sequence"].map(of_sequence).fillna(selected["subject"].map(of_subject))


def needed_frames(frames: pd.DataFrame, selected: pd.DataFrame) -> list[str]:
    """frame_ids of the selected frames and of their neutral faces, without repetition."""
    return list(dict.fromkeys([*selected["frame_id"], *neutral_frames(frames, selected).dropna()]))
