"""The trainings of a trial: what its stages and its judges are trained with, here or on several devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import torch

from ferbench.cards import MethodCard
from ferbench.config.schema import Choose
from ferbench.data.batches import Batches, Images, WithExtra
from ferbench.errors import FerbenchError, TrainingError
from ferbench.evaluation import inference
from ferbench.evaluation.judges import Judges
from ferbench.execution import replicas
from ferbench.execution.setup import Frames, Setup, build_judges
from ferbench.interfaces.executor import Progress
from ferbench.interfaces.method import Method, Stage
from ferbench.interfaces.replicas import Place
from ferbench.records import files
from ferbench.records.schema import StageNode, Trial, code_key
from ferbench.records.store import Store
from ferbench.training.choice import Choice
from ferbench.training.cost import forget_peak, peak_memory
from ferbench.training.graph import recorder_for
from ferbench.training.loop import Device, Training, steps_of_test_curve, train
from ferbench.training.replicas import Replicas, synchronise
from ferbench.training.stages import load_stage, train_and_store


def stages_of(trial: Trial, setup: Setup, progress: Progress) -> Iterator[tuple[StageNode, Stage, Training]]:
    """The stages of a trial in turn, each with its training."""
    method, fold, config = setup.method, setup.fold, setup.config
    whose = f"stages() of {inference.whose(method)}"
    try:
        stages = method.stages()
    except FerbenchError as error:
        raise TrainingError(f"{whose} cannot be made: {error}") from error
    if not isinstance(stages, Sequence) or not all(isinstance(stage, Stage) for stage in stages):
        raise TrainingError(f"{whose} returns {stages!r}; it has to be a list of stages.")
    if len(stages) != len(trial.stages):
        raise TrainingError(
            f"The method's stages() returns {len(stages)} stages; its card has {len(trial.stages)}"
            + (" without an extra dataset." if len(setup.stage_cards) < len(setup.card.stages) else ".")
        )
    drawn = composed(setup, stages)  # refuses what a stage asks for before the first is trained
    training = _training(trial, setup, progress)

    def accuracy(frames: Frames) -> float:
        with setup.device.autocast():
            return accuracy_on(method, setup.images, frames)

    epoch = -(-len(fold.labels.rows) // config.budget.batch_size)
    for node, stage, batches in zip(trial.stages, stages, drawn, strict=True):
        training = dataclasses.replace(training, batches=batches)
        if node is trial.stages[-1] and config.evaluation.test_curve_points:
            training = dataclasses.replace(
                training,
                measure_test=lambda: {files.TEST_ACCURACY: accuracy(fold.test)},
                test_curve_steps=steps_of_test_curve(node.steps, config.evaluation.test_curve_points, epoch),
            )
        if node is trial.stages[-1] and config.trainer.choose is Choose.validation:
            if not len(fold.validation.rows):
                raise TrainingError(
                    f"trainer.choose=validation needs validation frames, and fold {trial.fold} has none that can be read. A larger "
                    "protocol.validation keeps more subjects apart."
                )
            choice = Choice(lambda: accuracy(fold.validation), epoch, config.trainer.patience)
            training = dataclasses.replace(training, choice=choice)
        yield node, stage, training


def accuracy_on(method: Method, images: Images, frames: Frames) -> float:
    """The fraction of frames that a method recognises."""
    logits = inference.of_method(method, "logits", images, frames.seen)
    return float((logits.argmax(1) == frames.labels.numpy()).mean())


def composed(setup: Setup, stages: Sequence[Stage]) -> list[Batches | WithExtra]:
    """The batches of each stage. Raises TrainingError if the run or the training frames do not allow what one asks for."""
    trainer = setup.config.trainer
    parts = trainer.accumulate * trainer.devices // setup.batches.place.count
    return [setup.batches_of(card).of(stage, parts) for stage, card in zip(stages, setup.stage_cards, strict=True)]


def _training(trial: Trial, setup: Setup, progress: Progress) -> Training:
    trainer = setup.config.trainer

    def together(node: StageNode) -> None:
        setup.peak = max(setup.peak, replicas.train(train_part, trial, node, setup.device, trainer.devices, progress))

    several = trainer.devices > 1
    return Training(
        batches=setup.batches,
        device=setup.device,
        accumulate=trainer.accumulate,
        clip_norm=trainer.clip_norm,
        code=code_key(trial.code),
        seed=trial.seed,
        checkpoint_every=trainer.checkpoint_every,
        on_losses=progress.step,
        graph=recorder_for(trainer, setup.device.device),
        together=together if several else None,
    )


def compile_networks(setup: Setup) -> None:
    """Compile the networks of the method where the settings say so."""
    if setup.config.trainer.compile:
        for child in setup.method.children():
            child.compile()


def judges_of(trial: Trial, setup: Setup, progress: Progress) -> tuple[Judges, Training]:
    """The judges with initial weights, and their training."""
    judges = build_judges(setup.registry, setup.config, setup.fold.task)
    judges.to(setup.device.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    training = _training(trial, setup, progress)
    return judges, dataclasses.replace(training, batches=setup.batches.single(), code=code_key(shared_code(trial)))


def shared_code(trial: Trial) -> dict[str, str]:
    """Digest of the code of the parts that all methods on a fold share."""
    return {part: value for part, value in trial.code.items() if part not in ("method", "extra_dataset")}


def train_part(trial: Trial, node: StageNode, device: Device, together: Replicas, progress: Progress) -> int:
    """Train a stage of a trial, or its judges, in one of the processes that do it together. The stages before it are stored.

    Returns:
        The peak memory of this process, in bytes.
    """
    store = Store(trial.config["results_dir"])
    setup = Setup.make(trial, device, Place(together.rank, together.count))
    model: Method
    if trial.judges is not None and node.key == trial.judges.key:
        model, training = judges_of(trial, setup, progress)
        stages = iter([(node, model.stages()[0], training)])
    else:
        model, stages = setup.method, stages_of(trial, setup, progress)
        compile_networks(setup)
    if setup.registry.get(MethodCard, setup.config.method.name).synchronised:
        synchronise(model)
    forget_peak(device.device)
    for each, stage, training in stages:
        if each.key != node.key:
            load_stage(store, each, model, stage)
            continue
        training = dataclasses.replace(training, replicas=together)
        if together.rank == 0:
            train_and_store(store, node, model, stage, training, progress)
        else:
            train(
                model,
                stage,
                node.steps,
                dataclasses.replace(training, checkpoint=files.checkpoint(store.stage(node.key))),
            )
        break
    return peak_memory(device.device)
