"""The core's own cards, registered like any plugin's: protocols, evaluators, executors."""

from __future__ import annotations

import math

from ferbench.cards import EvaluatorCard, ExecutorCard, Metric, ProtocolCard
from ferbench.executors.settings import Processes
from ferbench.hookspecs import hookimpl
from ferbench.protocols.settings import AssignedSettings, ListedSettings, ProtocolSettings, SubjectKFoldSettings


@hookimpl
def ferbench_protocols() -> list[ProtocolCard]:
    return [
        ProtocolCard(
            name="auto",
            target="ferbench.protocols.auto:Auto",
            title="the literature's protocol for the dataset, as its card says",
            settings=AssignedSettings,
        ),
        ProtocolCard(
            name="subject_10fold_ordered",
            target="ferbench.protocols.subject_10fold_ordered:SubjectTenFoldOrdered",
            title="10 folds: subjects sorted by ID, the i-th (from 0) in fold i mod 10",
            settings=AssignedSettings,
            paper="the step-10 list of Emotion-FAN for CK+; usual for CK+, Oulu-CASIA and MMI",
        ),
        ProtocolCard(
            name="loso",
            target="ferbench.protocols.loso:LeaveOneSubjectOut",
            title="leave one subject out: a fold a subject",
            settings=ProtocolSettings,
        ),
        ProtocolCard(
            name="subject_kfold",
            target="ferbench.protocols.subject_kfold:SubjectKFold",
            title="k folds by subject, classes balanced as far as whole subjects allow",
            settings=SubjectKFoldSettings,
        ),
        ProtocolCard(
            name="fixed",
            target="ferbench.protocols.fixed:Fixed",
            title="the dataset's own split",
            settings=ProtocolSettings,
        ),
        ProtocolCard(
            name="listed",
            target="ferbench.protocols.listed:Listed",
            title="a split that somebody else made, from a file",
            settings=ListedSettings,
        ),
        ProtocolCard(
            name="cross_dataset",
            target="ferbench.protocols.fixed:CrossDataset",
            title="train on dataset, test on test_dataset, on the expressions that both have",
            settings=ProtocolSettings,
        ),
    ]


@hookimpl
def ferbench_evaluators() -> list[EvaluatorCard]:
    by_frame = [
        Metric(name="accuracy", title="accuracy"),
        Metric(name="balanced_accuracy", title="balanced accuracy"),
        Metric(name="macro_f1", title="macro F1"),
    ]
    by_sequence = [
        Metric(name="sequence_accuracy", title="accuracy by sequence"),
        Metric(name="sequence_balanced_accuracy", title="balanced accuracy by sequence"),
        Metric(name="sequence_macro_f1", title="macro F1 by sequence"),
    ]
    calibration = Metric(name="calibration_error", title="calibration error", higher_is_better=False)
    return [
        EvaluatorCard(
            name="recognition",
            target="ferbench.evaluation.recognition:evaluate",
            title="accuracy, balanced accuracy and macro F1, by frame and by sequence",
            metrics=[*by_frame, *by_sequence, calibration],
        ),
        EvaluatorCard(
            name="leakage",
            target="ferbench.evaluation.leakage:evaluate",
            title="what a linear and a nearest-neighbour probe find out about identity",
            metrics=[
                Metric(name="identity_leakage", title="identity leakage", higher_is_better=False, low=-1.0),
                Metric(
                    name="identity_leakage_knn",
                    title="identity leakage (kNN)",
                    higher_is_better=False,
                    low=-1.0,
                ),
            ],
        ),
        EvaluatorCard(
            name="probe",
            target="ferbench.evaluation.expression_probe:evaluate",
            title="what a linear probe finds out about expression, on subjects it was not fitted on",
            metrics=[Metric(name="expression_probe", title="expression probe", low=-1.0)],
        ),
        EvaluatorCard(
            name="selectivity",
            target="ferbench.evaluation.selectivity:evaluate",
            title="expression probe minus identity leakage: what a disentangling method should raise",
            metrics=[Metric(name="selectivity", title="selectivity", low=-2.0)],
        ),
        EvaluatorCard(
            name="verification",
            target="ferbench.evaluation.verification:evaluate",
            title="whether strangers can be recognised across expressions",
            metrics=[Metric(name="identity_auc", title="identity AUC", higher_is_better=False)],
        ),
        EvaluatorCard(
            name="synthesis",
            target="ferbench.evaluation.synthesis:evaluate",
            title="made faces, as judges see them that were trained apart from the method",
            metrics=[
                Metric(name="identity_consistency", title="identity consistency"),
                Metric(name="expression_consistency", title="expression consistency"),
                Metric(name="judge_accuracy", title="expression judge on real faces"),
                Metric(name="synthesis_psnr", title="PSNR, dB", high=math.inf),
                Metric(name="synthesis_ssim", title="SSIM", low=-1.0),
                Metric(name="kid", title="KID", higher_is_better=False, low=-math.inf, high=math.inf),
                Metric(name="fid", title="FID", higher_is_better=False, high=math.inf),
            ],
        ),
        EvaluatorCard(
            name="disentanglement",
            target="ferbench.evaluation.disentanglement:evaluate",
            title="MIG, SAP and DCI, by the factors that the frame table knows",
            metrics=[
                *(
                    Metric(name=f"{name}{suffix}", title=f"{name.upper()}{title}")
                    for name in ("mig", "sap")
                    for suffix, title in (("", ""), ("_expression", " of expression"), ("_subject", " of identity"))
                ),
                *(
                    Metric(name=f"dci_{part}", title=f"DCI {part}")
                    for part in ("disentanglement", "completeness", "informativeness")
                ),
                Metric(name="mig_blocks", title="MIG by block", low=-1.0),
                Metric(name="sap_blocks", title="SAP by block", low=-1.0),
                Metric(name="dci_blocks", title="DCI by block"),
            ],
            on_request=True,
        ),
    ]


@hookimpl
def ferbench_executors() -> list[ExecutorCard]:
    return [
        ExecutorCard(
            name="inprocess",
            target="ferbench.executors.inprocess:InProcess",
            title="one trial after another, in this process",
        ),
        ExecutorCard(
            name="processes",
            target="ferbench.executors.processes:Processes",
            title="several at a time on this machine: one for each GPU, else for each core",
            settings=Processes,
        ),
    ]
