"""Frame selection and folds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferbench.cards import DatasetCard
from ferbench.errors import FerbenchError
from ferbench.interfaces.protocol import TRAIN_ONLY, Protocol, ProtocolSettings
from ferbench.protocols.fixed import Fixed
from ferbench.protocols.loso import LeaveOneSubjectOut
from ferbench.protocols.select import chosen_folds, select, split
from ferbench.protocols.settings import AssignedSettings, SubjectKFoldSettings
from ferbench.protocols.subject_10fold_ordered import SubjectTenFoldOrdered
from ferbench.protocols.subject_kfold import SubjectKFold

CARD = DatasetCard(
    name="made", target="m:D", title="t", expressions=("a", "b", "c"), provides=frozenset({"subject"}), frames="last_3"
)


def frames(subjects: int, sequences: list[tuple[int, str, int]] | None = None, length: int = 5) -> pd.DataFrame:
    """Sequences of (subject, expression, length); by default every subject shows every expression."""
    chosen = sequences or [(s, e, length) for s in range(subjects) for e in CARD.expressions]
    rows = []
    for number, (subject, expression, count) in enumerate(chosen):
        for position in range(count):
            phase = "neutral" if position == 0 else "apex" if position >= count - 2 else "onset"
            name = f"P{subject + 1:03d}/{number}"
            rows.append((f"{name}/{position}", f"P{subject + 1:03d}", name, position, phase, expression))
    return pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "position", "phase", "expression"])


@pytest.mark.parametrize(
    ("rule", "positions"),
    [
        ("last_1", [4]),
        ("last_3", [2, 3, 4]),
        ("middle_3", [1, 2, 3]),
        ("apex", [3, 4]),
        ("all", [1, 2, 3, 4]),
        ("auto", [2, 3, 4]),
    ],
)
def test_which_frames_of_a_sequence_count(rule: str, positions: list[int]) -> None:
    chosen = select(frames(1), CARD, rule)
    assert chosen["position"].tolist() == positions * 3


def test_short_sequences_give_what_they_have() -> None:
    assert len(select(frames(0, [(0, "a", 2)]), CARD, "last_3")) == 2
    assert len(select(frames(0, [(0, "a", 2)]), CARD, "middle_3")) == 2


def test_unlabelled_frames_and_other_classes_are_left_out() -> None:
    table = frames(1)
    table.loc[table["expression"] == "b", "expression"] = None
    table.loc[table["expression"] == "c", "expression"] = "neutral"
    assert set(select(table, CARD, "all")["expression"]) == {"a"}


def test_an_unknown_rule_and_an_empty_selection() -> None:
    with pytest.raises(FerbenchError, match="it can be auto, all, apex"):
        select(frames(1), CARD, "first")
    with pytest.raises(FerbenchError, match="leaves no frame"):
        select(frames(1).assign(phase="onset"), CARD, "apex")


def test_the_published_fold_rule() -> None:
    """Subjects sorted by ID, the i-th from 0 into fold i mod 10; written as Emotion-FAN's list has it, ids[i::10]."""
    table = split(frames(23), CARD, SubjectTenFoldOrdered(AssignedSettings()))
    ids = sorted(table["subject"].unique())
    for fold in range(10):
        assert set(table.loc[table["fold"] == fold, "subject"]) == set(ids[fold::10])


def test_the_order_of_rows_does_not_count() -> None:
    table = frames(15)
    shuffled = table.sample(frac=1, random_state=3).reset_index(drop=True)
    for protocol in (SubjectTenFoldOrdered(AssignedSettings()), SubjectKFold(SubjectKFoldSettings(k=4))):
        a = split(table, CARD, protocol).set_index("frame_id")["fold"]
        b = split(shuffled, CARD, protocol).set_index("frame_id")["fold"]
        assert a.equals(b.loc[a.index])


sequences = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.integers(1, 6)), min_size=40, max_size=120
)


