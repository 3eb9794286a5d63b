"""Cards of the core's own metrics: what ranks and shows a record even where no plugin is installed."""

from __future__ import annotations

import math

from ferbench.cards import BySubject, Counts, CountScore, Metric

_RECOGNITION = (
    ("accuracy", "accuracy", "accuracy", CountScore.ACCURACY),
    ("balanced_accuracy", "balanced accuracy", "balanced", CountScore.BALANCED_ACCURACY),
    ("macro_f1", "macro F1", "F1", CountScore.MACRO_F1),
)
_SEQUENCE_HEADINGS = {"accuracy": "by seq.", "balanced_accuracy": "seq. bal.", "macro_f1": "seq. F1"}

RECOGNITION = (
    *(
        Metric(
            name=name, title=title, heading=heading, unit="%", by_subject=BySubject(Counts.FRAMES, score),
            interval=name == "accuracy",
        )
        for name, title, heading, score in _RECOGNITION
    ),
    *(
        Metric(
            name=f"sequence_{name}", title=f"{title} by sequence", heading=_SEQUENCE_HEADINGS[name], unit="%",
            by_subject=BySubject(Counts.SEQUENCES, score),
        )
        for name, title, _, score in _RECOGNITION
    ),
    Metric(name="calibration_error", title="calibration error", higher_is_better=False),
)  # fmt: skip

LEAKAGE = (
    Metric(name="identity_leakage", title="identity leakage", heading="id leak", higher_is_better=False, low=-1.0),
    Metric(
        name="identity_leakage_knn",
        title="identity leakage (kNN)",
        heading="id leak kNN",
        higher_is_better=False,
        low=-1.0,
    ),
    Metric(
        name="identity_leakage_kernel",
        title="identity leakage (kernel)",
        heading="id leak kernel",
        higher_is_better=False,
        low=-1.0,
    ),
    Metric(
        name="identity_leakage_strongest",
        title="identity leakage (strongest probe)",
        heading="id leak max",
        higher_is_better=False,
        low=-1.0,
    ),
)
EXPRESSION_PROBE = (Metric(name="expression_probe", title="expression probe", heading="expr. probe", low=-1.0),)
SELECTIVITY = (Metric(name="selectivity", title="selectivity", low=-2.0),)
VERIFICATION = (Metric(name="identity_auc", title="identity AUC", higher_is_better=False),)

SYNTHESIS = (
    Metric(name="identity_consistency", title="identity consistency", heading="id kept", unit="%"),
    Metric(name="expression_consistency", title="expression consistency", heading="expr. kept", unit="%"),
    Metric(name="judge_accuracy", title="expression judge on real faces", heading="judge", unit="%"),
    Metric(name="synthesis_psnr", title="PSNR", unit="dB", high=math.inf),
    Metric(name="synthesis_ssim", title="SSIM", low=-1.0),
    Metric(name="kid", title="KID", higher_is_better=False, low=-math.inf, high=math.inf),
    Metric(name="fid", title="FID", higher_is_better=False, high=math.inf),
)

DISENTANGLEMENT = (
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
)

ESTIMATES = (
    Metric(name="au_f1", title="F1 of action units", heading="AU F1", unit="%"),
    Metric(name="valence_ccc", title="CCC of valence", heading="valence", low=-1.0),
    Metric(name="arousal_ccc", title="CCC of arousal", heading="arousal", low=-1.0),
    Metric(
        name="intensity_mae",
        title="mean absolute error of intensity",
        heading="intensity",
        higher_is_better=False,
        high=math.inf,
    ),
)

OF_TRIAL = (
    Metric(
        name="validation_accuracy",
        title="accuracy on the validation subjects (protocol.validation)",
        heading="validation",
        unit="%",
    ),
    Metric(
        name="best_epoch_accuracy", title="accuracy of the best epoch on the test fold", heading="best epoch", unit="%"
    ),
    Metric(
        name="optimism",
        title="best epoch on the test fold minus the last",
        heading="optimism",
        unit="%",
        higher_is_better=False,
    ),
)
"""Of the trial itself: of the subjects that it keeps apart, and of its test fold along the way (evaluation.test_curve_points). No
evaluator gives them."""

ALL = (
    *RECOGNITION,
    *LEAKAGE,
    *EXPRESSION_PROBE,
    *SELECTIVITY,
    *VERIFICATION,
    *SYNTHESIS,
    *DISENTANGLEMENT,
    *ESTIMATES,
    *OF_TRIAL,
)
