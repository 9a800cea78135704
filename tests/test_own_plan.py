"""A plan in a folder of one's own, with every construct: computed, explained, decided, no other file touched.

The amounts are worked by hand: ann has 4 chats a month, bob 2, lea leads both and has none, tim is alone in his team.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from csperf import warehouse
from csperf.explain import explain
from csperf.explain_tiers import explain_decision
from csperf.periods import Month, Quarter
from csperf.policy.commands import check_plans
from csperf.policy.functions import FUNCTIONS
from csperf.policy.models import Component, Condition, Contest, Figure, Measure, Plan, Rule, Tiers, Version
from csperf.settings import load_settings
from tests.landing_files import attendance, employee, land, session

POLICIES = Path(__file__).parent / "own_policies"
APRIL, MAY, JUNE = Month(2026, 4), Month(2026, 5), Month(2026, 6)
PLAN = "own_mix"
CHATS = {"ann": 4, "bob": 2}

pytestmark = pytest.mark.xdist_group("own_plan")  # one build serves all of them


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    settings = load_settings(home=tmp_path_factory.mktemp("own"), policy_dir=POLICIES)
    people = [
        employee("ann", plan=PLAN, lead_id="lea"),
        employee("bob", plan=PLAN, lead_id="lea", grade="intermediate"),
        employee("lea", plan=PLAN, grade="lead", post=None),
        employee("tim", plan=PLAN, grade="trial", team="T2"),
    ]
    land(settings, "employees", APRIL.first_day, people)
    for month in (APRIL, MAY, JUNE):
        days = (month.first_day, month.last_day)
        for day in days:
            land(settings, "attendance", day, [attendance(who, day) for who in ("ann", "bob", "lea")])
        chats = [
            session(f"{who}-{month}-{number}", who, f"{month.last_day}T10:{number:02d}:00+08:00")
            for who, count in CHATS.items()
            for number in range(count)
        ]
        land(settings, "chat_sessions", month.last_day, chats)
    violation = {"event_id": "e1", "employee_id": "tim", "date": JUNE.first_day, "kind": "serious_violation"}
    land(settings, "hr_events", JUNE.first_day, [violation])
    case = {
        **{"case_id": "c1", "employee_id": "lea", "quarter": "2026Q2", "applied_on": date(2026, 5, 1)},
        **{"supervisor_opinion": "support", "panel_decision": "approve", "announced_on": date(2026, 6, 12)},
        **{"objection": "none", "hr_decision": "approve"},
    }
    land(settings, "promotion_cases", JUNE.last_day, [case])
    warehouse.build(settings)
    return settings


@pytest.fixture(scope="module")
def con(settings):
    with warehouse.connect(settings, read_only=True) as con:
        yield con


@pytest.mark.parametrize(
    ("who", "month", "expected"),
    [
        (
            "ann",
            JUNE,
            # wage 3100 + 50; 2 × 10 + 2 × 20; first of three; 3 months × 7; 12 − 4 + 4; 2 / 4; min(100, 40);
            # 12 + 12; floor(4 / 3) × 10 + 1; 3100 × 0.5 / 50; 1% of 3499
            "base_pay 3150 chat_pay 60 rank_pay 100 lead_pay 0 streak_pay 21 trend_pay 12 share_pay 50 score_pay 40 "
            "quarter_pay 24 floor_pay 11 met_pay 31 own_fund 34.99",
        ),
        (
            "bob",
            JUNE,
            # 3600 + 50; 2 × 10; second; 21; 6 − 2 + 2; 50; 20; 6 + 6; 0 + 1; not 4 chats; 1% of 3830
            "base_pay 3650 chat_pay 20 rank_pay 50 lead_pay 0 streak_pay 21 trend_pay 6 share_pay 50 score_pay 20 "
            "quarter_pay 12 floor_pay 1 met_pay 0 own_fund 38.30",
        ),
        (
            "lea",
            JUNE,
            # 4000 + 50; third; mean of 4 and 2 × 5; 1% of 4116
            "base_pay 4050 chat_pay 0 rank_pay 0 lead_pay 15 streak_pay 0 trend_pay 0 share_pay 50 score_pay 0 "
            "quarter_pay 0 floor_pay 1 met_pay 0 own_fund 41.16",
        ),
        (
            "tim",
            JUNE,
            # nothing scheduled; alone, so first; 0 / 0 has no share; 1% of 101
            "base_pay 0 chat_pay 0 rank_pay 100 lead_pay 0 streak_pay 0 trend_pay 0 score_pay 0 quarter_pay 0 "
            "floor_pay 1 met_pay 0 own_fund 1.01",
        ),
        (
            "ann",
            MAY,
            # the version before June: 3000 + 50, 30 for meeting all; two months of data: 14; 8 − 4 + 4; no quarter, and
            # May is no third month; 1% of 3352
            "base_pay 3050 chat_pay 60 rank_pay 100 lead_pay 0 streak_pay 14 trend_pay 8 share_pay 50 score_pay 40 "
            "floor_pay 10 met_pay 30 own_fund 33.62",
        ),
    ],
)
def test_pay(con, who, month, expected):
    lines = con.execute(
        "select component, amount from payroll.computed_lines where employee_id = ? and pay_month = ?",
        [who, str(month)],
    ).fetchall()
    words = expected.split()
    assert dict(lines) == {name: Decimal(amount) for name, amount in zip(words[::2], words[1::2], strict=True)}


@pytest.mark.parametrize(
    ("who", "decision", "after", "why"),
    [
        ("ann", "promote", "intermediate", "took the place"),
        ("bob", "hold", "intermediate", "place: 2 not <= 1"),
        ("lea", "promote", "supervisor", "approved by HR"),
        ("tim", "dismiss_review", "trial", "serious violation"),
    ],
)
def test_grades(con, settings, who, decision, after, why):
    found = con.execute(
        "select decision, grade_after, effective_from, reason from tiers.computed_decisions where employee_id = ?",
        [who],
    ).fetchone()
    assert found[:3] == (decision, after, date(2026, 7, 1))
    assert why in found[3]
    told = "\n".join(explain_decision(settings, who, Quarter(2026, 2)).lines())
    assert f"{decision}, grade" in told and why in told


def test_a_promotion_grants_a_raise_and_leave(con):
    found = con.execute(
        "select employee_id, kind, base_before, raise_share, base_after, leave_days from payroll.salary_reviews"
    ).fetchall()
    assert found == [("lea", "promotion", Decimal("4050.00"), Decimal("0.1"), Decimal("4455.00"), Decimal(1))]


def test_lists_scorecards_and_measures_for_everyone(con):
    assert con.execute("select employee_id, list from tiers.lists").fetchall() == [("ann", "busiest")]
    cards = con.execute(
        "select employee_id, score, rating, for_director from scorecards.scorecard_monthly where month = '2026-06' "
        "order by 1"
    ).fetchall()
    assert [(who, int(score), rating, listed) for who, score, rating, listed in cards] == [
        ("ann", 40, "high", False),
        ("bob", 20, "high", False),
        ("lea", 0, "low", True),
        ("tim", 0, "low", True),
    ]
    flags = con.execute(
        "select count(*), sum(value) from scorecards.measures where measure = 'answered_any' and period = '2026-06'"
    ).fetchone()
    assert flags == (4, 2)


def test_every_line_is_explained_and_so_is_the_missing_one(settings):
    told = "\n".join(explain(settings, "tim", JUNE).lines())
    assert "share_pay: no line, because no case of its formula holds (sessions 0" in told
    assert "year_pay: no line, it is paid once a year" in told
    assert "figure wage for trial: 2100 (assumption; CNY a month; a figure with every key)" in told
    assert "sessions by month: 2026-04 4, 2026-05 4, 2026-06 4" in "\n".join(explain(settings, "ann", JUNE).lines())
    lead = list(explain(settings, "lea", JUNE).lines())
    counted = next(place for place, line in enumerate(lead) if "sessions of 2 who report to lea" in line)
    assert [line.strip() for line in lead[counted + 1 : counted + 3]] == ["ann 4", "bob 2"]


def test_the_plan_uses_every_function_and_every_key():
    text = "".join(path.read_text(encoding="utf-8") for path in POLICIES.rglob("*.yaml"))
    assert not check_plans(load_settings(), POLICIES)
    assert [name for name in FUNCTIONS if f"{name}(" not in text] == []
    for model in (Plan, Version, Figure, Measure, Component, Condition, Contest, Rule, Tiers):
        # One plan is the shipped default; tracks stand for the single ladder that other plans have.
        keys = set(model.model_fields) - {"default", "ladder", "value"}
        assert [key for key in keys if f"{key}:" not in text] == [], model.__name__
