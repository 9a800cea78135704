"""For each dataset a row without a fault, and rows with one fault each and the check that must find it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from tests.landing_files import attendance, employee, message, session

DAY, NEXT = date(2026, 9, 1), date(2026, 9, 2)

CALL = {
    **{"call_id": "c1", "agent_id": "E1", "customer_id": "u", "queued_at": "2026-09-01T09:00:00+08:00"},
    **{"answered_at": "2026-09-01T09:01:00+08:00", "ended_at": "2026-09-01T09:05:00+08:00", "csat": 5},
}
REVIEW = {
    **{"review_id": "r1", "item_no": 0, "interaction_id": "s1", "agent_id": "E1", "interaction_date": DAY},
    **{"reviewer_id": "E9", "reviewed_at": "2026-09-02T10:00:00+08:00", "points": 0},
}
TICKET = {
    **{"ticket_id": "t1", "agent_id": "E1", "created_at": "2026-09-01T10:00:00+08:00", "kind": "refund"},
    **{"is_error": False},
}
POINTS = {
    **{"point_id": "p1", "employee_id": "E1", "date": DAY, "kind": "execution", "points": 5, "approved_by": "E9"},
}
COMPLAINT = {
    **{"complaint_id": "k1", "agent_id": "E1", "received_at": "2026-09-01T10:00:00+08:00", "upheld": True},
    **{"resolved_at": "2026-09-03T10:00:00+08:00"},
}
ORDER = {
    **{"order_id": "o1", "agent_id": "E1", "paid_at": "2026-09-01T10:00:00+08:00", "amount": 100},
    **{"refund_amount": 120, "silent": False},
}
TARGET = {"employee_id": "E1", "month": "2026-09", "measure": "net_sales", "target": 1000}
ASSESSMENT = {"assessment_id": "a1", "employee_id": "E1", "date": DAY, "kind": "manager", "score": 100}
EVENT = {"event_id": "v1", "employee_id": "E1", "date": DAY, "kind": "honor"}
DISPUTE = {
    **{"dispute_id": "d1", "employee_id": "E1", "month": "2026-08", "measure": "sessions", "requested_delta": 1},
    **{"status": "upheld", "granted_delta": 1, "ruled_by": "E9", "ruled_at": "2026-09-01T10:00:00+08:00"},
}
CASE = {
    **{"case_id": "n1", "employee_id": "E1", "quarter": "2026Q3", "applied_on": DAY, "supervisor_opinion": "support"},
    **{"panel_score": 80, "panel_decision": "approve", "announced_on": DAY, "objection": "none"},
    **{"hr_decision": "approve"},
}
SESSION = session("s1", "E1", "2026-09-01T09:00:00+08:00", ended_at="2026-09-01T09:10:00+08:00", csat=4)

FAULTS: dict[str, tuple[Mapping[str, Any], list[tuple[dict[str, Any], str]]]] = {
    "employees": (
        employee("E1", base_salary=3000),
        [
            ({"employee_id": "E2", "name": None}, "name_missing"),
            ({"employee_id": "E3", "post": "night"}, "post_unknown"),
            ({"employee_id": "E4", "grade": "king"}, "grade_unknown"),
            ({"employee_id": "E5", "employment": "casual"}, "employment_unknown"),
            ({"employee_id": "E6", "education": "none"}, "education_unknown"),
            ({"employee_id": "E7", "base_salary": -1}, "base_salary_out_of_range"),
            ({"employee_id": "E8", "leave_date": date(2024, 12, 31)}, "left_before_hired"),
            ({"employee_id": "E9", "plan": None}, "plan_missing"),
            ({}, "key_repeated"),
        ],
    ),
    "chat_sessions": (
        SESSION,
        [
            ({"session_id": "s2", "agent_id": "NOBODY"}, "agent_id_not_in_roster"),
            ({"session_id": "s3", "csat": 9}, "csat_out_of_range"),
            ({"session_id": "s4", "csat": 0}, "csat_out_of_range"),
            ({"session_id": "s5", "ended_at": "2026-09-01T08:59:59+08:00"}, "ended_before_start"),
            ({"session_id": "s6", "started_at": "2026-08-31T23:59:59+08:00"}, "other_date"),
            ({"session_id": "s7", "resolved": None}, "resolved_missing"),
            ({"customer_id": "again"}, "key_repeated"),
        ],
    ),
    "chat_messages": (
        message("s1", 1, "customer", "2026-09-01T09:00:00+08:00"),
        [
            ({"message_no": 2, "session_id": "s9"}, "session_not_accepted"),
            ({"message_no": 0}, "message_no_out_of_range"),
            ({"message_no": 3, "sender": "robot"}, "sender_unknown"),
            ({"message_no": 4, "sent_at": None}, "sent_at_missing"),
            ({}, "key_repeated"),
        ],
    ),
    "calls": (
        CALL,
        [
            ({"call_id": "c2", "answered_at": "2026-09-01T08:59:00+08:00"}, "answered_before_queued"),
            ({"call_id": "c3", "ended_at": "2026-09-01T09:00:30+08:00"}, "ended_before_answer"),
            ({"call_id": "c4", "answered_at": None, "ended_at": "2026-09-01T08:00:00+08:00"}, "ended_before_queued"),
            ({"call_id": "c5", "csat": 6}, "csat_out_of_range"),
            ({"call_id": "c6", "ended_at": None}, "ended_at_missing"),
        ],
    ),
    "qa_reviews": (
        REVIEW,
        [
            ({"review_id": "r2", "item_no": -1}, "item_no_out_of_range"),
            ({"item_no": 1, "points": -5}, "points_out_of_range"),
            ({"item_no": 2, "severity": "D"}, "severity_unknown"),
            ({"review_id": "r3", "interaction_date": NEXT}, "other_date"),
            ({"review_id": "r4", "reviewed_at": "2026-08-31T23:59:59+08:00"}, "reviewed_before_interaction"),
        ],
    ),
    "tickets": (
        TICKET,
        [
            ({"ticket_id": "t2", "closed_at": "2026-09-01T09:00:00+08:00"}, "closed_before_created"),
            ({"ticket_id": "t3", "is_error": None}, "is_error_missing"),
        ],
    ),
    "attendance": (
        attendance("E1", DAY),
        [
            ({"employee_id": "E2"}, "employee_id_not_in_roster"),
            ({"date": NEXT}, "other_date"),
            ({"employee_id": None, "worked_hours": 25}, "worked_hours_out_of_range"),
            ({"employee_id": None, "scheduled_hours": -1}, "scheduled_hours_out_of_range"),
            ({"employee_id": None, "overtime_hours": 24.5}, "overtime_hours_out_of_range"),
            ({"employee_id": None, "status": "asleep"}, "status_unknown"),
            ({"employee_id": None, "overtime_kind": "lunch"}, "overtime_kind_unknown"),
            ({"employee_id": None, "worked_hours": 20, "overtime_hours": 4.5}, "hours_beyond_a_day"),
        ],
    ),
    "points": (
        POINTS,
        [
            ({"point_id": "p2", "kind": "bonus"}, "kind_unknown"),
            ({"point_id": "p3", "points": -1}, "points_negative"),
            ({"point_id": "p4", "approved_by": None}, "approved_by_missing"),
        ],
    ),
    "complaints": (
        COMPLAINT,
        [
            ({"complaint_id": "k2", "upheld": None}, "upheld_missing"),
            ({"complaint_id": "k3", "resolved_at": "2026-09-01T09:59:59+08:00"}, "resolved_before_received"),
            ({"complaint_id": "k4", "received_at": "2026-09-02T00:00:00+08:00"}, "other_date"),
            ({"complaint_id": "k5", "agent_id": "NOBODY"}, "agent_id_not_in_roster"),
            ({}, "key_repeated"),
        ],
    ),
    "orders": (
        ORDER,
        [
            ({"order_id": "o2", "amount": -0.01}, "amount_out_of_range"),
            ({"order_id": "o3", "refund_amount": -0.01}, "refund_amount_out_of_range"),
            ({"order_id": "o4", "silent": None}, "silent_missing"),
            ({"order_id": "o5", "paid_at": "2026-08-31T23:59:59+08:00"}, "other_date"),
            ({"order_id": "o6", "agent_id": "NOBODY"}, "agent_id_not_in_roster"),
        ],
    ),
    "targets": (
        TARGET,
        [
            ({"measure": "happiness"}, "measure_unknown"),
            ({"month": "2026-10", "target": -1}, "target_out_of_range"),
            ({"month": "2026-11", "target": None}, "target_missing"),
            ({"month": "2026-12", "employee_id": "NOBODY"}, "employee_id_not_in_roster"),
            ({}, "key_repeated"),
        ],
    ),
    "assessments": (
        ASSESSMENT,
        [
            ({"assessment_id": "a2", "kind": "gossip"}, "kind_unknown"),
            ({"assessment_id": "a3", "score": 100.5}, "score_out_of_range"),
            ({"assessment_id": "a4", "date": NEXT}, "other_date"),
            ({"assessment_id": "a5", "employee_id": "NOBODY"}, "employee_id_not_in_roster"),
        ],
    ),
    "hr_events": (
        EVENT,
        [
            ({"event_id": "v2", "kind": "birthday"}, "kind_unknown"),
            ({"event_id": "v3", "date": NEXT}, "other_date"),
            ({"event_id": "v4", "employee_id": "NOBODY"}, "employee_id_not_in_roster"),
        ],
    ),
    "disputes": (
        DISPUTE,
        [
            ({"dispute_id": "d2", "status": "forgotten"}, "status_unknown"),
            ({"dispute_id": "d3", "measure": "total_points"}, "measure_unknown"),
            ({"dispute_id": "d4", "granted_delta": None}, "granted_delta_missing"),
            ({"dispute_id": "d5", "employee_id": "NOBODY"}, "employee_id_not_in_roster"),
        ],
    ),
    "promotion_cases": (
        CASE,
        [
            ({"case_id": "n2", "quarter": "2026-Q3"}, "quarter_unreadable"),
            ({"case_id": "n3", "quarter": "2026Q5"}, "quarter_unreadable"),
            ({"case_id": "n4", "supervisor_opinion": "maybe"}, "supervisor_opinion_unknown"),
            ({"case_id": "n5", "panel_decision": "maybe"}, "panel_decision_unknown"),
            ({"case_id": "n6", "objection": "maybe"}, "objection_unknown"),
            ({"case_id": "n7", "hr_decision": "maybe"}, "hr_decision_unknown"),
            ({"case_id": "n8", "panel_score": 101}, "panel_score_out_of_range"),
            ({"case_id": "n9", "announced_on": date(2026, 8, 31)}, "announced_before_applied"),
            ({"case_id": "n11", "withdrawn_on": date(2026, 8, 31)}, "withdrawn_before_applied"),
            ({"case_id": "n10", "employee_id": "NOBODY"}, "employee_id_not_in_roster"),
        ],
    ),
}
