"""A company's measures, scores, pay lines and grade decisions a second time, from its landing files alone.

Nothing of csperf is used, and nothing was copied from it: where both agree, two readings of the contract and the
schemes agree. `calculate` is the entrance. The rules are in `measures`, `scheme` (the main scheme), `sales_plans`,
`service_plans`, `contributions` and `tiers`; this module walks through the months.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from tests.oracle import sales_plans, scheme, service_plans, tiers
from tests.oracle.cards import Book, Card, Lines
from tests.oracle.contributions import contributions
from tests.oracle.landing import Landing, Person, read_landing
from tests.oracle.measures import Measures, Rulings, measures_of, over_days
from tests.oracle.periods import Period, month_before, periods_ending_with
from tests.oracle.reviews import Proposal, proposals, raises
from tests.oracle.rounding import exact, rounded, used
from tests.oracle.scheme import Scorecard
from tests.oracle.tiers import Decision

PLANS = {
    "sales_grade": sales_plans.sales_grade,
    "sales_education": sales_plans.sales_education,
    "part_time": sales_plans.part_time,
    "sales_rating": sales_plans.sales_rating,
    "sales_commission": sales_plans.sales_commission,
    "layered": service_plans.layered,
    "standard": service_plans.standard,
    "call_center": service_plans.call_center,
    "rated": service_plans.rated,
    "framework": service_plans.framework,
    "presales_kpi": service_plans.presales_kpi,
}


Outcome = tuple[Fraction | None, Fraction | None, Fraction | None, str | None, int | None, bool | None]


@dataclass
class Result:
    """All that was calculated, measures rounded to 6 places and money to 2."""

    measures: dict[tuple[str, str, str, str], Decimal] = field(default_factory=dict)  # employee, kind, period, measure
    agent_daily: dict[tuple[str, date], dict[str, Decimal | None]] = field(default_factory=dict)
    scorecards: dict[tuple[str, str], Scorecard] = field(default_factory=dict)  # employee, month; of the main scheme
    cards: dict[tuple[str, str], Card] = field(default_factory=dict)  # employee, month
    pay: dict[tuple[str, str, str], Decimal] = field(default_factory=dict)  # employee, month, component
    # employee, month: coefficient, total points, score, rating, rank in post, base indicator
    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    gross: dict[tuple[str, str], Decimal] = field(default_factory=dict)  # employee, month
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)  # employee, quarter
    lists: dict[tuple[str, str, str], bool] = field(default_factory=dict)  # employee, quarter, list
    reviews: dict[tuple[str, str, str], Proposal] = field(default_factory=dict)  # employee, period, kind


@dataclass
class _Work:
    """What the months leave for those after them."""

    landing: Landing
    months: Sequence[str]
    approved: Collection[str] | None
    published: Collection[str]
    result: Result = field(default_factory=Result)
    rulings: Rulings = field(default_factory=dict)
    monthly: dict[str, dict[str, Measures]] = field(default_factory=dict)
    points: dict[str, dict[str, Scorecard]] = field(default_factory=dict)  # month: cards by the main scheme, of anyone


def calculate(
    root: Path,
    months: Sequence[str],
    zone: str = "Asia/Shanghai",
    approved: Collection[str] | None = None,
    published: Collection[str] = (),
) -> Result:
    """Everything for some consecutive months.

    `approved` are the quarters whose decisions are in force (None: all of them), `published` the months whose gross
    pay the next month's contributions stand on.
    """
    work = _Work(read_landing(root, zone), months, approved, published)
    before: Book | None = None
    for month in months:
        before = _month(work, month, before)
    work.result.agent_daily = _agent_daily(work.landing, months)
    return work.result


def _month(work: _Work, month: str, before: Book | None) -> Book:
    book = Book(month, {}, before=before)
    quarter: Period | None = None
    for period in periods_ending_with(month, work.months):
        people = _people(work, period)
        measures = measures_of(work.landing, period, people, work.rulings)
        cards = {who: _card(work, period, people[who], numbers) for who, numbers in measures.items()}
        for who, numbers in measures.items():
            for name, number in numbers.items():
                work.result.measures[who, period.kind, period.name, name] = used(number)
        if period.kind == "month":
            book.cards, book.roster = cards, work.landing.roster(period.last)
            work.monthly[month] = measures
            work.points[month] = scheme.scorecards(people, measures)
        elif period.kind == "quarter":
            book.quarter, quarter = cards, period
        else:
            book.year = cards
    for who, card in book.cards.items():
        work.result.cards[who, month] = card
        _keep_derived(work, month, who, card)
        _keep_pay(work, book, who)
    _outcomes(work, book)
    if quarter is not None and len(quarter.months) == 3:
        _decide(work, quarter, book)
    if book.year is not None:
        for who, proposal in proposals(book, date(int(month[:4]) + 1, 1, 1)).items():
            work.result.reviews[who, month[:4], "yearly"] = proposal
    return book


def _people(work: _Work, period: Period) -> dict[str, Person]:
    """The active employees of the period's roster, with the grades that were decided for them."""
    people = {}
    for who, person in work.landing.roster(period.last).items():
        if person.active(period.first, period.last):
            decision = _decision_in_force(work, person, period)
            people[who] = person if decision is None else tiers.with_grade(person, decision)
    return people


