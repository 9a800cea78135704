"""The rules of scheme cs_2017 a second time: points, coefficient, rating, pay lines and grade decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from tests.oracle.cards import Lines
from tests.oracle.landing import Person
from tests.oracle.periods import Period
from tests.oracle.rounding import exact
from tests.oracle.tiers import Decision, decided, not_rated

Numbers = Mapping[str, Fraction]

LADDER = ("trial", "junior", "intermediate", "senior")
ALLOWANCE = {"trial": 0, "junior": 0, "intermediate": 300, "senior": 600, "reserve": 600}
GRADE_POINTS = {"trial": 0, "junior": 0, "intermediate": 100, "senior": 200, "reserve": 200}
# qa_deduction at most, first_response_seconds at most, csat_rate at least
LIMITS = {
    "basic": {"junior": ("50", "60", "0.80"), "intermediate": ("30", "45", "0.85"), "senior": ("20", "30", "0.90")},
    "vip": {"junior": ("35", "45", "0.85"), "intermediate": ("20", "30", "0.90"), "senior": ("15", "20", "0.95")},
}
LIMITS["voice"] = LIMITS["basic"]
RATINGS = {"fail": 1, "pass": 2, "good": 3, "excellent": 4}


@dataclass(frozen=True)
class Scorecard:
    """An employee's month under the scheme; None where there is nothing to say."""

    person: Person
    parts: Mapping[str, Fraction]
    qa_coefficient: Fraction | None
    no_performance_pay: bool
    total_points: Fraction | None
    rating: str | None
    rank_in_post: int | None
    meets_base_indicator: bool | None

    def derived(self) -> dict[str, Fraction]:
        """The derived measures that exist."""
        found = dict(self.parts)
        if self.qa_coefficient is not None:
            found["qa_coefficient"] = self.qa_coefficient
        if self.total_points is not None:
            found["total_points"] = self.total_points
        if self.meets_base_indicator is not None:
            found["meets_base_indicator"] = Fraction(self.meets_base_indicator)
        if self.rating is not None:
            found["rating"] = Fraction(RATINGS[self.rating])
        return found


def coefficient(post: str, deduction: Fraction) -> Fraction | None:
    """The band that a month's deduction lies in; None: no performance pay this month."""
    if post == "vip":
        bands = [(15, "1.5"), (20, "1.2"), (35, "1.0"), (50, "0.8")]
        return next((Fraction(x) for most, x in bands if deduction <= most), None)
    if deduction <= 20:
        return Fraction("1.2")
    if deduction <= 30:
        return Fraction(1)
    if deduction < 50:
        return Fraction("0.8")
    return Fraction("0.6") if deduction < 70 else None


def scorecards(people: Mapping[str, Person], measures: Mapping[str, Numbers]) -> dict[str, Scorecard]:
    """Everyone's scorecard of a month."""
    cards = {}
    for who, person in people.items():
        values = {name: exact(number) for name, number in measures[who].items()}
        parts = {
            "ticket_points": values["tickets"],
            "error_ticket_points": 5 * values["error_tickets"],
            "full_attendance_points": 100 * values["full_attendance"],
        }
        if person.grade in GRADE_POINTS:
            parts["grade_points"] = Fraction(GRADE_POINTS[person.grade])
        band, total, rating, meets = None, None, None, None
        if person.post is not None:
            parts["intake_points"] = values["volume"]
            band = coefficient(person.post, values["qa_deduction"])
            rating = _rating(band or Fraction())
            total = _total(parts, band or Fraction(), values)
            if "volume_post_mean" in values:
                meets = values["volume"] >= values["volume_post_mean"]
        cards[who] = Scorecard(
            person=person,
            parts=parts,
            qa_coefficient=(band or Fraction()) if person.post is not None else None,
            no_performance_pay=person.post is not None and band is None,
            total_points=total,
            rating=rating,
            rank_in_post=None,
            meets_base_indicator=meets,
        )
    return {who: replace(card, rank_in_post=_rank(card, cards.values())) for who, card in cards.items()}


def _total(parts: Numbers, band: Fraction, values: Numbers) -> Fraction | None:
    if "grade_points" not in parts:
        return None
    added = ("ticket_points", "full_attendance_points", "grade_points")
    points = parts["intake_points"] * band + sum(parts[name] for name in added) - parts["error_ticket_points"]
    points += values["execution_points"] + values["excellent_case_points"] + values["extra_points"]
    return exact(max(Fraction(), points))


def _rating(band: Fraction) -> str:
    if band >= Fraction("1.2"):
        return "excellent"
    if band >= 1:
        return "good"
    return "pass" if band >= Fraction("0.8") else "fail"


def _rank(card: Scorecard, cards: Iterable[Scorecard]) -> int | None:
    if card.total_points is None:
        return None
    mine = (card.person.plan, card.person.post)
    better = [
        other
        for other in cards
        if (other.person.plan, other.person.post) == mine
        and other.total_points is not None
        and other.total_points > card.total_points
    ]
    return len(better) + 1


def pay_lines(card: Scorecard, part: Fraction) -> Lines:
    """The month's lines: component and amount; `part` is the share of the month that is paid."""
    points = Fraction() if card.no_performance_pay else card.total_points
    return {
        "base_pay": 3000 * part,
        "performance_pay": None if points is None else points / 2,
        "grade_allowance": ALLOWANCE[card.person.grade] * part if card.person.grade in ALLOWANCE else None,
    }


def decide(
    quarter: Period,
    people: Mapping[str, Person],
    values: Mapping[str, Numbers],
    months: Sequence[Mapping[str, Numbers]],
    cards: Sequence[Mapping[str, Scorecard]],
) -> dict[str, Decision]:
    """The decision on everyone of the scheme; `months` and `cards` are those of the quarter's three months."""
    decisions = {}
    for who, person in people.items():
        if not_rated(person, quarter) or person.grade not in LADDER:
            outcome = "not_rated"
        else:
            outcome = _outcome(
                quarter.first, person, values[who], [m.get(who) for m in months], [c.get(who) for c in cards]
            )
        decisions[who] = decided(person, outcome, LADDER, quarter.last + timedelta(days=1))
    return decisions


def _outcome(
    first: date,
    person: Person,
    quarter: Numbers,
    months: Sequence[Numbers | None],
    cards: Sequence[Scorecard | None],
) -> str:
    """The first rule that holds; a month without a scorecard of his is neither met nor missed."""
    base = [card is not None and card.meets_base_indicator is True for card in cards]
    place = LADDER.index(person.grade)
    above = LADDER[place + 1] if place + 1 < len(LADDER) else None
    if above and person.hire_date <= first and all(base) and meets(person.post, above, quarter):
        return "promote"
    own = "junior" if person.grade == "trial" else person.grade
    missed = [
        card is not None and values is not None and not (reached and meets(card.person.post, own, values))
        for reached, values, card in zip(base, months, cards, strict=True)
    ]
    if all(missed) and person.post is not None:
        return "dismiss_review" if person.grade == "trial" else "demote"
    return "hold"


def meets(post: str | None, grade: str, values: Numbers) -> bool:
    """Whether some values keep a post's limits of a grade; an absent one does not."""
    if post is None:
        return False
    deduction, response, csat = (Fraction(limit) for limit in LIMITS[post][grade])
    if any(name not in values for name in ("qa_deduction", "first_response_seconds", "csat_rate")):
        return False
    return (
        exact(values["qa_deduction"]) <= deduction
        and exact(values["first_response_seconds"]) <= response
        and exact(values["csat_rate"]) >= csat
    )
