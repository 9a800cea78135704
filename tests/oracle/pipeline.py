"""A company's files through the real pipeline, quarter by quarter as a year goes by."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path

from csperf import closing, ingest, warehouse
from csperf.periods import Month, days
from csperf.settings import Settings
from csperf.sources import open_source

WHEN = datetime(2024, 1, 21, 8, 30, tzinfo=UTC)
APPROVER = "Demo Director"


def run_company(
    home: Path, source: Path, first: date, last: date, approved: Collection[str] = (), published: Collection[str] = ()
) -> Settings:
    """Everything landed and built from `first` to `last`, both ends of quarters.

    After each quarter its decisions are approved and its months published, where they are named.
    """
    settings = Settings(home=home)
    day = first
    while day <= last:
        quarter = Month.of(day).quarter
        dates = days(day, quarter.months[2].last_day)
        landed = ingest.ingest(settings, open_source(settings, str(source), None), dates, WHEN)
        assert not landed.messages, landed.messages
        assert landed.quarantined == 0
        warehouse.build(settings)
        if str(quarter) in approved:
            closing.close_quarter(settings, quarter, APPROVER, WHEN)
        for month in quarter.months:
            if str(month) in published:
                # Chance hires, pays and dismisses as no company would: the gate may stop a month, but never for a line
                # outside what its plan can pay.
                done = closing.close_month(settings, month, APPROVER, WHEN, override="a company by chance")
                assert done.outcome == "published"
                assert not [sentence for sentence in done.draft.stopped if "can pay" in sentence], done.draft.stopped
        day = quarter.months[2].plus(1).first_day
    if published:
        warehouse.build(settings)
    return settings
