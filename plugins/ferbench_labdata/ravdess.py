"""RAVDESS: the Ryerson Audio-Visual Database of Emotional Speech and Song.

Layout: `Actor_01/01-01-03-02-01-01-12.mp4`, or `Video_Speech_Actor_01/Actor_01/...` if each archive was unpacked into its own
folder. The parts of a name are modality (01 picture and sound, 02 picture, 03 sound), channel (01 speech, 02 song), emotion,
intensity (01 normal, 02 strong), statement, repetition and actor. There are 24 actors; odd numbers are male. Songs show six
emotions, and there are none of actor 18. A clip that exists with and without sound counts once. The literature does not agree
on frames; our choice is the three in the middle, and a frame of a neutral clip as the actor's neutral face. Layout and counts
are those of the dataset's page on Zenodo.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from ferbench import DatasetCard, FerbenchError, UnknownName
from ferbench.cards import Published
from ferbench_labdata.base import Sequence_
from ferbench_labdata.files import VIDEOS, walk
from ferbench_labdata.layout import one_of_several, wrong_root
from ferbench_labdata.settings import RavdessSettings
from ferbench_labdata.video import Videos

CODES = {
    "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness", "05": "anger", "06": "fear", "07": "disgust",
    "08": "surprise",
}  # fmt: skip
CHANNELS = {"speech": ("01",), "song": ("02",), "all": ("01", "02")}
NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
ACTOR = re.compile(r"(Video_(Speech|Song)_)?Actor_\d\d", re.IGNORECASE)
"""A folder of one actor, as it is in an archive, or that an archive was unpacked into."""

SOUND_ONLY = "03"
SONG = {
    "anger": 184,
    "calm": 184,
    "disgust": 0,
    "fear": 184,
    "happiness": 184,
    "neutral": 92,
    "sadness": 184,
    "surprise": 0,
}


class Ravdess(Videos):
    """frame_id: '12/01-03-02-01-01/017': actor, the clip's name without modality and actor, and number of the frame."""

    name = "ravdess"
    rises = False
    settings: RavdessSettings

    def sequences(self) -> Iterable[Sequence_]:
        if self.settings.channel not in CHANNELS:
            raise UnknownName("value of dataset.channel", self.settings.channel, CHANNELS)
        if (above := one_of_several(self.root, ACTOR)) is not None:
            raise FerbenchError(f"{self.root} holds one of several actors and is too low; write dataset.root={above}.")
        clips: dict[str, tuple[str, list[Sequence_]]] = {}
        strange = []
        others = set[str]()
        for relative, path in walk(self.root, VIDEOS):
            match = NAME.fullmatch(path.stem)
            if match is None or not _is_known(match):
                strange.append(relative)
                continue
            modality, channel, emotion, intensity, statement, repetition, actor = match.groups()
            if modality == SOUND_ONLY:
                continue
            name = f"{actor}/{channel}-{emotion}-{intensity}-{statement}-{repetition}"
            if channel not in CHANNELS[self.settings.channel]:
                others.add(name)
                continue
            factors = {
                "channel": channel, "intensity": int(intensity), "statement": statement,
                "sex": "male" if int(actor) % 2 else "female",
            }  # fmt: skip
            clip = self.video(name, actor, CODES[emotion], path, factors)
            best, copies = clips.get(name, ("", []))
            if modality > best:  # 02, without sound, goes before 01
                clips[name] = (modality, [clip])
            elif modality == best:
                copies.append(clip)
        if strange and not clips and not others:
            raise wrong_root(self.root, self.own_card, "no video named like RAVDESS's (01-01-03-02-01-01-12.mp4)")
        self.refuse(strange, "{count} video{s} {are} not named like RAVDESS's (01-01-03-02-01-01-12.mp4): {items}.")
        if not clips:
            self._say_what_is_lacking(len(others))
        return self.counted([clip for name in sorted(clips) for clip in clips[name][1]])

    def _say_what_is_lacking(self, others: int) -> None:
        if others:
            here = "song" if self.settings.channel == "speech" else "speech"
            raise FerbenchError(
                f"{self.root} holds {others} clips of {here} and none of {self.settings.channel}; write dataset.channel={here}."
            )
        if sounds := sum(1 for _ in walk(self.root, {".wav"})):
            raise wrong_root(
                self.root,
                self.own_card,
                f"{sounds} sounds and no video of RAVDESS (the archives called Audio_...); faces are in the archives called "
                "Video_Speech_Actor_01.zip and so on",
            )

    def describe(self, card: DatasetCard) -> DatasetCard:
        """The card with the counts of the channel that is read."""
        speech = card.published
        if speech is None or self.settings.channel == "speech":
            return card
        source = f"the dataset's page on Zenodo ({self.settings.channel})"
        song = Published(source=source, subjects=23, sequences=1012, by_expression=SONG)
        both = Published(
            source=source,
            subjects=speech.subjects,
            sequences=speech.sequences + song.sequences,
            by_expression={name: count + SONG[name] for name, count in speech.by_expression.items()},
            complete=True,
        )
        return dataclasses.replace(card, published=song if self.settings.channel == "song" else both)


def _is_known(name: re.Match[str]) -> bool:
    """Whether the channel, the emotion and the actor of a clip are RAVDESS's."""
    _, channel, emotion, *_, actor = name.groups()
    return channel in CHANNELS["all"] and emotion in CODES and 1 <= int(actor) <= 24
