"""Drawing faces: images of 96 x 96 a second. Goal: 300 on 2 cores."""

from __future__ import annotations

from typing import Any

from ferbench_synthfaces.dataset import SynthFaces
from ferbench_synthfaces.plugin import SynthFacesSettings


def test_drawing(benchmark: Any) -> None:
    dataset = SynthFaces(SynthFacesSettings(subjects=8))
    ids = dataset.frames()["frame_id"].tolist()[:512]
    benchmark.pedantic(dataset.images, (ids,), rounds=5, warmup_rounds=1)
    rate = len(ids) / benchmark.stats.stats.median
    benchmark.extra_info["images a second"] = rate
    print(f"\nsynthfaces at 96 px: {rate:.0f} images a second")
