"""What is disturbed: the nightly run, both closings and the backfill of a tiny company, each a process of its own.

Each step runs as under the command line: its last words and its exit code are those of `csperf`.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from csperf import closing, console, expectations, ingest, nightly
from csperf.periods import Month, Quarter
from csperf.settings import Settings
from csperf.sources import open_source
from tests.faults.forked import Ended, Forked

expectations._library()  # seconds, once for all processes
FIRST, NIGHT = date(2026, 6, 28), date(2026, 6, 30)
JUNE, SECOND_QUARTER = Month(2026, 6), Quarter(2026, 2)
WHEN = datetime(2026, 7, 21, 9, tzinfo=UTC)
DIRECTOR = "Demo Director"


def night(settings: Settings) -> None:
    nightly.run(settings, NIGHT, NIGHT, extracted_at=WHEN)


def close_quarter(settings: Settings) -> None:
    closing.close_quarter(settings, SECOND_QUARTER, DIRECTOR, WHEN)


def close_month(settings: Settings) -> None:
    closing.close_month(settings, JUNE, DIRECTOR, WHEN)


def backfill(settings: Settings) -> None:
    closing.backfill(settings, JUNE, JUNE, approved_by=DIRECTOR, approved_at=WHEN)


def extract(settings: Settings) -> None:
    """Only what reads the source, for faults of the source."""
    assert settings.source is not None
    done = ingest.ingest(settings, open_source(settings, settings.source), [NIGHT], WHEN)
    assert not done.messages, done.messages


STEPS = {step.__name__: step for step in (night, close_quarter, close_month, backfill, extract)}


def _run(step: str, settings: dict[str, Any], log: Path, file_limit: int | None) -> None:
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  for as long as the process lives
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))
    console.run(lambda: STEPS[step](Settings(**settings)), lambda: False)


class Started:
    """A step under way on a home."""

    def __init__(self, step: str, settings: Settings, file_limit: int | None = None) -> None:
        self._log = settings.home.parent / f"{settings.home.name}-{time.monotonic_ns()}.log"
        given = {"home": settings.home, "source": settings.source}
        self._forked = Forked(_run, step, given, self._log, file_limit)

    @property
    def alive(self) -> bool:
        return self._forked.alive

    def ended(self) -> tuple[Ended, str]:
        """How it ended, and its last words."""
        done = self._forked.ended()
        return done, self._log.read_text(errors="replace") if self._log.exists() else ""

    def killed_after(self, seconds: float) -> Ended:
        """Kill it at once after so many seconds, if it has not ended before."""
        return self._forked.killed_after(seconds)


def run(step: str, settings: Settings, file_limit: int | None = None) -> tuple[Ended, str]:
    """A step from its start to its end: how it ended, and its last words."""
    return Started(step, settings, file_limit).ended()
