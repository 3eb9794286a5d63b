"""Selection and splitting of frames, as all protocols do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ferbench.cards import DatasetCard
from ferbench.errors import FerbenchError, enumerate_first
from ferbench.hashing import digest
from ferbench.interfaces.protocol import UNUSED, Protocol

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
    if not 0 <= protocol.settings.validation < 1:
        raise FerbenchError(
            f"protocol.validation is {protocol.settings.validation}; it is a share of the training subjects, 0 to 1."
        )
    owners = selected.groupby("subject")["fold"].nunique()
    both = set(owners[owners > 1].index)
    if both and "subject" in card.provides and not protocol.leaky:
        raise FerbenchError(
            f"The protocol trains on and tests the same subjects: {enumerate_first(sorted(both))}. Each subject may be in one fold "
            "only."
        )
    return selected


SIDE = "side"
"""Column of a joined table: "train" for frames that are never tested, "test" for frames that are never trained on."""


@dataclass(frozen=True)
class Sides:
    """What becomes of the selected frames in one fold: (N,) bool each, with the index of the table; no frame is in two of them.

    Attributes:
        tested: the test set.
        trained: the training set.
        validation: whole subjects of the training set that are kept apart (`protocol.validation`).
    """

    tested: pd.Series
    trained: pd.Series
    validation: pd.Series


def sides(selected: pd.DataFrame, fold: int, validation: float = 0.0, assignment: int = 0) -> Sides:
    """The sets of a fold.

    Args:
        selected: frame table with the columns of `Dataset.frames`, `fold`, and for two joined datasets `side`.
        validation: share of the training subjects that are kept apart, 0 to 1: at least one subject, drawn at random. The draw
            depends on the names of the training subjects and on `assignment` only.

    Raises:
        FerbenchError: too few subjects are left to train on.
    """
    side = selected[SIDE] if SIDE in selected else pd.Series("", index=selected.index)
    tested = (selected["fold"] == fold) & (side != "train")
    trained = (selected["fold"] != fold) & (side != "test")
    if not validation:
        return Sides(tested, trained, pd.Series(False, index=selected.index))
    subjects = sorted(selected.loc[trained, "subject"].unique())
    count = max(1, round(validation * len(subjects)))
    if len(subjects) - count < 2:
        raise FerbenchError(
            f"protocol.validation={validation} keeps {count} of the {len(subjects)} training subjects of fold {fold} apart; at "
            "least two have to be left to train on."
        )
    kept = np.random.default_rng([int(digest(subjects), 16) % 2**32, assignment]).permutation(subjects)[:count]
    apart = trained & selected["subject"].isin(kept)
    return Sides(tested, trained & ~apart, apart)


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


def need_subjects(frames: pd.DataFrame, folds: int, assignment: int = 0) -> list[str]:
    """The subject IDs, sorted ascending as text.

    Args:
        assignment: protocol.assignment; from 1 on the sorted IDs are shuffled with it as the seed.

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
    if assignment:
        np.random.default_rng(assignment).shuffle(subjects)
    return subjects
