"""What a configuration makes of a dataset: which expressions are classes, and who is kept apart for validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferbench import DatasetCard, Published
from ferbench.config.compose import compose
from ferbench.config.overrides import quoted
from ferbench.data.load import Data, load_data
from ferbench.errors import FerbenchError
from ferbench.protocols.select import sides
from ferbench.registry.loader import load_registry
from tests.protocols.test_protocols import frames

Tree = Callable[[str], Path]
REGISTRY = load_registry()


def load(name: str, root: Path, *more: str) -> Data:
    words = [f"dataset={name}", f"dataset.root={quoted(str(root))}", *more]
    (config,) = compose(REGISTRY, words, method_needed=False)
    return load_data(REGISTRY, config)


# -- classes


def test_some_of_the_classes(lab_tree: Tree) -> None:
    whole, some = (load("oulu", lab_tree("oulu"), *more) for more in ([], ["dataset.classes=[surprise,Happy]"]))
    assert some.card.expressions == ("happiness", "surprise")
    assert len(some.selected) == len(whole.selected) // 3
    assert some.fingerprint != whole.fingerprint
    assert set(some.folds) == set(whole.folds)


def test_neutral_faces_stay_where_neutral_is_no_class(lab_tree: Tree) -> None:
    data = load("jaffe", lab_tree("jaffe"), "dataset.classes=anger+fear")
    assert data.card.expressions == ("anger", "fear")
    assert (data.frames["phase"] == "neutral").any()
    assert set(data.selected["expression"]) == {"anger", "fear"}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("[anger]", "leaves 1 class; there have to be two or more, such as dataset.classes=\\[anger,disgust\\]"),
        ("[anger,boredom]", "There is no expression of dataset 'oulu' 'boredom'"),
        ("6", "There is no expression of dataset 'oulu' '6'"),
    ],
)
def test_classes_that_there_are_not(lab_tree: Tree, asked: str, sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        load("oulu", lab_tree("oulu"), f"dataset.classes={asked}")


def test_a_set_of_classes_has_a_name_and_counts() -> None:
    card = DatasetCard(
        name="made", target="m:D", title="t", expressions=("anger", "contempt", "fear"), class_sets={"2": ("anger", "fear")},
        published=Published(source="s", subjects=5, sequences=6, by_expression={"anger": 1, "contempt": 2, "fear": 3}),
    )  # fmt: skip
    small = card.with_classes("2")
    assert (small.expressions, small.classes) == (("anger", "fear"), "2")
    assert small.published is not None
    assert (small.published.sequences, small.published.subjects) == (4, 0)
    assert card.with_classes(None) is card
    with pytest.raises(FerbenchError, match="Sets of classes are 2"):
        card.with_classes("8")
    with pytest.raises(FerbenchError, match="no expression of dataset 'made' \\(class set '9'\\) 'joy'"):
        DatasetCard(name="made", target="m:D", title="t", expressions=("anger",), class_sets={"9": ("joy",)})


def test_a_dataset_may_have_a_setting_classes_of_its_own() -> None:
    from dataclasses import dataclass

    @dataclass
    class Own:
        classes: int = 3

    card = DatasetCard(name="made", target="m:D", title="t", expressions=("a", "b"), settings=Own)
    assert card.settings is Own
    assert not card.takes_classes


def test_boards_of_some_classes_are_boards_of_their_own(
    ferbench: Callable[..., Any], lab_tree: Tree, tmp_path: Path
) -> None:
    common = ["method=cross_entropy", "dataset=jaffe", f"dataset.root={lab_tree('jaffe')}", "budget=smoke"]
    common += ["protocol.folds=0", f"results_dir={tmp_path / 'r'}", "trainer.device=cpu"]
    for more in ([], ["dataset.classes=[anger,fear]"]):
        assert ferbench("run", *common, *more).status == 0
    board = ferbench("leaderboard", tmp_path / "r").out
    assert "jaffe · loso" in board
    assert "jaffe anger+fear · loso" in board


# -- validation


@given(share=st.floats(0.05, 0.6), subjects=st.integers(5, 30), fold=st.integers(0, 1))
@settings(max_examples=40)
def test_whole_subjects_are_kept_apart(share: float, subjects: int, fold: int) -> None:
    table = frames(subjects)
    table["fold"] = table["subject"].str[1:].astype(int) % 2
    trained = int((table.drop_duplicates("subject")["fold"] != fold).sum())
    if trained - max(1, round(share * trained)) < 2:
        with pytest.raises(FerbenchError, match="at least two have to be left to train on"):
            sides(table, fold, share)
        return
    found = sides(table, fold, share)
    of = {name: set(table.loc[getattr(found, name), "subject"]) for name in ("tested", "trained", "validation")}
    assert not of["tested"] & of["trained"]
    assert not of["tested"] & of["validation"]
    assert not of["trained"] & of["validation"]
    assert set.union(*of.values()) == set(table["subject"])
    assert of["tested"] == set(table.loc[table["fold"] == fold, "subject"])
    assert len(of["validation"]) == max(1, round(share * trained))
    again = sides(table.sample(frac=1, random_state=1), fold, share)
    assert set(table.loc[again.validation[again.validation].index, "subject"]) == of["validation"]


def test_no_share_no_validation() -> None:
    table = frames(4).assign(fold=0)
    table.loc[table["subject"] == "P001", "fold"] = 1
    found = sides(table, 1)
    assert not found.validation.any()
    assert (found.trained ^ found.tested).all()


def test_a_share_that_is_none(lab_tree: Tree) -> None:
    with pytest.raises(
        FerbenchError, match="protocol.validation is 1.5; it is a share of the training subjects, 0 to 1"
    ):
        load("oulu", lab_tree("oulu"), "protocol.validation=1.5")
    with pytest.raises(FerbenchError, match="keeps 8 of the 9 training subjects of fold 0 apart"):
        load("oulu", lab_tree("oulu"), "protocol.validation=0.9")


def test_a_run_states_the_accuracy_on_validation_subjects(
    ferbench: Callable[..., Any], lab_tree: Tree, tmp_path: Path
) -> None:
    from ferbench.records.store import Store

    done = ferbench(
        "run", "method=cross_entropy", "dataset=jaffe", f"dataset.root={lab_tree('jaffe')}", "budget=smoke", "protocol.folds=0",
        "protocol.validation=0.2", f"results_dir={tmp_path / 'r'}", "trainer.device=cpu",
    )  # fmt: skip
    assert done.status == 0, done.err
    (record,), _ = Store(tmp_path / "r").scan()
    assert 0 <= (record.metrics["validation_accuracy"] or 0) <= 1
    assert len(record.trial.identity.train_subjects) == 7
    assert "0.2 of the training subjects were kept apart for validation and not trained on." in record.notes
    assert "validation=0.2" in ferbench("leaderboard", tmp_path / "r").out
    printed = ferbench(
        "splits", "dataset=jaffe", f"dataset.root={lab_tree('jaffe')}", "protocol.validation=0.2", "protocol.folds=0"
    )
    split = [line.rpartition(",")[2] for line in printed.out.splitlines()]
    assert set(split) == {"split", "train", "test", "val"}


# -- no identities


def test_folds_of_images_where_nobody_says_who_is_who(
    ferbench: Callable[..., Any], tmp_path: Path, lab_tree: Tree
) -> None:
    import shutil

    for name in ("angry", "happy"):
        shutil.copytree(lab_tree("folders") / "train" / name, tmp_path / "faces" / name)
    data = load("folders", tmp_path / "faces")
    assert data.protocol.name == "image_kfold"
    assert len(data.folds) == 5
    assert data.notes[-1] == (
        "folders does not say who is who: images of one person may be in the training and in the test set."
    )
    with pytest.raises(FerbenchError, match="protocol=image_kfold folds of images"):
        load("folders", tmp_path / "faces", "protocol=loso")
    with pytest.raises(FerbenchError, match="'jaffe' has them: write protocol=subject_kfold"):
        load("jaffe", lab_tree("jaffe"), "protocol=image_kfold")
