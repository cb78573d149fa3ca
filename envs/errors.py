"""The one exception that front ends show to a person instead of a stack trace."""

from __future__ import annotations


class UserError(ValueError):
    """Raised when what the user gave cannot be used.

    The message is one sentence with the offending value and the cure. Command lines print it to stderr and exit with
    status 2; every other exception is a bug and keeps its stack trace.
    """
