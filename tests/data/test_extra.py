"""An extra dataset: trained on too, and never with people or pictures that a fold tests."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferbench.config.compose import compose
from ferbench.data.extra import load_extra
from ferbench.data.load import check_extra_twins, load_data, prepare_data
from ferbench.data.loaded import load_dataset
from ferbench.errors import FerbenchError
from ferbench.registry.loader import load_registry
from tests.data.test_joined import oulu_rows, table

Tree = Callable[[str], Path]
REGISTRY = load_registry()


def data(*words: str) -> tuple[Any, Any]:
    (config,) = compose(REGISTRY, [*words, "preparation.image_size=32"], method_needed=False)
    return load_data(REGISTRY, config), config


def of_trees(tree: Tree, train: str, extra: str, *more: str) -> Any:
    return data(
        f"dataset={train}",
        f"dataset.root={tree(train)}",
        f"extra_dataset={extra}",
        f"extra_dataset.root={tree(extra)}",
        *more,
    )


def test_all_frames_that_the_literature_uses_of_it(lab_tree: Tree) -> None:
    made, _ = of_trees(lab_tree, "oulu", "mmi")
    alone, _ = data("dataset=mmi", f"dataset.root={lab_tree('mmi')}")
    for fold in made.folds:
        assert list(made.extra_of(fold)["frame_id"]) == list(alone.selected["frame_id"])
    assert made.extra.identity.fingerprint == alone.fingerprint
    assert any(note.startswith("Trained on mmi too: ") for note in made.notes)


def test_people_of_one_name_in_other_populations_are_others(lab_tree: Tree, tmp_path: Path) -> None:
    """Oulu's P001 is tested; P001 of another population is trained on."""
    rows = oulu_rows(lab_tree("oulu"))
    made, _ = data(
        "dataset=table", f"dataset.file={table(tmp_path / 'a.csv', rows)}", "dataset.population=A",
        "extra_dataset=table", f"extra_dataset.file={table(tmp_path / 'b.csv', rows)}", "extra_dataset.population=B",
    )  # fmt: skip
    assert all(len(made.extra_of(fold)) == len(made.extra.selected) for fold in made.folds)


def test_people_who_are_tested_or_kept_for_validation_are_left_out(lab_tree: Tree) -> None:
    """The same people in another light."""
    made, _ = of_trees(lab_tree, "ckplus7c", "ckplus6", "protocol.validation=0.2")
    for fold in made.folds:
        sides = made.sides(fold)
        unseen = set(made.selected.loc[sides.tested | sides.validation, "subject"])
        trained = set(made.extra_of(fold)["subject"])
        assert unseen
        assert not unseen & trained
        assert trained == set(made.extra.selected["subject"]) - unseen
    assert made.notes[-1] == "Of ckplus6, the people whom a fold tests or keeps for validation are left out."


def test_people_of_a_test_dataset_are_left_out_too(lab_tree: Tree) -> None:
    words = ("test_dataset=ckplus7c", f"test_dataset.root={lab_tree('ckplus7c')}")
    with pytest.raises(FerbenchError, match="extra_dataset=ckplus6 has nobody who is not tested"):
        of_trees(lab_tree, "oulu", "ckplus6", *words)


def test_names_that_may_be_one_persons_are_refused(lab_tree: Tree, tmp_path: Path) -> None:
    rows = oulu_rows(lab_tree("oulu"))
    other = [(path, label, subject.replace("P00", "p")) for path, label, subject in rows]
    with pytest.raises(
        FerbenchError, match="differ in upper and lower case or leading zeros only, such as P001 and p1"
    ):
        data(
            "dataset=table", f"dataset.file={table(tmp_path / 'a.csv', rows)}", "dataset.population=A",
            "extra_dataset=table", f"extra_dataset.file={table(tmp_path / 'b.csv', other)}", "extra_dataset.population=a",
        )  # fmt: skip


