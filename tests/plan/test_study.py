"""Trials, their identities, and the graph of their stages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ferbench.cards import MethodCard, StageCard
from ferbench.config.compose import compose
from ferbench.errors import FerbenchError, UnknownName
from ferbench.plan.identity import stage_steps
from ferbench.plan.study import Study, plan
from ferbench.plan.variants import variant_name
from ferbench.records.schema import Trial
from ferbench.registry.loader import load_registry
from tests.onehead import plugin

BASE = ("dataset.subjects=10", "protocol=subject_kfold", "protocol.k=2", "budget=smoke")


def study(*overrides: str, sweep: bool = False) -> Study:
    registry = load_registry()
    return plan(registry, compose(registry, [*BASE, *overrides], sweep=sweep))


def first(*overrides: str) -> Trial:
    return study("protocol.folds=[0]", *overrides).trials[0]


def test_folds_seeds_and_variants() -> None:
    made = study("method=degan", "seeds=[0,1]", "ablation=all")
    assert len(made.trials) == 2 * 2 * 9
    assert len({t.id for t in made.trials}) == 36
    assert {t.variant for t in made.trials} == {"full", *load_registry().get(MethodCard, "degan").ablations}
    assert {(t.fold, t.fold_count) for t in made.trials} == {(0, 2), (1, 2)}


def test_variants_that_differ_in_stage_two_share_stage_one() -> None:
    made = study("method=degan", "ablation=all", "protocol.folds=[0]")
    by_variant = {t.variant: t.stages for t in made.trials}
    keys = Counter(stages[0].key for stages in by_variant.values())
    shared = {v for v, stages in by_variant.items() if keys[stages[0].key] > 1}
    assert shared == {"full", "no_residue_loss", "no_branch_losses", "no_disentangled"}
    assert len({stages[1].key for stages in by_variant.values()}) == 9
    assert made.stage_trainings == (18, 15)


@pytest.mark.parametrize(
    "change",
    [
        "seeds=1", "method.lr=0.1", "budget.steps=9", "budget.batch_size=8", "augment.flip=0", "preparation.image_size=48",
        "trainer.precision=fp32", "trainer.accumulate=2", "trainer.clip_norm=1", "backbone.width=16", "dataset.seed=1",
        "dataset.subjects=11", "protocol.frames=all", "protocol.assignment=3", "protocol.folds=[1]",
    ],
)  # fmt: skip
def test_what_counts_gives_another_trial(change: str) -> None:
    assert first("method=degan", change).id != first("method=degan").id


@pytest.mark.parametrize(
    "change",
    [
        "results_dir=elsewhere", "cache_dir=elsewhere", "trainer.device=cuda:3", "trainer.compile=true",
        "trainer.checkpoint_every=7", "budget.name=other", "seeds=[0]",
    ],
)  # fmt: skip
def test_what_does_not_count_gives_the_same_trial(change: str) -> None:
    ours, theirs = first("method=degan"), first("method=degan", change)
    assert ours.id == theirs.id
    assert ours.stages == theirs.stages


def test_a_part_of_a_batch_counts_whoever_computes_it() -> None:
    ours = first("method=degan", "trainer.devices=4")
    for same in (("trainer.accumulate=4",), ("trainer.devices=2", "trainer.accumulate=2")):
        theirs = first("method=degan", *same)
        assert (ours.id, ours.stages, ours.judges) == (theirs.id, theirs.stages, theirs.judges)
    assert ours.id != first("method=degan").id
    assert ours.stages != first("method=degan").stages


@pytest.mark.needs("torch")
def test_devices_do_not_count_where_a_method_computes_the_same_on_any_number(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(plugin("mine", "yield").replace('name="mine"', 'name="mine", synchronised=True'))
    registry = load_registry([str(path)])

    def trial(*more: str) -> Trial:
        return plan(registry, compose(registry, [*BASE, "method=mine", "protocol.folds=[0]", *more])).trials[0]

    assert trial("trainer.devices=2").id == trial().id
    assert trial("trainer.devices=2", "trainer.accumulate=2").id == trial("trainer.accumulate=2").id != trial().id


def test_an_ablation_equals_its_override() -> None:
    assert (
        first("method=degan", "ablation=no_identity_head").id == first("method=degan", "method.identity_head=false").id
    )
    assert first("method=degan", "method.identity_head=false").variant == "no_identity_head"


def test_ablations_can_be_combined() -> None:
    trial = first("method=degan", "ablation=no_residue_loss+no_identity_head")
    assert trial.variant == "no_identity_head+no_residue_loss"
    assert trial.config["method"]["residue"] is False


def test_changed_settings_are_named() -> None:
    assert first("method=degan", "method.lr=0.5").variant == "lr=0.5"
    card = load_registry().get(MethodCard, "degan")
    assert variant_name(card, {**card.defaults(), "residue": False, "width": 4}) == "no_residue_loss+width=4"


def test_a_sweep_is_one_study() -> None:
    made = study("method=degan,cross_entropy", "protocol.folds=[0]", sweep=True)
    assert [t.method for t in made.trials] == ["degan", "cross_entropy"]
    assert len(made.data) == 1


def test_the_same_trial_twice_is_one() -> None:
    assert len(study("method=degan", "seeds=0,0", "protocol.folds=[0]", sweep=True).trials) == 1


def test_unknown_ablation() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'no_residue_loss'"):
        study("method=degan", "ablation=no_residue")


def test_a_need_that_the_dataset_cannot_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    card = load_registry().get(MethodCard, "degan")
    monkeypatch.setitem(vars(card), "needs", frozenset({"twins"}))
    sentence = (
        "method 'degan' needs 'twins', which dataset 'synthfaces' does not provide .it has: neutral, sequence, subject"
    )
    with pytest.raises(FerbenchError, match=sentence):
        study("method=degan")


def test_too_many_folds() -> None:
    with pytest.raises(FerbenchError, match="There are 10 subjects for 11 folds"):
        study("method=degan", "protocol.k=11")
    with pytest.raises(FerbenchError, match="asks for fold 2; the protocol has the folds 0 to 1"):
        study("method=degan", "protocol.folds=[2]")


def test_steps_are_divided_by_share() -> None:
    stages = [StageCard(name="a", share=0.7), StageCard(name="b", share=0.3)]
    assert stage_steps(stages, 1000) == [700, 300]
    assert stage_steps(stages, 1) == [1, 1]


def test_a_trial_is_plain_data() -> None:
    import json

    trial = first("method=degan")
    assert Trial.from_dict(json.loads(json.dumps(trial.to_dict()))) == trial
