"""Complaints, orders, targets, assessments, HR events and disputes, from landed rows to measures and pay."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from csperf import warehouse
from csperf.settings import load_settings
from tests.landing_files import attendance, employee, land, session

DAYS = (date(2026, 1, 15), date(2026, 2, 10), date(2026, 3, 20))
LAST = date(2026, 3, 31)

pytestmark = pytest.mark.xdist_group("sales_measures")  # one build serves all of them


def at(day: date, clock: str = "10:00:00") -> str:
    return f"{day}T{clock}+08:00"


def order(number: int, agent: str, day: date, amount: str, refund: str = "0", silent: bool = False) -> dict:
    return {
        **{"order_id": f"o{number}", "agent_id": agent, "paid_at": at(day), "amount": Decimal(amount)},
        **{"refund_amount": Decimal(refund), "silent": silent},
    }


def assessment(number: int, who: str, day: date, kind: str, score: str) -> dict:
    return {
        **{"assessment_id": f"a{number}", "employee_id": who, "date": day, "kind": kind, "score": Decimal(score)},
        "assessor_id": "q",
    }


def dispute(number: int, who: str, measure: str, delta: str, month: str = "2026-01", status: str = "upheld") -> dict:
    return {
        **{"dispute_id": f"d{number}", "employee_id": who, "month": month, "measure": measure},
        **{"requested_delta": Decimal(delta), "status": status, "granted_delta": Decimal(delta)},
        **{"ruled_by": "director", "ruled_at": at(LAST), "note": None},
    }


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measures of one quarter: (employee, kind, period, measure) to value, and the pay lines."""
    settings = load_settings(home=tmp_path_factory.mktemp("sales"))
    january, february, march = DAYS
    roster = [
        employee("A", plan="sales_commission", grade="junior"),
        employee("B", plan="sales_grade", grade="junior"),
        employee("L", plan="call_center", grade="lead", post=None),
        employee("C", plan="call_center", grade="junior", lead_id="L"),
        employee("D", plan="call_center", grade="junior", lead_id="C"),
        employee("N", plan="standard", hire_date=february),
    ]
    land(settings, "employees", january, roster)
    for day in DAYS:
        land(settings, "chat_sessions", day, [session(f"{who}{day}", who, at(day), csat=5) for who in "ABCD"])
        land(settings, "attendance", day, [attendance(who, day) for who in "ABCDL"])
    land(settings, "attendance", LAST, [attendance("A", LAST)])
    land(
        settings, "orders", january, [order(1, "A", january, "100", "400"), order(2, "B", january, "900", "100", True)]
    )
    land(settings, "orders", february, [order(3, "A", february, "1000"), order(4, "B", february, "500.50")])
    complaint = {"agent_id": "B", "received_at": at(january), "upheld": True, "resolved_at": None}
    land(settings, "complaints", january, [{"complaint_id": "k1", **complaint}])
    land(
        settings,
        "assessments",
        january,
        [
            assessment(1, "B", january, "manager", "80"),
            assessment(2, "B", january, "manager", "91"),
            assessment(3, "B", january, "exam", "70"),
            assessment(4, "B", january, "exam", "75"),
        ],
    )
    land(settings, "assessments", march, [assessment(5, "B", march, "exam", "60")])
    events = [("e1", "B", "referral_hired"), ("e2", "B", "training_completed"), ("e3", "A", "serious_violation")]
    land(
        settings,
        "hr_events",
        february,
        [{"event_id": n, "employee_id": who, "date": february, "kind": kind, "note": None} for n, who, kind in events],
    )
    targets = [("A", "2026-02", "2000"), ("B", "2026-01", "1000"), ("B", "2026-02", "1001")]
    land(
        settings,
        "targets",
        january,
        [{"employee_id": w, "month": m, "measure": "net_sales", "target": Decimal(t)} for w, m, t in targets],
    )
    land(
        settings,
        "disputes",
        LAST,
        [
            dispute(1, "B", "sessions", "2"),
            dispute(2, "B", "sessions", "-9", "2026-02"),
            dispute(3, "B", "csat_rate", "-0.25"),
            dispute(4, "A", "net_sales", "-50"),
            dispute(5, "A", "sessions", "5", status="open"),
            dispute(6, "A", "self_score", "10"),
            dispute(7, "C", "volume", "-9", "2026-02"),
            dispute(8, "N", "sessions", "5"),
        ],
    )
    warehouse.build(settings)
    with warehouse.connect(settings, read_only=True) as con:
        values = {
            (who, period, measure): value
            for who, period, measure, value in con.execute(
                "select employee_id, period, measure, value from scorecards.measures"
            ).fetchall()
        }
        lines = {
            (who, month, component): amount
            for who, month, component, amount in con.execute(
                "select employee_id, pay_month, component, amount from payroll.computed_lines"
            ).fetchall()
        }
    return values, lines


