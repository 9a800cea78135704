"""Which period a run works on, for every way Airflow 3 makes a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import instance

from csperf.errors import UsageError
from csperf.orchestration.runs import business_date, business_dates, month_of, month_range, quarter_of
from csperf.periods import Month, Quarter, days

SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHTLY, MONTHLY, QUARTERLY = "0 2 * * *", "0 6 21 * *", "0 6 5 1,4,7,10 *"


@dataclass(frozen=True)
class Run:
    """What a DAG run tells: when it fell due, and its logical date if it has one."""

    run_after: datetime
    logical_date: datetime | None = None


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def runs(cron: str, first: datetime, last: datetime, zone: ZoneInfo = SHANGHAI) -> Iterator[DagRunInfo]:
    """The runs that Airflow's scheduler, or `airflow backfill create` with these two times, makes."""
    timetable = CronDataIntervalTimetable(cron, timezone=str(zone))
    info = None
    while info := timetable.next_dagrun_info(
        last_automated_data_interval=info and info.data_interval,
        restriction=TimeRestriction(instance(first), instance(last), catchup=True),
    ):
        yield info


@pytest.mark.parametrize("zone", [SHANGHAI, UTC, ZoneInfo("America/New_York")], ids=str)
def test_a_scheduled_night_works_on_the_day_before_it(zone: ZoneInfo) -> None:
    # Two weeks with New York's change of clocks in them: no date is left out, none comes twice.
    first, last = datetime(2026, 10, 25, tzinfo=zone), datetime(2026, 11, 8, 23, 59, tzinfo=zone)
    found = []
    for info in runs(NIGHTLY, first, last, zone):
        assert info.run_after.astimezone(zone).hour == 2
        found.append(business_date(Run(info.run_after, info.logical_date), zone))
        assert found[-1] == info.run_after.astimezone(zone).date() - timedelta(days=1)
    assert found == days(first.date(), last.date())


def test_a_backfill_that_ends_at_midnight_leaves_its_last_date_out() -> None:
    def worked(last: str) -> list[date]:
        infos = runs(NIGHTLY, local("2026-09-01T00:00"), local(last))
        return [business_date(Run(info.run_after, info.logical_date), SHANGHAI) for info in infos]

    assert worked("2026-09-03T00:00") == days(date(2026, 9, 1), date(2026, 9, 2))
    assert worked("2026-09-03T23:59:59") == days(date(2026, 9, 1), date(2026, 9, 3))


def test_one_logical_date_is_one_business_date_however_it_is_run() -> None:
    logical = local("2026-09-01T02:00")
    scheduled = Run(local("2026-09-02T02:00"), logical)
    by_dag_test = Run(local("2026-11-23T15:00"), logical)
    assert business_date(scheduled, SHANGHAI) == business_date(by_dag_test, SHANGHAI) == date(2026, 9, 1)
    # `airflow dags test csperf_daily 2026-09-01` reads its date in Airflow's default time zone, UTC.
    assert business_date(Run(local("2026-11-23T15:00"), datetime(2026, 9, 1, tzinfo=UTC)), SHANGHAI) == date(2026, 9, 1)


@pytest.mark.parametrize("logical_date", [None, local("2026-09-10T15:00")], ids=["none", "now"])
def test_a_run_by_hand_works_on_the_last_day_that_is_over(logical_date: datetime | None) -> None:
    assert business_date(Run(local("2026-09-10T15:00"), logical_date), SHANGHAI) == date(2026, 9, 9)
    assert business_date(Run(datetime(2026, 9, 9, 16, 30, tzinfo=UTC)), SHANGHAI) == date(2026, 9, 9)
    assert business_date(Run(datetime(2026, 9, 9, 15, 30, tzinfo=UTC)), SHANGHAI) == date(2026, 9, 8)


def test_parameters_come_before_the_runs_own_date() -> None:
    run = Run(local("2026-09-10T02:00"), local("2026-09-09T02:00"))
    assert business_dates(run, {"from": None, "to": None}, SHANGHAI) == [date(2026, 9, 9)]
    assert business_dates(run, {"from": "2026-08-30", "to": "2026-09-01"}, SHANGHAI) == days(
        date(2026, 8, 30), date(2026, 9, 1)
    )
    assert business_dates(run, {"from": None, "to": "2026-09-01"}, SHANGHAI) == [date(2026, 9, 1)]
    assert month_of(run, {"month": "2026-03"}, SHANGHAI) == Month(2026, 3)
    assert quarter_of(run, {"quarter": "2026Q1"}, SHANGHAI) == Quarter(2026, 1)


@pytest.mark.parametrize("params", [{"from": "2026-09-02", "to": "2026-09-01"}, {"from": "1 September"}])
def test_dates_that_make_no_sense_are_refused(params: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        business_dates(Run(local("2026-09-10T02:00")), params, SHANGHAI)


def test_scheduled_months_and_quarters_are_those_before_the_run() -> None:
    first, last = local("2026-01-01T00:00"), local("2026-12-31T00:00")
    months = [(info.run_after, month_of(Run(*_times(info)), {}, SHANGHAI)) for info in runs(MONTHLY, first, last)]
    assert months[0] == (local("2026-02-21T06:00"), Month(2026, 1))
    assert [month for _, month in months] == list(Month(2026, 1).until(Month(2026, 12)))
    quarters = [(info.run_after, quarter_of(Run(*_times(info)), {}, SHANGHAI)) for info in runs(QUARTERLY, first, last)]
    assert quarters[-2] == (local("2026-10-05T06:00"), Quarter(2026, 3))
    assert [quarter for _, quarter in quarters] == [Quarter(2026, number) for number in (1, 2, 3, 4)]


def test_a_month_or_quarter_by_hand_is_the_last_that_is_over() -> None:
    for now in (Run(local("2026-09-10T15:00")), Run(local("2026-09-10T15:00"), local("2026-09-10T15:00"))):
        assert month_of(now, {}, SHANGHAI) == Month(2026, 8)
        assert quarter_of(now, {}, SHANGHAI) == Quarter(2026, 2)
    assert month_of(Run(local("2026-01-01T00:30")), {}, SHANGHAI) == Month(2025, 12)
    assert quarter_of(Run(local("2026-01-01T00:30")), {}, SHANGHAI) == Quarter(2025, 4)


def test_a_range_of_months_needs_both_ends_in_their_order() -> None:
    assert month_range({"from": "2026-07", "to": "2026-09"}) == (Month(2026, 7), Month(2026, 9))
    for wrong in ({"from": "2026-07"}, {"from": "2026-09", "to": "2026-07"}, {"from": "2026-07", "to": "2026-13"}):
        with pytest.raises(UsageError):
            month_range(wrong)


def _times(info: DagRunInfo) -> tuple[datetime, datetime | None]:
    return info.run_after, info.logical_date
