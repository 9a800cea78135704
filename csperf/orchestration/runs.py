"""From an Airflow run to the business dates, month or quarter that it works on.

One rule for every kind of run: **the period that its logical date lies in, or the newest period that was over when
the run fell due, whichever is earlier**. So a scheduled run, a run of `airflow backfill create`, `dag.test` and a run
by hand for the same logical date all work on the same period, although Airflow derives four different data intervals
for them; a run by hand today, or one with no logical date (an asset's, or one started through the API), works on the
newest period there is. Parameters of the run come before all of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from csperf.errors import UsageError
from csperf.periods import Month, Quarter, days, parse_date


class Run(Protocol):
    """What is asked of an Airflow run. Both times know their zone."""

    @property
    def logical_date(self) -> datetime | None: ...
    @property
    def run_after(self) -> datetime: ...


def business_date(run: Run, zone: ZoneInfo) -> date:
    """The business date of a run that was given no dates."""
    newest = run.run_after.astimezone(zone).date() - timedelta(days=1)
    return newest if run.logical_date is None else min(run.logical_date.astimezone(zone).date(), newest)


def business_dates(run: Run, params: Mapping[str, Any], zone: ZoneInfo) -> list[date]:
    """The business dates of a nightly run: parameters `from` and `to` (either alone is one date), else its own date.

    UsageError when a parameter is no date or they are the wrong way round.
    """
    given = [parse_date(str(params[name])) for name in ("from", "to") if params.get(name)]
    return days(given[0], given[-1]) if given else [business_date(run, zone)]


def month_of(run: Run, params: Mapping[str, Any], zone: ZoneInfo) -> Month:
    """The pay month of a run: parameter `month`, else by the rule above."""
    if params.get("month"):
        return Month.parse(params["month"])
    newest = Month.of(run.run_after.astimezone(zone).date()).plus(-1)
    return newest if run.logical_date is None else min(Month.of(run.logical_date.astimezone(zone).date()), newest)


def quarter_of(run: Run, params: Mapping[str, Any], zone: ZoneInfo) -> Quarter:
    """The quarter of a run: parameter `quarter`, else by the rule above."""
    if params.get("quarter"):
        return Quarter.parse(params["quarter"])
    newest = Month.of(run.run_after.astimezone(zone).date()).quarter.months[0].plus(-1).quarter
    if run.logical_date is None:
        return newest
    return min(Month.of(run.logical_date.astimezone(zone).date()).quarter, newest)


def month_range(params: Mapping[str, Any]) -> tuple[Month, Month]:
    """Parameters `from` and `to` of a backfill of months; UsageError when one is missing or they are swapped."""
    first, last = (Month.parse(str(params.get(name) or "")) for name in ("from", "to"))
    if last < first:
        raise UsageError(f"The range ends ({last}) before it starts ({first}); swap the two months.")
    return first, last
