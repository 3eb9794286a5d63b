"""The composite database of MEGC 2019, the second Facial Micro-Expressions Grand Challenge: CASME II, SAMM and SMIC (HS) together.

Layout: the three datasets as they are, in folders below one root. Three classes: negative is disgust and repression of CASME
II, and anger, contempt, disgust, fear and sadness of SAMM; positive is happiness; surprise stays. Others are left out, and of
CASME II also sadness, fear and two clips. The public list of HTNet has 442 clips of 68 people: CASME II 145 (24), SAMM 133
(28), SMIC 164 (16); 250 negative, 109 positive, 83 surprise. It lacks two negative clips of CASME II, sub04/EP12_01f and
sub24/EP02_07, which a second loader drops as well; the numbers then agree with those of the coding file. That loader also drops
sub05/EP12_03f, which the list has. One subject is left out at a time, of 68.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ferbench import DatasetCard, FerbenchError
from ferbench.errors import enumerate_first
from ferbench_labdata import casme2, samm, smic
from ferbench_labdata.base import Sequence_
from ferbench_labdata.cards import CARDS
from ferbench_labdata.layout import recognised, title
from ferbench_labdata.microexpressions import Copy, MicroExpressions
from ferbench_labdata.settings import MicroSettings

LEFT_OUT = {("sub04", "EP12_01f"), ("sub24", "EP02_07")}
CLASSES = {
    "casme2": {"disgust": "negative", "repression": "negative", "happiness": "positive", "surprise": "surprise"},
    "samm": {
        **dict.fromkeys(("anger", "contempt", "disgust", "fear", "sadness"), "negative"),
        "happiness": "positive",
        "surprise": "surprise",
    },
    "smic": {"negative": "negative", "positive": "positive", "surprise": "surprise"},
}


class Megc2019(MicroExpressions):
    """frame_id: as of the three datasets: 'sub01/EP02_01f/46', '006/006_1_2/5562', 's01/ne-01/7'. No two subjects share a name."""

    name = "megc2019"
    settings: MicroSettings

    def sequences(self) -> Iterable[Sequence_]:
        copy, images = Copy(self), self.settings.images
        parts = {
            "casme2": self.of_kind(casme2.clips(self, copy), images),
            "samm": samm.clips(self, copy),
            "smic": self.of_kind(smic.clips(self, copy), images),
        }
        found: list[Sequence_] = []
        for name, clips in parts.items():
            kept = (replace(c, factors={"dataset": name}) for c in clips if (c.subject, c.name) not in LEFT_OUT)
            found += self.of_classes(kept, CLASSES[name], title(CARDS[name]))
        return found

    def without(self, card: DatasetCard, lacking: str) -> FerbenchError:
        """Which of the three datasets is missing; what the folder looks like where all of them are."""
        parts = {name: title(CARDS[name]) for name in CLASSES}
        there = [parts[name] for name, _ in recognised(self.root) if name in parts and name != card.name]
        if not there:
            return super().without(self.own_card, f"no clips of {enumerate_first(list(parts.values()))}")
        return FerbenchError(
            f"{self.root} holds {lacking}, only {' and '.join(there)}. {title(self.own_card)} is {', '.join(parts.values())} "
            f"together: put all three below one folder, and name it. {title(card)} can be had from {card.obtain}."
        )
