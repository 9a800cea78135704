"""Deliveries that should have come: per dataset a time of day, and how many days after the business date.

The setting CSPERF_DUE holds `[DATASET=][DAYSd ]HH:MM` with commas between; an entry without a dataset counts for all
others, one day after is what is meant without days, and `DATASET=never` expects nothing. A daily dataset is expected
for each date from its first delivery on; full tables come when they change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from csperf.datasets import DATASETS
from csperf.periods import days

if TYPE_CHECKING:
    from csperf.landing import Partition
    from csperf.settings import Settings

_ENTRY = re.compile(r"(?:(?P<dataset>\w+)=)?(?:(?P<never>never)|(?:(?P<days>\d{1,2})d\s+)?(?P<at>\d{2}:\d{2}))")


@dataclass(frozen=True)
class Due:
    """When a date's delivery should be there: so many days after it, at a local time."""

    days: int
    at: time

    def moment(self, day: date, zone: ZoneInfo) -> datetime:
        """The moment for one business date."""
        return datetime.combine(day + timedelta(days=self.days), self.at, zone)


def parse_due(text: str) -> Mapping[str, Due | None]:
    """When each daily dataset is due (None: never); a ValueError in one sentence."""
    given: dict[str | None, Due | None] = {None: Due(1, time(2))}
    daily = [name for name, dataset in DATASETS.items() if dataset.kind == "daily"]
    for entry in text.split(","):
        match = _ENTRY.fullmatch(entry.strip())
        if match is None:
            raise ValueError(f"'{entry.strip()}' is not [DATASET=][3d ]HH:MM or DATASET=never")
        name = match["dataset"]
        if name is not None and name not in daily:
            raise ValueError(f"'{name}' is no dataset that is delivered daily; these are {', '.join(daily)}")
        try:
            given[name] = None if match["never"] else Due(int(match["days"] or 1), time.fromisoformat(match["at"]))
        except ValueError:
            raise ValueError(f"'{match['at']}' is no time of day") from None
    return {name: given.get(name, given[None]) for name in daily}


def overdue(settings: Settings, landed: Sequence[Partition], now: datetime) -> dict[str, tuple[date, ...]]:
    """The dates of each dataset that are due at `now` and for which nothing at all has come."""
    found = {}
    for name, due in parse_due(settings.due).items():
        there = {part.business_date for part in landed if part.dataset == name}
        if due is None or not there:
            continue
        # The newest date due: today or before, as the due time is on a later day than the date or on it.
        last = now.astimezone(settings.zone).date() - timedelta(days=due.days)
        if due.moment(last, settings.zone) > now:
            last -= timedelta(days=1)
        first = min(there)
        missing = tuple(day for day in days(first, last) if day not in there) if first <= last else ()
        if missing:
            found[name] = missing
    return found
