"""The Chinese working calendar, with its make-up workdays (调休), and when a month is paid by it; Monday to Friday in
years not announced yet."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import chinese_calendar

from csperf.periods import Month

DayKind = Literal["workday", "restday", "holiday"]


def is_working_day(day: date) -> bool:
    """Whether offices work that day."""
    return day_kind(day) == "workday"


def day_kind(day: date) -> DayKind:
    """What a day is for those who work office hours, and so at what rate overtime on it is paid.

    A holiday is a weekday that a public holiday takes: days exchanged for a make-up workday and weekends, those
    within the holidays included, are rest days. (The calendar does not say which days of a holiday are statutory; of
    these there are as many.)
    """
    try:
        if chinese_calendar.is_workday(day):
            return "workday"
        _, name = chinese_calendar.get_holiday_detail(day)
        return "holiday" if name and day.weekday() < 5 and not chinese_calendar.is_in_lieu(day) else "restday"
    except NotImplementedError:  # a year that is not announced yet
        return "workday" if day.weekday() < 5 else "restday"


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


def pay_date(rule: str | None, month: Month) -> date:
    """When a month is paid by a plan's rule: the 25th of the next or the same month, or its last working day."""
    if rule == "same_month_25":
        return month.first_day.replace(day=25)
    if rule == "last_working_day":
        day = month.last_day
        while not is_working_day(day):
            day -= timedelta(days=1)
        return day
    return month.plus(1).first_day.replace(day=25)
