"""A copy of a dataset against what is published of it: what is there, missing, surplus or damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ferbench.config.schema import RunConfig
from ferbench.data.cache import CHUNK
from ferbench.data.frames import needed_frames
from ferbench.data.images import frame_errors
from ferbench.data.load import Data, load_data, load_dataset
from ferbench.errors import FerbenchError, FrameError
from ferbench.interfaces.dataset import BatchImages, Dataset, ReportsIrregularities
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Inventory:
    """What a copy holds.

    Attributes:
        counts: (what, here, published), published None where it is not known.
        source: of the published counts.
        missing: subject and expression of each sequence that a complete dataset would have.
        passed_over: sentences about files that are not as they should be.
        damaged: frames that count and cannot be read, with the reason.
        read: how many frames were read.
        protocol: the literature's protocol, and what comes of it here.
        runnable: whether it can be run.
    """

    counts: Sequence[tuple[str, int, int | None]]
    source: str = ""
    missing: Sequence[str] = ()
    passed_over: Sequence[str] = ()
    damaged: dict[str, str] = field(default_factory=dict)
    read: int = 0
    protocol: str = ""
    runnable: bool = True

    @property
    def as_published(self) -> bool:
        same = all(published is None or here == published for _, here, published in self.counts)
        return same and not (self.missing or self.passed_over or self.damaged) and self.runnable


def take(
    registry: Registry, config: RunConfig, progress: Callable[[int, int], None] = lambda done, total: None
) -> Inventory:
    """Count, compare and read all frames that count under the dataset's own protocol.

    Raises:
        FerbenchError: the dataset cannot be read at all.
    """
    from ferbench.interfaces.dataset import check_frames
    from ferbench.protocols.select import select

    problem = ""
    try:
        data: Data | None = load_data(registry, config)
        assert data is not None
        card, dataset, frames = data.card, data.dataset, data.frames
    except FerbenchError as error:  # too few subjects for the folds, perhaps: the copy can be counted all the same
        problem = str(error)
        data = None
        card, dataset = load_dataset(registry, config.dataset)
        frames = check_frames(dataset.frames(), card)
    selected = select(frames, card, "auto")
    published = card.published
    sequences = selected.drop_duplicates("sequence")
    by_expression = sequences["expression"].value_counts()
    counts: list[tuple[str, int, int | None]] = []
    if "subject" in card.provides:
        counts.append(("subjects", selected["subject"].nunique(), published.subjects or None if published else None))
    counts.append(("sequences", len(sequences), published.sequences or None if published else None))
    for expression in card.expressions:
        expected = published.by_expression.get(expression) if published else None
        counts.append((expression, int(by_expression.get(expression, 0)), expected))
    missing = []
    if published is not None and published.complete:
        shown = set(zip(sequences["subject"], sequences["expression"], strict=True))
        missing = [
            f"{subject} {expression}"
            for subject in sorted(set(sequences["subject"]))
            for expression in card.expressions
            if (subject, expression) not in shown
        ]
    wanted = needed_frames(frames, selected)
    protocol = f"{card.protocol}, frames {card.frames}"
    if data is None:
        protocol += f" cannot be run: {problem}"
    else:
        protocol += f": {len(data.folds)} fold{'s' * (len(data.folds) != 1)}, {len(data.selected)} frames"
    return Inventory(
        counts=counts,
        source=published.source if published else "",
        missing=missing,
        passed_over=tuple(dataset.irregularities()) if isinstance(dataset, ReportsIrregularities) else (),
        damaged=unreadable(dataset, wanted, progress),
        read=len(wanted),
        protocol=protocol,
        runnable=data is not None,
    )


def unreadable(
    dataset: Dataset, frame_ids: Sequence[str], progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, str]:
    """The frames that cannot be read, with the reason."""

    def one(frame: str) -> FrameError | None:
        try:
            with frame_errors(frame):
                dataset.image(frame)
        except FrameError as error:
            return error
        return None

    bad: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(frame_ids), CHUNK):
            chunk = list(frame_ids[start : start + CHUNK])
            read = dataset.images(chunk) if isinstance(dataset, BatchImages) else pool.map(one, chunk)
            bad |= {f: str(result) for f, result in zip(chunk, read, strict=True) if isinstance(result, FrameError)}
            progress(start + len(chunk), len(frame_ids))
    return bad
