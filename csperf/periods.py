"""Months, quarters and business dates, written as the contract writes them (`2026-09`, `2026Q3`, `2026-09-30`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from csperf.errors import UsageError


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month, the pay month. `str()` gives `2026-09`."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """`2026-09` to a month; anything else is a UsageError."""
        match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
        if not match:
            raise UsageError(f"'{text}' is not a month; write it like 2026-09.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Month:
        """The month a day lies in."""
        return cls(day.year, day.month)

    @property
    def months(self) -> tuple[Month, ...]:
        """The month alone, as a quarter has three."""
        return (self,)

    @property
    def first_day(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        return self.plus(1).first_day - timedelta(days=1)

    @property
    def quarter(self) -> Quarter:
        return Quarter(self.year, (self.number + 2) // 3)

    def plus(self, months: int) -> Month:
        """The month so many months later (earlier if negative)."""
        index = self.year * 12 + self.number - 1 + months
        return Month(index // 12, index % 12 + 1)

    def until(self, last: Month) -> Iterator[Month]:
        """This month, the next, … up to and with `last`."""
        month = self
        while month <= last:
            yield month
            month = month.plus(1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"


def parse_months(text: str) -> tuple[Month, Month]:
    """`2026-09` or `2026-07..2026-09` to the first and the last month; a UsageError when it is neither."""
    first, dots, last = text.partition("..")
    months = Month.parse(first), Month.parse(last if dots else first)
    if months[1] < months[0]:
        raise UsageError(f"The range ends ({months[1]}) before it starts ({months[0]}); swap the two months.")
    return months


@dataclass(frozen=True, order=True)
class Quarter:
    """A calendar quarter. `str()` gives `2026Q3`."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Quarter:
        """`2026Q3` to a quarter; anything else is a UsageError."""
        match = re.fullmatch(r"(\d{4})Q([1-4])", text)
        if not match:
            raise UsageError(f"'{text}' is not a quarter; write it like 2026Q3.")
        return cls(int(match[1]), int(match[2]))

    @property
    def months(self) -> tuple[Month, Month, Month]:
        first = Month(self.year, self.number * 3 - 2)
        return first, first.plus(1), first.plus(2)

    @property
    def first_day(self) -> date:
        return self.months[0].first_day

    @property
    def last_day(self) -> date:
        return self.months[2].last_day

    def __str__(self) -> str:
        return f"{self.year:04d}Q{self.number}"


def parse_period(text: str) -> Month | Quarter:
    """`2026-09` to a month, `2026Q3` to a quarter; anything else is a UsageError."""
    return Quarter.parse(text) if "Q" in text else Month.parse(text)


def parse_date(text: str) -> date:
    """`2026-09-30` to a date; anything else is a UsageError."""
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text}' is not a date; write it like 2026-09-30.") from None


def days(first: date, last: date) -> list[date]:
    """All dates from `first` to `last`, both included; a UsageError when they are the wrong way round."""
    if last < first:
        raise UsageError(f"The range ends ({last}) before it starts ({first}); swap the two dates.")
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
