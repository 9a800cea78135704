"""Grade decisions: what is the same for every plan, and the rules of the plans that pay by a scheme of their own.

The main scheme's rules are in `scheme`, those of the ladders without pay in `ladders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from tests.oracle.cards import ZERO, Book, Card
from tests.oracle.landing import Person
from tests.oracle.periods import Period
from tests.oracle.rounding import exact
from tests.oracle.service_plans import PRESALES_LEVELS


@dataclass(frozen=True)
class Decision:
    """A quarter's decision on an employee."""

    decision: str
    plan: str
    post: str | None
    grade_before: str
    grade_after: str
    effective_from: date

    @property
    def changed(self) -> bool:
        return self.grade_before != self.grade_after


def in_force(person: Person, decision: Decision) -> bool:
    """A decided grade replaces the roster's until a roster carries one since that day or later."""
    return decision.changed and person.grade_since < decision.effective_from


def with_grade(person: Person, decision: Decision) -> Person:
    return replace(person, grade=decision.grade_after, grade_since=decision.effective_from)


def not_rated(person: Person, quarter: Period) -> bool:
    """Active in fewer than all months of the quarter, or gone by its last day."""
    joined_late = (person.hire_date.year, person.hire_date.month) > (quarter.first.year, quarter.first.month)
    return joined_late or (person.leave_date is not None and person.leave_date < quarter.last)


def decided(person: Person, outcome: str, ladder: tuple[str, ...], last: date, levels: int = 1) -> Decision:
    """An outcome as a decision: one grade up or down the ladder, in effect from the next month on."""
    grade = person.grade
    step = {"promote": levels, "demote": -1}.get(outcome, 0)
    after = ladder[min(ladder.index(grade) + step, len(ladder) - 1)] if step else grade
    return Decision(outcome, person.plan, person.post, grade, after, last + timedelta(days=1))


LADDERS = {
    "sales_rating": ("junior", "intermediate", "senior"),
    "sales_commission": ("junior", "intermediate", "senior"),
    "presales_kpi": ("junior", "intermediate", "senior", "reserve"),
}


def decide(quarter: Period, book: Book, cards: Mapping[str, Card]) -> dict[str, Decision]:
    """Everyone active in the quarter, by his plan of the quarter's roster; the main scheme is decided elsewhere."""
    outcomes = {}
    for who, card in cards.items():
        plan, grade = card.person.plan, card.person.grade
        if not_rated(card.person, quarter) or grade not in LADDERS.get(plan, ()):
            outcomes[who] = "not_rated"
        elif plan == "sales_rating":
            outcomes[who] = _sales_rating(book, card)
        elif plan == "sales_commission":
            outcomes[who] = _sales_commission(book, card)
        else:
            outcomes[who] = _presales_kpi(book, card)
    _contest_for_reserve(book, cards, outcomes)
    return {
        who: decided(card.person, outcomes[who], LADDERS.get(card.person.plan, ()), quarter.last)
        for who, card in cards.items()
    }


def months_on_plan(book: Book, card: Card, number: int) -> list[Card] | None:
    """The last months, all of them in the grade and on the plan; None: the window is not whole."""
    if card.values["months_in_grade"] < number:
        return None
    cards = [each.members(card.person.plan).get(card.person.employee_id) for each in book.last_months(number)]
    found = [each for each in cards if each is not None]
    return found if len(found) == number else None


def _sales_rating(book: Book, card: Card) -> str:
    """客服销售工资方案"""
    if card.person.grade == "junior":
        months = months_on_plan(book, card, 6)
        if months and all(each.words.get("rating") in ("excellent", "excellent_plus") for each in months):
            return "promote"
    elif card.person.grade == "intermediate":
        exam = card.get("exam_score")
        if card.values["trainings_12_months"] >= 1 and exam is not None and exam >= 80:
            return "promote"
    return "hold"


def _sales_commission(book: Book, card: Card) -> str:
    """销售客服薪酬方案"""
    months = months_on_plan(book, card, 6)
    if card.person.grade == "senior" or months is None:
        return "hold"
    if not all(each.get("sales_completion") is not None for each in months):
        return "hold"
    if any(each.values["sales_completion"] < Fraction("0.8") for each in months):
        return "hold"
    if any(each.values["serious_violations"] for each in months):
        return "hold"
    year = last_full_year_completion(book, card.person.employee_id)
    return "promote" if year is None or year >= Fraction("0.9") else "hold"


def last_full_year_completion(book: Book, who: str) -> Fraction | None:
    """Of the newest year that is over by the quarter's end, where there is one."""
    for each in book.last_months(12):
        if each.year is not None:
            return each.year[who].get("sales_completion") if who in each.year else None
    return None


def _presales_kpi(book: Book, card: Card) -> str:
    """电商售前客服专员薪资绩效考核体系表; who may become reserve goes into the contest first."""
    grade = card.person.grade
    if grade in ("junior", "intermediate") and _gold_months(book, card, 3, reserve=1):
        return "promote"
    if grade == "senior" and book.month[5:] in ("06", "12") and _gold_months(book, card, 6, reserve=2):
        return "contest"
    months = months_on_plan(book, card, 3)
    if grade != "reserve" and months and all(_level(each) <= PRESALES_LEVELS.index("intermediate") for each in months):
        return "dismiss_review" if grade == "junior" else "demote"
    return "hold"


def _level(card: Card) -> int:
    return PRESALES_LEVELS.index(card.words["kpi_level"])


def _gold_months(book: Book, card: Card, number: int, reserve: int) -> bool:
    """All of the last months gold or better, some of them reserve."""
    months = months_on_plan(book, card, number)
    if months is None:
        return False
    levels = [_level(each) for each in months]
    gold, best = PRESALES_LEVELS.index("gold"), PRESALES_LEVELS.index("reserve")
    return all(level >= gold for level in levels) and levels.count(best) >= reserve


def _contest_for_reserve(book: Book, cards: Mapping[str, Card], outcomes: dict[str, str]) -> None:
    """PK: each team has one place, for the best mean kpi of the six months; a tie goes by hire date, then by id."""
    places: dict[str, tuple[Fraction, date, str]] = {}
    for who, card in cards.items():
        if outcomes[who] == "contest":
            months = months_on_plan(book, card, 6)
            assert months is not None
            mean = exact(sum((each.scores["kpi"] for each in months), ZERO) / 6)
            standing = (-mean, card.person.hire_date, who)
            places[card.person.team] = min(places.get(card.person.team, standing), standing)
    for who, card in cards.items():
        if outcomes[who] == "contest":
            outcomes[who] = "promote" if places[card.person.team][2] == who else "hold"