def test_who_is_tested_has_to_be_known_where_people_are_the_same(lab_tree: Tree, tmp_path: Path) -> None:
    file = tmp_path / "b.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(
            [("path", "expression"), *((p, label) for p, label, _ in oulu_rows(lab_tree("oulu")))]
        )
    with pytest.raises(FerbenchError, match="it cannot be told which of them are tested"):
        data(
            "dataset=oulu", f"dataset.root={lab_tree('oulu')}",
            "extra_dataset=table", f"extra_dataset.file={file}", "extra_dataset.population=oulu",
        )  # fmt: skip


def test_pictures_that_are_tested_are_refused(lab_tree: Tree, tmp_path: Path) -> None:
    """Half of the people have another name in the extra table."""
    rows = oulu_rows(lab_tree("oulu"))
    renamed = [(path, label, f"X{subject}" if subject > "P005" else subject) for path, label, subject in rows]
    words = ("dataset=table", f"dataset.file={table(tmp_path / 'a.csv', rows)}", "dataset.population=A")
    for name, other in (("b", renamed), ("c", rows)):
        file = table(tmp_path / f"{name}.csv", other)
        made, config = data(*words, "extra_dataset=table", f"extra_dataset.file={file}", "extra_dataset.population=A")
        images, extra = prepare_data(REGISTRY, made, config), prepare_data(REGISTRY, made.extra, config)
        if other is renamed:
            with pytest.raises(
                FerbenchError, match="test images of fold . are in extra_dataset=table too, pixel by pixel"
            ):
                check_extra_twins(made, images, extra)
        else:  # the people of a fold are left out, and their pictures with them
            check_extra_twins(made, images, extra)


# -- frames without an expression


def faces(tmp_path: Path, tree: Tree, name: str, labels: list[str] | None) -> str:
    """A table of pictures of the tree of Oulu-CASIA, of other people; without the column of labels for None."""
    rows = [
        (path, f"P{number}")
        for number, path in enumerate(sorted(tree("oulu").rglob("*.jpeg"))[: len(labels or "....")])
    ]
    file = tmp_path / f"{name}.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["path", "subject", *([] if labels is None else ["expression"])])
        for number, row in enumerate(rows):
            writer.writerow([*row, *([] if labels is None else [labels[number]])])
    return str(file)


@pytest.mark.parametrize(("labels", "without"), [(["anger", "", "fear", ""], 2), (None, 4), (["anger", "fear"], 0)])
def test_frames_without_an_expression_are_for_methods_that_take_them(
    lab_tree: Tree, tmp_path: Path, labels: list[str] | None, without: int
) -> None:
    words = ("dataset=mmi", f"dataset.root={lab_tree('mmi')}", "extra_dataset=table", "extra_dataset.unlabelled=true")
    (config,) = compose(
        REGISTRY, [*words, f"extra_dataset.file={faces(tmp_path, lab_tree, 'more', labels)}"], method_needed=False
    )
    loaded = load_dataset(REGISTRY, config.dataset)
    extra = load_extra(REGISTRY, config.extra_dataset, loaded, False, unlabelled=True)  # type: ignore[arg-type]
    assert extra.unlabelled == int(extra.selected["expression"].isna().sum()) == without
    assert len(extra.selected) == (4 if labels is None else len(labels))
    assert (f"of which {without} have no expression" in " ".join(extra.notes)) is bool(without)
    if labels is None:
        return
    plain = load_extra(REGISTRY, config.extra_dataset, loaded, False)  # type: ignore[arg-type]
    assert len(plain.selected) == len(labels) - without
    assert (plain.identity == extra.identity) is not bool(without), "other frames are another training"


def test_a_dataset_without_labels_cannot_be_tested(lab_tree: Tree, tmp_path: Path) -> None:
    file = faces(tmp_path, lab_tree, "none", None)
    with pytest.raises(FerbenchError, match="has no column expression"):
        data("dataset=table", f"dataset.file={file}")
    with pytest.raises(
        FerbenchError, match="No frame of dataset 'table' has an expression, so that nothing can be tested"
    ):
        data("dataset=table", f"dataset.file={file}", "dataset.unlabelled=true")