@pytest.mark.parametrize(
    ("who", "period", "measure", "value"),
    [
        ("A", "2026-01", "sales_amount", "100"),
        ("A", "2026-01", "refund_amount", "400"),
        ("A", "2026-01", "net_sales", "-350"),  # 100 − 400, and 50 less by a dispute on net sales itself
        ("A", "2026Q1", "net_sales", "650"),
        ("B", "2026-01", "silent_amount", "800"),
        ("B", "2026-01", "net_sales", "0"),  # 900 − 100 − 800
        ("B", "2026-01", "sales_completion", "0"),
        ("B", "2026-02", "sales_completion", "0.5"),
        ("B", "2026Q1", "sales_completion", "0.250125"),  # 500.50 / 2001 = 0.25012493…
        ("A", "2026-02", "sales_completion", "0.5"),
        ("A", "2026-01", "sales_completion", None),
        ("B", "2026-01", "complaints", "1"),
        ("B", "2026-01", "complaint_rate", "0.333333"),  # one of a volume of 1 + 2 disputed
        ("B", "2026-01", "complaint_resolution_rate", "0"),
        ("A", "2026-01", "complaint_resolution_rate", None),
        ("B", "2026-01", "manager_score", "85.5"),
        ("B", "2026-02", "manager_score", None),
        ("B", "2026Q1", "manager_score", "85.5"),
        ("B", "2026-02", "exam_score", "75"),
        ("B", "2026Q1", "exam_score", "60"),
        ("B", "2026-02", "referrals", "1"),
        ("B", "2026Q1", "trainings_12_months", "1"),
        ("B", "2026-01", "trainings_12_months", "0"),
        ("B", "2026-01", "sessions", "3"),
        ("B", "2026-02", "sessions", "0"),  # never below 0
        ("B", "2026Q1", "sessions", "4"),
        ("B", "2026Q1", "volume", "4"),
        ("B", "2026-01", "csat_rate", "0.75"),
        ("B", "2026Q1", "csat_rate", "1"),  # a share is disputed in its month only
        ("C", "2026-02", "volume", "0"),
        ("C", "2026Q1", "volume", "2"),  # the quarter loses what the month lost, not all that was granted
        ("N", "2026Q1", "sessions", "0"),  # not yet there in January: refused
        ("A", "2026-01", "sessions", "1"),  # an open dispute changes nothing
        ("A", "2026-01", "self_score", None),  # a dispute on something absent is refused
        ("A", "2026-01", "carried_sales", "-350"),
        ("A", "2026-02", "commission_sales", "650"),
        ("L", "2026-01", "kpi_score", None),
    ],
)
def test_measures(measured, who, period, measure, value):
    assert measured[0].get((who, period, measure)) == (None if value is None else Decimal(value))


def test_negative_sales_are_carried_into_the_next_months_commission(measured):
    assert measured[1]["A", "2026-01", "commission"] == 0
    assert measured[1]["A", "2026-02", "commission"] == Decimal("13.00")  # 2% of 1000 − 350


def test_a_lead_is_paid_by_all_who_report_to_him_directly_or_through_others(measured):
    values, lines = measured
    # One session each, of a post's mean of 6 / 4: 50 + 30 + 20 × 1 / 1.5 = 93.333…
    assert [values[who, "2026-01", "kpi_score"] for who in "CD"] == [Decimal("93.333333")] * 2
    assert lines["L", "2026-01", "management_bonus"] == 800


def test_contributions_stand_on_this_months_gross_while_nothing_is_published(measured):
    lines = measured[1]
    gross = sum(
        amount
        for (who, month, component), amount in lines.items()
        if (who, month) == ("B", "2026-01") and not component.endswith(("_employee", "_employer"))
    )
    base = max(Decimal(4000), gross)
    assert lines["B", "2026-01", "pension_employee"] == (base * Decimal("0.08")).quantize(Decimal("0.01"))
