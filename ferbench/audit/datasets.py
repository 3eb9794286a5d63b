"""A copy of a dataset against what is published of it: what is there, missing, surplus or damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ferbench.config.schema import RunConfig
from ferbench.data.cache import CHUNK
from ferbench.data.counts import Count, counts
from ferbench.data.frames import needed_frames
from ferbench.data.images import read_images
from ferbench.data.load import Data, load_data
from ferbench.data.loaded import load_dataset
from ferbench.errors import FerbenchError, FrameError
from ferbench.interfaces.dataset import Dataset, ReportsIrregularities, StatesCopy
from ferbench.registry.loader import Registry


@dataclass(frozen=True)
class Inventory:
    """What a copy holds.

    Attributes:
        counts: of subjects, sequences and classes.
        source: of the published counts.
        missing: subject and expression of each sequence that a complete dataset would have.
        passed_over: sentences about files that are not as they should be.
        damaged: frames that count and cannot be read, with the reason.
        blank: frames that count and are of one colour.
        copy: which of the known copies it is, and facts about it that are no faults.
        read: how many frames were read.
        neutral: whether there are neutral faces among them.
        protocol: the literature's protocol, and what comes of it here.
        runnable: whether it can be run.
    """

    counts: Sequence[Count]
    source: str = ""
    missing: Sequence[str] = ()
    passed_over: Sequence[str] = ()
    damaged: Mapping[str, str] = field(default_factory=dict)
    blank: Sequence[str] = ()
    copy: str = ""
    read: int = 0
    neutral: bool = False
    protocol: str = ""
    runnable: bool = True

    @property
    def as_published(self) -> bool:
        same = all(count.published in (None, count.here) for count in self.counts)
        return same and not (self.missing or self.passed_over or self.damaged or self.blank) and self.runnable


def take(
    registry: Registry, config: RunConfig, progress: Callable[[int, int], None] = lambda done, total: None
) -> Inventory:
    """Count, compare and read all frames that count under the dataset's own protocol.

    Raises:
        FerbenchError: the dataset cannot be read at all.
    """
    from ferbench.protocols.select import select

    problem = ""
    try:
        data: Data | None = load_data(registry, config)
        assert data is not None
        card, dataset, frames = data.card, data.dataset, data.frames
    except FerbenchError as error:  # too few subjects for the folds, perhaps: the copy can be counted all the same
        problem = str(error)
        data = None
        loaded = load_dataset(registry, config.dataset)
        card, dataset, frames = loaded.card, loaded.dataset, loaded.frames
    selected = select(frames, card, "auto")
    published = card.published
    sequences = selected.drop_duplicates("sequence")
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
    damaged, blank = unreadable(dataset, wanted, progress)
    return Inventory(
        counts=counts(card, selected),
        source=published.source if published else "",
        missing=missing,
        passed_over=tuple(dataset.irregularities()) if isinstance(dataset, ReportsIrregularities) else (),
        damaged=damaged,
        blank=blank,
        copy=dataset.which_copy() if isinstance(dataset, StatesCopy) else "",
        read=len(wanted),
        neutral=bool((frames.loc[frames["frame_id"].isin(wanted), "phase"] == "neutral").any()),
        protocol=protocol,
        runnable=data is not None,
    )


def unreadable(
    dataset: Dataset, frame_ids: Sequence[str], progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[dict[str, str], list[str]]:
    """The frames that cannot be read, with the reason, and those of one colour."""
    bad: dict[str, str] = {}
    blank: list[str] = []
    for start in range(0, len(frame_ids), CHUNK):
        chunk = frame_ids[start : start + CHUNK]
        for frame, result in zip(chunk, read_images(dataset, chunk), strict=True):
            if isinstance(result, FrameError):
                bad[frame] = str(result)
            elif result.min() == result.max():
                blank.append(frame)
        progress(start + len(chunk), len(frame_ids))
    return bad, blank
