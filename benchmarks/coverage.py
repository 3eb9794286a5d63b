"""How often the 95 % intervals of scores and of paired differences hold the truth: `python benchmarks/coverage.py [STUDIES]`.

A line for each number of subjects and each accuracy, with subjects that are alike (standard deviation of the logit 0.5) and unlike
(1.5). Of each subject there is one frame of each of six expressions; in a second part three, and half of the subjects lack each of
the last three expressions, so that classes are unequal. In percent of the studies; the standard error of 95 is 0.56 for 1,500
studies. The seed is 0.
"""

from __future__ import annotations

import sys

import numpy as np
from studies import World

from ferbench.ranking.intervals import difference_of, score_of
from ferbench.ranking.sample import counted
from ferbench.ranking.scores import SCORES

SUBJECTS, ACCURACIES, GAP = (10, 15, 31, 80, 118), (0.7, 0.9, 0.98), 0.02


def covered(world: World, studies: int, random: np.random.Generator) -> list[float]:
    """In percent: intervals of the three scores, of the difference of two equal methods, and of two that differ by GAP."""
    truths = world.truth(world.accuracy)
    held = np.zeros((studies, len(SCORES) + 2))
    for number in range(studies):
        one, equal, worse = world.study(random, [world.accuracy, world.accuracy, world.accuracy - GAP])
        for place, (name, score) in enumerate(SCORES.items()):
            found = score_of(counted(one, score))
            assert 0 <= found.low < found.high <= 1
            held[number, place] = found.low <= truths[name] <= found.high
        for place, (other, gap) in enumerate(((equal, 0.0), (worse, GAP)), len(SCORES)):
            difference = difference_of(*(counted(answers, SCORES["accuracy"]) for answers in (one, other)))
            assert difference.low < difference.high
            held[number, place] = difference.low <= gap <= difference.high
    return [float(share) for share in 100 * held.mean(0)]


def main(studies: int = 1500) -> None:
    random = np.random.default_rng(0)
    print(
        "| subjects | frames each | accuracy | subjects are | accuracy | balanced | macro F1 | difference 0 | difference 2 |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for frames in (1, 3):
        for subjects in SUBJECTS:
            for accuracy in ACCURACIES:
                for words, spread in (("alike", 0.5), ("unlike", 1.5)):
                    sparse = 1.0 if frames == 1 else 0.5
                    world = World(
                        subjects,
                        frames=frames,
                        accuracy=accuracy,
                        subject=spread,
                        own=0.2 + 0.2 * spread,
                        sparse=sparse,
                    )
                    cells = " | ".join(f"{share:.1f}" for share in covered(world, studies, random))
                    print(
                        f"| {subjects} | {6 if frames == 1 else '9 to 18'} | {100 * accuracy:.0f} | {words} | {cells} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
