"""Months, quarters and years of the independent calculation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Period:
    """A month, quarter or year; `months` are those of it that were asked for."""

    kind: str
    name: str
    first: date
    last: date
    months: tuple[str, ...]


def periods_ending_with(month: str, months: Sequence[str]) -> list[Period]:
    """The month, and the quarter and year whose last month it is."""
    year, number = int(month[:4]), int(month[5:])
    first, last = date(year, number, 1), first_of_next_month(date(year, number, 1)) - timedelta(days=1)
    found = [Period("month", month, first, last, (month,))]
    if number % 3 == 0:
        in_quarter = [each for each in months if each[:4] == month[:4] and number - 3 < int(each[5:]) <= number]
        found.append(
            Period("quarter", f"{year}Q{number // 3}", date(year, number - 2, 1), last, tuple(sorted(in_quarter)))
        )
    if number == 12:
        in_year = [each for each in months if each[:4] == month[:4]]
        found.append(Period("year", month[:4], date(year, 1, 1), last, tuple(sorted(in_year))))
    return found


def month_before(month: str, steps: int = 1) -> str:
    """The month some steps earlier."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 - steps
    return f"{number // 12}-{number % 12 + 1:02}"


def twelve_months_up_to(last: date) -> date:
    """The first day of the twelve months that end with a period's last day."""
    after = last + timedelta(days=1)
    return after.replace(year=after.year - 1)


def first_of_next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
