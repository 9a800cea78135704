"""The ladders without pay of their own, from the text of the schemes alone.

Each rule says by how many grades an employee goes up. What a rule needs and is absent is not met. A case (an
application) is read as its newest delivery tells it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise

from tests.oracle.cards import Card
from tests.oracle.landing import Case
from tests.oracle.rounding import exact
from tests.oracle.service_plans import composite
from tests.oracle.working_days import working_days_later

STAFF = ("trial", "junior", "intermediate", "senior", "principal")
MANAGEMENT = ("reserve", "lead", "supervisor", "manager")
TENURE = ("junior", "intermediate", "senior", "principal")


def track(plan: str, grade: str) -> tuple[str, ...]:
    """The grades that an employee of a ladder goes up; empty for one that is not on it."""
    tracks = (TENURE,) if plan == "ladder_tenure" else (STAFF, MANAGEMENT)
    return next((grades for grades in tracks if grade in grades), ())


def least(card: Card, name: str, limit: str) -> bool:
    value = card.get(name)
    return value is not None and value >= Fraction(limit)


def most(card: Card, name: str, limit: str) -> bool:
    value = card.get(name)
    return value is not None and value <= Fraction(limit)


def next_grade(grade: str) -> str | None:
    return next((above for grades in (STAFF, MANAGEMENT) for own, above in pairwise(grades) if own == grade), None)


def tenure(card: Card) -> int:
    """客服专员绩效考核: 3 months a junior, a year and two years since joining; the manager's score at least 60."""
    if not least(card, "manager_score", "60"):
        return 0
    grade, months = card.person.grade, card.values["tenure_months"]
    if grade == "junior":
        return int(card.values["months_in_grade"] >= 3)
    if grade == "intermediate":
        return int(months >= 12)
    return int(grade == "senior" and months >= 24)


@dataclass(frozen=True)
class Standing:
    """A case's state on a day, and why."""

    case: Case
    state: str


def state_of(case: Case, on: date) -> str:
    """客服部晋升制度大纲, 晋升流程: supervisor, panel, five working days of notice, and HR's final approval."""
    if case.withdrawn_on is not None:
        return "withdrawn"
    if case.supervisor_opinion == "oppose" or "reject" in (case.panel_decision, case.hr_decision):
        return "rejected"
    if case.objection == "upheld":
        return "rejected"
    if not case.supervisor_opinion:
        return "supervisor_review"
    if not case.panel_decision or case.announced_on is None:
        return "panel_review"
    if working_days_later(case.announced_on, 5) > on or case.objection == "open":
        return "announced"
    return "effective" if case.hr_decision == "approve" else "hr_review"


def applied(card: Card, cases: Iterable[Case], quarter: str, on: date) -> Standing | None:
    """The employee's newest case of the quarter that was not withdrawn."""
    own = [case for case in cases if (case.employee_id, case.quarter) == (card.person.employee_id, quarter)]
    standing = [case for case in own if case.withdrawn_on is None]
    newest = max(standing, key=lambda case: (case.applied_on, case.case_id), default=None)
    return None if newest is None else Standing(newest, state_of(newest, on))


def by_case(card: Card, standing: Standing | None) -> int:
    """客服部晋升制度大纲: a year in the grade, and a case that went all its way."""
    return int(
        card.values["months_in_grade"] >= 12
        and standing is not None
        and standing.state == "effective"
        and next_grade(card.person.grade) is not None
    )


def scored(card: Card, standing: Standing | None) -> int:
    """客服部薪酬晋升方案: one level, or two for whoever keeps the stricter set; by application."""
    if standing is None or standing.state != "effective":
        return 0
    if not least(card, "tenure_months", "12") or card.values["conflicts"]:
        return 0
    levels = 0
    for csat, resolved, handling, exam in (("0.90", "0.95", "600", "80"), ("0.95", "1", "480", "90")):
        kept = least(card, "csat_rate", csat) and most(card, "handle_seconds", handling)
        kept = kept and least(card, "exam_score", exam)
        kept = kept and (not card.values["complaints"] or least(card, "complaint_resolution_rate", resolved))
        levels += kept
    return levels


def year(card: Card, standing: Standing | None) -> int:
    """客服晋升方案: a year in the grade, exam and appraisal; to lead and above two years and the panel's score."""
    above = next_grade(card.person.grade)
    if above is None:
        return 0
    if above not in MANAGEMENT:
        assessed = least(card, "exam_score", "60") and least(card, "manager_score", "80")
        return int(assessed and card.values["months_in_grade"] >= 12)
    score = standing.case.panel_score if standing is not None else None
    return int(card.values["months_in_grade"] >= 24 and score is not None and score >= 80)


def honor(card: Card) -> int:
    """客服升职晋升方案 (training, evaluation, job targets): a training within the year and the composite."""
    score = composite(card)
    return int(card.values["trainings_12_months"] >= 1 and score is not None and exact(score) >= 80)


def service_stars(cards: Mapping[str, Card]) -> set[str]:
    """服务明星: the company's best csat_rate among those with at least 30 ratings."""
    rates = {who: card.values["csat_rate"] for who, card in cards.items() if card.values["ratings"] >= 30}
    return {who for who, rate in rates.items() if rate == max(rates.values())}


def excellent_agents(scores: Mapping[str, Fraction], cards: Mapping[str, Card]) -> set[str]:
    """优秀客服: each team's best score of the quarter."""
    best: dict[str, Fraction] = {}
    for who, score in scores.items():
        team = cards[who].person.team
        best[team] = max(best.get(team, score), score)
    return {who for who, score in scores.items() if score == best[cards[who].person.team]}


def may_transfer(card: Card, months_in_post: int) -> bool:
    """客服升职晋升方案 (three ways up): who stands on the list of those who may move to another post."""
    return months_in_post >= 12 and least(card, "exam_score", "80")


def contest(eligible: Iterable[str], scores: Mapping[str, Fraction], cards: Mapping[str, Card]) -> set[str]:
    """岗位竞争机制: each team's one place goes to the best score among the eligible; ties by hire date, then id."""
    places: dict[str, tuple[Fraction, date, str]] = {}
    for who in eligible:
        if who in scores:
            standing = (-scores[who], cards[who].person.hire_date, who)
            team = cards[who].person.team
            places[team] = min(places.get(team, standing), standing)
    return {who for _, _, who in places.values()}


def review(card: Card, quarter: str) -> int:
    """客服升职晋升方案 (…, mechanism, feedback): at the post's own rhythm, of vip each half-year."""
    if card.person.post is None or (card.person.post == "vip" and quarter[-1] not in "24"):
        return 0
    score = composite(card)
    return int(
        card.person.education in ("college", "bachelor", "master")
        and card.values["months_in_grade"] >= 6
        and score is not None
        and exact(score) >= 80
    )


def levels(plan: str, card: Card, standing: Standing | None, quarter: str) -> int:
    """By how many grades a ladder that looks at each employee alone lifts him."""
    if plan == "ladder_tenure":
        return tenure(card)
    if plan == "ladder_scored":
        return scored(card, standing)
    if plan in ("ladder_year", "ladder_contest"):  # of the contest: who may enter it
        return year(card, standing)
    if plan == "ladder_case":
        return by_case(card, standing)
    if plan == "ladder_honor":
        return honor(card)
    return review(card, quarter) if plan == "ladder_review" else 0
