"""Drawing of frames: groups of a subject's frames, and partners of frames. All of it is prepared by sorting once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ferbench.interfaces.sampling import Partner


class Groups:
    """The frames of each subject.

    Args:
        subject: (M,), int64, subject of each frame, from 0.
    """

    def __init__(self, subject: Tensor) -> None:
        self._order = torch.argsort(subject, stable=True)
        self.counts = torch.bincount(subject)
        self.counts = self.counts[self.counts > 0]
        self._starts = self.counts.cumsum(0) - self.counts

    def draw(self, subjects: Tensor, frames: int, generator: torch.Generator) -> Tensor:
        """Groups of frames, in random order: all frames of a subject come before any of them again.

        Args:
            subjects: (P,), int64, numbers of subjects that have frames, in [0, len(counts)).
            frames: in a group.

        Returns:
            (P * frames,), int64.
        """
        counts = self.counts[subjects]
        if int(counts.min()) >= frames and len(subjects.unique()) == len(subjects):
            places = self._distinct(counts, frames, generator)
        else:
            places = self._repeated(subjects, frames, generator)
        return self._order[(places + self._starts[subjects, None]).flatten()]

    def _distinct(self, counts: Tensor, frames: int, generator: torch.Generator) -> Tensor:
        """(P, frames), int64, different numbers below each of `counts`, by Floyd's algorithm (Bentley, Communications of the ACM
        1987) for all groups together."""
        uniform = torch.rand((2, len(counts), frames), generator=generator, dtype=torch.float64)
        found = torch.full((len(counts), frames), -1, dtype=torch.int64)
        for i in range(frames):
            last = counts - frames + i
            drawn = (uniform[0, :, i] * (last + 1)).long().clamp(max=last)
            found[:, i] = torch.where((found == drawn[:, None]).any(1), last, drawn)
        return found.gather(1, uniform[1].argsort(1))

    def _repeated(self, subjects: Tensor, frames: int, generator: torch.Generator) -> Tensor:
        """(P, frames), int64, the same where subjects come several times or have too few frames."""
        found = torch.empty((len(subjects), frames), dtype=torch.int64)
        for subject in subjects.unique().tolist():
            groups = (subjects == subject).nonzero()[:, 0]
            count, needed = int(self.counts[subject]), len(groups) * frames
            orders = [torch.randperm(count, generator=generator) for _ in range(-(-needed // count))]
            found[groups] = torch.cat(orders)[:needed].view(-1, frames)
        return found


class Partners:
    """A partner of each frame, by expression or subject.

    Frames are sorted by what the partner shares, then by what it does not: the frames that share the first are a block, and those
    among them that share the second too are a block within it. A partner is drawn from the outer block without the inner one;
    where nothing is left, from the inner one without the frame itself. A frame without an expression (-1) is a block of its own.

    Attributes:
        related: (M,), bool, whether a frame has a partner as asked for. alone: (M,), bool, whether it stands in for itself.
    """

    def __init__(self, kind: Partner, expression: Tensor, subject: Tensor) -> None:
        same, other = (expression, subject) if kind is Partner.EXPRESSION else (subject, expression)
        same = torch.where(expression < 0, int(same.max()) + 1 + torch.arange(len(same)), same)
        key = same * (int(other.max()) + 2) + other + 1
        self._order = torch.argsort(key, stable=True)
        self._place = torch.empty_like(self._order)
        self._place[self._order] = torch.arange(len(self._order))
        outer, inner = same[self._order], key[self._order]
        self._outer = self._blocks(outer)
        self._inner = self._blocks(inner)
        others = (self._outer[1] - self._outer[0]) - (self._inner[1] - self._inner[0])
        self.related = others > 0
        self.alone = ~self.related & (self._inner[1] - self._inner[0] == 1)

    def _blocks(self, sorted_key: Tensor) -> tuple[Tensor, Tensor]:
        """(first, after the last) place of the block of each frame, each (M,)."""
        key = sorted_key.contiguous()
        first, after = torch.searchsorted(key, key), torch.searchsorted(key, key, right=True)
        return first[self._place], after[self._place]

    def draw(self, frames: Tensor, uniform: Tensor) -> Tensor:
        """The partners of frames.

        Args:
            frames: (B,), int64.
            uniform: (B,), float64, random numbers in [0, 1).

        Returns:
            (B,), int64, frames.
        """
        first, after = (edge[frames] for edge in self._outer)
        low, high = (edge[frames] for edge in self._inner)
        own = self._place[frames]
        related = self.related[frames]
        # the block to draw from, and the part of it that is left out
        start = torch.where(related, first, low)
        count = torch.where(related, (after - first) - (high - low), (high - low) - 1)
        gap, width = torch.where(related, low, own), torch.where(related, high - low, 1)
        drawn = start + (uniform * count).long().clamp(max=(count - 1).clamp(min=0))
        drawn = torch.where(drawn >= gap, drawn + width, drawn)
        return self._order[torch.where(count > 0, drawn, own)]


def subjects_of_step(step: int, groups: int, subjects: int, order: Callable[[int, int], Tensor]) -> Tensor:
    """(groups,), the subjects of a batch: different ones, if there are enough; each of them equally often, to within one, if not.

    Args:
        order: (number of subjects, number of the order) -> a random permutation.
    """
    if groups > subjects:
        rounds = -(-groups // subjects)
        return torch.cat([order(subjects, step * rounds + i) for i in range(rounds)])[:groups]
    batches = subjects // groups  # of an order; what is left over waits for another order
    place = step % batches * groups
    return order(subjects, step // batches)[place : place + groups]
