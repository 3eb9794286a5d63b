"""Trained on one dataset, tested on another."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench.config.compose import compose
from ferbench.config.overrides import quoted
from ferbench.data.joined import twins
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
    """Jane of one dataset is not Jane of another."""
    made = data("kdef", "rafd", lab_tree)
    assert set(made.selected.groupby("subject")["fold"].nunique()) == {1}
    assert made.selected["subject"].nunique() == 20
    assert set(made.selected["subject"].str.partition("/")[0]) == {"kdef", "rafd"}


def test_the_same_people_are_refused(lab_tree: Tree) -> None:
    sentence = (
        "10 of the 10 subjects of the test set are in the training set too, such as S005: both datasets are of CK\\+. "
        "protocol=subject_10fold_ordered leaves the subjects of each test fold out of training, and "
        "protocol.allow_overlap=subjects tests on what was trained on, which every board then says"
    )
    with pytest.raises(FerbenchError, match=sentence):
        data("ckplus6", "ckplus7n", lab_tree)
    asked = data("ckplus6", "ckplus7n", lab_tree, "protocol.allow_overlap=subjects")
    assert asked.selected["subject"].nunique() == 10
    assert asked.notes[-1] == (
        "10 of the 10 subjects of the test set are in the training set too (protocol.allow_overlap=subjects)."
    )
    with pytest.raises(FerbenchError, match="no value of protocol.allow_overlap 'subject'. Did you mean 'subjects'"):
        data("ckplus6", "jaffe", lab_tree, "protocol.allow_overlap=subject")


def test_the_same_people_under_another_light(own_tree: Tree) -> None:
    """Trained on strong light, tested on dark: each test fold's subjects are left out of training."""
    root = own_tree("oulu")
    shutil.copytree(root / "PreProcess Img/VL/Strong", root / "PreProcess Img/VL/Dark")
    words = [
        "dataset=oulu",
        f"dataset.root={quoted(str(root))}",
        "test_dataset=oulu",
        f"test_dataset.root={quoted(str(root))}",
    ]
    words += ["test_dataset.illumination=Dark", "protocol=subject_10fold_ordered"]
    (config,) = compose(REGISTRY, words, method_needed=False)
    made = load_data(REGISTRY, config)
    assert made.folds == tuple(range(10))
    for fold in made.folds:
        sides = made.sides(fold)
        trained, tested = made.selected[sides.trained], made.selected[sides.tested]
        assert not set(trained["subject"]) & set(tested["subject"])
        assert set(trained["frame_id"].str.partition("/")[0]) == {"train"}
        assert set(tested["frame_id"].str.partition("/")[0]) == {"test"}
        assert (trained["subject"].nunique(), tested["subject"].nunique()) == (9, 1)


def test_one_picture_on_both_sides(lab_tree: Tree) -> None:
    """FERPlus labels FER2013's pictures again. The split of both keeps them apart; without it, they are on both sides."""
    apart = data("fer2013", "ferplus", lab_tree)
    assert not apart.dataset.common
    assert any("of fer2013, its training split is trained on" in note.lower() for note in apart.notes)
    assert any("of ferplus, its test split is tested" in note.lower() for note in apart.notes)


def test_pictures_that_are_on_both_sides_in_two_datasets(
    ferbench: Callable[..., Any], lab_tree: Tree, own_tree: Tree, tmp_path: Path
) -> None:
    """A table of another dataset's images: nobody says that the people are the same, but the pictures are."""
    root = own_tree("jaffe")
    rows = ["path,expression,subject"]
    for path in sorted(root.rglob("*.tiff")):
        rows.append(f"{path.relative_to(root)},{ {'AN': 'angry', 'HA': 'Happy'}.get(path.name[3:5], 'sad') },someone")
    (root / "frames.csv").write_text("\n".join(rows))
    words = [
        "method=cross_entropy",
        "dataset=jaffe",
        f"dataset.root={lab_tree('jaffe')}",
        "test_dataset=table",
        "budget=smoke",
    ]
    words += [
        f"test_dataset.file={quoted(str(root / 'frames.csv'))}",
        f"results_dir={tmp_path / 'r'}",
        "trainer.device=cpu",
    ]
    done = ferbench("run", *words)
    assert done.status == 2
    assert "test images are training images too, pixel by pixel, such as test/" in done.err
    assert "protocol.allow_overlap=images tests on what was trained on" in done.err
    asked = ferbench("run", *words, "protocol.allow_overlap=images")
    assert asked.status == 0, asked.err
    assert "allow_overlap=images" in ferbench("leaderboard", tmp_path / "r").out


