"""Multinomial logistic regressions, many at once: what the linear probes consist of.

Each minimises  mean over frames of -log P(label | frame) + penalty / (2 C N) * |W|^2,  the objective of scikit-learn's
LogisticRegression: intercepts are not penalised, and the penalty is 1, or 2 for two classes (where scikit-learn fits one vector w,
which are two of w/2 and -w/2 here). The solver is L-BFGS for all problems in step, in its form without vectors: directions are
combinations of the last steps and gradients, whose coefficients follow from their inner products (W. Chen, Z. Wang and J. Zhou,
"Large-scale L-BFGS using MapReduce", NeurIPS 2014). Problems that have converged leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

TOLERANCE = 3e-6
"""A problem has converged where no entry of its gradient is larger."""
CONSTANT = 0.25
"""Intercepts are weights of a feature of this value times the square root of D. They are not penalised, so that the value changes
no result; with 1, where the D features vary by 1, they are the last to settle, after twice as many steps."""
ITERATIONS = 300
HISTORY = 8
"""Steps that a direction is made of."""
ENTRIES = 2**26
"""Logits of problems that are solved together, at most: 256 MiB in float32."""
SMALL = 2**22
"""Multiplications for the logits of a problem below which a CPU spends its time between products, not in them."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Regressions on the same frames that differ in the strength of their penalty.

    Attributes:
        features: (N, D), float. labels: (N,), int, at least two different.
        strengths: (P,), the values of C.
    """

    features: Tensor
    labels: Tensor
    strengths: Tensor


@dataclass(frozen=True, eq=False)
class Planes:
    """The fits of a problem.

    Attributes:
        weights: (P, D + 1, K), the last row intercepts. classes: (K,), the labels that the problem has.
    """

    weights: Tensor
    classes: Tensor

    def predict(self, features: Tensor) -> Tensor:
        """The label that each of the P fits gives to features (M, D): (P, M)."""
        logits = torch.matmul(features, self.weights[:, :-1]) + self.weights[:, -1:]
        return self.classes[logits.argmax(dim=2)]


def solve(problems: Sequence[Problem], together: bool | None = None) -> list[Planes]:
    """Fit all problems.

    Args:
        problems: with features of one width, on one device.
        together: as many at a time as memory allows, filled up to the longest. By default on a GPU, and on a CPU where they are
            small, so that one product of matrices costs as much as many; else one after another, with all strengths at once.

    >>> frames, labels = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]), torch.tensor([3, 3, 5, 5])
    >>> solve([Problem(frames, labels, torch.tensor([0.1, 1.0]))])[0].predict(torch.tensor([[-3.0], [3.0]])).tolist()
    [[3, 5], [3, 5]]
    """
    chunks, before = _chunks(problems, together), torch.get_num_threads()
    threads = 1 if not problems or problems[0].features.is_cuda else min(before, len(chunks))
    if threads == 1:
        return list(chain.from_iterable(map(_solved, chunks)))
    try:  # a thread for each of several small problems is worth more than several threads for one
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(chain.from_iterable(pool.map(_solved, chunks)))
    finally:
        torch.set_num_threads(before)


def _solved(chunk: Sequence[Problem]) -> list[Planes]:
    """The planes of problems that are solved as one."""
    found = []
    classes, labels = zip(*(problem.labels.unique(return_inverse=True) for problem in chunk), strict=True)
    known = pad_sequence([torch.ones_like(names, dtype=torch.bool) for names in classes], batch_first=True)
    basis, first = _coordinates(chunk[0].features) if len(chunk) == 1 else (None, chunk[0].features)
    weights = _minimise(
        pad_sequence([first, *(problem.features for problem in chunk[1:])], batch_first=True),
        pad_sequence(list(labels), batch_first=True, padding_value=-1),
        torch.stack([problem.strengths for problem in chunk]),
        known,
        CONSTANT * chunk[0].features.shape[1] ** 0.5,
    )
    for each, names in zip(weights, classes, strict=True):
        planes = each[..., : len(names)]
        if basis is not None:
            planes = torch.cat([basis @ planes[:, : basis.shape[1]], planes[:, -1:]], dim=1)
        found.append(Planes(planes, names))
    return found


def _coordinates(features: Tensor) -> tuple[Tensor | None, Tensor]:
    """Of N frames with more than N features: an orthonormal basis (D, N) of the space that they span, in which the planes lie, and
    the frames in it (N, N). Else None, and the features as they are."""
    if features.shape[0] >= features.shape[1]:
        return None, features
    basis, triangle = torch.linalg.qr(features.T)
    return basis, triangle.T


def _chunks(problems: Sequence[Problem], together: bool | None) -> list[Sequence[Problem]]:
    if not problems:
        return []
    largest = max(p.features.shape[0] * len(p.strengths) * len(p.labels.unique()) for p in problems)
    if together is None:
        together = problems[0].features.is_cuda or largest * problems[0].features.shape[1] < SMALL
    size = max(1, ENTRIES // largest) if together else 1
    return [problems[start : start + size] for start in range(0, len(problems), size)]


def _minimise(features: Tensor, labels: Tensor, strengths: Tensor, known: Tensor, constant: float) -> Tensor:
    """(G, P, D + 1, K): the weights of G problems, the last row intercepts.

    Args:
        features: (G, N, D). labels: (G, N), int, -1 for rows that only fill up. strengths: (G, P). known: (G, K), bool, the classes
            that a problem has. constant: what intercepts are weights of.
    """
    groups, _, width = features.shape
    per_group, classes = strengths.shape[1], known.shape[1]
    counts = (labels >= 0).sum(1)
    penalty = torch.where(known.sum(1) == 2, 2.0, 1.0)[:, None] / (strengths * counts[:, None])
    objective = _Objective(features, labels, known, constant)
    weights = features.new_zeros(groups, per_group, width + 1, classes)
    result = weights.clone()
    group = torch.arange(groups, device=features.device)
    column = torch.arange(per_group, device=features.device)
    value, gradient = objective(weights, penalty)
    memory = _Memory(gradient)
    for _ in range(ITERATIONS):
        active = gradient.abs().amax(dim=(2, 3)) > TOLERANCE
        rows, columns = active.any(1).nonzero()[:, 0], active.any(0).nonzero()[:, 0]
        if len(rows) < len(group) or len(columns) < len(column):
            result[group[:, None], column] = weights
            if not len(rows):
                break
            pick = (rows[:, None], columns)
            group, column = group[rows], column[columns]
            weights, gradient, value, penalty = weights[pick], gradient[pick], value[pick], penalty[pick]
            active = active[pick]
            memory.keep(pick)
            objective = objective.of(rows)
        direction = memory.direction()
        slope = (gradient * direction).sum(dim=(2, 3))
        length = active.to(value.dtype)
        while True:
            step = length[..., None, None] * direction
            moved, slipped = objective(weights + step, penalty)
            # The third term is what float32 cannot tell apart.
            worse = moved > value + 1e-4 * length * slope + 1e-6 * value.abs()
            if not worse.any() or float(length[worse].max()) < 1e-4:
                break
            length = torch.where(worse, length * 0.4, length)
        memory.add(step, slipped - gradient, slipped)
        weights, value, gradient = weights + step, moved, slipped
    else:
        result[group[:, None], column] = weights
    result[:, :, -1] *= constant
    return result


class _Objective:
    """Values (G, P) and gradients (G, P, D + 1, K) of weights (G, P, D + 1, K)."""

    def __init__(self, features: Tensor, labels: Tensor, known: Tensor, constant: float) -> None:
        self.features, self.labels, self.known, self.constant = features, labels, known, constant
        valid = labels >= 0
        self.share = valid.to(features.dtype) / valid.sum(1, keepdim=True)
        one_hot = F.one_hot(labels.clamp_min(0), known.shape[1]).to(features.dtype)
        self.target = (one_hot * self.share[..., None])[:, :, None]
        self.full = bool(known.all())

    def of(self, rows: Tensor) -> _Objective:
        """The same of some of the groups."""
        if len(rows) == len(self.labels):
            return self
        return _Objective(self.features[rows], self.labels[rows], self.known[rows], self.constant)

    def __call__(self, weights: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
        groups, per_group, width, classes = weights.shape
        flat = weights.permute(0, 2, 1, 3).reshape(groups, width, per_group * classes)
        logits = torch.baddbmm(self.constant * flat[:, -1:], self.features, flat[:, :-1]).view(
            groups, -1, per_group, classes
        )
        if not self.full:
            logits.masked_fill_(~self.known[:, None, None], -torch.inf)
        logits -= logits.amax(dim=3, keepdim=True)
        own = (logits * self.target).nan_to_num_(0.0).sum(dim=(1, 3))
        exponentials = logits.exp_()
        total = exponentials.sum(dim=3)
        value = (total.log() * self.share[..., None]).sum(1) - own
        wrong = exponentials.mul_((self.share[..., None] / total)[..., None]).sub_(self.target)
        wrong = wrong.view(groups, -1, per_group * classes)
        slopes = torch.cat(
            [torch.bmm(self.features.transpose(1, 2), wrong), self.constant * wrong.sum(1, keepdim=True)], dim=1
        )
        gradient = slopes.view(groups, width, per_group, classes).permute(0, 2, 1, 3).contiguous()
        planes = weights[:, :, :-1]
        gradient[:, :, :-1].addcmul_(planes, penalty[..., None, None].expand_as(planes))
        return value + 0.5 * penalty * planes.square().sum(dim=(2, 3)), gradient


class _Memory:
    """The last steps s and differences of gradients y, the present gradient g, and their inner products."""

    def __init__(self, gradient: Tensor) -> None:
        self.shape = gradient.shape[2:]
        self.vectors = gradient.new_zeros(*gradient.shape[:2], 2 * HISTORY + 1, self.shape.numel())
        self.products = gradient.new_zeros(*gradient.shape[:2], 2 * HISTORY + 1, 2 * HISTORY + 1)
        self.order: list[int] = []
        self._put([2 * HISTORY], [gradient])

    def _put(self, slots: list[int], values: list[Tensor]) -> None:
        where = torch.tensor(slots, device=self.vectors.device)
        new = torch.stack([value.flatten(2) for value in values], dim=2)
        self.vectors.index_copy_(2, where, new)
        found = self.vectors @ new.transpose(2, 3)
        self.products.index_copy_(3, where, found)
        self.products.index_copy_(2, where, found.transpose(2, 3))

    def keep(self, pick: tuple[Tensor, Tensor]) -> None:
        self.vectors, self.products = self.vectors[pick], self.products[pick]

    def add(self, step: Tensor, difference: Tensor, gradient: Tensor) -> None:
        slot = self.order.pop(0) if len(self.order) == HISTORY else len(self.order)
        self.order.append(slot)
        self._put([slot, HISTORY + slot, 2 * HISTORY], [step, difference, gradient])

    def direction(self) -> Tensor:
        """Minus the inverse Hessian, as far as it is known, times the gradient: theorem 2.2 of R. Byrd, J. Nocedal and R. Schnabel,
        "Representations of quasi-Newton matrices", Mathematical Programming 63 (1994). Pairs without curvature (of a problem that
        did not move) do not count."""
        products, last = self.products, 2 * HISTORY
        factors = torch.zeros_like(products[..., 0])
        if not self.order:
            factors[..., last] = products[..., last, last].rsqrt()
        else:
            s = torch.tensor(self.order, device=products.device)
            y = s + HISTORY
            curvature = products[..., s, y]
            moved = curvature > 0
            both = moved[..., :, None] & moved[..., None, :]
            crossed = torch.where(both, products[..., s[:, None], y], 0).triu()
            crossed += torch.diag_embed((~moved).to(products.dtype))
            newest = products[..., y[-1], y[-1]]
            scale = torch.where(moved[..., -1], curvature[..., -1] / newest, 1)[..., None]
            towards = torch.where(moved, products[..., s, last], 0)[..., None]
            of_y = torch.linalg.solve_triangular(crossed, towards, upper=True)
            bent = torch.where(both, products[..., y[:, None], y], 0) @ of_y
            rest = curvature.where(moved, 0)[..., None] * of_y + scale[..., None] * (
                bent - torch.where(moved, products[..., y, last], 0)[..., None]
            )
            of_s = torch.linalg.solve_triangular(crossed.transpose(-1, -2), rest, upper=False)
            factors[..., s] = of_s[..., 0]
            factors[..., y] = -scale * of_y[..., 0]
            factors[..., last] = scale[..., 0]
        return -(factors[:, :, None] @ self.vectors).view(*factors.shape[:2], *self.shape)
