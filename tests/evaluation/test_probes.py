"""The probes of identity and expression on representations whose answer is known."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.preprocessing import StandardScaler

from ferbench import FerbenchError, NotMeasurable
from ferbench.evaluation.evaluators import expression_probe, leakage
from ferbench.evaluation.measures.expression_probe import expression_probe as expression_probe_of
from ferbench.evaluation.measures.expression_probe import expression_probe_by_subject
from ferbench.evaluation.measures.identity_auc import identity_auc
from ferbench.evaluation.measures.leakage import leakage as leakage_of
from ferbench.evaluation.measures.leakage import leakage_by_subject
from ferbench.evaluation.measures.probes import (
    STRENGTHS,
    LinearProbe,
    Probe,
    Probed,
    Split,
    balanced_accuracy,
    cross_probe,
    kernel_machine,
    nearest_neighbours,
)
from ferbench.evaluation.measures.selectivity import selectivity
from ferbench.interfaces.evaluator import Outputs

SUBJECTS, EXPRESSIONS, FRAMES = 8, ("a", "b", "c", "d", "e", "f"), 3


def table() -> pd.DataFrame:
    rows = [
        (f"{s}/{e}/{i}", f"s{s}", f"{s}/{e}", e) for s in range(SUBJECTS) for e in EXPRESSIONS for i in range(FRAMES)
    ]
    return pd.DataFrame(rows, columns=["frame_id", "subject", "sequence", "expression"])


def codes(column: str) -> np.ndarray:
    """Random directions, one for each value of a column: (N, 16)."""
    frames = table()
    values = sorted(frames[column].unique())
    directions = np.random.default_rng(len(values)).normal(size=(len(values), 16))
    return directions[frames[column].map(values.index)]


def outputs(features: np.ndarray, frames: pd.DataFrame | None = None) -> Outputs:
    frames = table() if frames is None else frames
    noise = np.random.default_rng(0).normal(size=features.shape) * 0.1
    return Outputs(frames, EXPRESSIONS, np.zeros((len(frames), 6), np.float32), features + noise, {"pixels": features})


def test_a_representation_of_identity_leaks_all_of_it() -> None:
    found = leakage.evaluate(outputs(codes("subject")))
    assert found["identity_leakage"].mean > 0.95
    assert found["identity_leakage_knn"].mean > 0.95
    assert found["identity_leakage/pixels"].mean > 0.95


def test_noise_leaks_nothing() -> None:
    values = [
        leakage.evaluate(outputs(np.random.default_rng(s).normal(size=(144, 16))))["identity_leakage"].mean
        for s in range(5)
    ]
    assert abs(np.mean(values)) < 0.08


def test_a_representation_of_expression_leaks_nothing_and_is_worth_all() -> None:
    made = outputs(codes("expression"))
    assert abs(leakage.evaluate(made)["identity_leakage"].mean) < 0.15
    assert expression_probe.evaluate(made)["expression_probe"].mean > 0.95


def test_identity_cannot_hide_behind_expression() -> None:
    """Well separated expressions move unseen ones away from the probe; centring by expression undoes that."""
    made = outputs(20 * codes("expression") + codes("subject"))
    assert leakage.evaluate(made)["identity_leakage"].mean > 0.9


def test_near_duplicates_of_one_sequence_do_not_help() -> None:
    """A code of its own for each sequence tells a frame's neighbours in the sequence, and nothing of the subject."""
    assert abs(leakage.evaluate(outputs(codes("sequence")))["identity_leakage"].mean) < 0.2


def test_subjects_with_one_expression_are_left_out() -> None:
    frames = table()
    keep = (frames["subject"] != "s0") | (frames["expression"] == "a")
    found = leakage.evaluate(outputs(codes("subject")[keep], frames[keep].reset_index(drop=True)))
    assert found["identity_leakage"].mean > 0.95


def test_too_few_subjects_is_a_sentence() -> None:
    frames = table()
    keep = frames["expression"] == "a"
    with pytest.raises(FerbenchError, match="needs two test subjects with two expressions each; this fold has 0"):
        leakage.evaluate(outputs(codes("subject")[keep], frames[keep].reset_index(drop=True)))
    one = (frames["subject"] == "s0").to_numpy()
    with pytest.raises(FerbenchError, match="expression_probe needs two test subjects"):
        expression_probe.evaluate(outputs(codes("subject")[one], frames[one].reset_index(drop=True)))