def test_boards_say_that_people_were_trained_on(ferbench: Callable[..., Any], lab_tree: Tree, tmp_path: Path) -> None:
    words = ["method=cross_entropy", "dataset=ckplus6", f"dataset.root={lab_tree('ckplus6')}", "test_dataset=ckplus7c"]
    words += [f"test_dataset.root={lab_tree('ckplus7c')}", "protocol.allow_overlap=subjects", "budget=smoke"]
    assert ferbench("run", *words, f"results_dir={tmp_path / 'r'}", "trainer.device=cpu").status == 0
    said = "10 of the 10 test subjects were trained on too, on request"
    for form in ("csv", "json"):  # where a row has one line, in its protocol
        assert "allow_overlap=subjects" in ferbench("leaderboard", tmp_path / "r", "--format", form).out
    for options in ([], ["--format", "markdown"], ["--format", "latex"]):
        assert said in " ".join(ferbench("leaderboard", tmp_path / "r", *options).out.split())


def test_twins_are_equal_pictures() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    images[4] = images[1]
    images[2] = images[5] = 0  # black pictures are no twins
    side, fold = np.array(["train"] * 3 + ["test"] * 3), np.array([-1, -1, -1, 0, 0, 0])
    assert list(twins(images, np.arange(6), side, fold)) == [(4, 1)]
    assert list(twins(images, np.arange(6), side, np.zeros(6))) == [], "a fold does not train on what it tests"


def test_what_only_one_has_is_said(lab_tree: Tree) -> None:
    made = data("ckplus7c", "oulu", lab_tree)
    assert "Expressions that only ckplus7c has are left out: contempt (30 frames)." in made.notes


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
        inner = made.dataset.parts[side].dataset
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


def test_people_who_cannot_be_told_apart(lab_tree: Tree) -> None:
    """One file of CK+'s images has no subjects: who is in both is not known."""
    with pytest.raises(
        FerbenchError,
        match="ckplus7c and ckextended are of the same people \\(CK\\+\\), and it cannot be told which of them are on both sides",
    ):
        data("ckplus7c", "ckextended", lab_tree)
    asked = data("ckplus7c", "ckextended", lab_tree, "protocol.allow_overlap=subjects")
    assert "cannot be told which of them are on both sides" in asked.notes[-1]


def test_tables_of_other_people(own_tree: Tree) -> None:
    """Two tables whose subjects are called alike are of the same people, unless they are said not to be."""
    file = quoted(str(own_tree("table") / "frames.csv"))
    words = ["dataset=table", f"dataset.file={file}", "test_dataset=table", f"test_dataset.file={file}"]
    (config,) = compose(REGISTRY, words, method_needed=False)
    with pytest.raises(FerbenchError, match="name them: dataset.population=A test_dataset.population=B"):
        load_data(REGISTRY, config)
    words += ["dataset.population=A", "test_dataset.population=B"]
    (config,) = compose(REGISTRY, words, method_needed=False)
    assert not load_data(REGISTRY, config).dataset.common  # type: ignore[attr-defined]


def table(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    path.write_text("path,expression,subject\n" + "\n".join(",".join(row) for row in rows) + "\n")
    return path


def oulu_rows(root: Path) -> list[tuple[str, str, str]]:
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in (".jpeg", ".jpg"))
    return [(str(p), p.parent.name.lower(), p.parent.parent.name) for p in files]


def pair(one: Path, other: Path, *more: str) -> Any:
    words = ["dataset=table", f"dataset.file={one}", "test_dataset=table", f"test_dataset.file={other}", *more]
    (config,) = compose(REGISTRY, words, method_needed=False)
    return load_data(REGISTRY, config), config


def test_names_of_one_population_that_differ_in_case_only(own_tree: Tree, tmp_path: Path) -> None:
    rows = oulu_rows(own_tree("oulu"))
    one = table(tmp_path / "one.csv", rows)
    other = table(tmp_path / "other.csv", [(path, label, subject.lower()) for path, label, subject in rows])
    with pytest.raises(
        FerbenchError, match="10 names of subjects differ in upper and lower case .*, such as P001 and p001"
    ):
        pair(one, other, "protocol=subject_10fold_ordered")
    made, _ = pair(one, other, "dataset.population=A", "test_dataset.population=B")
    assert not made.dataset.common


