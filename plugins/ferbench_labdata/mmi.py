"""MMI facial expression database.

Layout of the archives from the dataset's site: `Sessions/<n>/S001-001.avi` (or images), `session.xml`, whose <track> states the
view of the camera (0 front, 1 side, 2 both in one picture), and `S001-001.xml` with <Metatag Name="Emotion" Value="4"/>:
1 anger, 2 disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise. Sessions with other values or none show action units or other
emotions and are left out. `*-oao_aucs.xml` (action units) is not read. A sequence goes from neutral to the apex and back. The
position of the apex is not annotated; the literature uses the three frames in the middle. The layout was checked against
three public loaders; no copy was available.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ferbench import FerbenchError, FrameError, UnknownName
from ferbench.errors import enumerate_first
from ferbench_labdata.base import Sequence_
from ferbench_labdata.cards import BASIC
from ferbench_labdata.files import IMAGES, VIDEOS, child, open_image, subfolders, walk, wrong_root
from ferbench_labdata.settings import MmiSettings
from ferbench_labdata.video import Videos

CODES = dict(enumerate(BASIC, 1))
NAME = re.compile(r"(S\d{3})-(\d{3})")
APEX = 3
"""Number of frames in the middle of a sequence that count as apex."""


class Mmi(Videos):
    """frame_id: 'S001/001/017'."""

    name = "mmi"
    settings: MmiSettings

    def sequences(self) -> Iterable[Sequence_]:
        if self.settings.views not in ("front", "all"):
            raise UnknownName("value of dataset.views", self.settings.views, ("front", "all"))
        folder = child(self.root, "Sessions")
        if folder is None:
            raise wrong_root(self.root, "folder 'Sessions'")
        videos, images, nameless = [], [], []
        labels = 0
        for session in subfolders(folder):
            tags = list(_elements(session))
            emotion = _emotion(tags)
            labels += emotion is not None
            view = next((e.get("view") for e in tags if _tag(e) == "track" and e.get("view") is not None), "0")
            if emotion not in CODES or (self.settings.views == "front" and view != "0"):
                continue
            files = list(walk(session, VIDEOS)) or list(walk(session, IMAGES))
            match = next((m for relative, _ in files if (m := NAME.search(relative))), None)
            if match is None:
                nameless.append(str(session))
                continue
            name, subject = f"{match.group(1)}/{match.group(2)}", match.group(1)
            factors = {"view": {"0": "front", "1": "side", "2": "both"}.get(view or "0", view)}
            if files[0][1].suffix.lower() in VIDEOS:
                videos.append(self.video(name, subject, CODES[emotion], files[0][1], factors))
            else:
                frames = [(f"{i:03d}", path) for i, (_, path) in enumerate(_by_number(files))]
                images.append(Sequence_(name, subject, CODES[emotion], frames, factors))
        if not labels:
            raise FerbenchError(
                f'No session in {folder} has an emotion. Expected were files like S001-001.xml with <Metatag Name="Emotion" .../>; '
                "MMI is distributed with them next to the videos."
            )
        self.refuse(nameless, "{count} labelled sessions of MMI hold no video or image called S001-001: {items}.")
        return sorted([*(self.counted(videos) if videos else []), *images], key=lambda s: s.name)

    def phases(self, count: int, sequence: Sequence_) -> list[str]:
        first = max(0, (count - APEX) // 2)
        inner = ["onset" if i < first else "apex" if i < first + APEX else "offset" for i in range(count)]
        return ["neutral", *inner[1:]] if count > APEX else inner

    def images(self, frame_ids: list[str]) -> list[np.ndarray | FrameError]:
        stills = {f for f in frame_ids if f in self._files and self._files[f].suffix.lower() in IMAGES}
        decoded = dict(zip(rest := [f for f in frame_ids if f not in stills], super().images(rest), strict=True))
        return [self._still(f) if f in stills else decoded[f] for f in frame_ids]

    def _still(self, frame_id: str) -> np.ndarray | FrameError:
        try:
            return np.asarray(open_image(self._files[frame_id], frame_id))
        except FrameError as error:
            return error


def _tag(element: ElementTree.Element) -> str:
    """The name of an element in lower case, without its namespace."""
    return element.tag.rpartition("}")[2].lower()


def _elements(session: Path) -> Iterator[ElementTree.Element]:
    """All elements of the metadata of a session, those of session.xml first.

    Raises:
        FerbenchError: a file cannot be read as XML.
    """
    paths = sorted(session.glob("*.xml"), key=lambda p: (p.name.lower() != "session.xml", p.name))
    for path in paths:
        if path.name.startswith(".") or path.name.endswith("-oao_aucs.xml"):
            continue
        try:
            yield from ElementTree.parse(path).getroot().iter()
        except (ElementTree.ParseError, OSError) as error:
            raise FerbenchError(f"{path} cannot be read as XML: {error}.") from error


def _emotion(elements: Iterable[ElementTree.Element]) -> int | None:
    """The emotion code in the metadata of a session; None if there is none."""
    for element in elements:
        if _tag(element) == "metatag" and (element.get("Name") or "").lower() == "emotion":
            text = element.get("Value") or ""
            if not text.strip().lstrip("-").isdigit():
                raise FerbenchError(
                    f"A session of MMI has the emotion '{text}', which is not a number (valid are 1 to 6)."
                )
            return int(text)
    return None


def _by_number(files: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Sort files by the last number in their names. Raises FerbenchError for a name without a number."""
    numbers = [re.findall(r"\d+", path.stem) for _, path in files]
    if strange := [str(path) for (_, path), found in zip(files, numbers, strict=True) if not found]:
        raise FerbenchError(f"{enumerate_first(strange)} has no number: frames of MMI are numbered.")
    return [
        item for _, item in sorted(zip([int(n[-1]) for n in numbers], files, strict=True), key=lambda pair: pair[0])
    ]
