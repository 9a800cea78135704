"""Working days in China from October 2022 to December 2023, by the State Council's notices: its holidays and the
weekend days worked instead. A table of its own, so that the pipeline's calendar has something to be compared with.
"""

from __future__ import annotations

from datetime import date, timedelta

# First and last day of each holiday.
HOLIDAYS = (
    ("2022-10-01", "2022-10-07"),
    ("2022-12-31", "2023-01-02"),
    ("2023-01-21", "2023-01-27"),
    ("2023-04-05", "2023-04-05"),
    ("2023-04-29", "2023-05-03"),
    ("2023-06-22", "2023-06-24"),
    ("2023-09-29", "2023-10-06"),
)
WORKED_WEEKENDS = (
    *("2022-10-08", "2022-10-09", "2023-01-28", "2023-01-29", "2023-04-23", "2023-05-06", "2023-06-25"),
    *("2023-10-07", "2023-10-08"),
)


def is_working_day(day: date) -> bool:
    if day.isoformat() in WORKED_WEEKENDS:
        return True
    return day.weekday() < 5 and not any(first <= day.isoformat() <= last for first, last in HOLIDAYS)


def working_days_later(day: date, number: int) -> date:
    """The last of some working days after a day, which itself is day 0."""
    while number:
        day += timedelta(days=1)
        number -= is_working_day(day)
    return day