def test_one_population_without_a_name_in_common_is_said(own_tree: Tree, tmp_path: Path) -> None:
    rows = oulu_rows(own_tree("oulu"))
    made, _ = pair(
        table(tmp_path / "one.csv", [row for row in rows if row[2] < "P006"]),
        table(tmp_path / "other.csv", [row for row in rows if row[2] >= "P006"]),
        "dataset.population=Oulu",
        "test_dataset.population=oulu ",
    )
    assert "table and table are of one population and have no name of a subject in common." in made.notes


def test_twins_are_looked_for_in_every_fold(own_tree: Tree, tmp_path: Path) -> None:
    """Half of the people have another name in the second table; their pictures give them away."""
    from ferbench.data.load import check_twins, prepare_data

    rows = oulu_rows(own_tree("oulu"))
    one = table(tmp_path / "one.csv", rows)
    renamed = [(path, label, f"X{subject}" if subject > "P005" else subject) for path, label, subject in rows]
    other = table(tmp_path / "other.csv", renamed)
    made, config = pair(one, other, "protocol=subject_10fold_ordered", "preparation.image_size=32")
    with pytest.raises(FerbenchError, match="test images are training images too, pixel by pixel"):
        check_twins(made, prepare_data(REGISTRY, made, config), "")
    made, config = pair(one, one, "protocol=subject_10fold_ordered", "preparation.image_size=32")
    check_twins(made, prepare_data(REGISTRY, made, config), "")


def test_an_overlap_that_is_none_is_not_asked_for(ferbench: Callable[..., Any], lab_tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(FerbenchError, match="jaffe and kdef have no people in common that are known. Leave it out"):
        data("jaffe", "kdef", lab_tree, "protocol.allow_overlap=subjects")
    (tmp_path / "joys.py").write_text(JOYS)
    words = ["method=cross_entropy", "dataset=jaffe", f"dataset.root={lab_tree('jaffe')}", "test_dataset=joys"]
    words += ["budget=smoke", "trainer.device=cpu", "protocol.allow_overlap=images", f"results_dir={tmp_path / 'r'}"]
    done = ferbench("run", "--plugin", str(tmp_path / "joys.py"), *words)
    assert done.status == 2
    assert "no image is on both sides. Leave it out" in done.err


JOYS = """
import numpy as np
import pandas as pd
from dataclasses import dataclass
from ferbench import Dataset, DatasetCard, hookimpl


@dataclass(frozen=True, kw_only=True)
class Settings:
    people: int = 4


class Joys(Dataset):
    def frames(self):
        rows = [(f"{s}/{e}", s, f"{s}/{e}", 0, "apex", e) for s in map(str, range(self.settings.people)) for e in CLASSES]
        return pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "position", "phase", "expression"])

    def image(self, frame_id):
        return np.full((48, 48, 3), len(frame_id), dtype=np.uint8)

    def fingerprint(self):
        return "joys"


CLASSES = ("joy", "happiness", "Sad", "0")


@hookimpl
def ferbench_datasets():
    return [
        DatasetCard(
            name="joys", target=f"{__name__}:Joys", title="t", settings=Settings, expressions=CLASSES,
            provides=frozenset({"subject"}), protocol="loso",
        )
    ]
"""


def test_a_plugin_with_frozen_settings_and_classes_of_one_meaning(
    ferbench: Callable[..., Any], lab_tree: Tree, tmp_path: Path
) -> None:
    (tmp_path / "joys.py").write_text(JOYS)
    plugin = ["--plugin", str(tmp_path / "joys.py")]
    exact = ferbench("splits", *plugin, "dataset=joys", "dataset.classes=[happiness,sad]")
    assert exact.status == 0, exact.err
    assert {line.split(",")[3] for line in exact.out.splitlines()[1:]} == {"happiness", "Sad"}
    both = ferbench("splits", *plugin, "dataset=joys", "dataset.classes=[joy,happiness]")
    assert {line.split(",")[3] for line in both.out.splitlines()[1:]} == {"joy", "happiness"}
    assert "leaves 1 class" in ferbench("splits", *plugin, "dataset=joys", "dataset.classes=0").err
    crossed = ferbench("splits", *plugin, "dataset=joys", "test_dataset=oulu", f"test_dataset.root={lab_tree('oulu')}")
    assert "The classes joy and happiness of joys are one here: happiness." in crossed.err
    other = ferbench("splits", *plugin, "dataset=jaffe", f"dataset.root={lab_tree('jaffe')}")
    assert other.status == 0, other.err
