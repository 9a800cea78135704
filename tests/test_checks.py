"""The checks of a batch: each rule of each suite broken once, and what follows from that for the date."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf.checks import Batch, Verdict
from csperf.expectations import Expectations
from csperf.settings import Settings
from csperf.sources.spool import Delivery, Spool, Unparsed
from csperf.suites import load_suite
from tests.landing_files import attendance, employee, message, session
from tests.spools import make_spool

DAY, NEXT = date(2026, 9, 1), date(2026, 9, 2)
AT = datetime(2026, 9, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def expectations(tmp_path_factory: pytest.TempPathFactory) -> Expectations:
    return Expectations(tmp_path_factory.mktemp("docs"))


def references(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table known_employees as select 'E1' as employee_id")
    con.execute(f"create table accepted_dates as select date '{DAY}' as business_date")
    con.execute(f"create table accepted_sessions as select date '{DAY}' as business_date, 's1' as session_id")
    con.execute(f"create table handled as select date '{DAY}' as business_date, unnest(['E1', 'E2']) as agent_id")


class Checker:
    """Checks spools; keeps the reasons by date and row."""

    def __init__(self, folder: Path, expectations: Expectations) -> None:
        self._folder = folder
        self._expectations = expectations
        self.reasons: dict[int, dict[str, str]] = {}

    def __call__(
        self,
        dataset: str,
        rows: Sequence[Mapping[str, Any]],
        day: date = DAY,
        change: Callable[[Spool], None] | None = None,
        unparsed: Sequence[Unparsed] = (),
        **settings: Any,
    ) -> Verdict:
        spool = make_spool(self._folder / "spool", dataset, [(day, row) for row in rows], [day], unparsed)
        if change is not None:
            change(spool)
        batch = Batch(Settings(home=self._folder, **settings), spool, self._folder, references)
        verdict = batch.check(self._expectations, AT)[day]
        with batch.connect() as con:
            for row, check, reason in con.execute('select row, "check", reason from bad').fetchall():
                self.reasons.setdefault(row, {})[check] = reason
        return verdict

    @property
    def checks(self) -> dict[int, set[str]]:
        return {row: set(reasons) for row, reasons in self.reasons.items()}


@pytest.fixture
def check(tmp_path: Path, expectations: Expectations) -> Checker:
    return Checker(tmp_path, expectations)


def failed(verdict: Verdict) -> dict[str, int]:
    return {result.check: result.failed for result in verdict.results if result.failed}


# ---- the rules, dataset by dataset: a good row, then one for each fault -------------------------------------------

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
}


@pytest.mark.parametrize("dataset", FAULTS)
def test_each_fault_is_found_and_the_good_row_stays(check: Checker, dataset: str) -> None:
    good, faults = FAULTS[dataset]
    verdict = check(dataset, [good, *({**good, **changes} for changes, _ in faults)])
    assert 1 not in check.checks, check.reasons
    for number, (_, expected) in enumerate(faults, start=2):
        assert expected in check.checks[number], (number, check.checks)
    assert verdict.refusal is None
    assert verdict.delivered == len(faults) + 1
    assert verdict.quarantined == len(faults)


@pytest.mark.parametrize(
    ("dataset", "good"),
    [
        ("employees", employee("E1", post=None, base_salary=None, lead_id=None)),
        ("chat_sessions", session("s1", "E1", "2026-09-01T00:00:00+08:00", ended_at="2026-09-02T00:10:00+08:00")),
        (
            "chat_sessions",
            session("s1", "E1", "2026-09-01T23:59:59+08:00", ended_at="2026-09-01T23:59:59+08:00"),
        ),
        ("calls", {**CALL, "answered_at": None, "ended_at": CALL["queued_at"], "csat": 1}),
        ("qa_reviews", {**REVIEW, "item_no": 1, "points": "0.5", "severity": "C"}),
        ("tickets", {**TICKET, "closed_at": TICKET["created_at"]}),
        ("attendance", attendance("E1", DAY, "rest")),
        ("attendance", attendance("E1", DAY, scheduled_hours=24, worked_hours=24, overtime_hours=0)),
        ("points", {**POINTS, "kind": "extra", "points": -100}),
        ("points", {**POINTS, "points": 0}),
    ],
)
def test_rows_at_the_edge_are_good(check: Checker, dataset: str, good: Mapping[str, Any]) -> None:
    assert check(dataset, [good]).quarantined == 0
    assert check.reasons == {}


def test_reasons_name_the_values_in_local_time(check: Checker) -> None:
    check("chat_sessions", [{**SESSION, "csat": 9, "ended_at": "2026-09-01T08:00:00+08:00", "agent_id": "NOBODY"}])
    assert check.reasons[1] == {
        "csat_out_of_range": "csat is 9, not between 1 and 5",
        "ended_before_start": "ended_at 2026-09-01 08:00:00 lies before started_at 2026-09-01 09:00:00",
        "agent_id_not_in_roster": "agent_id 'NOBODY' is in no roster that was accepted so far",
    }


def test_unreadable_field_is_told_once(check: Checker) -> None:
    check("chat_sessions", [{**SESSION, "started_at": None, "channel": None, "_bad": "started_at: 'x' is not a time"}])
    assert check.reasons[1] == {
        "readable": "started_at: 'x' is not a time",
        "channel_missing": "channel is missing",
    }


def test_first_of_equal_keys_without_another_fault_stays(check: Checker) -> None:
    verdict = check("chat_sessions", [{**SESSION, "csat": 9}, SESSION, {**SESSION, "customer_id": "third"}])
    assert check.checks == {1: {"csat_out_of_range", "key_repeated"}, 3: {"key_repeated"}}
    assert check.reasons[3]["key_repeated"] == "row 2 has the same session_id"
    assert (verdict.quarantined, failed(verdict)["key_repeated"]) == (2, 2)


def test_waiting_lists_the_unknown_people(check: Checker) -> None:
    rows = [{**SESSION, "session_id": f"s{n}", "agent_id": f"N{n % 2}"} for n in range(4)]
    assert check("chat_sessions", rows).waiting == ["N0", "N1"]


def test_all_bad_rows_are_found_and_more_than_the_limit_refuses_the_date(check: Checker) -> None:
    rows = [{**SESSION, "session_id": f"s{n}", "csat": 9 if n < 300 else 5} for n in range(1000)]
    verdict = check("chat_sessions", rows, quarantine_limit=0.2)
    assert verdict.quarantined == 300 and len(check.reasons) == 300
    assert verdict.refusal == (
        "chat_sessions of 2026-09-01 is refused: 300 of 1,000 rows are bad, more than the 20% that the setting "
        "CSPERF_QUARANTINE_LIMIT allows (mostly csat_out_of_range, 300 rows); see its quarantine, deliver it again "
        "and run the date."
    )


@pytest.mark.parametrize(("rows", "limit", "refused"), [(99, 0.2, False), (100, 0.2, True), (100, 0.5, False)])
def test_limit_counts_from_a_hundred_rows_on_and_is_a_setting(
    check: Checker, rows: int, limit: float, refused: bool
) -> None:
    half = [{**SESSION, "session_id": f"s{n}", "csat": 9 if n % 2 else 5} for n in range(rows)]
    assert (check("chat_sessions", half, quarantine_limit=limit).refusal is not None) == refused


def test_lines_that_are_no_rows_count_as_bad(check: Checker) -> None:
    lines = [Unparsed(DAY, n, "x", f"line {n}: broken") for n in range(60)]
    rows = [{**SESSION, "session_id": f"s{n}"} for n in range(60)]
    verdict = check("chat_sessions", rows, unparsed=lines, quarantine_limit=0.4)
    assert (verdict.delivered, verdict.quarantined) == (120, 60)
    assert verdict.refusal is not None and "mostly unparsed, 60 rows" in verdict.refusal


def test_empty_roster_is_refused(check: Checker) -> None:
    verdict = check("employees", [])
    assert verdict.refusal is not None
    assert verdict.refusal.startswith("employees of 2026-09-01 is refused: the roster is empty (rule empty_roster)")


def test_empty_delivery_of_a_daily_dataset_is_fine(check: Checker) -> None:
    verdict = check("tickets", [])
    assert (verdict.refusal, verdict.delivered, failed(verdict)) == (None, 0, {})
    assert {result.check for result in verdict.results} == {rule.check for rule in load_suite("tickets").rules}


def test_messages_without_their_sessions_are_refused(check: Checker) -> None:
    verdict = check("chat_messages", [message("s1", 1, "agent", "2026-09-02T09:00:00+08:00")], day=NEXT)
    assert verdict.refusal is not None and "chat_sessions of this date are not accepted" in verdict.refusal


def test_delivery_that_cannot_be_read_is_refused_in_its_own_words(check: Checker) -> None:
    def spoil(spool: Spool) -> None:
        spool.deliveries[DAY] = Delivery(DAY, "calls/2026-09-01.parquet", [], 0, {}, "the file is cut off.")

    verdict = check("calls", [], change=spoil)
    assert verdict.refusal == (
        "calls of 2026-09-01 is refused: the file is cut off; deliver the date again and run it."
    )


def test_warnings_keep_the_row(check: Checker) -> None:
    verdict = check("employees", [employee("E1", lead_id="E1"), employee("E2", lead_id="GONE")])
    assert (verdict.quarantined, failed(verdict)) == (0, {"own_lead": 1, "lead_not_in_roster": 1})


def test_warnings_of_reviews_and_attendance(check: Checker) -> None:
    verdict = check("qa_reviews", [{**REVIEW, "points": 3}, {**REVIEW, "review_id": "r2", "item_no": 1}])
    assert failed(verdict) == {"review_with_points": 1, "item_without_review": 1, "agent_not_reviewed": 1}
    assert verdict.quarantined == 0


def test_warnings_of_attendance(check: Checker) -> None:
    verdict = check("attendance", [attendance("E1", DAY, "rest", scheduled_hours=8, overtime_hours=2)])
    assert failed(verdict) == {"rest_with_hours": 1, "overtime_without_kind": 1}
    assert verdict.quarantined == 0
