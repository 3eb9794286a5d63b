"""Several devices, here two processes on the CPU: they stay equal, and compute what one device does."""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ferbench.errors import TrainingError
from ferbench.execution import replicas
from ferbench.interfaces.executor import Progress
from ferbench.records.schema import StageNode
from ferbench.testing import CPU, make_batch, make_task
from tests.training import together
from tests.training.remembering import Remembering
from tests.training.together import METHODS, OF_MEANS, double, method, run, toy

pytestmark = pytest.mark.slow

NODE = StageNode("training", "key", 1)
TOLERANCE = 1e-9
"""In double precision, relative to the largest value of a tensor: the order of sums differs, which AdamW magnifies."""

Found = list[dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What each of two processes found: `together.everything`."""
    folder = tmp_path_factory.mktemp("together")
    with double():
        together.stopped(method("cross_entropy"), folder / "one", accumulate=2)
    replicas.train(together.everything, str(folder), NODE, CPU, 2, Progress())  # type: ignore[arg-type]
    return [{**torch.load(folder / f"found-{rank}"), "folder": folder} for rank in range(2)]


def agree(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        scale = max(1.0, float(theirs[name].abs().max())) if theirs[name].numel() else 1.0
        assert torch.allclose(value.double(), theirs[name].double(), rtol=0, atol=TOLERANCE * scale), name


def flat(losses: list[Any]) -> list[float]:
    return [value for stage in losses for _, _, value in stage]


@pytest.mark.parametrize("name", METHODS)
def test_replicas_are_equal_after_training(found: Found, name: str) -> None:
    """Every method as it is, with its random draws: bit for bit, weights, statistics and memories."""
    ours, theirs = (found[rank][f"as it is {name}"] for rank in range(2))
    assert ours["losses"] == theirs["losses"]
    assert all(torch.equal(value, theirs["weights"][key]) for key, value in ours["weights"].items())


@pytest.mark.parametrize("name", METHODS)
def test_two_devices_compute_what_two_micro_batches_do(found: Found, name: str) -> None:
    """Weights, running statistics and losses of every stage, without random draws."""
    with double():
        one = method(name)
        losses = run(one, accumulate=2)
    agree(found[0][name]["weights"], dict(one.state_dict()))
    assert flat(found[0][name]["losses"]) == pytest.approx(
        flat(losses), rel=1e-6
    )  # they are logged in single precision


@pytest.mark.parametrize("name", OF_MEANS)
def test_synchronised_devices_compute_what_one_does_with_the_whole_batch(found: Found, name: str) -> None:
    with double():
        one = method(name)
        losses = run(one)
    agree(found[0][f"synchronised {name}"]["weights"], dict(one.state_dict()))
    assert flat(found[0][f"synchronised {name}"]["losses"]) == pytest.approx(flat(losses), rel=1e-6)


@pytest.mark.parametrize("step", ["plain", "pairs"])
def test_without_batch_norm_the_whole_batchs_step_is_computed(found: Found, step: str) -> None:
    """`pairs` is a loss of all pairs of the whole batch, by `whole_batch`."""
    with double():
        one = toy(step)
        losses = run(one)
    agree(found[0][step]["weights"], dict(one.state_dict()))
    assert flat(found[0][step]["losses"]) == pytest.approx(flat(losses), rel=1e-6)


def test_micro_batches_of_devices(found: Found) -> None:
    """2 devices x 3 micro-batches are 6 micro-batches."""
    with double():
        one = method("cross_entropy")
        run(one, accumulate=6)
    agree(found[0]["micro"]["weights"], dict(one.state_dict()))


def test_the_mean_gradient_is_clipped(found: Found) -> None:
    with double():
        one = method("cross_entropy")
        run(one, accumulate=2, clip_norm=0.05)
    agree(found[0]["clipped"]["weights"], dict(one.state_dict()))


def test_statistics_that_are_means_of_all_batches(found: Found) -> None:
    """Batch norm without a momentum."""
    with double():
        one = toy("plain", norm=True)
        run(one, accumulate=2)
    agree(found[0]["cumulative"]["weights"], dict(one.state_dict()))
    assert found[0]["cumulative"]["weights"]["a.2.num_batches_tracked"] == 6


def test_devices_go_uphill_together(found: Found) -> None:
    """Sharpness-aware minimisation, with statistics of batch norm: those of the first pass alone."""
    with double():
        one, plain = toy("plain", norm=True, sam=0.3), toy("plain", norm=True)
        run(one, accumulate=2)
        run(plain, accumulate=2)
    agree(found[0]["uphill"]["weights"], dict(one.state_dict()))
    assert not torch.allclose(one.state_dict()["a.1.weight"], plain.state_dict()["a.1.weight"])


def test_the_first_device_chooses_for_all(found: Found) -> None:
    """The second epoch is better than the first and the third, after which both devices end."""
    for rank in range(2):
        curve = [
            (step, value) for step, name, value in found[rank]["chosen"]["losses"][0] if name == "validation/accuracy"
        ]
        assert curve == [(0, 0.2), (1, 0.6), (2, 0.4)]
    with double():
        one = toy("plain")
        run(one, 2, accumulate=2)
    agree(found[0]["chosen"]["weights"], dict(one.state_dict()))


def test_synchronised_batch_norm_is_differentiated_twice(found: Found) -> None:
    with double():
        one = toy("penalises", norm=True)
        run(one)
    agree(found[0]["penalises"]["weights"], dict(one.state_dict()))


def test_the_mean_faces_of_ifgan_are_of_the_whole_batches(found: Found) -> None:
    weights = found[0]["mean faces"]["weights"]
    drawn = [make_batch(make_task(), seed=step) for step in range(together.STEPS)]
    with double():
        drawn = [make_batch(make_task(), seed=step) for step in range(together.STEPS)]
    expected = torch.stack(
        [sum((b.images[b.expression == c].sum(0) for b in drawn), torch.zeros(())) for c in range(6)]
    )
    assert torch.allclose(weights["generator.means.sums"], expected)
    assert weights["generator.means.counts"].tolist() == [6.0] * 6
    assert torch.equal(weights["generator.means.sums"], found[1]["mean faces"]["weights"]["generator.means.sums"])


def test_a_layer_that_one_device_uses_gets_half_of_its_gradient_and_one_that_none_uses_stays(found: Found) -> None:
    ours, theirs = (found[rank]["uses_a_layer_on_one_device"]["weights"] for rank in range(2))
    with double():
        start = dict(toy("plain").state_dict())
    assert not torch.equal(ours["b.weight"], start["b.weight"])
    assert torch.equal(ours["b.weight"], theirs["b.weight"])
    assert torch.equal(ours["lonely.weight"], start["lonely.weight"])


def test_all_start_from_the_weights_of_the_first(found: Found) -> None:
    ours, theirs = (found[rank]["other start"]["weights"] for rank in range(2))
    assert ours["b.weight"].any()
    assert torch.equal(ours["b.weight"], theirs["b.weight"])


def test_devices_draw_different_numbers_and_the_first_those_of_one_device(found: Found) -> None:
    with double():
        alone = {(step, name): value for step, name, value in run(toy("draws"))[0]}
    ours = {(step, name): value for step, name, value in found[0]["draws"]["losses"][0]}
    second = 2 * ours[0, "all/drawn"] - alone[0, "all/drawn"]  # the mean of both is logged
    assert 0 <= second < 1
    assert second != pytest.approx(alone[0, "all/drawn"], abs=1e-3)


@pytest.mark.parametrize("step", ["disagrees", "ends_early"])
def test_a_step_that_yields_other_updates_on_another_device(found: Found, step: str) -> None:
    for rank in range(2):
        assert "of stage 'toy'" in found[rank][step]
        assert "yields different updates on different devices" in found[rank][step]


@pytest.mark.parametrize("step", ["remembers", "replaces"])
def test_a_memory_that_differs_is_named(found: Found, step: str) -> None:
    """Whether it is changed in place or replaced."""
    expected = "gives its buffer 'memory' another value on each of the 2 devices. Compute it from ferbench.whole_batch"
    assert expected in found[0][step]
    assert expected in found[1][step]


@pytest.mark.parametrize(("name", "norm", "parts"), [("remembering", False, 4), ("remembering with norm", True, 2)])
def test_averages_queues_and_passes_on_several_devices(found: Found, name: str, norm: bool, parts: int) -> None:
    """Equal on all devices bit for bit, and what micro-batches give on one: `after` gets the batch and outputs of all devices."""
    with double():
        one = Remembering(norm=norm).double()
        run(one, 5, accumulate=parts, batches=together.Parts(make_task()))
    ours, theirs = (found[rank][name]["weights"] for rank in range(2))
    agree(ours, dict(one.state_dict()))
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    assert (int(ours["steps"]), int(ours["at"]), int(ours["epochs"])) == (5, 60, 3)


def test_one_device_goes_on_where_two_were_interrupted_and_two_where_one_was(found: Found) -> None:
    with double():
        whole, resumed = method("cross_entropy"), method("cross_entropy")
        run(whole, 4, accumulate=2)
        losses = run(resumed, 4, accumulate=2, checkpoint=found[0]["folder"] / "two")
    assert [step for step, _, _ in losses[0]] == [0, 1, 2, 3]
    agree(dict(resumed.state_dict()), dict(whole.state_dict()))
    agree(found[0]["resumed"]["weights"], dict(whole.state_dict()))
    assert [step for step, _, _ in found[0]["resumed"]["losses"][0]] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("SIGKILL", TrainingError, "Process 2 of 2 was killed, probably because the memory ran out, in stage 'training'"),
        ("bug", ZeroDivisionError, "a bug"),
        ("SIGINT", KeyboardInterrupt, None),
    ],
)  # fmt: skip
def test_a_process_that_ends_ends_the_others_with_its_reason(
    what: str, kind: type[BaseException], message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first process waits for the second, half an hour unless it is told. Nothing is left over."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(kind, match=message) as caught:
        replicas.train(together.fails, what, NODE, CPU, 2, Progress())  # type: ignore[arg-type]
    if kind is ZeroDivisionError:
        assert "In process 2 of 2" in caught.value.__notes__[0]
    assert not multiprocessing.active_children()
    assert not list(tmp_path.iterdir())
