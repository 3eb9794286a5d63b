"""ExpW: Expression in-the-Wild, faces in pictures from the web.

Layout: `label/label.lst` and `image/origin/angry_actor_104.jpg`; in some copies the list or the folder of images lies a level
higher. A line of the list is a face: name of the picture, number of the face in it, top, left, right and bottom of its box,
confidence of the detector, label. Labels are 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral. The list has
91,793 lines for 68,096 pictures; one public loader drops lines that are there twice. Faces are cut out of the pictures by their
boxes.

There are no identities and no split. The split here is by pictures: each belongs to a fifth by a hash of its name, and one
fifth is tested. So the faces of one picture are never on both sides; the same person in two pictures can be. Seen in nine
public loaders; no copy was available.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from ferbench import FerbenchError, FrameError, NoSuch
from ferbench_labdata.base import FIRST, LabDataset, Sequence_
from ferbench_labdata.codes import CODES as ALL_CODES
from ferbench_labdata.files import content_fingerprint, number_of, one_of_equal, open_image, read_text, stem_of
from ferbench_labdata.layout import called, entries, find, find_files, title, wrong_root
from ferbench_labdata.settings import ExpwSettings

CODES = ALL_CODES["fer2013"]
"""ExpW's numbers are FER2013's."""

LIST = "label.lst"
PICTURES = ("origin", "image", "images")
EXAMPLE = "angry_actor_104.jpg 0 28 113 226 141 22.9362 0"
PARTS = 5
Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


class ExpW(LabDataset):
    """frame_id: 'angry_actor_104/0/0': picture, and number of the face in it. The picture stands for the unknown subject."""

    name = "expw"
    rises = False
    settings: ExpwSettings

    def sequences(self) -> Iterable[Sequence_]:
        if not 0 <= self.settings.part < PARTS:
            raise FerbenchError(
                f"dataset.part is {self.settings.part}; it can be 0 to {PARTS - 1}: the fifth that is tested."
            )
        self._boxes: dict[str, Box] = {}
        path = self._list()
        images = self._images()
        there = {entry.name for entry in entries(images)}
        found: dict[str, Sequence_] = {}
        first: dict[str, str] = {}
        again, unlike, missing = 0, [], []
        for number, line in enumerate(read_text(path).splitlines(), 1):
            if not line.strip():
                continue
            picture, face, box, confidence, code = _parsed(line, path, number)
            stem = stem_of(picture).replace("/", ":")
            name = f"{stem}/{face}"
            if name in first:
                if line.split() == first[name].split():
                    again += 1
                else:
                    unlike.append(f"face {face} of {picture} (line {number})")
                continue
            first[name] = line
            if picture not in there:
                missing.append(picture)
                continue
            factors = {"split": "test" if part_of(stem) == self.settings.part else "train", "confidence": confidence}
            found[name] = Sequence_(name, stem, CODES[code], [("0", images / picture)], factors)
            self._boxes[f"{name}/0"] = box
        if missing and not found:
            raise wrong_root(self.root, self.own_card, f"none of the pictures of {LIST} in {images}")
        self.copy.append(f"{LIST}, and the pictures in the folder '{images.name}'")
        self.say(again, f"{{count}} line{{s}} of {LIST} {{are}} there twice, and {{were}} read once")
        self.refuse(
            unlike,
            f"{LIST} has {{count}} face{{s}} twice, with different boxes or labels: {{items}}. {FIRST}",
        )
        self.refuse(
            sorted(set(missing)),
            f"{{count}} picture{{s}} of {LIST} {{are}} missing in {images}: {{items}}. Unpack all parts of its archive.",
        )
        return found.values()

    def picture(self, frame_id: str, least: int) -> Image.Image:
        if frame_id not in self._files:
            raise NoSuch("frame", frame_id, self.name)
        whole = open_image(self._files[frame_id], frame_id, as_stored=True)  # never reduced: the box is in its pixels
        left, top, right, bottom = self._boxes[frame_id]
        box = max(left, 0), max(top, 0), min(right, whole.width), min(bottom, whole.height)
        if box[0] >= box[2] or box[1] >= box[3]:
            raise FrameError(
                f"The box of a face in {self._files[frame_id]} ({left} to {right}, {top} to {bottom}) lies outside of the picture, "
                f"which has {whole.width} x {whole.height} pixels",
                [frame_id],
            )
        return whole.crop(box)

    def fingerprint(self) -> str:
        labels = "".join(f"{s.name} {s.expression} {self._boxes[f'{s.name}/0']}\n" for s in self._sequences)
        return content_fingerprint(self._files.items(), extra=f"{self.name}\n{labels}", as_stored=True)

    def _list(self) -> Path:
        path = one_of_equal(find_files(self.root, LIST))
        if path is None:
            raise self._lacking(f"no file {LIST}, the list of faces with boxes and labels")
        return path

    def _lacking(self, what: str) -> FerbenchError:
        """The error for a folder that lacks the list or the pictures; they may lie beside it."""
        for above in list(self.root.absolute().parents)[:2]:
            if any((above / p / LIST).is_file() for p in ("", "label")) and find(above, called(*PICTURES), depth=2):
                return FerbenchError(f"{self.root} holds {what}. The folder is too low; write dataset.root={above}.")
        return wrong_root(self.root, self.own_card, what)

    def _images(self) -> Path:
        found = self.places(PICTURES[0]) or self.places(*PICTURES[1:])
        if not found:
            raise self._lacking("no folder 'origin' or 'image' with the pictures")
        if len(found) > 1:
            raise FerbenchError(
                f"{self.root} holds {len(found)} folders of pictures for {title(self.own_card)}: {found[0]}, {found[1]}. Name the "
                "folder above one of them as dataset.root."
            )
        return found[0]


def part_of(stem: str) -> int:
    """The fifth that a picture belongs to, 0 to 4.

    >>> part_of("angry_actor_104") == part_of("angry_actor_104"), 0 <= part_of("happy_asian_3") < 5
    (True, True)
    """
    return int(hashlib.sha256(stem.encode()).hexdigest(), 16) % PARTS


def _parsed(line: str, path: Path, number: int) -> tuple[str, str, Box, float, int]:
    """Picture, number of the face, box, confidence and label of a line."""
    parts = line.rsplit(None, 7)  # names may have blanks
    try:
        top, left, right, bottom = (round(float(value)) for value in parts[2:6])
        face, confidence, code = int(parts[1]), float(parts[6]), number_of(parts[7])
        if code is None or code not in CODES:
            raise ValueError(code)
    except (ValueError, OverflowError, IndexError) as error:
        raise FerbenchError(
            f"{path}, line {number}, is '{line.strip()[:80]}'; lines are like '{EXAMPLE}': picture, number of the face, top, left, "
            "right and bottom of its box, confidence, and a label from 0 to 6."
        ) from error
    return parts[0].strip(), str(face), (left, top, right, bottom), confidence, code
