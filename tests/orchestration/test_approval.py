"""What counts as an approval, and what does not."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from csperf.approval import approvers, check_approver
from csperf.closing import Draft
from csperf.errors import CsperfError
from csperf.orchestration.approval import Approved, check_answer, draft_facts
from csperf.settings import Settings

DRAFTED = datetime(2026, 9, 21, 6, 5, tzinfo=UTC)
ANSWERED = datetime(2026, 9, 21, 9, 30, tzinfo=UTC)
ANSWER: dict[str, Any] = {
    "chosen_options": ["Approve"],
    "params_input": {},
    "responded_at": ANSWERED,
    "responded_by_user": {"id": "7", "name": "Demo Director"},
}


def check(answer: dict[str, Any] | None, preparers: tuple[str, ...] = ("csperf", "Demo Clerk")) -> Approved:
    return check_answer(answer, DRAFTED, "Demo Director", preparers)


def test_an_answer_says_who_approved_and_when() -> None:
    assert check(ANSWER) == Approved("Demo Director", ANSWERED)
    assert check({**ANSWER, "responded_at": ANSWERED.isoformat()}) == Approved("Demo Director", ANSWERED)
    assert check({**ANSWER, "unattended": True}).by == "Demo Director"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "Nobody has answered"),
        ({}, "Nobody has answered"),
        ({**ANSWER, "chosen_options": ["Reject"]}, "was not approved"),
        ({**ANSWER, "chosen_options": []}, "was not approved"),
        ({**ANSWER, "chosen_options": ["Approve", "Reject"]}, "was not approved"),
        ({**ANSWER, "responded_by_user": None}, "who gave it"),
        ({**ANSWER, "responded_at": None}, "who gave it"),
        ({**ANSWER, "responded_at": datetime(2026, 9, 21, 6, 4, tzinfo=UTC)}, "older than the draft"),
        ({**ANSWER, "unattended": True, "responded_by_user": {"id": "x", "name": "x"}}, "not the approver"),
    ],
)
def test_anything_else_is_no_approval(answer: dict[str, Any] | None, says: str) -> None:
    with pytest.raises(CsperfError, match=says):
        check(answer)


@pytest.mark.parametrize("preparer", ["Demo Director", "demo director", " DEMO DIRECTOR ", "7"])
def test_the_preparer_and_the_starter_cannot_approve(preparer: str) -> None:
    with pytest.raises(CsperfError, match="somebody else"):
        check(ANSWER, ("csperf", preparer))


def test_the_approver_sees_counts_and_the_digest() -> None:
    draft = Draft(
        "2026-09", 2, "0123456789abcdef0", True, Path("/home/payroll/2026-09/draft"), 60, 180, {"new": 3}, ("Late.",)
    )
    facts = draft_facts(draft, DRAFTED)
    assert facts["digest"] == draft.digest and datetime.fromisoformat(facts["drafted_at"]) == DRAFTED
    for part in ("2026-09", "revision 2", "60", "180", "| new | 3 |", "0123456789abcdef", "Late.", str(draft.path)):
        assert part in facts["body"]


def test_only_who_is_named_may_approve_and_airflow_is_told_their_ids() -> None:
    anybody, named = Settings(), Settings(approvers=" Demo  Director:7, Demo Deputy ")
    assert approvers(anybody) == {}
    assert approvers(named) == {"Demo Director": "7", "Demo Deputy": ""}
    assert check_approver(anybody, "Somebody", "csperf") == "Somebody"
    assert check_approver(named, "demo director", "csperf") == "demo director"
    with pytest.raises(
        CsperfError, match=r"Somebody is not among those who may approve \(Demo Director, Demo Deputy\)"
    ):
        check_approver(named, "Somebody", "csperf")
