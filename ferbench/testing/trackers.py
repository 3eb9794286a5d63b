"""Checks of trackers: a made-up study is told to them, in a results folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ferbench.cards import TrackerCard
from ferbench.interfaces.tracker import INTERRUPTED, Tracked, Tracker
from ferbench.limits import TimeUp, alarm
from ferbench.records.schema import DONE, FAILED

LIMIT = 60.0
"""Seconds that a tracker may take for two runs of a few lines."""

Make = Callable[[Path], Tracker]

ONE = Tracked("0123456789abcdef", "mine · fold 0 · seed 0", "mine", {"method": "mine", "method.lr": 0.1, "seed": 0})
OTHER = Tracked(
    "fedcba9876543210", "mine no_part · fold 0 · seed 0", "mine no_part",
    {"method": "mine", "method.part": False, "dataset.root": "/data/a b", "method.weights": [0.5, 1.0], "seed": 0, "x": None},
)  # fmt: skip


def runs_at_a_time(card: TrackerCard, make: Make) -> None:
    """A study is told in which two trials run at a time, one of which fails, and the study ends.

    Each call says of which run it is: keep what belongs to a run by `run.key`. Settings have any plain value, None and lists too.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tracker = _made(card, make, Path(folder))
        _in_time(lambda: _tell(tracker))


def a_run_goes_on(card: TrackerCard, make: Make) -> None:
    """A run that was interrupted begins again, in another process, and ends.

    `begin` may be called for a key that an earlier process has begun: go on with the same run there.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for status in (INTERRUPTED, DONE):
            tracker = _made(card, make, Path(folder))
            _in_time(lambda tracker=tracker, status=status: _once(tracker, status))  # type: ignore[misc]


def results_stay_clean(card: TrackerCard, make: Make) -> None:
    """What a tracker writes into the results folder has a name that begins with a dot: records are looked for among all others.

    Write to `self.results_dir / ".name"`.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tracker = _made(card, make, Path(folder))
        _in_time(lambda: _tell(tracker))
        strange = sorted(path.name for path in Path(folder).iterdir() if not path.name.startswith("."))
        assert not strange, f"it writes {', '.join(strange)} into the results folder; names there begin with a dot"


def _made(card: TrackerCard, make: Make, folder: Path) -> Tracker:
    tracker = make(folder)
    assert isinstance(tracker, Tracker), f"{card.target} is not a subclass of ferbench.Tracker"
    return tracker


def _tell(tracker: Tracker) -> None:
    tracker.begin(ONE)
    tracker.begin(OTHER)
    for step in (25, 50):
        for run in (OTHER, ONE):
            tracker.log(run, "training", step, {"network": 1 / step, "images_per_second": 100.0})
    tracker.end(OTHER, FAILED, {}, "ValueError: in one sentence")
    tracker.log(ONE, "test", 50, {"accuracy": 0.5})
    tracker.end(ONE, DONE, {"accuracy": 0.5, "identity_leakage/pixels": 0.25}, "")
    tracker.close()


def _once(tracker: Tracker, status: str) -> None:
    tracker.begin(ONE)
    tracker.log(ONE, "training", 25, {"network": 0.5})
    tracker.end(ONE, status, {"accuracy": 0.5} if status == DONE else {}, "")
    tracker.close()


def _in_time(call: Callable[[], None]) -> None:
    def ring() -> None:
        raise TimeUp

    try:
        with alarm(LIMIT, ring):
            call()
    except TimeUp:
        raise AssertionError(f"it takes more than {LIMIT:g} s for a few calls, and would hold up a study") from None
