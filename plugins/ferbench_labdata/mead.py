"""MEAD: the Multi-view Emotional Audio-visual Dataset, actors who speak with eight emotions at three levels.

Layout: `M003/video/front/angry/level_1/001.mp4`: actor (M or W and a number), view, emotion, level, number of the sentence. The
views are front, down, top, left_30, left_60, right_30, right_60. Emotions are angry, contempt, disgusted, fear, happy, neutral,
sad, surprised; neutral has level 1 only. There is one archive `video.tar` for each actor; unpacked, some hold a further folder
(`video/1`, `video/2`). The paper has 60 actors, of which 48 are public ("part 0"). Known gaps: the distribution holds W017 from
one view only, and of M011 and M019 not all emotions and views. The literature does not agree on frames; our choice is the three
in the middle, and a frame of a neutral clip as the actor's neutral face. The layout was seen in six public programs and in
issues of the authors' repository; no copy was available.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ferbench import FerbenchError
from ferbench.errors import enumerate_first
from ferbench.expressions import canonical
from ferbench_labdata.base import Sequence_
from ferbench_labdata.files import VIDEOS, one_of, walk
from ferbench_labdata.layout import wrong_root
from ferbench_labdata.settings import MeadSettings
from ferbench_labdata.video import Videos

VIEWS = ("front", "down", "top", "left_30", "left_60", "right_30", "right_60")
LEVELS = ("1", "2", "3")
PATH = re.compile(
    rf"(?:.*/)?([MW]\d{{3}})/(?:.*/)?({'|'.join(VIEWS)})/([^/]+)/level_([123])/(\d+)\.[^/.]+", re.IGNORECASE
)
ACTOR = re.compile(r"(?:.*/)?([MW]\d{3})/.*", re.IGNORECASE)
ARCHIVE = ".tar"


class Mead(Videos):
    """frame_id: 'M003/front-anger-1-001/017'."""

    name = "mead"
    rises = False
    settings: MeadSettings

    def sequences(self) -> Iterable[Sequence_]:
        views = one_of("views", self.settings.views, VIEWS)
        levels = one_of("levels", self.settings.levels, LEVELS)
        found, strange, archives = [], [], []
        there: set[str] = set()
        for relative, path in walk(self.root, VIDEOS | {ARCHIVE}):
            below = f"{self.root.name}/{relative}"  # the root may be the folder of one actor
            if path.suffix.lower() == ARCHIVE:
                archives.append((relative, _actor(below)))
                continue
            match = PATH.fullmatch(below)
            if match is None or canonical(match.group(3)) not in self.own_card.expressions:
                strange.append(relative)
                continue
            actor, view, level, number = match.group(1).upper(), match.group(2).lower(), match.group(4), match.group(5)
            there.add(actor)
            if view in views and level in levels:
                found.append(self._clip(actor, view, canonical(match.group(3)), level, number, path))
        if strange and not there:
            raise wrong_root(self.root, self.own_card, "no video that lies as MEAD's do")
        self.refuse(
            strange, "{count} video{s} {do} not lie as MEAD's do (M003/video/front/angry/level_1/001.mp4): {items}."
        )
        packed = [relative for relative, actor in archives if actor not in there]
        if packed and not there:
            raise FerbenchError(
                f"{self.root} holds MEAD's archives and no videos: {enumerate_first(packed)}. Unpack each in its folder, as in "
                f"tar -xf {Path(packed[0]).name}."
            )
        self.refuse(packed, "{count} archive{s} of MEAD {are} not unpacked: {items}.")
        gone = sorted(there - {sequence.subject for sequence in found})
        if found:
            self.say(
                len(gone),
                f"{{count}} actor{{s}} {{have}} no clip of the chosen views and levels: {enumerate_first(gone)}",
            )
        return self.counted(found) if found else []

    def _clip(self, actor: str, view: str, expression: str, level: str, number: str, path: Path) -> Sequence_:
        factors = {
            "view": view,
            "intensity": None if expression == "neutral" else int(level),
            "sentence": number,
            "sex": "male" if actor.startswith("M") else "female",
        }
        return self.video(f"{actor}/{view}-{expression}-{level}-{number}", actor, expression, path, factors)


def _actor(path: str) -> str:
    match = ACTOR.fullmatch(path)
    return match.group(1).upper() if match else ""
