"""Writing the outputs of a trial to files of its record, and reading them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ferbench.errors import FerbenchError
from ferbench.interfaces.evaluator import Outputs, Syntheses
from ferbench.records import files
from ferbench.records.schema import Record


def write_outputs(folder: Path, outputs: Outputs, grid: np.ndarray | None) -> None:
    """Write all that evaluators and figures need. `grid`: image of synthesised faces, or None."""
    files.write_predictions(folder, outputs.frames, outputs.expressions, outputs.probabilities)
    files.write_array(folder, files.LOGITS, outputs.logits)
    files.write_array(folder, files.EMBEDDINGS, outputs.features)
    files.write_array(folder, files.IDENTITY_EMBEDDINGS, outputs.identity_features)
    files.write_references(folder, outputs.references)
    files.write_array(folder, files.SYNTHESIS_GRID, grid)
    if outputs.syntheses is not None:
        files.write_arrays(folder, files.SYNTHESES, vars(outputs.syntheses))
    if outputs.estimates:
        files.write_arrays(folder, files.ESTIMATES, outputs.estimates)


def read_outputs(folder: Path, record: Record) -> Outputs:
    """Read the outputs of a trial.

    Raises:
        FerbenchError: a file is missing or was changed.
    """
    needed = [name for name in record.files if files.packed(name) and name not in (files.LOSSES, files.CODE)]
    files.check(folder, record.files, needed)
    frames, _ = files.read_predictions(folder, record.expressions)
    features, logits = (files.read_array(folder, name) for name in (files.EMBEDDINGS, files.LOGITS))
    if features is None or logits is None:
        raise FerbenchError(f"{folder} has no embeddings or logits.")
    syntheses = files.read_arrays(folder, files.SYNTHESES)
    return Outputs(
        frames,
        record.expressions,
        logits,
        features,
        files.read_references(folder),
        files.read_array(folder, files.IDENTITY_EMBEDDINGS),
        None if syntheses is None else Syntheses(**syntheses),
        estimates=files.read_arrays(folder, files.ESTIMATES) or {},
    )
