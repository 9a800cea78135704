"""The checks of a batch: each rule of each suite broken once, and what follows from that for the date."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf.checks import Batch, Verdict
from csperf.datasets import DATASETS
from csperf.expectations import Expectations
from csperf.settings import Settings
from csperf.sources.spool import Delivery, Spool, Unparsed
from csperf.suites import load_suite
from tests.faulty_rows import CALL, DAY, FAULTS, NEXT, POINTS, REVIEW, SESSION, TICKET
from tests.landing_files import attendance, employee, message, session
from tests.spools import make_spool

AT = datetime(2026, 9, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def expectations(tmp_path_factory: pytest.TempPathFactory) -> Expectations:
    return Expectations(tmp_path_factory.mktemp("docs"))


def references(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table known_employees as select unnest(['E1', 'E5', 'E9']) as employee_id")
    con.execute(
        f"create table active_people as select date '{DAY}' as business_date, unnest(['E1', 'E9']) as employee_id"
    )
    con.execute("create table usual_rows (business_date date, rows bigint, usual double)")
    con.execute("create table delivered_columns (business_date date, position integer, name varchar, type varchar)")
    con.execute("create table earlier_columns as from delivered_columns")
    con.execute(f"create table accepted_dates as select date '{DAY}' as business_date")
    con.execute(
        f"create table accepted_sessions as select date '{DAY}' as business_date, unnest(['s1', 's2']) as session_id, "
        "timestamptz '2026-09-01 09:00:00+08' as started_at"
    )
    con.execute(
        f"create table interactions as select date '{DAY}' as business_date, unnest(['s1', 's2']) as interaction_id, "
        "unnest(['E1', 'E9']) as agent_id"
    )
    con.execute(f"create table interaction_dates as select date '{DAY}' as business_date")
    con.execute(
        f"create table handled as select date '{DAY}' as business_date, unnest(['E1', 'E2']) as agent_id, "
        "1 as interactions"
    )


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
        also: Callable[[duckdb.DuckDBPyConnection], None] = lambda con: None,
        unparsed: Sequence[Unparsed] = (),
        **settings: Any,
    ) -> Verdict:
        spool = make_spool(self._folder / "spool", dataset, [(day, row) for row in rows], [day], unparsed)
        if change is not None:
            change(spool)

        def look_up(con: duckdb.DuckDBPyConnection) -> None:
            references(con)
            also(con)

        with Batch(Settings(home=self._folder, **settings), spool, self._folder, look_up) as batch:
            verdict = batch.check(self._expectations, AT)[day]
            with batch.connect() as con:
                found = con.execute('select row, "check", reason from bad').fetchall()
            for row, check, reason in found:
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


@pytest.mark.parametrize("dataset", DATASETS)
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
        ("qa_reviews", {**REVIEW, "reviewed_at": "2026-09-01T00:00:00+08:00"}),  # still August in UTC
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


# ---- other datasets, other deliveries ------------------------------------------------------------------------------


def test_warnings_about_people_of_the_roster_in_force(check: Checker) -> None:
    verdict = check("tickets", [TICKET, {**TICKET, "ticket_id": "t2", "agent_id": "E5"}])
    assert (failed(verdict), verdict.quarantined) == ({"agent_id_not_employed": 1}, 0)


def test_reply_before_its_question_and_small_clock_errors_are_told(check: Checker) -> None:
    """E1 answers two questions; the second answer bears a time before the first question that it answers."""
    times = [
        ("customer", "09:00:10"),
        ("agent", "09:00:05"),  # answers a question that was asked later
        ("agent", "08:59:00"),  # answers nothing; before the session's start: told
        ("bot", "09:00:01"),
        ("customer", "09:01:00"),
        ("customer", "09:00:30"),  # the customer's own clock: nobody's response time
        ("agent", "09:01:00"),  # as late as the question: good
    ]
    rows = [message("s1", n, who, f"2026-09-01T{at}+08:00") for n, (who, at) in enumerate(times, start=1)]
    other = [
        message("s2", 1, "agent", "2026-09-01T09:00:00+08:00"),
        message("s2", 2, "customer", "2026-09-01T09:05:00+08:00"),
    ]
    verdict = check("chat_messages", [*rows, *other])
    assert check.reasons == {}
    assert failed(verdict) == {"reply_before_question": 1, "sent_before_session": 1}


def test_review_of_nothing_and_of_another_agents_work_is_told(check: Checker) -> None:
    rows = [
        REVIEW,
        {**REVIEW, "review_id": "r2", "interaction_id": "s2"},
        {**REVIEW, "review_id": "r3", "interaction_id": "s9"},
        {**REVIEW, "review_id": "r4", "reviewer_id": "E1"},
    ]
    verdict = check("qa_reviews", rows)
    assert check.checks == {}
    told = failed(verdict)
    assert (told["interaction_of_another"], told["own_review"], told["interaction_unknown"]) == (1, 1, 1)


def test_reviews_are_not_judged_while_calls_are_missing(check: Checker) -> None:
    verdict = check(
        "qa_reviews",
        [{**REVIEW, "interaction_id": "s9"}],
        also=lambda con: con.execute("delete from interaction_dates"),
    )
    assert verdict.quarantined == 0


@pytest.mark.parametrize(("interactions", "reviews", "short"), [(9, 4, 1), (9, 5, 0), (3, 3, 0), (3, 2, 1)])
def test_coverage_counts_reviews_up_to_five_or_all(check: Checker, interactions: int, reviews: int, short: int) -> None:
    def handled(con: duckdb.DuckDBPyConnection) -> None:
        con.execute(f"update handled set interactions = {interactions} where agent_id = 'E1'")

    rows = [{**REVIEW, "review_id": f"r{n}"} for n in range(reviews)]
    assert failed(check("qa_reviews", rows, also=handled)).get("coverage_below_sample", 0) == short


@pytest.mark.parametrize(
    ("dataset", "usual", "rows", "told"),
    [
        ("tickets", 20, 9, "volume_low"),
        ("tickets", 20, 10, None),
        ("tickets", 19, 0, None),  # too few to say
        ("tickets", 20, 0, "volume_low"),
        ("tickets", 20, 41, "volume_high"),
        ("tickets", 20, 40, None),
        ("employees", 20, 15, "volume_low"),
        ("employees", 20, 16, None),
    ],
)
def test_volume_is_compared_with_what_is_usual(
    check: Checker, dataset: str, usual: int, rows: int, told: str | None
) -> None:
    def counts(con: duckdb.DuckDBPyConnection) -> None:
        con.execute("insert into usual_rows values (?, ?, ?)", [DAY, rows, usual])

    good = [TICKET] if dataset == "tickets" and rows else [employee("E1")] if rows else []
    verdict = check(dataset, good, also=counts)
    found = {name for name in failed(verdict) if name.startswith("volume")}
    assert found == ({told} if told else set()) and verdict.refusal is None


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        ("a b c", "a b c", set()),
        ("a b c extra", "a b c", {"column_new"}),
        ("c a b", "a b c", {"columns_reordered"}),
        ("a c", "a b c", set()),  # one that is gone moves no other
        ("a b c:date", "a b c", {"column_retyped"}),
        ("a b c ticket_id", "a b c", set()),  # one of the contract is no news
        ("a b c", "", set()),  # the first delivery
    ],
)
def test_a_changed_export_is_told(check: Checker, now: str, before: str, told: set[str]) -> None:
    def columns(con: duckdb.DuckDBPyConnection) -> None:
        for table, names in (("delivered_columns", now), ("earlier_columns", before)):
            for place, name in enumerate(names.split(), start=1):
                con.execute(f"insert into {table} values (?, ?, ?, ?)", [DAY, place, *(name + ":text").split(":")[:2]])

    assert set(failed(check("tickets", [TICKET], also=columns))) == told


def test_a_suites_own_limit_counts_until_the_setting_is_given(check: Checker, tmp_path: Path) -> None:
    rows = [employee(f"E{n}", post="night" if n < 5 else "basic") for n in range(20)]
    verdict = check("employees", rows)
    assert verdict.refusal is not None and "more than the 20% that the suite of employees allows" in verdict.refusal
    again = Checker(tmp_path / "again", check._expectations)
    assert again("employees", rows, quarantine_limit=0.5).refusal is None
