"""Base class of datasets of micro-expressions: clips of a fraction of a second, with the numbers of their onset, apex and offset
frames.

A clip starts at its onset, whose frame is the subject's neutral face, and ends at its offset. The literature uses the apex
frame, or onset and apex. Where the apex is not coded, or lies outside of the clip, it is the frame in the middle, as public
loaders have it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ferbench import DatasetCard, FerbenchError, UnknownName
from ferbench.errors import enumerate_first
from ferbench_labdata.base import FIRST, LabDataset, Sequence_, each_once
from ferbench_labdata.files import IMAGES, walk
from ferbench_labdata.layout import HIGHEST, entries, plain, wrong_root
from ferbench_labdata.settings import LabSettings
from ferbench_labdata.spreadsheet import TABLES, records

Files = Sequence[tuple[int, Path]]
"""(number, file) of the frames of a clip."""

NUMBER = re.compile(r"(\d+)\D*$")
CROPPED = "reg_"
"""How the names of cropped, registered faces begin."""

KINDS = ("auto", "cropped", "raw")


@dataclass(frozen=True)
class Clip:
    """A clip as its dataset codes it.

    Attributes:
        name: unique among the subject's.
        label: the dataset's, as `ferbench.expressions.canonical` writes it.
        files: all frames that the copy has of it, by number.
        onset, apex, offset: numbers of frames; None where they are not coded.
        factors: values of further columns.
    """

    subject: str
    name: str
    label: str
    files: Files
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    factors: Mapping[str, object] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.subject}/{self.name}"

    def cut(self) -> Files:
        """The frames from onset to offset. An offset before the onset does not count: public loaders know of a wrong offset in each
        of the coding files."""
        onset = self.onset if self.onset is not None else self.files[0][0]
        last = self.files[-1][0]
        offset = self.offset if self.offset is not None and self.offset >= onset else last
        return [(number, path) for number, path in self.files if onset <= number <= offset]

    def spans(self, number: int) -> bool:
        """Whether a frame is one from onset to offset, as both are coded."""
        return self.onset is not None and self.offset is not None and self.onset <= number <= self.offset

    def has_ends(self, numbers: Sequence[int]) -> bool:
        """Whether `numbers` of frames begin at the onset and end at the offset, where these are coded."""
        right = self.onset is None or self.offset is None or self.onset <= self.offset
        return not right or (self.onset in (None, numbers[0]) and self.offset in (None, numbers[-1]))

    def coded_as(self, other: Clip) -> bool:
        """Whether another coding of the clip says the same."""
        mine = (self.label, self.onset, self.apex, self.offset)
        return mine == (other.label, other.onset, other.apex, other.offset)


class Copy:
    """The files below the root of a dataset: tables, and folders of images."""

    def __init__(self, dataset: MicroExpressions) -> None:
        self.dataset = dataset
        self.tables: list[Path] = []
        self.folders: dict[str, list[tuple[int, Path]]] = {}
        root = dataset.root
        for relative, path in walk(root, IMAGES | TABLES):
            if path.suffix.lower() in TABLES:
                self.tables.append(path)
            elif (number := NUMBER.search(path.stem)) is not None:
                folder = f"{root.name}/{relative.rpartition('/')[0]}".rstrip("/")
                self.folders.setdefault(folder, []).append((int(number.group(1)), path))

    def clips(self, pattern: re.Pattern[str]) -> Iterable[tuple[re.Match[str], Files]]:
        """The folders whose path ends in a match of `pattern`, with their images by number (`each_once`): cropped ones and whole
        ones apart."""
        found: list[tuple[re.Match[str], Files]] = []
        twice: list[str] = []
        for folder, files in self.folders.items():
            if (match := pattern.search(folder)) is None:
                continue
            for cropped in (True, False):
                of_kind = (item for item in files if _is_cropped(item[1]) == cropped)
                if numbered := each_once(of_kind, twice):
                    found.append((match, numbered))
        self.dataset.refuse_twice(twice)
        return found


def _is_cropped(path: Path) -> bool:
    return path.name.lower().startswith(CROPPED)


class MicroExpressions(LabDataset):
    """frame_id: 'sub01/EP02_01f/46': subject, clip, number of the frame."""

    def __init__(self, settings: LabSettings) -> None:
        self._apex: dict[str, int] = {}
        super().__init__(settings)

    def phases(self, count: int, sequence: Sequence_) -> list[str]:
        apex = self._apex[sequence.name]
        names = ["onset" if i < apex else "apex" if i == apex else "offset" for i in range(count)]
        if apex:  # else the first frame is the apex, and none is neutral
            names[0] = "neutral"
        return names

    def of_kind(self, clips: Iterable[Clip], images: str) -> list[Clip]:
        """Clips of cropped or of whole frames, as the setting dataset.images says."""
        if images not in KINDS:
            raise UnknownName("value of dataset.images", images, KINDS)
        cropped: list[Clip] = []
        raw: list[Clip] = []
        for clip in clips:
            (cropped if _is_cropped(clip.files[0][1]) else raw).append(clip)
        chosen = cropped if images == "cropped" or (images == "auto" and cropped) else raw
        if (cropped or raw) and not chosen:
            has = "whole frames only" if raw else "cropped faces only, with names like reg_img46.jpg"
            raise FerbenchError(
                f"{self.root} holds {has}: dataset.images={images} finds none. Leave dataset.images out, or name another folder."
            )
        if cropped and raw:
            read = "cropped" if chosen is cropped else "whole"
            self.copy.append(f"cropped and whole frames are there, and the {read} ones were read")
            self._say_left_out(chosen, raw if chosen is cropped else cropped, images == "auto")
        return chosen

    def _say_left_out(self, chosen: list[Clip], others: list[Clip], fault: bool) -> None:
        """Say which clips are there as images of the other kind only. That is a fault where nobody asked for one kind."""
        there = {clip.full_name for clip in chosen}
        lost = list(dict.fromkeys(clip.full_name for clip in others if clip.full_name not in there))
        if fault:
            self.refuse(
                lost,
                "{count} clip{s} {have} whole frames and no cropped ones: {items}. dataset.images=raw reads whole frames.",
            )
        else:
            names = enumerate_first(lost)
            self.say(
                len(lost), f"{{count}} clip{{s}} {{have}} images of the other kind only and {{were}} left out ({names})"
            )

    def own_classes(self) -> Mapping[str, str]:
        """For `of_classes`: the classes of the dataset's own card."""
        return dict(zip(self.own_card.expressions, self.own_card.expressions, strict=True))

    def of_classes(self, clips: Iterable[Clip], classes: Mapping[str, str], origin: str) -> list[Sequence_]:
        """The sequences of the clips whose label `classes` translates. The others are left out and counted.

        Args:
            origin: name of the dataset that the clips are of, for sentences.
        """
        kept = self._of_labels(clips, classes, origin)
        lost, peakless, found = [], [], []
        uncoded, outside, short = set[str](), set[str](), set[str]()
        for clip in kept:
            frames = clip.cut()
            if not frames:
                lost.append(f"{clip.full_name} ({clip.onset} to {clip.offset})")
                continue
            numbers = [number for number, _ in frames]
            apex = len(numbers) // 2
            if clip.apex in numbers:
                apex = numbers.index(clip.apex)
            elif clip.apex is None or clip.apex < 0:  # SAMM writes -1
                uncoded.add(clip.full_name)
            elif numbers[0] < clip.apex < numbers[-1] or clip.spans(clip.apex):
                peakless.append(f"{clip.full_name} (frame {clip.apex})")
                continue
            else:
                outside.add(clip.full_name)
            if not clip.has_ends(numbers):
                short.add(clip.full_name)
            self._apex.setdefault(clip.full_name, apex)
            files = [(str(number), path) for number, path in frames]
            found.append(Sequence_(clip.full_name, clip.subject, classes[clip.label], files, clip.factors))
        self.refuse(lost, f"{{count}} clip{{s}} of {origin} {{have}} no frames from onset to offset: {{items}}.")
        self.refuse(peakless, f"{{count}} clip{{s}} of {origin} {{lack}} the frame of the apex: {{items}}.")
        self.say_gaps(found)
        ends = enumerate_first(sorted(short), 3)
        self.say(len(short), f"{{count}} clip{{s}} of {origin} {{lack}} the frame of the onset or offset ({ends})")
        for names, why in ((uncoded, "is not coded"), (outside, "is coded outside of the clip")):
            self.say(len(names), f"the apex of {{count}} clip{{s}} of {origin} {why}, and is the frame in the middle")
        return found

    def _of_labels(self, clips: Iterable[Clip], classes: Mapping[str, str], origin: str) -> list[Clip]:
        """The clips whose label is in `classes`, without codings that contradict the first one of a clip."""
        left, unlike, kept = Counter[str](), [], []
        first: dict[str, Clip] = {}
        for clip in clips:
            if not first.setdefault(clip.full_name, clip).coded_as(clip):
                unlike.append(clip.full_name)
            elif clip.label in classes:
                kept.append(clip)
            else:
                left[clip.label or "none"] += first[clip.full_name] is clip
        self.refuse(
            list(dict.fromkeys(unlike)),
            f"{{count}} clip{{s}} of {origin} {{are}} coded twice, with other labels or frames: {{items}}. {FIRST}",
        )
        labels = ", ".join(f"{label} {count}" for label, count in sorted(left.items()))
        self.say(left.total(), f"{{count}} clip{{s}} of {origin} with other labels {{were}} left out ({labels})")
        return kept

    def without(self, card: DatasetCard, lacking: str) -> FerbenchError:
        """The error for a root without clips of a dataset."""
        return wrong_root(self.root, card, lacking)


