"""Evaluators: from a trial's Outputs to its metrics, one file a family."""
