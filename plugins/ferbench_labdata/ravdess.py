"""RAVDESS: the Ryerson Audio-Visual Database of Emotional Speech and Song.

Layout: `Actor_01/01-01-03-02-01-01-12.mp4`, or `Video_Speech_Actor_01/Actor_01/...` if each archive was unpacked into its own
folder. The parts of a name are modality (01 picture and sound, 02 picture, 03 sound), channel (01 speech, 02 song), emotion,
intensity (01 normal, 02 strong), statement, repetition and actor. There are 24 actors; odd numbers are male. A clip that exists
with and without sound counts once. The literature does not agree on frames; our choice is the three in the middle, and a frame
of a neutral clip as the actor's neutral face. The layout is that of the dataset's page on Zenodo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ferbench import UnknownName
from ferbench_labdata.base import Sequence_
from ferbench_labdata.files import VIDEOS, walk
from ferbench_labdata.settings import RavdessSettings
from ferbench_labdata.video import Videos

CODES = {
    "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness", "05": "anger", "06": "fear", "07": "disgust",
    "08": "surprise",
}  # fmt: skip
CHANNELS = {"speech": ("01",), "song": ("02",), "all": ("01", "02")}
NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
SOUND_ONLY = "03"


class Ravdess(Videos):
    """frame_id: '12/01-03-02-01-01/017': actor, the clip's name without modality and actor, and number of the frame."""

    name = "ravdess"
    rises = False
    settings: RavdessSettings

    def sequences(self) -> Iterable[Sequence_]:
        if self.settings.channel not in CHANNELS:
            raise UnknownName("value of dataset.channel", self.settings.channel, CHANNELS)
        clips: dict[str, Sequence_] = {}
        strange = []
        for relative, path in walk(self.root, VIDEOS):
            match = NAME.fullmatch(path.stem)
            if match is None or match.group(3) not in CODES or not 1 <= int(match.group(7)) <= 24:
                strange.append(relative)
                continue
            modality, channel, emotion, intensity, statement, repetition, actor = match.groups()
            if modality == SOUND_ONLY or channel not in CHANNELS[self.settings.channel]:
                continue
            name = f"{actor}/{channel}-{emotion}-{intensity}-{statement}-{repetition}"
            factors = {
                "channel": channel, "intensity": int(intensity), "statement": statement,
                "sex": "male" if int(actor) % 2 else "female",
            }  # fmt: skip
            clips[name] = self.video(
                name, actor, CODES[emotion], path, factors
            )  # 02, without sound, comes later and stays
        self.refuse(strange, "{count} videos are not named like RAVDESS's (01-01-03-02-01-01-12.mp4): {items}.")
        return self.counted([clips[name] for name in sorted(clips)])
