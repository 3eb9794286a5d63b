"""Executors, which run trials. One file for each executor."""
