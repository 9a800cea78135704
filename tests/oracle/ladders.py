"""The ladders without pay of their own, from the text of the schemes alone.

Each function decides for one employee of a quarter: the outcome, and by how many grades. What a rule needs and is
absent is not met. A case (an application) is read as it stood on a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.oracle.cards import Card
from tests.oracle.landing import Case
from tests.oracle.service_plans import composite
from tests.oracle.working_days import working_days_later

STAFF = ("trial", "junior", "intermediate", "senior", "principal")
MANAGEMENT = ("reserve", "lead", "supervisor", "manager")


def least(card: Card, name: str, limit: str) -> bool:
    value = card.get(name)
    return value is not None and value >= Fraction(limit)


def most(card: Card, name: str, limit: str) -> bool:
    value = card.get(name)
    return value is not None and value <= Fraction(limit)


def next_grade(grade: str, ladders: tuple[tuple[str, ...], ...] = (STAFF, MANAGEMENT)) -> str | None:
    for ladder in ladders:
        if grade in ladder[:-1]:
            return ladder[ladder.index(grade) + 1]
    return None


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
    if case.withdrawn_on is not None and case.withdrawn_on <= on:
        return "withdrawn"
    if "oppose" in case.supervisor_opinion or "reject" in (case.panel_decision, case.hr_decision):
        return "rejected"
    if case.objection == "upheld":
        return "rejected"
    if not case.supervisor_opinion:
        return "supervisor_review"
    if not case.panel_decision or case.announced_on is None or case.announced_on > on:
        return "panel_review"
    if working_days_later(case.announced_on, 5) >= on or case.objection == "open":
        return "announced"
    return "effective" if case.hr_decision == "approve" else "hr_review"


def applied(card: Card, cases: Iterable[Case], quarter: str, on: date) -> Standing | None:
    """The employee's case of the quarter that got furthest by a day."""
    states = (
        *("withdrawn", "rejected", "supervisor_review", "panel_review", "announced", "hr_review"),
        "effective",
    )
    own = [case for case in cases if case.employee_id == card.person.employee_id and case.quarter == quarter]
    standings = [Standing(case, state_of(case, on)) for case in own]
    return max(standings, key=lambda standing: states.index(standing.state), default=None)


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
    above = next_grade(card.person.grade, (("junior", "intermediate", "senior"), MANAGEMENT))
    if above is None or not least(card, "exam_score", "60") or not least(card, "manager_score", "80"):
        return 0
    if above not in MANAGEMENT:
        return int(card.values["months_in_grade"] >= 12)
    score = standing.case.panel_score if standing is not None else None
    return int(card.values["months_in_grade"] >= 24 and score is not None and score >= 80)


def honor(card: Card) -> int:
    """客服升职晋升方案 (training, evaluation, job targets): a training within the year and the composite."""
    score = composite(card)
    return int(card.values["trainings_12_months"] >= 1 and score is not None and score >= 80)


def service_stars(cards: Mapping[str, Card], ratings: Mapping[str, int]) -> set[str]:
    """服务明星: the company's best csat_rate among those with at least 30 ratings."""
    rates = {who: card.values["csat_rate"] for who, card in cards.items() if ratings.get(who, 0) >= 30}
    return {who for who, rate in rates.items() if rate == max(rates.values())}


def may_transfer(card: Card, months_in_post: int) -> bool:
    """客服升职晋升方案 (three ways up): who stands on the list of those who may move to another post."""
    return months_in_post >= 12 and least(card, "exam_score", "80")


def contest(cards: Mapping[str, Card], scores: Mapping[str, Fraction], standings: Mapping[str, Standing]) -> set[str]:
    """岗位竞争机制: each team's one place goes to the best score among the eligible; ties by hire date, then id."""
    eligible = [who for who, card in cards.items() if year(card, standings.get(who)) and who in scores]
    places: dict[str, tuple[Fraction, date, str]] = {}
    for who in eligible:
        standing = (-scores[who], cards[who].person.hire_date, who)
        team = cards[who].person.team
        places[team] = min(places.get(team, standing), standing)
    return {who for _, _, who in places.values()}


def review(card: Card, quarter: str) -> int | None:
    """客服升职晋升方案 (…, mechanism, feedback): at the post's own rhythm; None: not looked at this quarter."""
    if card.person.post == "vip" and quarter[-1] not in "24":
        return None
    score = composite(card)
    return int(
        card.person.education in ("college", "bachelor", "master")
        and card.values["months_in_grade"] >= 6
        and score is not None
        and score >= 80
    )
