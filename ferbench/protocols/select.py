"""Selection and splitting of frames, as all protocols do it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ferbench.cards import DatasetCard
from ferbench.errors import FerbenchError, enumerate_first
from ferbench.interfaces.protocol import TRAIN_ONLY, UNUSED, Protocol

SELECTIONS = ("auto", "all", "apex", "last_1", "last_3", "middle_3")


def select(frames: pd.DataFrame, card: DatasetCard, rule: str) -> pd.DataFrame:
    """The labelled frames that a rule selects, in the order of the frame table.

    Args:
        rule: one of SELECTIONS: "auto" (the card's), "all" (without neutral frames, unless neutral is a class), "apex",
            "last_N" (the last N frames of each sequence) or "middle_N" (its N middle frames).

    Raises:
        FerbenchError: the rule is unknown, or no frame is selected.
    """
    if rule not in SELECTIONS:
        raise FerbenchError(f"protocol.frames is '{rule}'; it can be {', '.join(SELECTIONS)}.")
    rule = card.frames if rule == "auto" else rule
    labelled = frames[frames["expression"].isin(card.expressions)]
    if rule == "apex":
        chosen = labelled[labelled["phase"] == "apex"]
    elif rule == "all":
        neutral_is_class = "neutral" in card.expressions
        chosen = labelled if neutral_is_class else labelled[labelled["phase"] != "neutral"]
    else:
        where, count = rule.split("_")
        by_sequence = labelled.sort_values(["sequence", "position"]).groupby("sequence", sort=False)
        if where == "last":
            chosen = by_sequence.tail(int(count))
        else:
            index, size = by_sequence.cumcount(), by_sequence["position"].transform("size")
            first = (size - int(count)).clip(lower=0) // 2
            chosen = labelled.loc[index.index[(index >= first) & (index < first + int(count))]]
    if chosen.empty:
        raise FerbenchError(f"protocol.frames={rule} leaves no frames of dataset '{card.name}'.")
    return chosen.sort_index()


def split(frames: pd.DataFrame, card: DatasetCard, protocol: Protocol) -> pd.DataFrame:
    """The selected frames with an additional column `fold`, without unused ones.

    Raises:
        FerbenchError: the protocol cannot split the frames, or a fold has a subject in both its training and its test set
            and the protocol is not leaky.
    """
    selected = select(frames, card, protocol.settings.frames)
    selected = selected.assign(fold=np.asarray(protocol.assign_folds(selected), dtype=int))
    selected = selected[selected["fold"] != UNUSED]
    tested = selected[selected["fold"] != TRAIN_ONLY]
    if len(selected) > len(tested):
        both = set(tested["subject"]) & set(selected.loc[selected["fold"] == TRAIN_ONLY, "subject"])
    else:
        owners = tested.groupby("subject")["fold"].nunique()
        both = set(owners[owners > 1].index)
    if both and "subject" in card.provides and not protocol.leaky:
        raise FerbenchError(
            f"The protocol trains on and tests the same subjects: {enumerate_first(sorted(both))}. Each subject may be in one fold "
            "only."
        )
    return selected


def chosen_folds(available: Sequence[int], wanted: Sequence[int] | None) -> list[int]:
    """The numbers of the folds to run: those of `wanted` or, if that is empty, all that are available.

    Raises:
        FerbenchError: `wanted` has a fold that the protocol does not have.
    """
    if not wanted:
        return list(available)
    unknown = [fold for fold in wanted if fold not in available]
    if unknown:
        raise FerbenchError(
            f"protocol.folds asks for fold {enumerate_first(unknown)}; the protocol has the folds "
            f"{min(available)} to {max(available)}."
        )
    return sorted(set(wanted))


def need_subjects(frames: pd.DataFrame, folds: int) -> list[str]:
    """The subject IDs, sorted ascending as text.

    Raises:
        FerbenchError: there are fewer subjects than folds, or fewer than two folds.
    """
    subjects = sorted(frames["subject"].unique())
    if folds < 2:
        raise FerbenchError(f"The protocol is asked for {folds} folds; it needs at least 2.")
    if len(subjects) < folds:
        raise FerbenchError(
            f"There are {len(subjects)} subjects for {folds} folds; each fold tests at least one. "
            f"Use protocol=subject_kfold protocol.k={max(2, len(subjects))} or fewer."
        )
    return subjects
