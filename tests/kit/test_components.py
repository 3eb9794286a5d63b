"""A page for each method and dataset, from its card."""

from __future__ import annotations

import re

import pytest

from ferbench.cards import DatasetCard, MethodCard
from ferbench.kit.components import dataset_page, datasets_index, method_page, methods_index
from ferbench.registry.loader import load_registry

REGISTRY = load_registry()
METHODS = REGISTRY.catalogue(MethodCard)
DATASETS = REGISTRY.catalogue(DatasetCard)


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table of a section, without its heads."""
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


@pytest.mark.parametrize("name", METHODS)
def test_the_page_of_a_method_has_all_of_its_card(name: str) -> None:
    card = METHODS[name]
    page = method_page(REGISTRY, card)
    assert page.startswith(f"# {name}\n")
    assert card.paper.replace("|", "\\|") in page
    assert all(f"{stage.name} (" in page for stage in card.stages)
    assert [row[0] for row in rows(page, "Settings")] == [f"`method.{setting}`" for setting in card.setting_names]
    assert [row[0] for row in rows(page, "Ablations")] == [f"`{ablation}`" for ablation in card.ablations]


@pytest.mark.parametrize("name", DATASETS)
def test_the_page_of_a_dataset_has_all_of_its_card(name: str) -> None:
    card = DATASETS[name]
    page = dataset_page(REGISTRY, card, REGISTRY.reported())
    assert page.startswith(f"# {name}\n")
    assert card.licence in page
    assert ", ".join(card.expressions) in page
    shown = {row[0].removeprefix("`dataset.").removesuffix("`"): row for row in rows(page, "Settings")}
    assert set(card.defaults()) == set(shown)
    if card.published is not None:
        numbers = {row[0]: row[1] for row in rows(page, "What is published of it")}
        assert numbers == {name: f"{count:,}" for name, count in card.published.by_expression.items()}


@pytest.mark.parametrize("name", [*METHODS, *DATASETS])
def test_every_setting_of_ours_has_a_meaning(name: str) -> None:
    page = method_page(REGISTRY, METHODS[name]) if name in METHODS else dataset_page(REGISTRY, DATASETS[name])
    assert [row[0] for row in rows(page, "Settings") if not row[2]] == []


def test_the_default_that_a_page_shows_is_the_cards() -> None:
    shown = {row[0]: row[1] for row in rows(method_page(REGISTRY, METHODS["degan"]), "Settings")}
    assert shown["`method.weight_reconstruction`"] == "`20`"
    assert shown["`method.identity_head`"] == "`true`"


def test_an_ablation_is_shown_as_it_is_typed() -> None:
    shown = dict(rows(method_page(REGISTRY, METHODS["degan"]), "Ablations"))
    assert shown["`no_identity_head`"] == "`method.identity_head=false`"
    assert shown["`no_reconstruction`"] == "`method.weight_reconstruction=0.0`"


def test_results_of_papers_are_those_of_the_dataset() -> None:
    page = dataset_page(REGISTRY, DATASETS["oulu"], REGISTRY.reported())
    assert "## What papers report" in page
    assert "## What papers report" not in dataset_page(REGISTRY, DATASETS["table"], REGISTRY.reported())


def test_the_lists_name_every_page() -> None:
    for text, cards in (
        (methods_index(list(METHODS.values())), METHODS),
        (datasets_index(list(DATASETS.values())), DATASETS),
    ):
        assert re.findall(r"^\| \[\w+\]\((\w+)\.md\)", text, re.M) == list(cards)
