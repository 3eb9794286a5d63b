"""Trained on one dataset, tested on another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench.config.compose import compose
from ferbench.data.load import load_data
from ferbench.errors import FerbenchError
from ferbench.registry.loader import load_registry

Tree = Callable[[str], Path]
REGISTRY = load_registry()


def data(train: str, test: str, tree: Tree, *more: str) -> Any:
    words = [
        f"dataset={train}",
        f"dataset.root={tree(train)}",
        f"test_dataset={test}",
        f"test_dataset.root={tree(test)}",
    ]
    (config,) = compose(REGISTRY, [*words, *more], method_needed=False)
    return load_data(REGISTRY, config)


def test_the_common_expressions_are_learned_and_tested(lab_tree: Tree) -> None:
    made = data("ckplus7c", "oulu", lab_tree)
    assert made.card.name == "ckplus7c_to_oulu"
    assert made.card.expressions == ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    selected = made.selected
    assert selected["fold"].value_counts().to_dict() == {-1: 10 * 6 * 3, 0: 10 * 6 * 3}
    assert set(selected["frame_id"].str.partition("/")[0][selected["fold"] == 0]) == {"test"}
    assert "contempt" not in set(selected["expression"])
    assert made.protocol.name == "cross_dataset"


def test_each_side_takes_its_own_frames(lab_tree: Tree) -> None:
    """Oulu's last three, MMI's middle three; neutral faces of Oulu are there for methods that need one."""
    made = data("oulu", "mmi", lab_tree)
    tested = made.selected[made.selected["fold"] == 0]
    assert set(tested["position"]) == {3, 4, 5}
    trained = made.selected[made.selected["fold"] == -1]
    assert set(trained["position"]) == {2, 3, 4}
    assert (made.frames["phase"] == "neutral").any()
    assert made.card.provides >= {"subject", "neutral"}


def test_subjects_of_one_name_stay_two(lab_tree: Tree) -> None:
    made = data("ckplus6", "ckplus7n", lab_tree)
    assert set(made.selected.groupby("subject")["fold"].nunique()) == {1}
    assert made.selected["subject"].nunique() == 20


def test_neutral_is_a_class_where_both_have_it(lab_tree: Tree) -> None:
    made = data("jaffe", "kdef", lab_tree)
    assert "neutral" in made.card.expressions
    assert (made.selected["expression"] == "neutral").sum() == 10 + 20
    only_one = data("jaffe", "oulu", lab_tree)
    assert "neutral" not in set(only_one.selected["expression"])


def test_images_come_from_their_side(lab_tree: Tree) -> None:
    made = data("jaffe", "kdef", lab_tree)
    for side in ("train", "test"):
        frame = made.selected.loc[made.selected["frame_id"].str.startswith(side), "frame_id"].iloc[0]
        inner = made.dataset.parts[side][1]
        assert np.array_equal(made.dataset.image(frame), inner.image(frame.partition("/")[2]))


def test_the_pair_has_a_fingerprint_of_its_own(lab_tree: Tree) -> None:
    there, back = data("jaffe", "kdef", lab_tree), data("kdef", "jaffe", lab_tree)
    assert there.fingerprint != back.fingerprint


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["protocol=loso"], "test_dataset=kdef is for protocol=cross_dataset; protocol=loso splits one dataset"),
        (["protocol=subject_kfold"], "Leave one of them out"),
    ],
)
def test_what_does_not_go_together(lab_tree: Tree, more: list[str], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        data("jaffe", "kdef", lab_tree, *more)


def test_a_test_across_datasets_needs_two(lab_tree: Tree) -> None:
    words = ["dataset=jaffe", f"dataset.root={lab_tree('jaffe')}", "protocol=cross_dataset"]
    (config,) = compose(REGISTRY, words, method_needed=False)
    with pytest.raises(FerbenchError, match="add test_dataset=NAME"):
        load_data(REGISTRY, config)


def test_an_unknown_test_dataset_has_near_names() -> None:
    with pytest.raises(FerbenchError, match="no dataset 'olu'. Did you mean 'oulu'"):
        compose(REGISTRY, ["dataset=jaffe", "test_dataset=olu"], method_needed=False)


def test_a_run_across_datasets(ferbench: Callable[..., Any], lab_tree: Tree, tmp_path: Path) -> None:
    done = ferbench(
        "run", "method=degan,derl", "--multirun", "dataset=ckplus7c", f"dataset.root={lab_tree('ckplus7c')}", "test_dataset=oulu",
        f"test_dataset.root={lab_tree('oulu')}", "budget=smoke", f"results_dir={tmp_path / 'r'}", "trainer.device=cpu",
    )  # fmt: skip
    assert done.status == 0, done.err
    board = ferbench("leaderboard", tmp_path / "r")
    assert "ckplus7c_to_oulu · cross_dataset" in board.out
