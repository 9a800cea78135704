"""The measures of contract section 3 a second time, in plain Python with exact fractions.

Nothing of csperf is used, and nothing was copied from it: where both agree, two readings of the contract agree.
`measures_of` is the entrance; an absent measure is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction

from tests.oracle.landing import Landing, Person, Tally
from tests.oracle.periods import Period, periods_ending_with, twelve_months_up_to
from tests.oracle.rounding import exact

Measures = dict[str, Fraction]
# employee, month: what rulings really added to his counts and sums
Rulings = dict[tuple[str, str], Measures]

ZERO = Fraction()
# 0 when there is nothing to count; a ruling on one passes on to the quarter and the year
SUMS = (
    *("sessions", "calls_answered", "qa_reviews", "qa_deduction", "qa_class_c", "tickets", "error_tickets"),
    *("complaints", "complaints_upheld"),
    *("scheduled_days", "worked_days", "paid_days", "late_days", "absent_days", "unpaid_leave_days", "night_shifts"),
    *("overtime_hours_workday", "overtime_hours_restday", "overtime_hours_holiday"),
    *("execution_points", "excellent_case_points", "extra_points"),
    *("sales_amount", "refund_amount", "silent_amount", "referrals"),
)
# Read by rules, but no measures that can be disputed.
UNDISPUTED = ("orders", "serious_violations", "conflicts")
# mean or share: what is added up, and by what it is divided
MEANS = {
    "response_seconds": ("reply_sum", "replies"),
    "response_rate": ("answered_sessions", "sessions"),
    "handle_seconds": ("handle_sum", "handled"),
    "resolved_rate": ("resolved", "sessions"),
    "csat_rate": ("satisfied", "rated"),
    "csat_mean": ("csat_sum", "rated"),
    "complaint_resolution_rate": ("complaints_resolved", "complaints"),
    **{
        f"{kind}_score": (f"{kind}_score_sum", f"{kind}_scores")
        for kind in ("self", "peer", "manager", "teamwork", "attitude")
    },
}


def measures_of(
    landing: Landing, period: Period, people: Mapping[str, Person], rulings: Rulings
) -> dict[str, Measures]:
    """Every measure of every active employee. A month notes in `rulings` what disputes changed, for its quarter."""
    days = landing.days_of(period.first, period.last)
    nothing: Tally = {}
    found = {}
    for who, person in people.items():
        tally = days.get(who, nothing)
        measures = over_days(tally, person.post)
        measures |= _of_person(person, period)
        measures |= _exam(landing, who, period)
        year = landing.days_of(twelve_months_up_to(period.last), period.last).get(who, nothing)
        measures["trainings_12_months"] = year.get("trainings", ZERO)
        if period.kind == "month":
            _rule_on_month(landing, measures, who, period.name, rulings)
        else:
            _pass_rulings_on(measures, who, period, rulings)
            measures |= _deduction_of_months(landing, measures, person, period, rulings)
        _built_on_others(landing, measures, person, period, rulings)
        found[who] = measures
    for post, mean in post_means(people, found).items():
        for who, person in people.items():
            if person.post == post:
                found[who]["volume_post_mean"] = mean
    return found


def over_days(tally: Tally, post: str | None) -> Measures:
    """Counts and sums, and the means and shares of what there is to measure."""
    measures = {name: tally.get(name, ZERO) for name in (*SUMS, *UNDISPUTED)}
    measures["ratings"] = tally.get("rated", ZERO)
    measures["full_attendance"] = Fraction(0 < tally.get("scheduled_days", ZERO) == tally.get("present_days", ZERO))
    first = ("wait_sum", "calls_answered") if post == "voice" else ("first_response_sum", "first_responses")
    for name, (total, number) in {"first_response_seconds": first, **MEANS}.items():
        if tally.get(number):
            measures[name] = tally.get(total, ZERO) / tally[number]
    return measures


def post_means(people: Mapping[str, Person], measures: Mapping[str, Mapping[str, Fraction]]) -> dict[str, Fraction]:
    """The mean volume of each post, over its people with scheduled days, whatever their plan."""
    volumes: dict[str, list[Fraction]] = {}
    for who, person in people.items():
        if person.post is not None and measures[who]["scheduled_days"] > 0:
            volumes.setdefault(person.post, []).append(exact(measures[who]["volume"]))
    return {post: exact(sum(numbers, ZERO) / len(numbers)) for post, numbers in volumes.items()}


def _of_person(person: Person, period: Period) -> Measures:
    last = min(person.leave_date or period.last, period.last)
    return {
        "tenure_months": _whole_months(person.hire_date, period),
        "months_in_grade": _whole_months(person.grade_since, period),
        "active_days": Fraction((last - max(person.hire_date, period.first)).days + 1),
        "calendar_days": Fraction((period.last - period.first).days + 1),
    }


def _whole_months(since: date, period: Period) -> Fraction:
    """Whole months up to the day after the period's last day."""
    until = period.last + timedelta(days=1)
    months = (until.year - since.year) * 12 + until.month - since.month
    return Fraction(max(0, months - (until.day < since.day)))


