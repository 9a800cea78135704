"""The measures of contract section 3 a second time, in plain Python with exact fractions.

Nothing of csperf is used, and nothing was copied from it: where both agree, two readings of the contract agree.
`calculate` is the entrance; the main scheme's own rules are in `scheme`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from tests.oracle import scheme
from tests.oracle.landing import Landing, Person, Tally, read_landing
from tests.oracle.rounding import rounded, used
from tests.oracle.scheme import Decision, Scorecard

Measures = dict[str, Fraction]


@dataclass(frozen=True)
class Period:
    """A month, quarter or year; `months` are those of it that were asked for."""

    kind: str
    name: str
    first: date
    last: date
    months: tuple[str, ...]


@dataclass
class Result:
    """All that was calculated, measures rounded to 6 places and money to 2."""

    measures: dict[tuple[str, str, str, str], Decimal] = field(default_factory=dict)  # employee, kind, period, measure
    agent_daily: dict[tuple[str, date], dict[str, Decimal | None]] = field(default_factory=dict)
    scorecards: dict[tuple[str, str], Scorecard] = field(default_factory=dict)  # employee, month
    pay: dict[tuple[str, str, str], Decimal] = field(default_factory=dict)  # employee, month, component
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)  # employee, quarter


def calculate(root: Path, months: Sequence[str], zone: str = "Asia/Shanghai") -> Result:
    """Everything for some consecutive months, each quarter decided and approved when its last month is done."""
    landing = read_landing(root, zone)
    result = Result()
    monthly: dict[str, dict[str, Measures]] = {}
    for month in months:
        for period in periods_ending_with(month, months):
            people = people_of(landing, period, result.decisions)
            measures = measures_of(landing, period, people)
            _keep(result, period, measures)
            if period.kind == "month":
                monthly[month] = measures
                cards = scheme.scorecards(people, measures)
                for who, card in cards.items():
                    result.scorecards[who, month] = card
                    for name, number in card.derived().items():
                        result.measures[who, "month", month, name] = rounded(number, 6)
                for who, component, amount in scheme.pay_lines(cards, measures):
                    result.pay[who, month, component] = amount
            if period.kind == "quarter" and len(period.months) == 3:
                cards_of_quarter = [
                    {who: card for (who, of), card in result.scorecards.items() if of == each} for each in period.months
                ]
                values = [monthly[each] for each in period.months]
                decided = scheme.decide(period.first, period.last, people, measures, values, cards_of_quarter)
                for who, decision in decided.items():
                    result.decisions[who, period.name] = decision
    result.agent_daily = _agent_daily(landing, months)
    return result


def periods_ending_with(month: str, months: Sequence[str]) -> list[Period]:
    """The month, and the quarter and year whose last month it is."""
    year, number = int(month[:4]), int(month[5:])
    first, last = date(year, number, 1), date(year + number // 12, number % 12 + 1, 1) - timedelta(days=1)
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


def people_of(landing: Landing, period: Period, decisions: dict[tuple[str, str], Decision]) -> dict[str, Person]:
    """The active employees of the period's roster, with the grades that were decided for them."""
    people = {}
    for who, person in landing.roster(period.last).items():
        if not person.active(period.first, period.last):
            continue
        for (of, _), decision in sorted(decisions.items()):
            if of == who and decision.changed and decision.effective_from <= period.last:
                people[who] = scheme.with_grade(landing.roster(period.last)[who], decision)
        people.setdefault(who, person)
    return people


def measures_of(landing: Landing, period: Period, people: dict[str, Person]) -> dict[str, Measures]:
    """Every measure of every active employee; absent ones are left out."""
    days = landing.days_of(period.first, period.last)
    nothing: Tally = {}
    spans = {}
    for name in period.months:
        (month, *_) = periods_ending_with(name, period.months)
        spans[name] = (month, landing.days_of(month.first, month.last))
    found = {}
    for who, person in people.items():
        measures = _over_days(days.get(who, nothing), person.post)
        measures |= _of_person(person, period)
        if period.kind != "month":
            in_months = [spans[each] for each in period.months]
            deductions = [
                sums.get(who, nothing).get("qa_deduction", Fraction())
                for month, sums in in_months
                if person.active(month.first, month.last)
            ]
            measures.pop("qa_deduction")
            if deductions:
                measures["qa_deduction"] = sum(deductions, Fraction()) / len(deductions)
        found[who] = measures
    means = scheme.post_means(people, found)
    for who, person in people.items():
        if person.post in means:
            found[who]["volume_post_mean"] = means[person.post]
    return found


COUNTS = (
    *("sessions", "calls_answered", "qa_reviews", "qa_deduction", "qa_class_c", "tickets", "error_tickets"),
    *("scheduled_days", "worked_days", "paid_days", "late_days", "absent_days", "unpaid_leave_days", "night_shifts"),
    *("overtime_hours_workday", "overtime_hours_restday", "overtime_hours_holiday"),
    *("execution_points", "excellent_case_points", "extra_points"),
)


def _over_days(tally: Tally, post: str | None) -> Measures:
    """Counts and sums, and the means and shares of what there is to measure."""
    zero = Fraction()
    measures = {name: tally.get(name, zero) for name in COUNTS}
    voice = post == "voice"
    if post is not None:
        measures["volume"] = measures["calls_answered" if voice else "sessions"]
    measures["full_attendance"] = Fraction(0 < tally.get("scheduled_days", zero) == tally.get("present_days", zero))
    means = {
        "first_response_seconds": ("wait_sum", "calls_answered")
        if voice
        else ("first_response_sum", "first_responses"),
        "response_seconds": ("reply_sum", "replies"),
        "response_rate": ("answered_sessions", "sessions"),
        "handle_seconds": ("handle_sum", "handled"),
        "resolved_rate": ("resolved", "sessions"),
        "csat_rate": ("satisfied", "rated"),
        "csat_mean": ("csat_sum", "rated"),
    }
    for name, (total, number) in means.items():
        if tally.get(number):
            measures[name] = tally[total] / tally[number]
    return measures


def _of_person(person: Person, period: Period) -> Measures:
    last = min(person.leave_date or period.last, period.last)
    after = period.last + timedelta(days=1)
    return {
        "tenure_months": _whole_months(person.hire_date, after),
        "months_in_grade": _whole_months(person.grade_since, after),
        "active_days": Fraction((last - max(person.hire_date, period.first)).days + 1),
        "calendar_days": Fraction((period.last - period.first).days + 1),
    }


def _whole_months(since: date, until: date) -> Fraction:
    months = (until.year - since.year) * 12 + until.month - since.month
    return Fraction(max(0, months - (until.day < since.day)))


def _keep(result: Result, period: Period, measures: dict[str, Measures]) -> None:
    for who, numbers in measures.items():
        for name, number in numbers.items():
            result.measures[who, period.kind, period.name, name] = used(number)


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
            measures = _over_days(tally, posts.get((who, f"{day:%Y-%m}")))
            numbers = {name: measures.get(name) for name in (*names, *means)}
            found[who, day] = {name: None if x is None else used(x) for name, x in numbers.items()}
    return found
