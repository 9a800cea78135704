"""Why this amount: from the line down to measure, band, figure and landed rows, and a reason for each zero."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from csperf import warehouse
from csperf.errors import CsperfError
from csperf.explain import explain
from csperf.periods import Month
from csperf.settings import load_settings
from tests.landing_files import attendance, employee, land, session

JUNE = Month(2026, 6)
DAY = date(2026, 6, 30)

pytestmark = pytest.mark.xdist_group("explain")  # one build serves all of them


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """One month with an employee in the bands, one beyond them, a lead without a post and one on an unknown plan."""
    settings = load_settings(home=tmp_path_factory.mktemp("explain"))
    people = [
        employee("A", grade="intermediate"),
        employee("Z"),
        employee("L", grade="lead", post=None),
        employee("U", plan="no_such_plan"),
    ]
    land(settings, "employees", DAY, people)
    land(settings, "attendance", DAY, [attendance(person["employee_id"], DAY) for person in people])
    times = [f"2026-06-30T{hour:02d}:00:00+08:00" for hour in range(8, 20)]
    land(settings, "chat_sessions", DAY, [session(f"s{number}", "A", at) for number, at in enumerate(times)])
    reviews = []
    for number, (agent, points) in enumerate((("A", "25"), ("Z", "70"))):
        for item, value in enumerate(("0", points)):
            reviews.append(
                {
                    **{"review_id": f"r{number}", "item_no": item, "interaction_id": "s1", "agent_id": agent},
                    **{"interaction_date": DAY, "reviewer_id": "q", "reviewed_at": times[0]},
                    **{"item_code": "tone", "severity": "A", "points": Decimal(value)},
                }
            )
    land(settings, "qa_reviews", DAY, reviews)
    warehouse.build(settings)
    return settings


def text(settings, who: str, all_rows: bool = False) -> str:
    return "\n".join(explain(settings, who, JUNE, all_rows).lines())


def test_every_line_goes_down_to_measure_band_figure_and_rows(settings):
    told = text(settings, "A")
    assert (
        "base_pay 3000.00 = (base_wage 3000) × active_days 30/calendar_days 30 × paid_days 1/scheduled_days 1" in told
    )
    assert "performance_pay" in told
    assert "rate 0.5" in told
    assert "qa_deduction 25 in (20, 30] → 1.0" in told
    assert "figure base_wage: 3000 (seed; CNY a month)" in told
    assert "figure grade_wage for intermediate: 300 (assumption" in told
    assert "12 rows of chat_sessions" in told
    assert "session_id s0" in told
    assert "item_code tone" in told
    assert "policy cs_2017@" in told


def test_times_are_local_and_long_lists_are_cut_until_asked_for(settings):
    assert "started_at 2026-06-30 08:00:00" in text(settings, "A")
    assert "… and 2 more" in text(settings, "A")
    whole = text(settings, "A", all_rows=True)
    assert "session_id s11" in whole
    assert "more (--all-rows" not in whole


def test_a_zero_has_its_reason(settings):
    told = text(settings, "Z")
    assert "performance_pay 0.00 = 0 because qa_coefficient 0 = 0" in told
    assert "qa_deduction 70 in [70, ∞) → 0" in told
    assert "grade_allowance 0.00" in told


def test_a_component_without_a_line_says_what_is_absent(settings):
    told = text(settings, "L")
    assert "performance_pay: no line, because" in told
    assert "total_points is absent" in told
    assert "figure grade_wage has no entry for this employee" in told


def test_an_unknown_plan_is_named(settings):
    assert "plan 'no_such_plan' is unknown" in text(settings, "U")


def test_nobody_of_that_name_is_one_sentence(settings):
    with pytest.raises(CsperfError, match="There is nothing on employee 'X' in 2026-06"):
        explain(settings, "X", JUNE)
