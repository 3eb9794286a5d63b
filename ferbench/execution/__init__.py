"""Running studies: one trial from data to record, and the executors that run many trials."""
