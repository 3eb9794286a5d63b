"""Action units beside expressions, and a metric of them, as a plugin of ferbench."""
