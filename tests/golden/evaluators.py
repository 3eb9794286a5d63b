"""Every evaluator on made-up outputs: features that know something of expression and identity, and noise."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from ferbench.cards import EvaluatorCard
from ferbench.interfaces.evaluator import Outputs, PerSubject, Syntheses
from tests.golden.summary import rounded

EXPRESSIONS = ("anger", "fear", "happiness", "surprise")
SUBJECTS = 6
SEQUENCES = 2
FRAMES = 3

PROBED = {"leakage", "probe", "selectivity", "verification", "disentanglement"}
"""Evaluators that fit something."""


def values(card: EvaluatorCard) -> dict[str, Any]:
    """Every metric, of outputs with all parts and of outputs with the least that a trial has."""
    prefix = "probe/" if card.name in PROBED else ""
    found: dict[str, Any] = {}
    whole = outputs()
    for name, made in (("all", estimating(whole) if card.of_estimates else whole), ("least", outputs(least=True))):
        for metric, value in card.load()(made).items():
            if isinstance(value, PerSubject):
                found[f"{prefix}{name}/{metric} by subject"] = [
                    rounded(each) for _, each in sorted(value.values.items())
                ]
                value = value.mean
            nothing = value is None or not math.isfinite(value)
            found[f"{prefix}{name}/{metric}"] = "no value" if nothing else [rounded(float(value))]
    return found or {"least": "no metrics"}


def estimating(made: Outputs) -> Outputs:
    """The outputs with factors in the frame table, some of them missing, and estimates of them."""
    random = np.random.default_rng(8)
    frames = made.frames.copy()
    for name, low in {"au1": 0.0, "au12": 0.0, "intensity": 0.0, "valence": -1.0, "arousal": -1.0}.items():
        frames[name] = random.uniform(low, 1, len(frames))
        frames.loc[random.uniform(size=len(frames)) < 0.1, name] = np.nan
    estimates = {
        name: (0.7 * frames[name].fillna(0.5) + 0.3 * random.uniform(size=len(frames))).to_numpy(dtype=np.float32)
        for name in ("au1", "intensity", "valence", "arousal")
    }
    return dataclasses.replace(made, frames=frames, estimates=estimates)


def outputs(least: bool = False) -> Outputs:
    """144 frames of six strangers, four expressions, two sequences of each with three frames."""
    random = np.random.default_rng(7)
    rows = [
        (f"S{s}/{e}/{q}/{f}", f"S{s}", f"S{s}/{e}/{q}", f, e)
        for s in range(SUBJECTS)
        for e in EXPRESSIONS
        for q in range(SEQUENCES)
        for f in range(FRAMES)
    ]
    frames = pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "position", "expression"])
    frames["light"] = random.integers(0, 3, len(frames))
    subject = np.eye(SUBJECTS)[frames["subject"].str[1:].astype(int)]
    expression = np.eye(len(EXPRESSIONS))[[EXPRESSIONS.index(e) for e in frames["expression"]]]

    def mixed(of_expression: float, of_subject: float, width: int) -> np.ndarray:
        parts = of_expression * expression @ random.normal(size=(len(EXPRESSIONS), width))
        parts = parts + of_subject * subject @ random.normal(size=(SUBJECTS, width))
        return (parts + random.normal(size=(len(frames), width))).astype(np.float32)

    logits = (1.5 * expression + random.normal(size=expression.shape)).astype(np.float32)
    features = mixed(0.8, 0.4, 8)
    if least:
        return Outputs(frames, EXPRESSIONS, logits, features)
    references = {"pixels": mixed(0.3, 0.8, 12), "identity": mixed(0.1, 1.5, 6)}
    labels = expression.argmax(1)
    return Outputs(frames, EXPRESSIONS, logits, features, references, mixed(0.1, 1.0, 5), _syntheses(random, labels))


def _syntheses(random: np.random.Generator, labels: np.ndarray) -> Syntheses:
    count, subjects = len(labels), 5
    wanted = np.arange(count) % subjects
    real = random.normal(size=(count, 6)).astype(np.float32)
    psnr, ssim = random.normal(20, 2, count), random.uniform(0, 1, count)
    psnr[::9] = ssim[::9] = np.nan
    return Syntheses(
        expression=labels,
        subject=wanted,
        expression_logits=2 * np.eye(len(EXPRESSIONS))[labels] + random.normal(size=(count, len(EXPRESSIONS))),
        identity_logits=2 * np.eye(subjects)[wanted] + random.normal(size=(count, subjects)),
        features=(real * 1.2 + random.normal(0.3, 0.5, real.shape)).astype(np.float32),
        real_features=real,
        real_expression_logits=2.5 * np.eye(len(EXPRESSIONS))[labels] + random.normal(size=(count, len(EXPRESSIONS))),
        psnr=psnr,
        ssim=ssim,
    )
