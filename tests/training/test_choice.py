"""The choice of the epoch on validation subjects: which weights are kept, when a training ends, and what the record says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ferbench import Batch, Clock, Group, Method, Stage, Update
from ferbench.errors import TrainingError
from ferbench.records import files
from ferbench.records.store import Store
from ferbench.testing import make_task, training
from ferbench.training.choice import Choice, best_of, curve_of, sentence
from ferbench.training.graph import Rehearsal
from ferbench.training.loop import train


class Toy(Method):
    def __init__(self) -> None:
        super().__init__(make_task(), None, None)  # type: ignore[arg-type]
        with self.task.init("toy"):
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 6), nn.BatchNorm1d(6))

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("net", F.cross_entropy(self.net(batch.images), batch.expression))

    def stages(self) -> Sequence[Stage]:
        return [Stage("toy", self.step, {"net": Group([self.net])})]

    def features(self, images: Tensor) -> Tensor:
        return self.net(images)

    logits = features


def measure(*accuracies: float, method: Toy | None = None) -> Callable[[], float]:
    """What the validation subjects give after each epoch. With a method: it is in eval mode then."""
    given = iter(accuracies)

    def next_one() -> float:
        assert method is None or not method.net.training
        return next(given)

    return next_one


def run(method: Method, steps: int, **more: Any) -> list[tuple[int, str, float]]:
    return train(method, method.stages()[0], steps, training(**more)).losses


def same(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("recorder", [None, Rehearsal()], ids=["python", "recorded"])
def test_the_weights_of_the_first_best_epoch_are_kept(recorder: Rehearsal | None) -> None:
    """With running statistics: what a training of so many steps ends with. The last epoch is shorter than the others."""
    ours, theirs = Toy(), Toy()
    accuracies = (0.2, 0.5, 0.4, 0.5, 0.3)
    losses = run(ours, 9, choice=Choice(measure(*accuracies, method=ours), 2), graph=recorder)
    run(theirs, 4)
    assert same(ours, theirs)
    assert curve_of(losses) == list(zip((2, 4, 6, 8, 9), accuracies, strict=True))
    assert not any(module.training for module in ours.modules())


def test_measuring_changes_nothing_else() -> None:
    """If the last epoch is the best, the training is as without a choice."""
    ours, theirs = Toy(), Toy()
    losses = run(ours, 6, choice=Choice(measure(0.1, 0.2, 0.3), 2))
    assert [row for row in losses if row[1] != files.VALIDATION_ACCURACY] == run(theirs, 6)
    assert same(ours, theirs)


def test_patience_ends_a_training() -> None:
    """The third epoch after the best one is the last; the steps after it are not run."""
    ours, theirs = Toy(), Toy()
    result = train(ours, ours.stages()[0], 20, training(choice=Choice(measure(0.2, 0.5, 0.4, 0.5, 0.3), 2, patience=3)))
    run(theirs, 4)
    assert same(ours, theirs)
    assert result.steps_run == 10
    assert max(step for step, _, _ in result.losses) == 9
    curve = curve_of(result.losses)
    assert sentence("toy", curve, 20) == (
        "Stage toy keeps its weights of epoch 2 of 5 (after 4 of 10 steps, ended early, 10 steps before the budget), chosen by the "
        "accuracy on validation subjects: 0.5000, 0.3000 in the last epoch."
    )


def test_what_a_record_says_of_a_whole_training() -> None:
    assert best_of([(2, 0.5), (4, 0.5)]) == 0
    assert sentence("toy", [(2, 0.5), (4, 0.75)], 4) == (
        "Stage toy keeps its weights of epoch 2 of 2 (after 4 of 4 steps), chosen by the accuracy on validation subjects: 0.7500, "
        "0.7500 in the last epoch."
    )


@pytest.mark.parametrize("at", [3, 5, 9])
def test_a_resumed_training_chooses_the_same(at: int, tmp_path: Path) -> None:
    """Interrupted before the best epoch, after it, and in the last step, when the training had ended."""
    accuracies = (0.2, 0.5, 0.4, 0.5, 0.3)
    whole, cut, resumed = Toy(), Toy(), Toy()
    losses = run(whole, 20, choice=Choice(measure(*accuracies), 2, patience=3))
    path = tmp_path / "checkpoint"

    def interrupt(step: int, losses: object, rate: float) -> None:
        if step > at:
            raise KeyboardInterrupt

    parts: dict[str, Any] = {"checkpoint": path, "checkpoint_every": 1}
    given = measure(*accuracies)
    with pytest.raises(KeyboardInterrupt):
        run(cut, 20, choice=Choice(given, 2, patience=3), on_losses=interrupt, **parts)
    assert run(resumed, 20, choice=Choice(given, 2, patience=3), **parts) == losses
    assert same(whole, resumed)


def test_a_loss_that_is_not_finite_is_not_hidden_by_a_choice() -> None:
    method = Toy()

    def broken(batch: Batch, clock: Clock) -> Iterator[Update]:
        for update in Toy.step(method, batch, clock):
            yield Update("net", update.loss * (float("nan") if clock.step == 3 else 1))

    method.step = broken  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="The loss 'net' is nan in step 3"):
        run(method, 6, choice=Choice(measure(0.5, 0.1, 0.1), 2))


def test_a_record_holds_the_choice(ferbench: Callable[..., Any], smoke: tuple[str, ...], tmp_path: Path) -> None:
    """Curve, notes, metrics and cost of a run that ended early; another board than that of a run without a choice."""
    words = ("run", "method=cross_entropy", *smoke, "protocol.validation=0.3", "budget.steps=24")
    chosen = ("trainer.choose=validation", "trainer.patience=1")
    for more in ((), chosen):
        done = ferbench(*words, *more)
        assert done.status == 0, done.err
    assert "Nothing to run" in ferbench(*words, *chosen).out
    results = tmp_path / "results"
    plain, record = sorted(Store(results).scan()[0], key=lambda r: "choose" in r.trial.identity.trainer)
    assert not {"choose", "patience"} & plain.trial.identity.trainer.keys(), "stored trials stay valid"
    assert {"choose": "validation", "patience": 1}.items() <= record.trial.identity.trainer.items()
    assert record.trial.stages[0].key != plain.trial.stages[0].key
    table = files.read_losses(results / record.trial.id)
    curve = curve_of(table[["step", "loss", "value"]].itertuples(index=False, name=None))
    assert record.metrics["validation_accuracy"] == pytest.approx(max(value for _, value in curve))
    assert sentence("training", curve, 24) in record.notes
    (said,) = [note for note in record.notes if note.startswith("Validation subjects, not trained on: ")]
    kept = set(said.removeprefix("Validation subjects, not trained on: ").rstrip(".").split(", "))
    identity = record.trial.identity
    assert kept
    assert not kept & {*identity.train_subjects, *identity.test_subjects}
    assert record.cost["steps"] == curve[-1][0]
    best, last = record.metrics["best_epoch_accuracy"], record.metrics["accuracy"]
    assert best is not None
    assert last is not None
    assert record.metrics["optimism"] == pytest.approx(best - last, abs=1e-7)
    assert "choose validation, patience 1" in ferbench("leaderboard", results, "--format", "markdown").out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("trainer.choose=validation",), "protocol.validation is 0. Type protocol.validation=0.2 too."),
        (
            ("trainer.patience=5",),
            "trainer.patience=5 ends a training by the accuracy on validation subjects. Type trainer.",
        ),
        (("trainer.patience=-1",), "trainer.patience is -1; it has to be at least 0."),
        (("trainer.choose=best",), "trainer.choose is 'best'; it can be last, validation"),
    ],
)
def test_a_choice_that_cannot_be_made(
    ferbench: Callable[..., Any], smoke: tuple[str, ...], words: tuple[str, ...], text: str
) -> None:
    done = ferbench("run", "method=cross_entropy", *smoke, *words)
    assert done.status == 2
    assert text in " ".join(done.err.split())