def test_the_expression_probe_is_tested_on_other_subjects() -> None:
    """What is expression in each subject's own code is worth nothing for a stranger."""
    assert abs(expression_probe.evaluate(outputs(codes("sequence")))["expression_probe"].mean) < 0.2


def grid_search(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, splits: Sequence[Split]
) -> list[np.ndarray]:
    """The linear probe as scikit-learn would have it, fitted to the end."""
    said = []
    for fit, test in splits:
        scaler = StandardScaler().fit(features[fit])
        model = GridSearchCV(
            LogisticRegression(max_iter=10000, tol=1e-6),
            {"C": STRENGTHS},
            cv=list(GroupKFold(min(3, len(set(groups[fit])))).split(fit, labels[fit], groups[fit])),
            scoring="balanced_accuracy",
        ).fit(scaler.transform(features[fit]), labels[fit])
        said.append(model.predict(scaler.transform(features[test])))
    return said


@pytest.mark.parametrize(("subjects", "expressions", "width"), [(2, 6, 8), (8, 6, 32), (6, 3, 200), (20, 4, 16)])
@pytest.mark.parametrize("told", [0.1, 0.6])
def test_leakage_is_that_of_scikit_learns_grid_search(subjects: int, expressions: int, width: int, told: float) -> None:
    """Wide and narrow features, two subjects and twenty; who is half as loud as what, or hardly heard."""
    random = np.random.default_rng(subjects * width)
    who, what = np.repeat(np.arange(subjects), 3 * expressions), np.tile(np.repeat(np.arange(expressions), 3), subjects)
    features = random.normal(size=(expressions, width))[what] + told * random.normal(size=(subjects, width))[who]
    features = np.maximum(features + 0.6 * random.normal(size=features.shape), 0)
    assert leakage_of(features, who, what) == pytest.approx(leakage_of(features, who, what, grid_search), abs=0.005)


def test_the_expression_probe_is_that_of_scikit_learns_grid_search() -> None:
    random, frames = np.random.default_rng(3), table()
    what, who = frames["expression"].to_numpy(), frames["subject"].to_numpy()
    features = 0.5 * codes("expression") + codes("subject") + random.normal(size=(len(frames), 16))
    theirs = cross_probe(grid_search, features, what, who).predicted
    assert (cross_probe(LinearProbe(), features, what, who).predicted == theirs).all()


def test_balanced_accuracy_by_hand() -> None:
    assert balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])) == pytest.approx((2 / 3 + 1) / 2)


def test_the_scale_of_cross_probe() -> None:
    """A probe that always gives the first class scores 0; a perfect one 1."""
    labels, groups = np.tile(np.arange(3), 6), np.repeat(np.arange(6), 3)
    features = labels[:, None].astype(float)

    def always(right: bool) -> Probe:
        return lambda features, labels, groups, splits: [
            features[test, 0].astype(int) if right else np.zeros(len(test), int) for _, test in splits
        ]

    assert cross_probe(always(False), features, labels, groups).above_chance().mean() == pytest.approx(0)
    assert cross_probe(always(True), features, labels, groups).above_chance().mean() == pytest.approx(1)


@given(
    answers=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("abcd"), st.sampled_from("xy")), min_size=2, max_size=25
    )
)
def test_above_chance_by_hand(answers: list[tuple[str, str, str]]) -> None:
    """Of each frame: whether it was given its label, less the share of frames of others in the same stratum that were."""
    labels, predicted, strata = (np.array(column) for column in zip(*answers, strict=True))
    everywhere = np.zeros(len(labels), int)
    found = Probed(labels, predicted, np.ones(len(labels), bool), everywhere).above_chance(strata)
    for i, value in enumerate(found):
        others = [j for j in range(len(labels)) if strata[j] == strata[i] and labels[j] != labels[i]]
        if not others:
            assert np.isnan(value)
        else:
            expected = (predicted[i] == labels[i]) - np.mean([predicted[j] == labels[i] for j in others])
            assert value == pytest.approx(expected)


