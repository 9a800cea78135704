"""What ends a whole command before its end: a signal, or a full disk. Nothing that was kept is lost by either."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from types import FrameType

from csperf.errors import CsperfError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A query that answers no signal gets so long; then the process ends hard, which is as safe and leaves scratch files.
SECONDS_TO_END = 15
STOPPED = "Stopped; start the command again and it goes on from what was kept."
FULL = "No space is left on the disk that is written to; free some and start again: nothing that was kept is lost."

_FULL_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large", "max_temp_directory_size")
_asked: list[int] = []


class Stopped(BaseException):
    """A signal has asked this process to end. No Exception: nobody who deals with errors takes it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number  # as shells and service managers know it


class DiskFull(CsperfError):
    """Nothing more can be written."""

    def __init__(self) -> None:
        super().__init__(FULL)


def listen() -> None:
    """From now on a signal that asks the process to end raises Stopped; one that is ignored (nohup) stays so."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # clean-up is not to be stopped as well
    _asked.append(number)
    limit = threading.Timer(SECONDS_TO_END, _end, [number])
    limit.daemon = True
    limit.start()
    raise Stopped(number)


def _end(number: int) -> None:
    print(STOPPED, file=sys.stderr, flush=True)
    os._exit(128 + number)


def raise_if_all_ends(error: BaseException) -> None:
    """Raise Stopped or DiskFull when that is what is behind an error, and return when it is not.

    Libraries hide both: DuckDB reports a signal as a RuntimeError, others wrap errors in their own.
    """
    if _asked:
        raise Stopped(_asked[0]) from error
    if isinstance(error, DiskFull):
        raise error
    if isinstance(error, CsperfError):
        return
    cause: BaseException | None = error
    while cause is not None:
        if getattr(cause, "errno", None) in _FULL_NUMBERS or says_full(str(cause)):
            raise DiskFull from error
        cause = cause.__cause__


def says_full(text: str) -> bool:
    """Whether a message tells of a full disk."""
    return any(words in text for words in _FULL_TEXTS)
