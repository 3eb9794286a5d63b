"""F1 of action units of each test subject."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferbench import NotMeasurable, Outputs, PerSubject
from ferbench_example_units.plugin import PRESENT


def evaluate(outputs: Outputs) -> Mapping[str, PerSubject]:
    """The mean F1 over the action units that some frame of the subject shows, by subject.

    One that the method does not estimate counts as never found, as in `au_f1`.
    """
    values: dict[str, list[float]] = {}
    for name in sorted(name for name in outputs.frames.columns if name.startswith("au") and name[2:].isdigit()):
        level = outputs.frames[name].to_numpy(dtype=float)
        known, present = ~np.isnan(level), level >= PRESENT
        found = outputs.estimates[name] >= 0.5 if name in outputs.estimates else np.zeros(len(level), dtype=bool)
        for subject in np.unique(outputs.subjects):
            own = known & (outputs.subjects == subject)
            if (own & present).any():
                hits = 2 * (own & present & found).sum()
                values.setdefault(subject, []).append(hits / ((own & present).sum() + (own & found).sum()))
    if not values:
        raise NotMeasurable("au_f1_by_subject needs action units: no test frame shows one.")
    return {"au_f1_by_subject": PerSubject({subject: float(np.mean(found)) for subject, found in values.items()})}