def _decision_in_force(work: _Work, person: Person, period: Period) -> Decision | None:
    """The newest decision that has taken effect and that no roster has overtaken."""
    newest = None
    for (who, quarter), decision in sorted(work.result.decisions.items()):
        approved = work.approved is None or quarter in work.approved
        if who == person.employee_id and approved and decision.effective_from <= period.last:
            newest = decision if tiers.in_force(person, decision) else newest
    return newest


def _card(work: _Work, period: Period, person: Person, measures: Measures) -> Card:
    """An employee's period with the derived measures of his plan."""
    card = Card(person, {name: exact(number) for name, number in measures.items()})
    roster = work.landing.roster(period.last)[person.employee_id]
    card.decided = (person.grade, person.grade_since) != (roster.grade, roster.grade_since)
    plan = person.plan
    # Of everyone: a lead on another plan looks at the first, ladders at the second.
    scores = {"kpi_score": service_plans.kpi_score(card), "composite": service_plans.composite(card)}
    if plan in ("rated", "standard"):
        scores["score"] = service_plans.service_score(card)
    if plan == "layered":
        scores["month_score"] = service_plans.layered_month_score(card)
        scores["quarter_score"] = service_plans.layered_quarter_score(card)
    if plan == "presales_kpi":
        scores["kpi"] = service_plans.presales_kpi_of(card)
    card.scores = {name: exact(score) for name, score in scores.items() if score is not None}
    if plan == "presales_kpi":
        card.words["kpi_level"] = service_plans.presales_level(card.scores["kpi"])
    if plan in ("rated", "standard") and "score" in card.scores:
        card.words["rating"] = service_plans.service_rating(card.scores["score"])
    if plan == "sales_rating":
        word = sales_plans.sales_rating_word(card.get("sales_completion"))
        if word is not None:
            card.words["rating"] = word
    return card


# The score that a plan ranks by.
SCORES = {
    **{"call_center": "kpi_score", "rated": "score", "standard": "score", "framework": "composite"},
    **{"presales_kpi": "kpi", "layered": "month_score"},
}
# What a rating or level is as a measure.
LEVELS = {
    "rated": {"fail": 1, "pass": 2, "good": 3, "excellent": 4},
    "standard": {"fail": 1, "pass": 2, "good": 3, "excellent": 4},
    "sales_rating": {"below_target": 0, "on_target": 1, "excellent": 2, "excellent_plus": 3},
    "presales_kpi": {level: place for place, level in enumerate(service_plans.PRESALES_LEVELS)},
}


def _keep_derived(work: _Work, month: str, who: str, card: Card) -> None:
    """Derived measures and the scorecard's outcome; a level is a number too."""
    result, plan, points = work.result, card.person.plan, work.points[month][who]
    derived = {name: card.scores[name] for name in ("kpi_score", "composite", "score", "kpi") if name in card.scores}
    if points.meets_base_indicator is not None:
        derived["meets_base_indicator"] = Fraction(points.meets_base_indicator)
    if plan == "cs_2017":
        result.scorecards[who, month] = points
        derived |= points.derived()
    if plan == "sales_education":
        derived["leave_entitlement_days"] = Fraction(sales_plans.leave_entitlement_days(card))
    for name, word in card.words.items():
        derived[name] = Fraction(LEVELS[plan][word])
    for name, number in derived.items():
        result.measures[who, "month", month, name] = rounded(number, 6)


