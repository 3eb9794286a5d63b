"""How many seeds a study needs, against simulated studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.studies import World
from ferbench.ranking.intervals import difference_of
from ferbench.ranking.power import ASSUMED, Spread, spread_of
from ferbench.ranking.sample import Sample, counted
from ferbench.ranking.scores import SCORES
from ferbench.records.store import Store
from tests.made_records import Make


def study(world: World, random: np.random.Generator, gap: float = 0.0) -> list[Sample]:
    both = world.study(random, [world.accuracy + gap / 2, world.accuracy - gap / 2])
    return [counted(answers, SCORES["accuracy"]) for answers in both]


def test_the_difference_that_it_names_is_found_in_eight_of_ten_studies() -> None:
    """The spread of many pilot studies of 60 subjects, and studies of another size than these: 40 subjects, 5 folds, 3 seeds."""
    random = np.random.default_rng(0)
    pilots = [spread_of(study(World(60, 6, 2, luck=0.3), random)) for _ in range(60)]
    parts = np.array([[p.subject, p.rest, p.luck] for p in pilots if p is not None])
    spread = Spread(*map(float, (parts**2).mean(0) ** 0.5))
    gap = spread.detectable(40, 5, 3)
    world = World(40, 5, 3, luck=0.3)
    told = [difference_of(*study(world, random, gap)).clear for _ in range(400)]
    assert np.mean(told) == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize(("folds", "seeds", "assignments"), [(10, 3, 1), (2, 3, 1), (5, 2, 2)])
def test_the_parts_of_the_spread_are_found(folds: int, seeds: int, assignments: int) -> None:
    """Differences made of known parts: the mean of their estimates over 200 studies of 20 subjects."""
    random, subjects = np.random.default_rng(0), 20
    truth = Spread(subject=0.05, rest=0.08, luck=0.06)
    squares = np.zeros(3)
    for _ in range(200):
        own = truth.subject * random.standard_normal(subjects)
        groups = {}
        for assignment in range(assignments):
            fold = random.permutation(np.arange(subjects) % folds)
            luck = truth.luck * random.standard_normal((seeds, folds))
            values = own + luck[:, fold] + truth.rest * random.standard_normal((seeds, subjects))
            for number in range(folds):
                members = np.flatnonzero(fold == number)
                groups[assignment, number] = (
                    tuple(f"P{i:02}" for i in members),
                    tuple(range(seeds)),
                    values[:, members],
                )
        mean = np.concatenate([v.ravel() for _, _, v in groups.values()]).mean()
        cells = subjects * seeds * assignments
        ours = {key: (names, own_seeds, (v - mean) / cells) for key, (names, own_seeds, v) in groups.items()}
        theirs = {key: (names, own_seeds, 0 * v) for key, (names, own_seeds, v) in groups.items()}
        samples = [Sample(0.5, 0.0, 1.0, part, 100.0, {}) for part in (ours, theirs)]
        found = spread_of(samples)
        assert found is not None
        squares += np.array([found.subject, found.rest, found.luck]) ** 2
    estimated = (squares / 200) ** 0.5
    assert estimated == pytest.approx([truth.subject, truth.rest, truth.luck], rel=0.12)


def test_more_of_everything_shows_less_of_a_difference() -> None:
    assert ASSUMED.detectable(80, 10, 5) < ASSUMED.detectable(80, 10, 3) < ASSUMED.detectable(40, 10, 3)
    seeds = ASSUMED.seeds_for(0.025, 80, 10)
    assert seeds is not None
    assert ASSUMED.detectable(80, 10, seeds) <= 0.025
    assert seeds == 2 or ASSUMED.detectable(80, 10, seeds - 1) > 0.025
    assert ASSUMED.seeds_for(0.0001, 80, 10) is None


def test_what_a_pilot_has_to_have() -> None:
    random = np.random.default_rng(0)
    assert spread_of(study(World(10, 2, 1), random)) is None, "one seed"
    assert spread_of(study(World(10, 2, 2), random)[:1]) is None, "one method"


def test_the_command(ferbench: Callable[..., Any], make: Make, tmp_path: Path) -> None:
    done = ferbench("power", "--difference", "3", "--subjects", "80")
    assert done.status == 0, done.err
    assert "as in docs/results.md, on made faces" in " ".join(done.out.split())
    assert "For 3 points: " in done.out
    assert "<- enough" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "It takes more" in ferbench("power", "--difference", "0.1", "--subjects", "20").out
    assert "--folds 10 are more than --subjects 9" in ferbench("power", "--difference", "1", "--subjects", "9").err
    assert "5 subjects cannot show any difference" in ferbench("power", "--difference", "1", "--subjects", "5").err
    alone = ferbench("power", "--difference", "9", "--subjects", "31", "--folds", "31").out
    assert "   1 seeds" in alone, "each subject is tested by a training of its own"
    store = Store(tmp_path)
    store.prepare()
    random = np.random.default_rng(0)
    for method in ("a", "b"):
        for fold in (0, 1):
            for seed in (0, 1):
                record = make(method, fold, int(random.integers(4, 10)), seed=seed)
                store.write(record.trial.id, lambda _, record=record: record)  # type: ignore[misc]
    assert f"median of the pairs of methods in {tmp_path}" in " ".join(
        ferbench("power", tmp_path, "--difference", "9", "--subjects", "80").out.split()
    )
    store = Store(tmp_path / "one")
    store.prepare()
    store.write(make().trial.id, lambda _: make())
    assert (
        "has no board on which two methods ran with two seeds"
        in ferbench("power", tmp_path / "one", "--difference", "1", "--subjects", "80").err
    )