def coded(
    dataset: MicroExpressions, copy: Copy, hint: str, example: str, columns: Mapping[str, str]
) -> list[Mapping[str, str]]:
    """The rows of a dataset's coding file.

    Args:
        hint: what its name contains, as `plain` writes it.
        example: such a name.
        columns: as of `records`.

    Raises:
        FerbenchError: there is none, or it cannot be read.
    """
    named = [path for path in copy.tables if hint in plain(path.name)]
    if not named:
        where = next((p for p in list(dataset.root.parents)[:HIGHEST] if _has_table(p, hint)), None)
        mend = "copy it into that folder, as it is or saved as .csv" if where is None else f"write dataset.root={where}"
        raise FerbenchError(
            f"{dataset.root} holds clips of {example.partition('-')[0].partition('_')[0]}, and not the file with their labels, "
            f"such as {example}. It comes with the dataset{'' if where is None else ' and is above that folder'}; {mend}."
        )
    saved = (
        [path for path in named if path.suffix.lower() == ".csv"]
        or [p for p in named if p.suffix.lower() == ".xlsx"]
        or named
    )
    newest = max(saved, key=lambda path: path.name)
    if len(saved) > 1:
        dataset.copy.append(f"{len(saved)} coding files are there, and {newest.name} was read")
    return records(newest, columns)


def _has_table(folder: Path, hint: str) -> bool:
    """Whether a folder holds a coding file."""
    try:
        return any(hint in plain(e.name) and Path(e.name).suffix.lower() in TABLES for e in entries(folder))
    except FerbenchError:  # it may not be listed
        return False
