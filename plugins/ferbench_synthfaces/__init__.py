"""synthfaces: procedural faces with known factors, the embedded dataset."""
