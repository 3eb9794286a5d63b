"""RAF-DB: the part with basic emotions.

Layout: `EmoLabel/list_patition_label.txt` (spelt so), lines "train_00001.jpg 5"; `Image/aligned/train_00001_aligned.jpg` or
`Image/original/train_00001.jpg`. Labels are 1 surprise, 2 fear, 3 disgust, 4 happiness, 5 sadness, 6 anger, 7 neutral. There are
no identities. The split comes with the dataset: 12,271 training and 3,068 test images. Written from the description of the
distribution.
"""

from __future__ import annotations

from collections.abc import Iterable

from ferbench import FerbenchError
from ferbench.errors import enumerate_first
from ferbench_labdata.base import LabDataset, Sequence_
from ferbench_labdata.files import child, read_text, wrong_root

CODES = {
    "1": "surprise", "2": "fear", "3": "disgust", "4": "happiness", "5": "sadness", "6": "anger", "7": "neutral"
}  # fmt: skip
LIST = "list_patition_label.txt"


class RafDb(LabDataset):
    """frame_id: 'train_00001/basic/0'. Each image is its own subject, as subjects are unknown."""

    name = "rafdb"
    rises = False

    def sequences(self) -> Iterable[Sequence_]:
        labels = child(self.root, "EmoLabel")
        images = child(self.root, "Image")
        if labels is None or not (labels / LIST).is_file():
            raise FerbenchError(f"{self.root} holds no EmoLabel/{LIST}, the file with RAF-DB's labels and split.")
        if images is None:
            raise wrong_root(self.root, "folder 'Image'")
        aligned = child(images, "aligned")
        folder = aligned or child(images, "original")
        if folder is None:
            raise wrong_root(images, "folder 'aligned' and no folder 'original'")
        found, missing = [], []
        there = {p.name for p in folder.iterdir()}
        for number, line in enumerate(read_text(labels / LIST).splitlines(), 1):
            if not line.strip():
                continue
            name, _, code = line.strip().rpartition(" ")
            side = name.partition("_")[0]
            if code not in CODES or side not in ("train", "test"):
                raise FerbenchError(
                    f"{labels / LIST}, line {number}, is '{line.strip()[:60]}'; lines are like 'train_00001.jpg 5', with a "
                    "label from 1 to 7."
                )
            stem = name.rpartition(".")[0]
            file = f"{stem}_aligned.jpg" if aligned else name
            if file not in there:
                missing.append(file)
                continue
            found.append(Sequence_(f"{stem}/basic", stem, CODES[code], [("0", folder / file)], {"split": side}))
        if missing and not found:
            raise FerbenchError(
                f"{folder} holds none of the {len(missing)} images of {LIST}: {enumerate_first(missing)}."
            )
        self.refuse(missing, f"{{count}} images of {LIST} are missing in {folder}: {{items}}.")
        return found
