"""What the DAG files have in common, so that each only says what is its own."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from airflow.sdk import Asset, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.log import mask_secret

from csperf.errors import CsperfError, without_values
from csperf.secrets import secrets_of
from csperf.settings import Settings, load_settings

# One slot: whatever writes to CSPERF_HOME waits here for its turn.
POOL = "csperf_warehouse"
OWNER = "csperf"

SCORECARDS = Asset("csperf_scorecards", uri="csperf://scorecards")
TIERS = Asset("csperf_tiers", uri="csperf://tiers")
PAYROLL = Asset("csperf_payroll", uri="csperf://payroll")

# A killed task is tried again; a refusal is final (see `refusals_are_final`). A source may be away for longer.
DEFAULT_ARGS: dict[str, Any] = {"owner": OWNER, "retries": 1, "retry_delay": timedelta(minutes=2)}
EXTRACTION_DELAY = timedelta(minutes=5)

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


def task_settings() -> Settings:
    """The settings of a task; the secrets in them are hidden in Airflow's logs from here on."""
    settings = load_settings()
    for secret in sorted(secrets_of(settings)):
        mask_secret(secret)
    return settings


def schedule(cron: str) -> CronDataIntervalTimetable:
    """A cron schedule in the business time zone whose runs have a data interval."""
    return CronDataIntervalTimetable(cron, timezone=load_settings().timezone)


def start_date() -> datetime:
    """The day DAGs may run from: early enough for any backfill, since nothing is caught up by itself."""
    return datetime(2015, 1, 1, tzinfo=load_settings().zone)


def refusals_are_final(function: Callable[P, R]) -> Callable[P, R]:
    """A task that fails at once, without retries, when a check or an approval refuses: asking again helps nobody."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except CsperfError as error:
            raise AirflowFailException(str(error)) from None
        except Exception as error:
            if "duckdb" in type(error).__module__:  # its texts quote the values they stumble over
                raise RuntimeError(f"{type(error).__name__}: {without_values(str(error))}") from None
            raise

    return wrapped


class LogProgress:
    """Progress into the task's log: a line when a step starts, at each tenth of it, and at its end."""

    def __init__(self) -> None:
        self._told: tuple[str, int] | None = None

    def __call__(self, step: str, done: int, total: int) -> None:
        tenth = done * 10 // total if total else 0
        if self._told != (step, tenth):
            self._told = (step, tenth)
            log.info("%s: %s of %s", step, done, total) if total else log.info("%s", step)
