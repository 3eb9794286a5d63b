"""The embedded dataset: deterministic, in sequences, with its factors; faces that a stranger to it can read."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ferbench import DatasetCard, FerbenchError, FrameError
from ferbench.config.compose import compose
from ferbench.interfaces.dataset import check_frames
from ferbench.registry.loader import load_registry
from ferbench_synthfaces.dataset import PIXELS, TABLES, SynthFaces
from ferbench_synthfaces.factors import EMFACS, IDENTITY, OCCLUSIONS, PRESETS
from ferbench_synthfaces.fields import Face
from ferbench_synthfaces.plugin import EXPRESSIONS, SynthFacesSettings

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "study"))
import judge_synthfaces as judge  # type: ignore[import-not-found]  # the script of the study is the judge of this test too


def small(**more: object) -> SynthFaces:
    return SynthFaces(SynthFacesSettings(**{"subjects": 4, "takes": 1, "image_size": 32, **more}))  # type: ignore[arg-type]


def test_every_subject_shows_every_expression() -> None:
    frames = check_frames(small().frames(), load_registry().get(DatasetCard, "synthfaces"))
    assert len(frames) == 4 * 7 * 8
    assert frames.groupby("subject")["expression"].nunique().eq(7).all()
    assert set(frames["expression"]) == set(EXPRESSIONS)


def test_sequences_run_from_neutral_to_apex() -> None:
    frames = small().frames()
    for _, sequence in frames.groupby("sequence"):
        assert sequence["phase"].iloc[0] == "neutral"
        assert sequence["intensity"].is_monotonic_increasing
        assert sequence["phase"].iloc[-3:].eq("apex").all()
        units = sequence.filter(regex=r"^au\d+$")
        assert units.iloc[0].eq(0).all()
        assert units.iloc[-1].max() > 0.3


def test_all_factors_are_in_the_table() -> None:
    frames = small().frames()
    units = frames.filter(regex=r"^au\d+$")
    assert {f"au{n}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 25, 26)} <= set(units)
    assert units.min().min() >= 0
    assert units.max().max() <= 1
    identity = frames.filter(regex="^id_")
    assert identity.shape[1] == len(IDENTITY) >= 20
    assert identity.abs().max().max() <= 1
    assert identity.groupby(frames["subject"]).nunique().eq(1).all().all()
    seen = {"yaw", "pitch", "roll", "light_x", "light_y", "light_strength", "background", "noise", "blur", "asymmetry"}
    assert seen | set(OCCLUSIONS) <= set(frames)


def test_the_apex_shows_the_prototype() -> None:
    apex = small(preset="easy").frames().query("position == 7")
    for expression, units in EMFACS.items():
        shown = apex[apex["expression"] == expression].filter(regex=r"^au\d+$").mean()
        assert {f"au{au}" for au in units} == set(shown[shown > 0].index)


def test_contempt_is_one_sided() -> None:
    frames = small().frames()
    assert frames.loc[frames["expression"] == "contempt", "asymmetry"].abs().gt(0.9).all()
    assert frames.loc[frames["expression"] != "contempt", "asymmetry"].abs().lt(0.4).all()


def test_the_same_seed_gives_the_same_pixels_in_any_order() -> None:
    a, b = small(), small()
    ids = a.frames()["frame_id"].iloc[[5, 100, 191]].tolist()
    assert np.array_equal(a.images(ids), b.images(ids[::-1])[::-1])
    assert np.array_equal(a.images(ids)[1], a.image(ids[1]))


def test_the_pixels_are_these_on_every_machine() -> None:
    """Only IEEE arithmetic touches pixels."""
    pixels = small(preset="wild").images(small(preset="wild").frames()["frame_id"].iloc[7::16].tolist())
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == PIXELS


@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="torch without MKL")
def test_the_pixels_are_these_whatever_kernels_the_cpu_gets() -> None:
    """MKL rounds square roots otherwise on other CPUs, and torch leaves them to it."""
    code = (
        "import hashlib\n"
        "from ferbench_synthfaces.dataset import SynthFaces\n"
        "from ferbench_synthfaces.plugin import SynthFacesSettings\n"
        "faces = SynthFaces(SynthFacesSettings(subjects=4, takes=1, image_size=32, device='cpu'))\n"
        "pixels = faces.images(faces.frames()['frame_id'].tolist())\n"
        "print(hashlib.sha256(pixels.tobytes()).hexdigest())\n"
    )
    kernels = [{}, {"MKL_CBWR": "COMPATIBLE"}, {"ATEN_CPU_CAPABILITY": "default"}]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **variables}, check=True, capture_output=True, text=True
        ).stdout
        for variables in kernels
    }
    assert len(outputs) == 1


def test_the_tables_are_these_on_every_machine() -> None:
    tables = [small(preset=preset).frames().to_csv(index=False, float_format="%.5f") for preset in sorted(PRESETS)]
    assert hashlib.sha256("".join(tables).replace("-0.00000", "0.00000").encode()).hexdigest()[:16] == TABLES


def test_a_frame_is_drawn_alike_whatever_is_drawn_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features are drawn in windows that depend on the batch; larger ones give the same pixels."""
    dataset = small(preset="wild", image_size=48)
    ids = dataset.frames()["frame_id"].iloc[7::16].tolist()
    drawn = dataset.images(ids)
    whole = lambda self, low, high: slice(0, self.size)  # noqa: E731
    monkeypatch.setattr(Face, "_pixels", whole)
    assert np.array_equal(drawn, dataset.images(ids))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_draws_the_same_pixels() -> None:
    ids = small().frames()["frame_id"].iloc[7::8].tolist()
    ours, theirs = small().images(ids).astype(int), small(device="cuda").images(ids).astype(int)
    assert np.abs(ours - theirs).max() <= 1


