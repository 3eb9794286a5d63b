"""An interrupt lets the step that runs end, and leaves a checkpoint that the training goes on from."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ferbench import Batch
from ferbench.testing import make_batch, training
from ferbench.training.checkpoint import load
from ferbench.training.interrupts import deferred
from ferbench.training.loop import train
from tests.training.test_loop import Toy


@pytest.fixture
def ends_soon() -> Iterator[signal.Signals]:
    """A signal by which a scheduler says that the job has to end soon."""
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


def trained(
    path: Path | None = None, signals: dict[int, signal.Signals] | None = None, **changed: Any
) -> tuple[Toy, Any]:
    """Eight steps; in some, signals arrive."""
    method = Toy()
    made = training(checkpoint=path, **{"checkpoint_every": 100, **changed})

    def batches(step: int) -> Batch:
        if step in (signals or {}):
            os.kill(os.getpid(), signals[step])  # type: ignore[index]
        return make_batch(method.task, seed=step)

    made.batches = batches
    return method, train(method, method.stages()[0], 8, made)


def test_an_interrupted_training_goes_on_where_it_stopped(tmp_path: Path, ends_soon: signal.Signals) -> None:
    path = tmp_path / "checkpoint"
    for step, number in ((2, ends_soon), (5, signal.SIGINT), (7, signal.SIGINT)):
        with pytest.raises(KeyboardInterrupt):
            trained(path, {step: number})
        saved = load(path)
        assert saved is not None
        assert saved.step == step + 1
    resumed, result = trained(path)
    whole, same = trained()
    assert result.losses == same.losses
    assert result.steps_run == 0, "all steps were done, the last one too"
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_who_is_told_the_losses_can_interrupt(tmp_path: Path) -> None:
    """A worker process does, when nobody reads what it reports. The point of the test curve at that step is not lost."""
    path = tmp_path / "checkpoint"

    def stop(*report: object) -> None:
        raise KeyboardInterrupt

    curve: dict[str, Any] = {"test_curve_steps": frozenset({4}), "measure_test": lambda: {"test/accuracy": 0.5}}
    with pytest.raises(KeyboardInterrupt):
        trained(path, on_losses=stop, checkpoint_every=4, **curve)
    assert load(path).step == 4  # type: ignore[union-attr]
    assert sorted(trained(path, **curve)[1].losses) == sorted(trained(**curve)[1].losses)


def test_the_second_interrupt_does_not_wait() -> None:
    with deferred() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_stay(ends_soon: signal.Signals) -> None:
    """Of a program that uses ferbench, say; and threads cannot have any."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with deferred() as interrupt:
            os.kill(os.getpid(), signal.SIGTERM)
            assert not interrupt.asked
            os.kill(os.getpid(), ends_soon)
            assert interrupt.asked
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    found: list[object] = []

    def elsewhere() -> None:
        with deferred():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
