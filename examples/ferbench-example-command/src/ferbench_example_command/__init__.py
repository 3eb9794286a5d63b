"""The slowest trials, as a command of ferbench."""