@settings(max_examples=60)
@given(sequences=sequences, k=st.integers(2, 10), assignment=st.integers(0, 5), ordered=st.booleans())
def test_no_subject_on_both_sides_and_every_frame_tested_once(
    sequences: list[tuple[int, str, int]], k: int, assignment: int, ordered: bool
) -> None:
    table = frames(0, sequences)
    protocol: Protocol
    if ordered:
        protocol, k = SubjectTenFoldOrdered(AssignedSettings()), 10
    else:
        protocol = SubjectKFold(SubjectKFoldSettings(k=k, assignment=assignment))
    if table["subject"].nunique() < k:
        with pytest.raises(FerbenchError, match="subjects for"):
            split(table, CARD, protocol)
        return
    result = split(table, CARD, protocol)
    assert set(result["fold"]) == set(range(k))
    assert set(result["frame_id"]) == set(select(table, CARD, "auto")["frame_id"])
    assert result["frame_id"].is_unique
    for fold in range(k):
        test = result["fold"] == fold
        assert not set(result.loc[test, "subject"]) & set(result.loc[~test, "subject"])


def test_a_class_with_fewer_frames_than_folds_is_no_warning() -> None:
    table = frames(0, [(0, "a", 1)] * 39 + [(1, "b", 1)])
    result = split(table, CARD, SubjectKFold(SubjectKFoldSettings(k=2)))
    assert sorted(folds[0] for folds in result.groupby("subject")["fold"].unique()) == [0, 1]


def test_no_class_with_as_many_frames_as_folds() -> None:
    table = frames(0, [(subject, expression, 1) for subject, expression in enumerate("abc")])
    with pytest.raises(FerbenchError, match="No class has as many frames as protocol.k=3 folds; the largest has 1"):
        split(table, CARD, SubjectKFold(SubjectKFoldSettings(k=3)))


def test_other_assignments_differ() -> None:
    table = frames(20)
    first, second = (split(table, CARD, SubjectKFold(SubjectKFoldSettings(assignment=a)))["fold"] for a in (0, 1))
    assert not first.equals(second)


def test_fewer_subjects_than_folds() -> None:
    with pytest.raises(
        FerbenchError,
        match=r"There are 7 subjects for 10 folds; each fold tests at least one\. Use",
    ):
        split(frames(7), CARD, SubjectTenFoldOrdered(AssignedSettings()))
    with pytest.raises(FerbenchError, match="at least 2"):
        split(frames(7), CARD, SubjectKFold(SubjectKFoldSettings(k=1)))


def test_a_leaky_protocol_is_refused() -> None:
    class ByFrame(Protocol):
        def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
            return np.arange(len(frames)) % 2

    class TrainsOnAll(Protocol):
        def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
            return np.where(np.arange(len(frames)) % 2, TRAIN_ONLY, 0)

    for leaky in (ByFrame, TrainsOnAll):
        with pytest.raises(FerbenchError, match="trains on and tests the same subjects: P001"):
            split(frames(3), CARD, leaky(ProtocolSettings()))


def test_chosen_folds() -> None:
    assert chosen_folds(range(3), None) == [0, 1, 2]
    assert chosen_folds(range(3), [2, 0, 2]) == [0, 2]
    with pytest.raises(FerbenchError, match=r"asks for fold 5; the protocol has the folds 0 to 2"):
        chosen_folds(range(3), [1, 5])


def test_leave_one_subject_out() -> None:
    table = split(frames(5), CARD, LeaveOneSubjectOut(ProtocolSettings()))
    assert table.groupby("fold")["subject"].unique().str.join("").tolist() == [f"P00{i}" for i in range(1, 6)]
    with pytest.raises(FerbenchError, match="There are 1 subjects for 2 folds"):
        split(frames(1), CARD, LeaveOneSubjectOut(ProtocolSettings()))


def test_a_fixed_split_is_the_datasets_own() -> None:
    table = frames(4, length=1).assign(split=lambda t: np.where(t["subject"] == "P001", "test", "train"))
    table.loc[table["subject"] == "P004", "split"] = "val"
    card = dataclasses.replace(CARD, frames="last_1")
    chosen = split(table, card, Fixed(ProtocolSettings()))
    assert chosen.groupby("subject")["fold"].unique().map(list).to_dict() == {"P001": [0], "P002": [-1], "P003": [-1]}


@pytest.mark.parametrize(
    ("splits", "sentence"),
    [
        (None, "comes without a split. Use protocol=subject_kfold"),
        ("train", "has no test frames"),
        ("test", "has no train"),
    ],
)
def test_a_fixed_split_that_is_none(splits: str | None, sentence: str) -> None:
    table = frames(2) if splits is None else frames(2).assign(split=splits)
    with pytest.raises(FerbenchError, match=sentence):
        split(table, CARD, Fixed(ProtocolSettings()))