def _outcomes(work: _Work, book: Book) -> None:
    for who, card in book.cards.items():
        points, plan = work.points[book.month][who], card.person.plan
        meets = points.meets_base_indicator
        if plan == "cs_2017":
            total = points.total_points
            outcome = (points.qa_coefficient, total, total, points.rating, points.rank_in_post, meets)
            work.result.outcomes[who, book.month] = outcome
            continue
        name = SCORES.get(plan, "kpi_score" if plan.startswith("ladder_") else "")
        score, rank = card.scores.get(name), None
        if score is not None and card.person.post is not None:
            others = [each for each in book.members(plan).values() if each.person.post == card.person.post]
            rank = 1 + sum(name in each.scores and each.scores[name] > score for each in others)
        rating = card.words.get("rating", card.words.get("kpi_level"))
        work.result.outcomes[who, book.month] = (None, None, score, rating, rank, meets)


def _keep_pay(work: _Work, book: Book, who: str) -> None:
    """The month's lines, each rounded once, and the contributions on their sum or that of the month before."""
    result, card = work.result, book.cards[who]
    lines: Lines = {}
    if card.person.plan == "cs_2017":
        lines = scheme.pay_lines(work.points[book.month][who], card.share_of_month)
    elif card.person.plan in PLANS:
        lines = PLANS[card.person.plan](book, who)
    amounts = {component: rounded(amount, 2) for component, amount in lines.items() if amount is not None}
    gross = sum(amounts.values(), Decimal("0.00"))
    if amounts:  # a plan that is a ladder alone pays nothing: what its people earn is reckoned elsewhere
        result.gross[who, book.month] = gross
    before = month_before(book.month)
    if before in work.published:
        gross = result.gross.get((who, before), gross)
    for component, amount in (amounts | contributions(card.person.plan, gross)).items():
        result.pay[who, book.month, component] = amount


def _decide(work: _Work, quarter: Period, book: Book) -> None:
    assert book.quarter is not None
    cards = book.quarter
    by_points = {who: card.person for who, card in cards.items() if card.person.plan == "cs_2017"}
    quarterly = tiers.Quarter(quarter, book, cards, work.landing)
    decisions = tiers.decide(quarterly) | scheme.decide(
        quarter,
        by_points,
        {who: cards[who].values for who in by_points},
        [work.monthly[month] for month in quarter.months],
        [work.points[month] for month in quarter.months],
    )
    for who, decision in decisions.items():
        work.result.decisions[who, quarter.name] = decision
    for who, name in tiers.lists(quarterly):
        work.result.lists[who, quarter.name, name] = True
    for who, proposal in raises(cards, decisions).items():
        work.result.reviews[who, quarter.name, "promotion"] = proposal


def _agent_daily(landing: Landing, months: Sequence[str]) -> dict[tuple[str, date], dict[str, Decimal | None]]:
    """What anybody did on a date with a contact, review or ticket; his post is that of the month's roster."""
    names = ("sessions", "calls_answered", "qa_deduction", "tickets")
    means = ("first_response_seconds", "response_seconds", "csat_rate")
    posts: dict[tuple[str, str], str | None] = {}
    for month in months:
        (period, *_) = periods_ending_with(month, months)
        posts |= {(who, month): person.post for who, person in landing.roster(period.last).items()}
    found = {}
    for (who, day), tally in landing.tallies.items():
        if any(tally.get(name) for name in ("sessions", "calls", "qa_reviews", "tickets")):
            measures = over_days(tally, posts.get((who, f"{day:%Y-%m}")))
            numbers = {name: measures.get(name) for name in (*names, *means)}
            found[who, day] = {name: None if x is None else used(x) for name, x in numbers.items()}
    return found
