"""Errors a user can act on: one clear sentence each, with the exit code of the command line."""

import re


class CsperfError(Exception):
    """A check, an input or an approval that was refused. The text is one sentence that says what to do."""

    exit_code = 1


class UsageError(CsperfError):
    """A wrong argument or setting."""

    exit_code = 2


_VALUES = re.compile(
    r"""(["'])[-+]?\d[^"']*\1 | (?<![\w/.-])-?\d[\d,]*\.\d+ | (?<![\w/.-])-?\d{5,}(?!\w)""",
    re.VERBOSE,
)


def without_values(text: str) -> str:
    """A library's error text without the figures it quotes: they may be pay, and the text may reach a log."""
    return _VALUES.sub("…", text)
