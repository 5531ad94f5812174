"""Errors that a user can act on; the command line shows them as one sentence."""

from __future__ import annotations


class RedundancyError(Exception):
    """Base of all errors that the package raises on purpose."""


class UsageError(RedundancyError, ValueError):
    """What was asked cannot be done as asked (the command line exits with 2)."""


class DataError(RedundancyError):
    """A dataset or one of its files is not what it should be."""


class CheckpointError(RedundancyError):
    """A checkpoint cannot be read or does not fit its network."""


class RecordingError(RedundancyError):
    """What was read from a network is not, or may not be, what it computed."""


class ResultsError(RedundancyError):
    """A results or recording file is damaged, foreign or of another version."""


class StorageError(RedundancyError):
    """A disk is full, or a file may not grow any further."""


class ClusterError(RedundancyError):
    """Workers are lost, cannot be reached, or are not what they should be."""


class LimitError(RedundancyError):
    """A file claims more memory than one file may take."""
