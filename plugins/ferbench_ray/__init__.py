"""The executor `ray`: trials as tasks of a Ray cluster."""