def test_where_all_subjects_have_as_many_frames_it_is_accuracy_above_chance() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 12)
    predicted = np.where(random.random(60) < 0.4, labels, random.integers(0, 5, 60))
    found = Probed(labels, predicted, np.ones(60, bool), np.zeros(60, int)).above_chance()
    accuracy = np.mean(predicted == labels)
    assert found.mean() == pytest.approx((accuracy - 1 / 5) / (1 - 1 / 5))


@pytest.mark.parametrize("probe", [LinearProbe(), nearest_neighbours, kernel_machine])
@pytest.mark.parametrize("sparse", [False, True])
def test_noise_leaks_nothing_whatever_the_numbers_of_frames(probe: Probe, sparse: bool) -> None:
    """Six subjects with one to six of seven expressions, as in CK+: accuracy against 1/6 would give -0.05. Within three standard
    errors of 0."""
    random, found = np.random.default_rng(5), []
    for _ in range(40):
        shown = [random.choice(7, random.integers(2, 7) if sparse else 7, replace=False) for _ in range(6)]
        subjects = np.repeat(np.arange(6), [3 * len(own) for own in shown])
        expressions = np.concatenate([np.repeat(own, 3) for own in shown])
        found.append(leakage_of(random.normal(size=(len(subjects), 16)), subjects, expressions, probe))
    assert abs(np.mean(found)) < 3 * np.std(found) / 40**0.5


def test_a_perfect_probe_has_the_same_value_for_every_subject() -> None:
    """However many frames each has: nothing varies between subjects."""
    counts = [1, 3, 5, 7] * 3
    subjects = np.repeat(np.arange(12), [3 * n for n in counts])
    expressions = np.concatenate([np.repeat(np.arange(3), n) for n in counts])
    for found in (
        expression_probe_by_subject(np.eye(3)[expressions] * 9, subjects, expressions),
        leakage_by_subject(np.eye(12)[subjects] * 9, subjects, expressions),
    ):
        assert list(found.values()) == pytest.approx([1.0] * 12)


def test_what_no_plane_separates_is_found_by_the_kernel() -> None:
    """Subjects are rings around one middle: the strongest probe is an upper reading."""
    random = np.random.default_rng(0)
    frames = table()
    radius = frames["subject"].str[1:].astype(int).to_numpy() + 1.0
    angle = random.uniform(0, 2 * np.pi, len(frames))
    rings = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    found = leakage.evaluate(Outputs(frames, EXPRESSIONS, np.zeros((len(frames), 6), np.float32), rings))
    assert found["identity_leakage"].mean < 0.2
    assert found["identity_leakage_kernel"].mean > found["identity_leakage"].mean + 0.2
    assert found["identity_leakage_strongest"] == found["identity_leakage_kernel"]


def test_six_subjects_of_whom_three_show_one_expression() -> None:
    """Where no probe can be fitted on some folds, the others count; where on none, it is said. Nothing else may be raised."""
    for seed in range(60):
        random = np.random.default_rng(seed)
        count = int(random.integers(2, 5))
        shown = [random.choice(6, random.integers(1, 4), replace=False) for _ in range(count)]
        subjects = np.repeat(np.arange(count), [len(own) for own in shown])
        expressions = np.concatenate(shown)
        features = random.normal(size=(len(subjects), 4))
        for measure in (leakage_of, expression_probe_of, selectivity):
            with contextlib.suppress(NotMeasurable):
                assert -2 <= measure(features, subjects, expressions) <= 2


@pytest.mark.parametrize("measure", [leakage_of, expression_probe_of, identity_auc])
def test_features_that_are_not_finite_are_a_sentence(measure: Callable[..., float]) -> None:
    features, frames = codes("subject"), table()
    features[3, 2], features[9, 0] = np.nan, np.inf
    labels = (frames[name].to_numpy(dtype=str) for name in ("subject", "expression"))
    with pytest.raises(NotMeasurable, match="cannot be measured: the features of 2 of 144 frames are NaN or infinite"):
        measure(features, *labels)
