"""Work in processes that can be killed at any moment of it.

They are forked by a server that has everything imported and no database open, so that a kill falls into the work and
not into the start of Python.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from typing import Any

LONGEST = 900  # seconds: whatever takes longer hangs
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["csperf.closing", "csperf.serving", "tests.worked_warehouse", "tests.faults.steps"])


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (below zero: killed by that signal) and its seconds."""

    code: int
    seconds: float

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Forked:
    """A function at work on its arguments in a process of its own, from now on."""

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        self._begun = time.monotonic()
        self._process: ForkServerProcess = _PROCESSES.Process(target=function, args=arguments)
        self._process.start()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def ended(self) -> Ended:
        """Wait for its end; what hangs is killed."""
        return self.killed_after(LONGEST)

    def killed_after(self, seconds: float) -> Ended:
        """Kill it at once after so many seconds, if it has not ended before."""
        wait([self._process.sentinel], seconds)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.join()
        assert self._process.exitcode is not None
        return Ended(self._process.exitcode, time.monotonic() - self._begun)
