"""Ada-CM, an adaptive confidence margin for unlabelled frames, as a plugin of ferbench."""
