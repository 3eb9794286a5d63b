"""Where trials run. An executor is given the *name* of the work, so that planning and listing need no torch."""

from ferbench.executors.base import Executor, Report

__all__ = ["Executor", "Report"]
