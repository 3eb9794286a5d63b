"""synthfaces: procedurally generated faces with known factors of variation. It needs no download."""