def _exam(landing: Landing, who: str, period: Period) -> Measures:
    """The newest exam of the twelve months, of two on one day the higher."""
    first = twelve_months_up_to(period.last)
    exams = [(day, score) for day, score in landing.exams.get(who, ()) if first <= day <= period.last]
    return {"exam_score": max(exams)[1]} if exams else {}


def _rule_on_month(landing: Landing, measures: Measures, who: str, month: str, rulings: Rulings) -> None:
    """Rulings on what stands on its own: a count never falls below 0 by one, something absent stays absent."""
    for name in list(measures):
        granted = landing.granted.get((who, month, name))
        if granted and name not in UNDISPUTED:
            if name in SUMS:
                _add_to_sum(measures, name, granted, rulings.setdefault((who, month), {}))
            else:
                measures[name] += granted


def _add_to_sum(measures: Measures, name: str, granted: Fraction, changed: Measures) -> None:
    before = measures[name]
    measures[name] = max(min(before, ZERO), before + granted)
    changed[name] = measures[name] - before


def _pass_rulings_on(measures: Measures, who: str, period: Period, rulings: Rulings) -> None:
    for name in SUMS:
        measures[name] += sum((rulings.get((who, month), {}).get(name, ZERO) for month in period.months), ZERO)


def _deduction_of_months(
    landing: Landing, measures: Measures, person: Person, period: Period, rulings: Rulings
) -> Measures:
    """A quarter's or year's deduction: the mean of its months in which the employee was active."""
    deductions = []
    for name in period.months:
        (month, *_) = periods_ending_with(name, period.months)
        if person.active(month.first, month.last):
            tally = landing.days_of(month.first, month.last).get(person.employee_id, {})
            granted = rulings.get((person.employee_id, name), {}).get("qa_deduction", ZERO)
            deductions.append(tally.get("qa_deduction", ZERO) + granted)
    measures.pop("qa_deduction")
    return {"qa_deduction": sum(deductions, ZERO) / len(deductions)} if deductions else {}


def _built_on_others(landing: Landing, measures: Measures, person: Person, period: Period, rulings: Rulings) -> None:
    """What the contract defines by other measures follows rulings on them, and can be ruled on itself."""
    who = person.employee_id

    def ruled(name: str, value: Fraction | None, floor: bool = False) -> None:
        """Keeps the measure with its own ruling."""
        if value is None:
            return
        measures[name] = value
        passes_on = name in ("volume", "net_sales")
        if period.kind == "month":
            granted = landing.granted.get((who, period.name, name), ZERO)
            measures[name] = max(min(value, ZERO), value + granted) if floor else value + granted
            if passes_on:
                rulings.setdefault((who, period.name), {})[name] = measures[name] - value
        elif passes_on:
            value += sum((rulings.get((who, month), {}).get(name, ZERO) for month in period.months), ZERO)
            measures[name] = max(ZERO, value) if floor else value

    if person.post is not None:
        ruled("volume", measures["calls_answered" if person.post == "voice" else "sessions"], floor=True)
        ruled("complaint_rate", _share(measures["complaints_upheld"], measures["volume"]))
    ruled("net_sales", measures["sales_amount"] - measures["refund_amount"] - measures["silent_amount"])
    targets = [target for (of, month), target in landing.targets.items() if of == who and _within(month, period)]
    ruled("sales_completion", _share(measures["net_sales"], sum(targets, ZERO)))


def _within(month: str, period: Period) -> bool:
    return f"{period.first:%Y-%m}" <= month <= f"{period.last:%Y-%m}"


def _share(part: Fraction, whole: Fraction) -> Fraction | None:
    """Absent where it would divide by zero."""
    return part / whole if whole else None
