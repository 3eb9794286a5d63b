"""The cards of the core: protocols, evaluators and executors. They are registered like those of any plugin."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench import core_metrics
from ferbench.cards import EvaluatorCard, ExecutorCard, ProtocolCard
from ferbench.hookspecs import hookimpl
from ferbench.interfaces.protocol import ProtocolSettings
from ferbench.protocols.settings import (
    AssignedSettings,
    AutoSettings,
    CrossDatasetSettings,
    ListedSettings,
    SubjectKFoldSettings,
)


@dataclass
class LanesSettings:
    """Settings of the executor `auto`.

    Attributes:
        lanes: number of trials at a time on each GPU; 0 for as many as a short measurement finds room for.
    """

    lanes: int = 0


@dataclass
class ProcessesSettings:
    """Settings of the executor `processes`.

    Attributes:
        lanes: number of trials at a time on each GPU; 0 for as many as a short measurement finds room for.
        workers: number of processes that run trials at the same time; 0 for `lanes` on each visible GPU or, without a GPU, one on
            each CPU core. There are never more workers than trials.
        threads: CPU threads of each worker; 0 for the number of cores divided by the number of workers.
    """

    lanes: int = 0
    workers: int = 0
    threads: int = 0


@hookimpl
def ferbench_protocols() -> list[ProtocolCard]:
    return [
        ProtocolCard(
            name="auto",
            target="",
            of_dataset=True,
            title="the protocol that the literature uses for the dataset, as its card says",
            settings=AutoSettings,
        ),
        ProtocolCard(
            name="subject_10fold_ordered",
            target="ferbench.protocols.subject_10fold_ordered:SubjectTenFoldOrdered",
            title="10 folds: subjects sorted by ID, the i-th (from 0) in fold i mod 10",
            settings=AssignedSettings,
            paper="the step-10 list of Emotion-FAN for CK+; usual for CK+ and Oulu-CASIA",
        ),
        ProtocolCard(
            name="subject_10fold_blocks",
            target="ferbench.protocols.subject_10fold_blocks:SubjectTenFoldBlocks",
            title="10 folds of neighbouring subjects: sorted by ID, in ten blocks, the last one in fold 0",
            settings=AssignedSettings,
            paper="the lists of FMPN-FER for MMI and CK+",
        ),
        ProtocolCard(
            name="loso",
            target="ferbench.protocols.loso:LeaveOneSubjectOut",
            title="leave one subject out: one fold for each subject",
            settings=ProtocolSettings,
        ),
        ProtocolCard(
            name="subject_kfold",
            target="ferbench.protocols.subject_kfold:SubjectKFold",
            title="k folds of subjects, classes as balanced as possible",
            settings=SubjectKFoldSettings,
        ),
        ProtocolCard(
            name="image_kfold",
            target="ferbench.protocols.image_kfold:ImageKFold",
            title="k folds of images, for datasets without identities: one person's images may be on both sides",
            settings=SubjectKFoldSettings,
        ),
        ProtocolCard(
            name="fixed",
            target="ferbench.protocols.fixed:Fixed",
            title="the split that comes with the dataset",
            settings=ProtocolSettings,
        ),
        ProtocolCard(
            name="listed",
            target="ferbench.protocols.listed:Listed",
            title="a split from a file",
            settings=ListedSettings,
        ),
        ProtocolCard(
            name="cross_dataset",
            target="ferbench.protocols.fixed:CrossDataset",
            title="train on dataset, test on test_dataset, on the expressions that both have",
            settings=CrossDatasetSettings,
        ),
    ]


@hookimpl
def ferbench_evaluators() -> list[EvaluatorCard]:
    return [
        EvaluatorCard(
            name="recognition",
            version=2,
            target="ferbench.evaluation.evaluators.recognition:evaluate",
            title="accuracy, balanced accuracy and macro F1, by frame and by sequence",
            metrics=core_metrics.RECOGNITION,
        ),
        EvaluatorCard(
            name="leakage",
            version=3,
            target="ferbench.evaluation.evaluators.leakage:evaluate",
            title="how well a linear, a nearest-neighbour and a kernel probe predict identity",
            metrics=core_metrics.LEAKAGE,
        ),
        EvaluatorCard(
            name="probe",
            version=3,
            target="ferbench.evaluation.evaluators.expression_probe:evaluate",
            title="how well a linear probe predicts expression, on subjects that it was not fitted on",
            metrics=core_metrics.EXPRESSION_PROBE,
        ),
        EvaluatorCard(
            name="selectivity",
            version=3,
            target="ferbench.evaluation.evaluators.selectivity:evaluate",
            title="expression probe minus identity leakage: what a disentangling method should raise",
            metrics=core_metrics.SELECTIVITY,
        ),
        EvaluatorCard(
            name="verification",
            version=2,
            target="ferbench.evaluation.evaluators.verification:evaluate",
            title="whether unseen subjects can be recognised across expressions",
            metrics=core_metrics.VERIFICATION,
        ),
        EvaluatorCard(
            name="synthesis",
            version=2,
            target="ferbench.evaluation.evaluators.synthesis:evaluate",
            title="synthesised faces, rated by judge networks that are trained separately from the method",
            metrics=core_metrics.SYNTHESIS,
        ),
        EvaluatorCard(
            name="disentanglement",
            version=2,
            target="ferbench.evaluation.evaluators.disentanglement:evaluate",
            title="MIG, SAP and DCI for the factors in the frame table",
            metrics=core_metrics.DISENTANGLEMENT,
            on_request=True,
        ),
        EvaluatorCard(
            name="estimates",
            target="ferbench.evaluation.evaluators.estimates:evaluate",
            title="action units, valence, arousal and intensity that a method estimates, against those of the frame table",
            paper="concordance: Lin, A concordance correlation coefficient to evaluate reproducibility, Biometrics 1989",
            metrics=core_metrics.ESTIMATES,
            of_estimates=True,
        ),
    ]


@hookimpl
def ferbench_executors() -> list[ExecutorCard]:
    return [
        ExecutorCard(
            name="auto",
            target="ferbench.execution.executors.auto:Auto",
            title="processes where there is a GPU and more than one trial, else inprocess",
            settings=LanesSettings,
        ),
        ExecutorCard(
            name="inprocess",
            target="ferbench.execution.executors.inprocess:InProcess",
            title="in this process: one trial after another",
        ),
        ExecutorCard(
            name="processes",
            target="ferbench.execution.executors.processes:Processes",
            title="several trials at a time on this machine: as many on each GPU as it has room for, or one on each core",
            settings=ProcessesSettings,
        ),
    ]
