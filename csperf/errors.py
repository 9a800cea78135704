"""Errors a user can act on: one clear sentence each, with the exit code of the command line."""


class CsperfError(Exception):
    """A check, an input or an approval that was refused. The text is one sentence that says what to do."""

    exit_code = 1


class UsageError(CsperfError):
    """A wrong argument or setting."""

    exit_code = 2
