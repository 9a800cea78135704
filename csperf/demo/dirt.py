"""A few dirty rows of known kinds, each beside the good row it is a spoilt copy of: no good row is lost to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from csperf.demo.chance import uniform

# What the spoilt copy says instead, by dataset and kind. "{…}" takes another column of the copied row.
# Kinds in TEXT_ONLY cannot be said in a typed file and are left out of Parquet deliveries.
KINDS: dict[str, dict[str, dict[str, str]]] = {
    "chat_sessions": {
        "csat_out_of_range": {"session_id": "X{session_id}", "csat": "9"},
        "unknown_agent": {"session_id": "X{session_id}", "agent_id": "NOBODY"},
        "ended_before_start": {"session_id": "X{session_id}", "ended_at": "2001-01-01T00:00:00+00:00"},
        "duplicate_key": {"customer_id": "U000000"},
        "csat_not_a_number": {"session_id": "X{session_id}", "csat": "five"},
    },
    "chat_messages": {"unknown_session": {"session_id": "X{session_id}"}},
    "calls": {
        "unknown_agent": {"call_id": "X{call_id}", "agent_id": "NOBODY"},
        "ended_before_start": {"call_id": "X{call_id}", "ended_at": "2001-01-01T00:00:00+00:00"},
    },
    "qa_reviews": {"unknown_severity": {"review_id": "X{review_id}", "item_no": "1", "severity": "D"}},
    "tickets": {
        "closed_before_created": {"ticket_id": "X{ticket_id}", "closed_at": "2001-01-01T00:00:00+00:00"},
        "wrong_number_of_fields": {"is_error": "false,too many"},
    },
    "attendance": {"unknown_employee": {"employee_id": "NOBODY"}},
    "points": {"unknown_kind": {"point_id": "X{point_id}", "kind": "bonus"}},
    "complaints": {
        "resolved_before_received": {"complaint_id": "X{complaint_id}", "resolved_at": "2001-01-01T00:00:00+00:00"},
        "unknown_agent": {"complaint_id": "X{complaint_id}", "agent_id": "NOBODY"},
    },
    "orders": {
        "negative_amount": {"order_id": "X{order_id}", "amount": "-1.00"},
        "duplicate_key": {"refund_amount": "0.01"},
        "amount_not_a_number": {"order_id": "X{order_id}", "amount": "two hundred"},
    },
    "targets": {
        "unknown_measure": {"measure": "smiles"},
        "month_not_a_month": {"month": "2026-13"},
    },
    "assessments": {
        "score_out_of_range": {"assessment_id": "X{assessment_id}", "score": "105"},
        "unknown_kind": {"assessment_id": "X{assessment_id}", "kind": "rumour"},
    },
    "hr_events": {"unknown_kind": {"event_id": "X{event_id}", "kind": "birthday"}},
    "disputes": {
        "unknown_measure": {"dispute_id": "X{dispute_id}", "measure": "smiles"},
        "upheld_without_delta": {"dispute_id": "X{dispute_id}", "status": "upheld", "granted_delta": ""},
    },
    "promotion_cases": {
        "announced_before_applied": {"case_id": "X{case_id}", "announced_on": "2001-01-01"},
        "unreadable_quarter": {"case_id": "X{case_id}", "quarter": "the third"},
    },
    "employees": {"unknown_grade": {"employee_id": "X{employee_id}", "grade": "wizard"}},
}
TEXT_ONLY = {"csat_not_a_number", "wrong_number_of_fields", "amount_not_a_number", "month_not_a_month"}


@dataclass(frozen=True)
class Dirt:
    """A dirty row of one delivery."""

    dataset: str
    business_date: date
    kind: str

    def spoil(self, row: Mapping[str, str]) -> dict[str, str]:
        """The dirty copy of a good row, all fields as text."""
        changes = KINDS[self.dataset][self.kind]
        return {**row, **{name: text.format(**row) for name, text in changes.items()}}


def dirt_of(seed: int, share: float, dataset: str, day: date, typed: bool) -> Dirt | None:
    """The dirty row that a delivery carries, if any: one in `share` of the deliveries."""
    kinds = [kind for kind in KINDS.get(dataset, {}) if not (typed and kind in TEXT_ONLY)]
    if not kinds or uniform(seed, f"dirt {dataset}", day.toordinal())[0] >= share:
        return None
    which = uniform(seed, f"dirt kind {dataset}", day.toordinal())[0]
    return Dirt(dataset, day, kinds[int(which * len(kinds))])
