"""The work of the command line from Python and notebooks: `ferbench.run`, `load_results`, `leaderboard` and `compare`.

The same functions do it, so that a study that was begun here goes on from the command line, and the other way round.
"""
