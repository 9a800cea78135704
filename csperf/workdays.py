"""The Chinese working calendar: which days are worked, make-up days included (调休), holidays not."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import chinese_calendar


def is_working_day(day: date) -> bool:
    """Whether a day is worked; for years whose calendar is not announced yet, Monday to Friday."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return calendar.weekday(day.year, day.month, day.day) < 5


def numbered_days(first: date, last: date) -> list[tuple[date, int]]:
    """Each day from first to last with the number of working days from first up to it, itself included.

    The working days between two dates are then a difference of their numbers.
    """
    numbered, number = [], 0
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        number += is_working_day(day)
        numbered.append((day, number))
    return numbered