def test_a_subject_does_not_depend_on_how_many_there_are() -> None:
    frame = "S002/fear/0/007"
    assert np.array_equal(small().image(frame), small(subjects=9).image(frame))


def test_another_seed_gives_other_people() -> None:
    frame = "S001/fear/0/007"
    assert not np.array_equal(small(seed=1).image(frame), small().image(frame))
    assert small(seed=1).fingerprint() != small().fingerprint()


def test_the_fingerprint_is_of_what_is_drawn() -> None:
    assert small(device="cuda").fingerprint() == small().fingerprint()
    assert small(preset="default", noise=0.015).fingerprint() == small().fingerprint()
    assert small(preset="easy").fingerprint() != small().fingerprint()


def test_a_confounded_subject_shows_mostly_two_expressions() -> None:
    def top_two(preset: str) -> float:
        frames = small(subjects=30, preset=preset, takes=2).frames().drop_duplicates("sequence")
        shares = frames.groupby("subject")["expression"].value_counts(normalize=True)
        return float(shares.groupby(level=0, group_keys=False).nlargest(2).groupby(level=0).sum().mean())

    assert top_two("default") == pytest.approx(2 / 7)
    assert top_two("confounded") > 0.8
    frames = small(subjects=30, preset="confounded", takes=2).frames().drop_duplicates("sequence")
    assert set(frames["expression"]) == set(EXPRESSIONS)
    assert frames.groupby("subject").size().eq(14).all()


def test_settings_beside_a_preset_win() -> None:
    frames = small(preset="wild", occlusion=0.0, pose=0.0).frames()
    assert set(frames["occlusion"]) == {"none"}
    assert frames["yaw"].abs().max() == 0
    occluded = small(preset="wild", subjects=20).frames().drop_duplicates("sequence")["occlusion"]
    assert 0.3 < (occluded != "none").mean() < 0.6
    (config,) = compose(load_registry(), ["method=degan", "dataset.preset=wild", "dataset.intensity=[0.5,0.6]"])
    assert config.dataset.settings["intensity"] == [0.5, 0.6]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"frames": 1}, "dataset.frames is 1; it has to be at least 2"),
        ({"subjects": 0}, "dataset.subjects is 0; it has to be at least 1"),
        ({"preset": "hard"}, "no preset of synthfaces 'hard'.*Known: confounded, default, easy, wild"),
        ({"correlation": 2.0}, "dataset.correlation is 2.0; it has to be from 0 to 1"),
        ({"intensity": [0.9, 0.2]}, r"dataset.intensity is \[0.9, 0.2\]"),
        ({"pose": 90.0}, "dataset.pose is 90.0; it has to be from 0 to 40"),
    ],
)
def test_what_it_refuses(more: dict[str, object], sentence: str) -> None:
    with pytest.raises(FerbenchError, match=sentence):
        small(**more)


def test_an_unknown_frame() -> None:
    with pytest.raises(FrameError, match="no frame 'S9/x'"):
        small().image("S9/x")


def test_fifty_subjects_can_be_told_apart_from_their_pixels() -> None:
    """A linear probe fitted on four expressions and tested on the others; chance is 0.02."""
    dataset = small(subjects=50, image_size=24)
    frames = dataset.frames().query("position == 7")
    pixels = dataset.images(frames["frame_id"].tolist()).mean(axis=3).reshape(len(frames), -1)
    fitted = frames["expression"].isin(EXPRESSIONS[:4]).to_numpy()
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200, tol=1e-2))
    probe.fit(pixels[fitted], frames["subject"][fitted])
    assert probe.score(pixels[~fitted], frames["subject"][~fitted]) > 0.3


@pytest.mark.slow
def test_a_judge_that_never_saw_them_reads_the_expressions(tmp_path_factory: pytest.TempPathFactory) -> None:
    """mini-Xception, trained by others on photographs: at least 0.65 on seven classes, each its most frequent answer."""
    folder = tmp_path_factory.mktemp("judge")
    try:
        model = judge.judge_model(folder)
        images, labels = judge.examples("default", 60, 96)
        table = judge.confusion(labels, judge.predict(model, images).argmax(1))
    except judge.CannotJudge as reason:
        pytest.skip(f"no judge: {reason}")
    assert np.trace(table) / table.sum() >= 0.65, table
    assert (table.argmax(1) == np.arange(7)).all(), pd.DataFrame(table, judge.LABELS, judge.LABELS)


def test_presets_get_harder() -> None:
    assert PRESETS["easy"].style < PRESETS["default"].style < PRESETS["confounded"].style < PRESETS["wild"].style
    assert PRESETS["confounded"].correlation > 0.5
    assert PRESETS["wild"].occlusion > 0
