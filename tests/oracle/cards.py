"""What the plans' rules are told: an employee's period, and everybody's month with all that came before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracle.landing import Person

ZERO = Fraction()
Lines = dict[str, Fraction | None]  # component: amount before rounding; None: no line


@dataclass
class Card:
    """An employee's period. `values` are measures rounded to six places; what is absent is left out."""

    person: Person
    values: dict[str, Fraction]
    scores: dict[str, Fraction] = field(default_factory=dict)  # derived measures of his plan, rounded likewise
    words: dict[str, str] = field(default_factory=dict)  # ratings and levels
    decided: bool = False  # his grade is one that we decided, not the roster's

    def get(self, name: str) -> Fraction | None:
        return self.values.get(name)

    @property
    def share_of_month(self) -> Fraction:
        """What "prorated" multiplies by."""
        values = self.values
        if not values["scheduled_days"]:
            return ZERO
        return values["active_days"] / values["calendar_days"] * values["paid_days"] / values["scheduled_days"]


@dataclass
class Book:
    """A month: everyone's card, those of the quarter and year that end with it, and the months before."""

    month: str
    cards: dict[str, Card]
    quarter: dict[str, Card] | None = None
    year: dict[str, Card] | None = None
    before: Book | None = None
    roster: dict[str, Person] = field(default_factory=dict)  # those who are not active too

    def members(self, plan: str) -> dict[str, Card]:
        """The plan's members active in the month: those who can be paid by it."""
        return {who: card for who, card in self.cards.items() if card.person.plan == plan}

    def last_months(self, number: int) -> list[Book]:
        """This month and those before it, the newest first; fewer where the data begin later."""
        books: list[Book] = []
        book: Book | None = self
        while book is not None and len(books) < number:
            books.append(book)
            book = book.before
        return books

    def months_of_year(self) -> Iterator[Book]:
        """This month and the earlier ones of its year."""
        return (book for book in self.last_months(12) if book.month[:4] == self.month[:4])


def by_grade(table: dict[str, str], grade: str) -> Fraction | None:
    """A grade's figure; reserve is paid as senior and trial as junior where the table has none of their own."""
    stand_in = {"reserve": "senior", "trial": "junior"}
    figure = table.get(grade, table.get(stand_in.get(grade, "")))
    return None if figure is None else Fraction(figure)


def times(*numbers: Fraction | str | int | None) -> Fraction | None:
    """A product that is absent with any of its factors."""
    product = Fraction(1)
    for number in numbers:
        if number is None:
            return None
        product *= Fraction(number)
    return product


def weighted(*factors: tuple[str, Fraction | None]) -> Fraction | None:
    """ "Scaled up": an absent factor drops out, the weights that remain are divided by their sum."""
    there = [(Fraction(weight), value) for weight, value in factors if value is not None]
    if not there:
        return None
    return sum((weight * value for weight, value in there), ZERO) / sum((weight for weight, _ in there), ZERO)


def percent(value: Fraction | None) -> Fraction | None:
    """A share as a factor of a score: 0 to 100."""
    return None if value is None else max(ZERO, min(Fraction(100), value * 100))


def share(part: Fraction | None, whole: Fraction | None) -> Fraction | None:
    """Absent where a part is absent or it would divide by zero."""
    return part / whole if part is not None and whole else None
