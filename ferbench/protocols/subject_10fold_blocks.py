"""Ten folds of neighbouring subjects: the public folds of MMI."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ferbench.interfaces.protocol import Protocol
from ferbench.protocols.select import need_subjects
from ferbench.protocols.settings import AssignedSettings

FOLDS = 10


class SubjectTenFoldBlocks(Protocol):
    """Subject IDs are sorted ascending as text and cut into ten blocks: the i-th block (from 0) of n subjects begins at the subject
    i * n / 10, rounded, a half up. Fold 0 tests the last block, fold 9 the first.

    Source: the public lists of FMPN-FER (donydchen/FMPN-FER, datasets/MMI and datasets/CKPlus, test_ids_0 .. test_ids_9) have
    exactly these folds, for the 31 subjects of MMI (3 3 3 3 3 4 3 3 3 3) and for the 118 of CK+. How a half is rounded follows
    from MMI, where fold 5 has the four. With protocol.assignment=1 or more the sorted subjects are shuffled first, with that
    number as the seed.
    """

    settings: AssignedSettings

    def assign_folds(self, frames: pd.DataFrame) -> np.ndarray:
        subjects = need_subjects(frames, FOLDS, self.settings.assignment)
        starts = [(2 * block * len(subjects) + FOLDS) // (2 * FOLDS) for block in range(FOLDS + 1)]
        fold = {
            subject: FOLDS - 1 - block
            for block in range(FOLDS)
            for subject in subjects[starts[block] : starts[block + 1]]
        }
        return frames["subject"].map(fold).to_numpy(dtype=int)
