"""MIG, SAP and DCI on codes whose answer is known, and against scikit-learn's mutual information."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import mutual_info_score

from ferbench.errors import FerbenchError
from ferbench.evaluation.evaluators import disentanglement
from ferbench.evaluation.measures.dci import completeness
from ferbench.evaluation.measures.dci import disentanglement as disentangled
from ferbench.evaluation.measures.factors import BINS, factors_of, halves, mutual_information
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
