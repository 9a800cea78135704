"""The four DAGs run by a real Airflow over PostgreSQL, approvals answered by people of it."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from csperf import nightly
from csperf.settings import Settings
from csperf.status import look
from tests.end_to_end.conftest import CLERK, DEPUTY, DIRECTOR, FIRST, LAST, OPERATOR, Server

MONTHLY, QUARTERLY, DAILY, BACKFILL = "csperf_monthly", "csperf_quarterly", "csperf_daily", "csperf_backfill"


@pytest.fixture(scope="module")
def landed(server: Server) -> str:
    """The quarter through csperf_backfill, whose scheduler and task were killed in the midst of the extraction."""
    stack = server.stack
    run = stack.trigger(BACKFILL, CLERK, {"from": "2026-07", "to": "2026-09"})
    deadline = time.monotonic() + 180
    while not list(server.settings.landing_dir.glob("chat_sessions/*/current.json")):
        assert time.monotonic() < deadline, stack.tasks(BACKFILL, run, CLERK)
        time.sleep(0.2)
    stack.kill("scheduler")
    assert not server.settings.warehouse_path.exists()
    stack.start("scheduler")
    assert stack.wait(BACKFILL, run, CLERK) == "success"
    return run


@pytest.fixture(scope="module")
def rejected(server: Server, landed: str) -> str:
    """The first month, started by the clerk and rejected by the director."""
    run = draft(server, "2026-07")
    server.stack.answer(MONTHLY, run, DIRECTOR, "Reject", "a demo: E0001 was on leave")
    assert server.stack.wait(MONTHLY, run, CLERK) == "success"
    return run


@pytest.fixture(scope="module")
def july(server: Server, rejected: str) -> str:
    """The first month again, approved this time."""
    run = draft(server, "2026-07")
    server.stack.answer(MONTHLY, run, DIRECTOR)
    assert server.stack.wait(MONTHLY, run, CLERK) == "success"
    return run


def draft(server: Server, month: str) -> str:
    """Start a month and wait until it waits for approval; nothing of it is published then."""
    run = server.stack.trigger(MONTHLY, CLERK, {"month": month})
    server.stack.wait_for_task(MONTHLY, run, "approve", "awaiting_input", CLERK)
    assert (server.settings.payroll_dir / month / "draft").is_dir()
    assert revisions(server, month) == []
    return run


def heard(server: Server, words: str) -> None:
    """Wait until somebody was told so."""
    deadline = time.monotonic() + 60
    while not any(words in text for text in server.hook.texts("token-4711")):
        assert time.monotonic() < deadline, server.hook.got
        time.sleep(0.2)


def revisions(server: Server, month: str) -> list[str]:
    return sorted(path.name for path in (server.settings.payroll_dir / month).glob("rev-*"))


def test_a_backfill_killed_in_its_extraction_ends_with_the_tables_of_the_command_line(
    server: Server, landed: str, tmp_path: Path
) -> None:
    other = Settings(home=tmp_path)
    nightly.run(other, FIRST, LAST, server.settings.source, extracted_at=datetime(2026, 10, 1, tzinfo=UTC))
    with duckdb.connect() as con:
        con.execute(f"attach '{other.warehouse_path}' as a (read_only)")
        con.execute(f"attach '{server.settings.warehouse_path}' as b (read_only)")
        for table in ("scorecards.agent_daily", "scorecards.measures", "payroll.computed_lines", "quality.quarantine"):
            counts = con.execute(
                f"select (select count(*) from a.{table}), (select count(*) from b.{table}),"
                f" (select count(*) from (from a.{table} except from b.{table}))"
            ).fetchone()
            assert counts is not None and counts[0] == counts[1] > 0 and counts[2] == 0, table


def test_a_backfill_is_one_run_and_pays_nobody(server: Server, landed: str) -> None:
    runs = server.stack.call("GET", f"dags/{BACKFILL}/dagRuns", CLERK)["dag_runs"]
    assert [run["dag_run_id"] for run in runs] == [landed]
    events = server.stack.call("GET", "assets/events", CLERK)["asset_events"]
    assert {event["name"] for event in events if event["source_run_id"] == landed} == {"csperf_scorecards"}
    for dag in (MONTHLY, QUARTERLY):
        runs = server.stack.call("GET", f"dags/{dag}/dagRuns", CLERK)["dag_runs"]
        assert all(run["run_type"] == "manual" for run in runs)


def test_a_rejected_month_is_a_draft_again_with_the_reason(server: Server, rejected: str) -> None:
    assert server.stack.tasks(MONTHLY, rejected, CLERK)["publish"] == "skipped"
    assert revisions(server, "2026-07") == []
    manifest = json.loads((server.settings.payroll_dir / "2026-07" / "draft" / "manifest.json").read_text())
    (refusal,) = manifest["refusals"]
    assert (manifest["status"], refusal["reason"]) == ("draft", "a demo: E0001 was on leave")
    assert refusal["by"].split()[0] == DIRECTOR
    (month,) = [month for month in look(server.settings).months if month.period == "2026-07"]
    assert (month.state, month.refusals) == ("draft", 1)
    heard(server, f"The draft of 2026-07 was refused by {refusal['by']}; csperf status says why")


def test_a_draft_that_waits_is_told_and_again_after_it_was_refused(server: Server, july: str) -> None:
    told = [
        text for text in server.hook.texts("token-4711") if text.startswith("The draft of 2026-07 (revision 1) waits")
    ]
    assert len(told) == 2


def test_a_month_is_published_by_the_one_who_approved_it(server: Server, july: str) -> None:
    assert revisions(server, "2026-07") == ["rev-001"]
    manifest = json.loads((server.settings.payroll_dir / "2026-07" / "rev-001" / "manifest.json").read_text())
    assert manifest["approved_by"].split()[0] == DIRECTOR
    assert manifest["status"] == "published"
    assert [each["reason"] for each in manifest["refusals"]] == ["a demo: E0001 was on leave"]


def test_no_pay_reaches_airflow(server: Server, july: str) -> None:
    folder = server.settings.payroll_dir / "2026-07" / "rev-001"
    manifest = json.loads((folder / "manifest.json").read_text())
    lines = f"read_parquet('{folder}/pay_lines_2026-07.parquet')"
    found = duckdb.sql(
        f"select amount from {lines} where abs(amount) >= 1000 union select sum(amount) from {lines} "
        "where component_group <> 'contribution' group by employee_id"
    ).fetchall()
    pay = {Decimal(manifest["control_total"]), *(amount for (amount,) in found)}
    logs = list(Path(server.places["/var/log/airflow"]).rglob("*.log"))
    for task in ("draft", "approve", "publish", "serve"):
        assert [path for path in logs if f"dag_id={MONTHLY}" in str(path) and f"task_id={task}" in str(path)], logs
    logs += (server.settings.home.parent / "component-logs").glob("*.log")
    kept = [path.read_text() for path in logs]
    assert "token-4711" not in "".join(kept)
    for task in ("draft", "approve", "publish"):
        path = f"dags/{MONTHLY}/dagRuns/{july}/taskInstances/{task}/xcomEntries/return_value"
        kept.append(json.dumps(server.stack.call("GET", path, CLERK)))
    kept.append(json.dumps(server.stack.call("GET", f"dags/{MONTHLY}/dagRuns/{july}/hitlDetails", CLERK)))
    kept.append(json.dumps(server.hook.got))
    text = "".join(kept)
    assert manifest["figures_digest"] in text and "approval.md" in text and "a demo: E0001 was on leave" in text
    told = {f"{amount:,.2f}" for amount in pay} | {f"{amount:.2f}" for amount in pay if amount}
    assert len(told) > 5
    assert not [amount for amount in told if len(amount) > 5 and amount in text]


def test_a_month_that_is_published_already_is_skipped(server: Server, july: str) -> None:
    run = server.stack.trigger(MONTHLY, CLERK, {"month": "2026-07"})
    assert server.stack.wait(MONTHLY, run, CLERK) == "success"
    assert set(server.stack.tasks(MONTHLY, run, CLERK).values()) == {"skipped"}
    assert revisions(server, "2026-07") == ["rev-001"]


def test_who_started_a_month_cannot_approve_it_and_it_is_told(server: Server, july: str) -> None:
    run = draft(server, "2026-08")
    server.stack.answer(MONTHLY, run, CLERK)
    assert server.stack.wait(MONTHLY, run, CLERK) == "failed"
    assert "somebody else has to approve it" in server.stack.task_log(MONTHLY, run, "publish", CLERK)
    assert revisions(server, "2026-08") == []
    heard(server, "csperf_monthly for 2026-08 failed in step publish; look at its log")


def test_who_may_not_approve_cannot_answer_and_marking_it_as_success_publishes_nothing(
    server: Server, july: str
) -> None:
    run = draft(server, "2026-08")
    path = f"dags/{MONTHLY}/dagRuns/{run}/taskInstances/approve"
    # The one's role answers nothing; the other's does, and CSPERF_APPROVERS does not name him.
    for name, role, words in (
        (OPERATOR, "csperf_operator", "403 .*Forbidden"),
        (DEPUTY, "csperf_approver", "403 .*not a respondent"),
    ):
        person = {"username": name, "password": "for-this-test", "email": f"{name}@example.com", "first_name": name}
        server.stack.call(
            "POST", "auth/fab/v1/users", CLERK, {**person, "last_name": "Demo", "roles": [{"name": role}]}
        )
        with pytest.raises(RuntimeError, match=words):
            answer = {"chosen_options": ["Approve"], "params_input": {}}
            server.stack.call("PATCH", f"{path}/-1/hitlDetails", name, answer)
    server.stack.call("PATCH", path, CLERK, {"new_state": "success"})
    assert server.stack.wait(MONTHLY, run, CLERK) == "failed"
    assert "Nobody has answered" in server.stack.task_log(MONTHLY, run, "publish", CLERK)
    assert revisions(server, "2026-08") == []


def test_a_quarter_run_by_dag_test_is_approved_by_whom_the_setting_names(server: Server, landed: str) -> None:
    # Paused, for the scheduler would take tasks of any run that it finds, and it knows of no such setting.
    server.stack.call("PATCH", f"dags/{QUARTERLY}", CLERK, {"is_paused": True})
    server.stack.run(
        ["env", "CSPERF_APPROVER=Demo Director", "airflow", "dags", "test", QUARTERLY, "2026-07-05T06:00:00+08:00"]
    )
    server.stack.call("PATCH", f"dags/{QUARTERLY}", CLERK, {"is_paused": False})
    manifest = json.loads((server.settings.tiers_dir / "2026Q3" / "rev-001" / "manifest.json").read_text())
    assert manifest["approved_by"] == "Demo Director"


@pytest.fixture(scope="module")
def nights(server: Server, landed: str) -> Iterator[dict[str, list[str]]]:
    """The dates that each kind of run of csperf_daily worked on; all of them have succeeded."""
    stack = server.stack
    by_hand = stack.trigger(DAILY, CLERK, {"from": "2026-09-01", "to": "2026-09-02"})
    dates = ["--from-date", "2026-09-29T00:00:00+08:00", "--to-date", "2026-09-30T23:59:59+08:00"]
    stack.run(["airflow", "backfill", "create", "--dag-id", DAILY, *dates])
    assert stack.wait(DAILY, by_hand, CLERK) == "success"
    worked: dict[str, list[str]] = {}
    for run in stack.call("GET", f"dags/{DAILY}/dagRuns", CLERK)["dag_runs"]:
        assert stack.wait(DAILY, run["dag_run_id"], CLERK) == "success"
        path = f"dags/{DAILY}/dagRuns/{run['dag_run_id']}/taskInstances/dates/xcomEntries/return_value"
        value = stack.call("GET", path, CLERK)["value"]
        worked.setdefault(run["run_type"], []).extend(json.loads(value) if isinstance(value, str) else value)
    yield worked


def test_a_night_by_hand_works_on_the_dates_it_is_given(nights: dict[str, list[str]]) -> None:
    assert nights["manual"] == ["2026-09-01", "2026-09-02"]


def test_a_native_backfill_works_on_every_date_of_its_range_the_last_included(nights: dict[str, list[str]]) -> None:
    assert sorted(nights["backfill"]) == ["2026-09-29", "2026-09-30"]


def test_a_night_that_is_not_done_by_its_deadline_is_told(server: Server, nights: dict[str, list[str]]) -> None:
    heard(server, "csperf_daily for 2026-09-01 … 2026-09-02 is not done by its deadline")


def test_nights_run_again_change_no_paid_month(server: Server, july: str, nights: dict[str, list[str]]) -> None:
    assert revisions(server, "2026-07") == ["rev-001"]
