"""Grade decisions: what is the same for every plan, and the rules of the plans that pay by a scheme of their own.

The main scheme's rules are in `scheme`, those of the ladders without pay in `ladders`: here they are walked through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from tests.oracle import ladders
from tests.oracle.cards import ZERO, Book, Card
from tests.oracle.ladders import Standing
from tests.oracle.landing import Landing, Person
from tests.oracle.periods import Period, first_of_next_month
from tests.oracle.rounding import exact
from tests.oracle.service_plans import PRESALES_LEVELS
from tests.oracle.working_days import working_days_later


@dataclass(frozen=True)
class Decision:
    """A quarter's decision on an employee."""

    decision: str
    plan: str
    post: str | None
    grade_before: str
    grade_after: str
    effective_from: date
    levels: int = 1

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


def decided(person: Person, outcome: str, grades: tuple[str, ...], begins: date, levels: int = 1) -> Decision:
    """An outcome as a decision: so many grades up the track, or one down, from a day on."""
    grade = person.grade
    step = {"promote": levels, "demote": -1}.get(outcome, 0)
    after = grades[min(grades.index(grade) + step, len(grades) - 1)] if step else grade
    return Decision(outcome, person.plan, person.post, grade, after, begins, levels)


TRACKS = {
    "sales_rating": ("junior", "intermediate", "senior"),
    "sales_commission": ("junior", "intermediate", "senior"),
    "presales_kpi": ("junior", "intermediate", "senior", "reserve"),
}


@dataclass
class Quarter:
    """What the decisions of a quarter are made from."""

    period: Period
    book: Book
    cards: Mapping[str, Card]
    landing: Landing

    @property
    def told_on(self) -> date:
        """The day on which cases are looked at: of their newest delivery, at the earliest the quarter's last."""
        return max(self.landing.cases_told_on, self.period.last)

    def standing(self, who: str) -> Standing | None:
        return ladders.applied(self.cards[who], self.landing.cases, self.period.name, self.told_on)

    def scores(self, plan: str) -> dict[str, Fraction]:
        """The mean of the quarter's scores of a ladder's members: of the KPI score, which a month on any plan has."""
        found = {}
        for who, card in self.cards.items():
            months = [each.cards.get(who) for each in self.book.last_months(3)]
            scores = [month.scores["kpi_score"] for month in months if month and "kpi_score" in month.scores]
            if card.person.plan == plan and scores:
                found[who] = exact(sum(scores, ZERO) / len(scores))
        return found


def grades_of(person: Person) -> tuple[str, ...]:
    """The track of the plan that the employee's grade is on; empty where there is none."""
    if person.plan.startswith("ladder_") or person.plan == "call_center":  # of which the seed gives no conditions
        return ladders.track(person.plan, person.grade)
    grades = TRACKS.get(person.plan, ())
    return grades if person.grade in grades else ()


def decide(quarter: Quarter) -> dict[str, Decision]:
    """Everyone active in the quarter, by his plan of the quarter's roster; the main scheme is decided elsewhere."""
    outcomes, levels = {}, {}
    book = quarter.book
    for who, card in quarter.cards.items():
        plan = card.person.plan
        levels[who] = 1
        if not_rated(card.person, quarter.period) or not grades_of(card.person):
            outcomes[who] = "not_rated"
        elif plan == "sales_rating":
            outcomes[who] = _sales_rating(book, card)
        elif plan == "sales_commission":
            outcomes[who] = _sales_commission(book, card)
        elif plan == "presales_kpi":
            outcomes[who] = _presales_kpi(book, card)
        else:
            levels[who] = ladders.levels(plan, card, quarter.standing(who), quarter.period.name)
            grades = grades_of(card.person)
            levels[who] = min(levels[who], len(grades) - 1 - grades.index(card.person.grade))
            outcomes[who] = "promote" if levels[who] else "hold"
    _contest_for_reserve(book, quarter.cards, outcomes)
    _contest_of_ladder(quarter, outcomes)
    decisions = {}
    for who, card in quarter.cards.items():
        begins = quarter.period.last + timedelta(days=1)
        if outcomes[who] == "promote" and card.person.plan in ("ladder_case", "ladder_scored"):
            standing = quarter.standing(who)
            assert standing is not None and standing.case.announced_on is not None
            over = working_days_later(standing.case.announced_on, 5)
            begins = max(begins, first_of_next_month(over))
        decisions[who] = decided(card.person, outcomes[who], grades_of(card.person), begins, levels[who])
    return decisions


def lists(quarter: Quarter) -> set[tuple[str, str]]:
    """Honours and the eligible for a transfer: employee and list."""
    cards, found = quarter.cards, set()
    for who in ladders.excellent_agents(quarter.scores("ladder_honor"), cards):
        found.add((who, "excellent_agent"))
    for who in ladders.service_stars(cards):
        if cards[who].person.plan == "ladder_honor":
            found.add((who, "service_star"))
    for who, card in cards.items():
        if card.person.plan == "ladder_transfer" and ladders.may_transfer(card, months_in_post(quarter.book, card)):
            found.add((who, "transfer_eligible"))
    return found


def months_in_post(book: Book, card: Card) -> int:
    """In how many months up to this one the rosters say the post that he has now."""
    months = 0
    for each in book.last_months(99):
        person = each.roster.get(card.person.employee_id)
        if card.person.post is None or person is None or person.post != card.person.post:
            break
        months += f"{person.hire_date:%Y-%m}" <= each.month
    return months


def _contest_of_ladder(quarter: Quarter, outcomes: dict[str, str]) -> None:
    """岗位竞争机制: a serious violation costs a grade; of the others who may, the best of each team goes up."""
    members = [who for who, card in quarter.cards.items() if card.person.plan == "ladder_contest"]
    entrants = []
    for who in members:
        card = quarter.cards[who]
        if outcomes[who] == "not_rated":
            continue
        if card.values["serious_violations"]:
            lowest = grades_of(card.person)[0] == card.person.grade
            outcomes[who] = "hold" if lowest else "demote"
        elif outcomes[who] == "promote":
            entrants.append(who)
    winners = ladders.contest(entrants, quarter.scores("ladder_contest"), quarter.cards)
    for who in entrants:
        outcomes[who] = "promote" if who in winners else "hold"


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
