"""From trials to pieces of work: stages that several of them start from, and the trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ferbench.interfaces.executor import Node
from ferbench.records.schema import Outcome, Trial


def nodes(trials: Sequence[Trial], trained: Callable[[str], bool], before: Mapping[str, Outcome | None]) -> list[Node]:
    """The nodes of trials, each after those that it needs.

    A stage, or the training of judges, is a node of its own where it is not trained and at least two of the trials need it. A stage
    of one trial only is part of that trial.

    Args:
        trained: whether the stage with this key is trained.
        before: the stored failure of each trial, by id.
    """
    uses = Counter(stage.key for trial in trials for stage in {s.key: s for s in trial.trainings}.values())
    found: dict[str, Node] = {}
    for trial in trials:
        needs: list[str] = []
        for stage in trial.stages:
            if trained(stage.key):
                continue
            if uses[stage.key] < 2:
                break  # the trial's own, and what comes after it starts from there
            found.setdefault(stage.key, Node(stage.key, trial, stage, tuple(needs[-1:])))
            needs.append(stage.key)
        shared = needs[-1:]
        if trial.judges is not None and uses[trial.judges.key] > 1 and not trained(trial.judges.key):
            found.setdefault(trial.judges.key, Node(trial.judges.key, trial, trial.judges))
            shared = [*shared, trial.judges.key]
        found[trial.id] = Node(trial.id, trial, None, tuple(shared), before.get(trial.id))
    return list(found.values())


def keys(trials: Sequence[Trial]) -> set[str]:
    """Ids of trials, and keys of all that is trained for them: the keys that their nodes may have."""
    return {key for trial in trials for key in (trial.id, *(stage.key for stage in trial.trainings))}
