"""MMI facial expression database.

Layout of the archives from the dataset's site: `Sessions/<n>/S001-001.avi` (or numbered images), `session.xml`, whose <track>
states the view of the camera (0 front, 1 side, 2 both in one picture), and `S001-001.xml` with <Metatag Name="Emotion"
Value="4"/>: 1 anger, 2 disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise. Sessions with other values or none show action units
or other emotions and are left out. `*-oao_aucs.xml` (action units) is not read. A sequence goes from neutral to the apex and
back. The position of the apex is not annotated; the literature uses the three frames in the middle. Each download is a folder of
its own, `mmi-facial-expression-database_download_DATE/Sessions` (three public loaders); all of them are read. The site also has
photographs: a session of one or two images is no sequence and is left out.

Sessions filmed by one camera are stored lying on the side, but for later ones of 640 x 480 pixels. Four public loaders turn those
from the front clockwise: all but the subjects S053 and S054 (two); those whose height is not 480 (one); those without action
units beside them (one). Two of them turn those from the side the other way. Here, a session is turned where its pictures are
wider than tall and not 480 high: what the pictures are decides, not what was downloaded with them, and a picture that somebody
has turned already is left.

In a picture of both views, the left or the right half is the front, depending on the subject; two public loaders agree on which,
one of them that of the published list (208 sequences of 31 subjects), which has 32 such sequences of seven subjects. For other
subjects these sessions are left out. The layout was checked against five public loaders; no copy was available.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ferbench import DatasetCard, FerbenchError, FrameError, UnknownName
from ferbench.errors import enumerate_first
from ferbench_labdata.base import FIRST, Sequence_, each_once
from ferbench_labdata.cards import unpublished
from ferbench_labdata.codes import CODES
from ferbench_labdata.files import FORMATS, IMAGES, VIDEOS, number_of, open_image, suffix_of, walk
from ferbench_labdata.layout import entries, subfolders, unnested, wrong_root
from ferbench_labdata.settings import MmiSettings
from ferbench_labdata.video import Videos, frame_sizes

EMOTIONS = CODES["mmi"]
NAME = re.compile(r"(S\d{3})-(\d{3})")
APEX = 3
"""Number of frames in the middle of a sequence that count as apex."""

FRONT_RIGHT = frozenset({"S001", "S002", "S017"})
FRONT_LEFT = frozenset({"S003", "S005", "S006", "S015", "S016"})
"""Subjects of pictures with both views, by the half that is the front."""

VIEWS = {"0": "front", "1": "side", "2": "both"}
TAKEN = {"front": ("front", "half"), "front_only": ("front",), "all": ("front", "side", "both")}
TURNS = {"front": -1, "side": 1}
"""Quarters of a turn, counter-clockwise, by which a view that is stored lying is turned."""

SESSION = "session.xml"

NAMELESS = "{count} labelled session{s} of MMI {hold} no video or image called S001-001: {items}."
SEVERAL = f"{{count}} labelled session{{s}} of MMI {{hold}} several videos: {{items}}. {FIRST}"
VIEWLESS = (
    f"{{count}} labelled session{{s}} of MMI {{have}} no {SESSION}, which says from where {{they}} {{were}} filmed: {{items}}. "
    "With dataset.allow_incomplete, {they} {are} read as filmed from the front."
)
FAULTS = (NAMELESS, SEVERAL, VIEWLESS)

STILLS = "{count} labelled session{s} of photographs {are} no sequence and {were} left out"
UNKNOWN_HALF = "{count} session{s} of both views {were} left out, as it is not known which half is the front"
ALONE = "{count} image{s} called by a session, without the number of a frame, {were} left out"

UPRIGHT = 480
"""Height of wide pictures that are not stored lying."""


class Mmi(Videos):
    """frame_id: 'S001/001/017'. The factor view is front, side, both, or half (the frontal half of both)."""

    name = "mmi"
    settings: MmiSettings

    def sequences(self) -> Iterable[Sequence_]:
        for name, options in (("views", tuple(TAKEN)), ("turn", ("auto", "never"))):
            if (value := getattr(self.settings, name)) not in options:
                raise UnknownName(f"value of dataset.{name}", value, options)
        folders = self._session_folders()
        self._faults: dict[str, list[str]] = {sentence: [] for sentence in FAULTS}
        self._left_out = Counter[str]()
        self._twice: list[str] = []
        self._numbers: list[Sequence_] = []
        sessions = [_session(path) for folder in folders for path in subfolders(folder)]
        if all(session.emotion is None for session in sessions):
            raise FerbenchError(
                f"No session in {enumerate_first(folders)} has an emotion. Expected were files like S001-001.xml with <Metatag "
                'Name="Emotion" .../>; MMI is distributed with them next to the videos.'
            )
        read = [sequence for session in sessions if (sequence := self._sequence(session)) is not None]
        for sentence, items in self._faults.items():
            self.refuse(items, sentence)
        self.refuse_twice(self._twice)
        self.say_gaps(self._numbers)
        if len(folders) > 1:
            self.copy.append(f"{len(folders)} downloads were read together")
        for what, count in self._left_out.items():
            self.say(count, what)
        videos = [sequence for sequence in read if _is_video(sequence)]
        images = [sequence for sequence in read if not _is_video(sequence)]
        found = sorted([*(self.counted(videos) if videos else []), *images], key=lambda s: s.name)
        self._lay_out(found)
        return found

    def _sequence(self, session: _Session) -> Sequence_ | None:
        """The sequence of a session; None if it is left out, as are those that show action units only."""
        if session.emotion is None or session.emotion not in EMOTIONS:
            return None
        if not session.has_view:
            self._faults[VIEWLESS].append(str(session.folder))
        if session.view == "side" and self.settings.views != "all":
            return None
        files = _videos(session.folder)
        images = [] if files else self._images(session.folder)
        match = NAME.search((files or images)[0][0]) if files or images else None
        if match is None:
            self._faults[NAMELESS].append(str(session.folder))
            return None
        name, subject, view = f"{match.group(1)}/{match.group(2)}", match.group(1), session.view
        if view == "both" and self.settings.views == "front":
            if subject not in FRONT_RIGHT | FRONT_LEFT:
                self._left_out[UNKNOWN_HALF] += 1
                return None
            view = "half"
        if view not in TAKEN[self.settings.views]:
            return None
        if len(files) > 1:
            self._faults[SEVERAL].append(f"{session.folder} ({', '.join(path.name for _, path in files)})")
        if files:
            return self.video(name, subject, EMOTIONS[session.emotion], files[0][1], {"view": view})
        if len(images) < APEX:
            self._left_out[STILLS] += 1
            return None
        frames = [(f"{i:03d}", path) for i, path in enumerate(self._numbered(name, images))]
        return Sequence_(name, subject, EMOTIONS[session.emotion], frames, {"view": view})

    def _images(self, session: Path) -> list[tuple[str, Path]]:
        """The images that are called by a session. Beside those with a number, one without is no frame."""
        named = [(relative, path) for relative, path in walk(session, IMAGES) if NAME.search(relative)]
        numbered = [(relative, path) for relative, path in named if not NAME.fullmatch(path.stem)]
        if numbered and len(numbered) < len(named):
            self._left_out[ALONE] += len(named) - len(numbered)
        return numbered or named

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card, whose counts are those of the views that the literature takes."""
        return card if self.settings.views == "front" else unpublished(card)

    def _numbered(self, name: str, files: list[tuple[str, Path]]) -> list[Path]:
        """The images of a sequence in order, each number once."""
        found = each_once(_by_number(files), self._twice)
        self._numbers.append(Sequence_(name, name, None, [(str(number), path) for number, path in found]))
        return [path for _, path in found]

    def _session_folders(self) -> list[Path]:
        """The folders called Sessions; the root itself if it holds sessions."""
        found = self.places("Sessions")
        if not found and any((session / SESSION).is_file() for session in subfolders(self.root)):
            found = [self.root]
        if not found:
            raise wrong_root(self.root, self.own_card, "no folder 'Sessions'")
        return found

    def _lay_out(self, found: list[Sequence_]) -> None:
        """Find out how the pictures of each file are turned and cut."""
        self._turns: dict[Path, int] = {}
        self._halves: dict[Path, str] = {}
        one_view = [s for s in found if s.factors["view"] in TURNS]
        videos = [s for s in one_view if _is_video(s)]
        sizes = (
            dict(zip((s.name for s in videos), frame_sizes(s.frames[0][1] for s in videos), strict=True))
            if videos
            else {}
        )
        lying = 0
        for sequence in one_view:
            width, height = sizes.get(sequence.name) or _image_size(sequence.frames[0][1])
            if width > height and height != UPRIGHT:
                lying += 1
                if self.settings.turn == "auto":
                    self._turns |= dict.fromkeys((p for _, p in sequence.frames), TURNS[sequence.factors["view"]])
        if lying:
            done = "were turned upright" if self._turns else "were left so (dataset.turn=never)"
            self.copy.append(f"{lying} of {len(found)} sequences are stored lying on the side and {done}")
        halves = [s for s in found if s.factors["view"] == "half"]
        for sequence in halves:
            side = "right" if sequence.subject in FRONT_RIGHT else "left"
            self._halves |= dict.fromkeys((p for _, p in sequence.frames), side)
        self.say(
            len(halves), "of {count} sequence{s} with both views in a picture, the half with the front was cut out"
        )

    def phases(self, count: int, sequence: Sequence_) -> list[str]:
        first = max(0, (count - APEX) // 2)
        inner = ["onset" if i < first else "apex" if i < first + APEX else "offset" for i in range(count)]
        return ["neutral", *inner[1:]] if count > APEX else inner

    def images(self, frame_ids: list[str]) -> list[np.ndarray | FrameError]:
        stills = {f for f in frame_ids if f in self._files and self._files[f].suffix.lower() in IMAGES}
        decoded = dict(zip(rest := [f for f in frame_ids if f not in stills], super().images(rest), strict=True))
        return [self._upright(f, self._still(f) if f in stills else decoded[f]) for f in frame_ids]

    def _still(self, frame_id: str) -> np.ndarray | FrameError:
        try:
            return np.asarray(open_image(self._files[frame_id], frame_id, as_stored=True))  # `_upright` turns it
        except FrameError as error:
            return error

    def _upright(self, frame_id: str, image: np.ndarray | FrameError) -> np.ndarray | FrameError:
        path = self._files[frame_id]
        if isinstance(image, FrameError):
            return image
        if path in self._turns:
            return np.ascontiguousarray(np.rot90(image, self._turns[path]))
        if path in self._halves:
            middle = image.shape[1] // 2
            return np.ascontiguousarray(image[:, middle:] if self._halves[path] == "right" else image[:, :middle])
        return image

    def fingerprint(self) -> str:
        changed = {s.name for s in self._sequences if s.frames[0][1] in self._turns or s.frames[0][1] in self._halves}
        whole = super().fingerprint()
        return hashlib.sha256(" ".join([whole, *sorted(changed)]).encode()).hexdigest()[:24] if changed else whole


def _image_size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # damaged, which is said when it is read
        return 0, 0


def _tag(element: ElementTree.Element) -> str:
    """The name of an element in lower case, without its namespace."""
    return element.tag.rpartition("}")[2].lower()


@dataclass(frozen=True)
class _Session:
    """A folder of one session, and what its metadata say.

    Attributes:
        emotion: its code; None if there is none.
        view: one of the values of VIEWS, or what is written where it is none of its keys.
        has_view: whether the file is there that says so.
    """

    folder: Path
    emotion: int | None
    view: str
    has_view: bool


def _session(folder: Path) -> _Session:
    if not (metadata := _metadata(folder)):
        metadata = _metadata(folder := unnested(folder))
    tags = list(_elements(metadata))
    written = (e.get("view") for e in tags if _tag(e) == "track" and e.get("view") is not None)
    view = next(written, "") or "0"
    has_view = any(path.name.lower() == SESSION for path in metadata)
    return _Session(folder, _emotion(tags, folder), VIEWS.get(view, view), has_view)


def _is_video(sequence: Sequence_) -> bool:
    return suffix_of(sequence.frames[0][1].name) in VIDEOS


def _videos(session: Path) -> list[tuple[str, Path]]:
    """The videos that are called by a session and no more, or else those with the name of one in theirs."""
    files = list(walk(session, VIDEOS))
    exact = [(relative, path) for relative, path in files if NAME.fullmatch(path.stem)]
    return exact or [(relative, path) for relative, path in files if NAME.search(relative)]


def _metadata(session: Path) -> list[Path]:
    """The files of the metadata of a session, session.xml first."""
    names = ((entry.name.lower(), Path(entry.path)) for entry in entries(session))
    found = [p for name, p in names if name.endswith(".xml") and not name.endswith("-oao_aucs.xml")]
    return sorted(found, key=lambda p: (p.name.lower() != SESSION, p.name))


def _elements(metadata: Iterable[Path]) -> Iterator[ElementTree.Element]:
    """All elements of files of metadata.

    Raises:
        FerbenchError: a file cannot be read as XML.
    """
    for path in metadata:
        try:
            yield from ElementTree.parse(path).getroot().iter()
        except (ElementTree.ParseError, LookupError, ValueError, OSError) as error:
            raise FerbenchError(f"{path} cannot be read as XML: {error}.") from error


def _emotion(elements: Iterable[ElementTree.Element], session: Path) -> int | None:
    """The emotion code in the metadata of a session; None if there is none."""
    for element in elements:
        if _tag(element) == "metatag" and (element.get("Name") or "").lower() == "emotion":
            text = element.get("Value") or ""
            if not text.strip():
                continue
            if (number := number_of(text)) is None:
                raise FerbenchError(
                    f"{session} has the emotion '{text}', which is not a number such as 4, in its metadata."
                )
            return number
    return None


def _by_number(files: list[tuple[str, Path]]) -> list[tuple[int, Path]]:
    """(last number in its name, file). Raises FerbenchError for a name without a number."""
    numbers = [re.findall(r"\d+", path.stem) for _, path in files]
    if strange := [str(path) for (_, path), found in zip(files, numbers, strict=True) if not found]:
        raise FerbenchError(f"{enumerate_first(strange)} has no number: frames of MMI are numbered.")
    return [(int(found[-1]), path) for (_, path), found in zip(files, numbers, strict=True)]
