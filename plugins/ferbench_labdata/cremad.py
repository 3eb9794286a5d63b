"""CREMA-D: the Crowd-sourced Emotional Multimodal Actors Dataset.

Layout: `VideoFlash/1001_DFA_ANG_XX.flv`: actor, sentence, emotion, level (LO, MD, HI, XX unspecified; X once). 91 actors, 7,442
clips. Copies with .mp4 videos, in one flat folder, or with the sounds (`AudioWAV`, `AudioMP3`) beside the videos are read too;
a clip that is there in several formats counts once, as .flv if there is one. The files in the repository on GitHub are often
pointers of Git LFS (its issue threads); the owners' mirror on GitLab has the videos. The literature does not agree on frames;
our choice is the three in the middle, and a frame of a neutral clip as the actor's neutral face. The layout is that of the
dataset's repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ferbench import FerbenchError
from ferbench_labdata.base import Sequence_
from ferbench_labdata.files import VIDEOS, lfs_pointer, walk
from ferbench_labdata.layout import wrong_root
from ferbench_labdata.video import Videos

CODES = {
    "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"
}  # fmt: skip
LEVELS = {"LO": 1, "MD": 2, "HI": 3, "XX": None, "X": None}
NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})")
MIRROR = "https://gitlab.com/cs-cooper-lab/crema-d-mirror"


class CremaD(Videos):
    """frame_id: '1001/DFA-ANG-XX/017'."""

    name = "cremad"
    rises = False

    def sequences(self) -> Iterable[Sequence_]:
        strange = []
        clips: dict[str, list[Path]] = {}
        for relative, path in walk(self.root, VIDEOS):
            match = NAME.fullmatch(path.stem.upper())
            if match is None or match.group(3) not in CODES or match.group(4) not in LEVELS:
                strange.append(relative)
            else:
                clips.setdefault(match.group(), []).append(path)
        if strange and not clips:
            raise wrong_root(self.root, self.own_card, "no video named like CREMA-D's (1001_DFA_ANG_XX.flv)")
        self.refuse(strange, "{count} video{s} {are} not named like CREMA-D's (1001_DFA_ANG_XX.flv): {items}.")
        if not clips and (sounds := sum(1 for _ in walk(self.root, {".wav", ".mp3"}))):
            raise wrong_root(
                self.root,
                self.own_card,
                f"{sounds} sounds and no video of CREMA-D; faces are in 'VideoFlash' of {MIRROR}",
            )
        chosen = self._in_one_format(clips)
        return self.counted([self._clip(clip, path) for clip, paths in chosen.items() for path in paths])

    def _in_one_format(self, clips: dict[str, list[Path]]) -> dict[str, list[Path]]:
        """The files of each clip in one format, without pointers of Git LFS."""
        pointers = {path for paths in clips.values() for path in paths if lfs_pointer(path)}
        several = 0
        chosen: dict[str, list[Path]] = {}
        lost = []
        for clip, paths in clips.items():
            real = [path for path in paths if path not in pointers]
            formats = sorted({path.suffix.lower() for path in real}, key=lambda suffix: (suffix != ".flv", suffix))
            several += len(formats) > 1
            if real:
                chosen[clip] = [path for path in real if path.suffix.lower() == formats[0]]
            else:
                lost.append(str(paths[0]))
        where = f"The videos can be had from {MIRROR} (git lfs pull)."
        what = "there as a small text file, a pointer of Git LFS, which stands for a video that was not downloaded"
        if lost and not chosen:
            raise FerbenchError(f"All {len(lost)} videos in {self.root} are {what}. {where}")
        self.refuse(lost, f"{{count}} video{{s}} {{are}} {what}: {{items}}. {where}")
        self.say(several, "{count} clip{s} {are} there in several formats, and {were} read once")
        return chosen

    def _clip(self, clip: str, path: Path) -> Sequence_:
        actor, sentence, emotion, level = clip.split("_")
        factors = {"statement": sentence, "intensity": LEVELS[level]}
        return self.video(f"{actor}/{sentence}-{emotion}-{level}", actor, CODES[emotion], path, factors)
