"""A run and its tables: settings, sample sheets, and many runs together."""

from lingua_utils.runs.run import Run, from_parameters

__all__ = ["Run", "from_parameters"]
