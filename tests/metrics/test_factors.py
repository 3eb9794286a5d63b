"""MIG, SAP and DCI on codes whose answer is known, and against scikit-learn's mutual information."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import mutual_info_score

from ferbench.errors import FerbenchError, NotMeasurable
from ferbench.evaluation.evaluators import disentanglement
from ferbench.evaluation.measures.dci import completeness, dci
from ferbench.evaluation.measures.dci import disentanglement as disentangled
from ferbench.evaluation.measures.factors import BINS, factors_of, halves, mutual_information
from ferbench.evaluation.measures.mig import mig
from ferbench.evaluation.measures.sap import sap
from ferbench.interfaces.evaluator import Outputs
from ferbench.metrics import DCI, MIG, SAP

GRID = torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(25))[:, :2]


def measured(kind: type, codes: torch.Tensor, **settings: str) -> float:
    metric = kind(**settings)
    for part in torch.arange(len(codes)).split(17):
        metric.update(codes[part].float(), GRID[part])
    return float(metric.compute())


@pytest.mark.parametrize(
    ("kind", "settings", "perfect", "doubled"),
    [(MIG, {}, 1.0, 0.0), (SAP, {}, 0.5, 0.0), (DCI, {"part": "disentanglement"}, 1.0, 1.0)],
)
def test_codes_that_are_the_factors(kind: type, settings: dict[str, str], perfect: float, doubled: float) -> None:
    """Each factor in one dimension; then in two, where the gaps close. The best single dimension of SAP is always right, a
    coin half the time."""
    assert measured(kind, GRID, **settings) == pytest.approx(perfect, abs=0.15)
    assert measured(kind, torch.cat([GRID, GRID], 1), **settings) == pytest.approx(doubled, abs=0.15)


def test_a_mixed_code_is_not_disentangled() -> None:
    mixed = torch.stack([GRID.sum(1) + 0.1 * GRID[:, 0], GRID[:, 0] - GRID[:, 1] + 0.0], 1)
    assert measured(DCI, mixed, part="disentanglement") < 0.6
    assert measured(DCI, mixed, part="informativeness") == pytest.approx(1)
    assert measured(MIG, mixed) < 0.6


def test_mutual_information_against_scikit_learn() -> None:
    random = np.random.default_rng(0)
    features, factor = random.normal(size=(80, 5)), random.integers(0, 4, 80)
    found = mutual_information(features, {"f": factor})
    for dimension in range(5):
        edges = np.linspace(features[:, dimension].min(), features[:, dimension].max(), BINS + 1)
        binned = np.clip(np.digitize(features[:, dimension], edges) - 1, 0, BINS - 1)
        assert found[dimension, 0] == pytest.approx(mutual_info_score(binned, factor), abs=1e-9)


def test_scores_of_an_importance_matrix_by_hand() -> None:
    """Two codes, two factors: one pure code with 3/4 of the importance, one that serves both alike."""
    matrix = np.array([[1.5, 0.0], [0.25, 0.25]])
    assert disentangled(matrix) == pytest.approx(0.75)
    share = 1.5 / 1.75
    entropy = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
    assert completeness(matrix) == pytest.approx((1.75 * (1 - entropy) + 0.25 * 1) / 2)


def frames(count: int = 48) -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            (f"P{s}", f"P{s}-{e}-{t}", e, k)
            for s in range(4)
            for e in ("a", "b", "c")
            for t in range(2)
            for k in range(2)
        ],
        columns=["subject", "sequence", "expression", "position"],
    )
    return table.assign(frame_id=range(len(table)), yaw=random.uniform(-20, 20, len(table)), camera="one")


def test_factors_are_the_columns_that_vary() -> None:
    found = factors_of(frames())
    assert list(found) == ["expression", "subject", "yaw"]
    assert found["yaw"].max() == 9, "continuous factors are cut into ten groups"
    decided = frames().assign(width=pd.factorize(frames()["subject"])[0] * 1.5, au=frames()["expression"] == "a")
    assert list(factors_of(decided)) == ["expression", "subject", "yaw"], "what follows from these two is no factor"
    with pytest.raises(FerbenchError, match="vary in fewer than two"):
        factors_of(frames().assign(subject="P", yaw=1.0))


def test_halves_keep_sequences_whole_and_know_every_subject() -> None:
    table = frames()
    fit = halves(table["subject"].to_numpy(), table["sequence"].to_numpy())
    sides = table.assign(fit=fit).groupby("sequence")["fit"].nunique()
    assert (sides == 1).all()
    assert set(table.loc[fit, "subject"]) == set(table.loc[~fit, "subject"])
    assert abs(fit.mean() - 0.5) < 0.1


def test_blocks() -> None:
    """Expression in its block and identity in the other; swapped, the gaps turn."""
    table = frames()
    expression = np.eye(3)[pd.factorize(table["expression"])[0]]
    subject = np.eye(4)[pd.factorize(table["subject"])[0]]
    right = Outputs(table, ("a", "b", "c"), expression, expression, identity_features=subject)
    wrong = Outputs(table, ("a", "b", "c"), expression, subject, identity_features=expression)
    good, bad = disentanglement.evaluate(right), disentanglement.evaluate(wrong)
    assert good["mig_blocks"] > 0.3 > -0.3 > bad["mig_blocks"]
    assert good["sap_blocks"] > 0.1 > -0.1 > bad["sap_blocks"]
    assert good["dci_blocks"] > 0.6
    assert good["mig_expression"] < 0.1, "three dimensions share it, none is ahead"


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"shapes \(4, 2\), \(4,\); wanted are"):
        MIG().update(torch.zeros(4, 2), torch.zeros(4))
    metric = SAP()
    metric.update(torch.zeros(4, 2), torch.zeros(4, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="Factor 0 has the same level everywhere"):
        metric.compute()
    with pytest.raises(ValueError, match="part is 'all'; it can be disentanglement, completeness, informativeness"):
        DCI("all")


@pytest.mark.parametrize("count", [200, 1200])
@pytest.mark.parametrize("noise", [0, 7])
def test_dci_of_perfect_codes_and_of_noise(count: int, noise: int) -> None:
    """Factors of unequal numbers of levels, one dimension each, and dimensions of noise beside them."""
    random = np.random.default_rng(0)
    factors = {name: random.integers(0, levels, count) for name, levels in (("a", 6), ("b", 4), ("c", 2))}
    fit = np.arange(count) % 2 == 0
    codes = np.stack([codes * scale for codes, scale in zip(factors.values(), (1.0, 100.0, 0.01), strict=True)], 1)
    perfect = dci(np.concatenate([codes, random.normal(size=(count, noise))], 1), factors, fit)
    assert min(perfect["disentanglement"], perfect["completeness"], perfect["informativeness"]) > 0.985
    nothing = dci(random.normal(size=(count, 10)), factors, fit)
    assert max(nothing["disentanglement"], nothing["completeness"]) < 0.03


@pytest.mark.parametrize(("kind", "settings"), [(MIG, {}), (SAP, {}), (DCI, {"part": "disentanglement"})])
def test_the_order_of_frames_does_not_matter(kind: type, settings: dict[str, str]) -> None:
    random = torch.Generator().manual_seed(0)
    codes = GRID + 0.7 * torch.randn(GRID.shape, generator=random)
    order = torch.randperm(len(GRID), generator=random)
    values = []
    for rows in (torch.arange(len(GRID)), order):
        metric = kind(**settings)
        metric.update(codes[rows], GRID[rows])
        values.append(float(metric.compute()))
    assert values[0] == pytest.approx(values[1], abs=1e-6)


@pytest.mark.parametrize(
    ("measure", "name"),
    [(lambda f, v, h: mig(f, v), "MIG"), (sap, "SAP"), (dci, "DCI")],
)
def test_features_that_are_not_finite_are_a_sentence(measure: Callable[..., object], name: str) -> None:
    features = np.random.default_rng(0).normal(size=(40, 3))
    features[5, 1] = np.nan
    with pytest.raises(
        NotMeasurable, match=f"{name} cannot be measured: the features of 1 of 40 frames are NaN or infinite"
    ):
        measure(features, {"a": np.arange(40) % 2, "b": np.arange(40) % 3}, np.arange(40) < 20)
