"""What an approver is shown, who may approve, and how a draft is refused (demo data, worked by hand)."""

from __future__ import annotations

import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from csperf import closing, publication
from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.orchestration import steps
from csperf.orchestration.approval import draft_facts
from csperf.periods import Month, Quarter
from csperf.published import check_files, draft, newest
from csperf.settings import Settings
from csperf.status import look, render
from tests.landing_files import land
from tests.worked_warehouse import WHEN, Worked, close

JULY, AUGUST, QUARTER = Month(2026, 7), Month(2026, 8), Quarter(2026, 3)
PAY = {"base_pay": "3000.00", "performance_pay": "200.00", "grade_allowance": "0.00"}
DIRECTOR = "Demo Director"
# July 3,200 + 1,000 + nothing; August 3,840 (+20 %), 500 (-50 %) and 700 from nothing: 5,040 of 4,200 is +20.0 %.
JULY_PAY = {"E1": PAY, "E2": {"base_pay": "1000.00", "pension_employee": "80.00"}}
AUGUST_PAY = {
    "E1": {**PAY, "performance_pay": "840.00"},
    "E2": {"base_pay": "500.00", "pension_employee": "40.00"},
    "E3": {"base_pay": "700.00"},
}
DISPUTES = [
    ("D1", "E1", "2026-06", "sessions", "open"),
    ("D2", "E2", "2026-08", "csat_rate", "open"),
    ("D3", "E2", "2026-08", "csat_rate", "rejected"),
    ("D4", "E3", "2026-09", "tickets", "open"),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def august(settings: Settings) -> closing.Draft:
    """August as a draft, July published."""
    Worked({"2026-07": JULY_PAY, "2026-08": AUGUST_PAY}, disputes=DISPUTES).write(settings)
    close(settings, JULY)
    return closing.draft_month(settings, AUGUST, WHEN)


def test_the_approver_is_told_what_changed_in_percent_and_what_is_open(
    settings: Settings, august: closing.Draft
) -> None:
    facts = draft(settings.payroll_dir, AUGUST).manifest["facts"]  # type: ignore[union-attr]
    assert facts["lines"] == {"contribution": 1, "pay": 5}
    assert facts["largest_changes"] == [
        {"employee_id": "E2", "change": "-50.0%"},
        {"employee_id": "E1", "change": "+20.0%"},
    ]
    assert (facts["employees"], facts["newly_paid"], facts["no_longer_paid"]) == (3, 1, 0)
    assert [each["dispute_id"] for each in facts["open_disputes"]] == ["D1", "D2"]
    assert august.notes[:4] == (
        "Against 2026-07 revision 1: 3 people after 3, total gross +20.0%; 2 people by 20% or more, 1 newly paid, 0 no "
        "longer paid.",
        "Largest changes of gross: E2 -50.0%, E1 +20.0%.",
        "Open dispute D1 (E1, sessions, 2026-06).",
        "Open dispute D2 (E2, csat_rate, 2026-08).",
    )


def test_the_amounts_stand_in_a_private_page_and_not_in_airflow(settings: Settings, august: closing.Draft) -> None:
    page = august.page.read_text(encoding="utf-8")
    assert stat.S_IMODE(august.page.stat().st_mode) == 0o600
    for row in (
        "| employees | 3 | 3 |",
        "| total gross | 5,040.00 | 4,200.00 |",
        "| contribution, 1 lines | 40.00 | 80.00 |",
        "| E2 | Demo, Bo | 500.00 | 1,000.00 | -50.0% |",
        "| E1 | Demo An | 3,840.00 | 3,200.00 | +20.0% |",
        "- D2 (E2, csat_rate, 2026-08)",
    ):
        assert row in page.splitlines(), row
    facts = draft_facts(august, WHEN)
    assert str(august.page) in facts["body"] and "Open dispute D1" in facts["body"]
    assert not re.search(r"\d\.\d\d", facts["body"])
    check_files(draft(settings.payroll_dir, AUGUST))  # type: ignore[arg-type]
    august.page.write_text(page.replace("5,040.00", "4,200.00"), encoding="utf-8")
    with pytest.raises(CsperfError, match=r"approval\.md differs"):
        closing.publish_month(settings, AUGUST, august.digest, DIRECTOR, WHEN)


def test_a_later_revision_says_how_many_come_out_otherwise(settings: Settings, august: closing.Draft) -> None:
    closing.publish_month(settings, AUGUST, august.digest, DIRECTOR, WHEN)
    changed = {**AUGUST_PAY, "E3": {"base_pay": "701.00"}}
    Worked({"2026-07": JULY_PAY, "2026-08": changed}).write(settings)
    again = closing.draft_month(settings, AUGUST, WHEN)
    assert "1 people come out otherwise than in the revision before." in again.notes


# ---- who may approve ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["E2", "e2", "demo an", " DEMO   An ", "示例三"])
def test_nobody_approves_a_list_that_he_is_on(settings: Settings, august: closing.Draft, name: str) -> None:
    with pytest.raises(CsperfError, match="is on the list and cannot approve it"):
        closing.publish_month(settings, AUGUST, august.digest, name, WHEN)
    assert newest(settings.payroll_dir, AUGUST) is None
    allowed = settings.model_copy(update={"approver_on_list": True})
    done = closing.publish_month(allowed, AUGUST, august.digest, name, WHEN)
    assert done.manifest["approved_by"] == " ".join(name.split())


def test_nobody_approves_his_own_grade(settings: Settings) -> None:
    pay: dict[str, Any] = {str(month): {"E1": PAY} for month in QUARTER.months}
    Worked(pay, decisions={"2026Q3": [("E1", "promote", "intermediate")]}).write(settings)
    made = closing.draft_quarter(settings, QUARTER, WHEN)
    for name in ("demo an", "e1"):
        with pytest.raises(CsperfError, match="is on the list"):
            closing.publish_quarter(settings, QUARTER, made.digest, name, WHEN)
    assert closing.publish_quarter(settings, QUARTER, made.digest, "Demo, Bo", WHEN).number == 1


def test_a_quarters_page_names_whose_grade_changes(settings: Settings) -> None:
    pay: dict[str, Any] = {str(month): {"E1": PAY} for month in QUARTER.months}
    decisions = {"2026Q3": [("E1", "promote", "intermediate"), ("E2", "hold", "senior")]}
    Worked(pay, decisions=decisions, disputes=DISPUTES).write(settings)
    made = closing.draft_quarter(settings, QUARTER, WHEN)
    page = made.page.read_text(encoding="utf-8").splitlines()
    assert "| E1 | Demo An | promote | junior | intermediate | 2026-10-01 | worked by hand |" in page
    assert not [line for line in page if "E2 |" in line]
    assert made.notes == (
        "promote: E1.",
        "Open dispute D2 (E2, csat_rate, 2026-08).",
        "Open dispute D4 (E3, tickets, 2026-09).",
    )


# ---- refusing -----------------------------------------------------------------------------------------------------


def test_a_rejection_in_airflow_is_kept_with_the_draft(settings: Settings, august: closing.Draft) -> None:
    answer = {
        "chosen_options": ["Reject"],
        "params_input": {"reason": "E2 was  on leave\n"},
        "responded_at": datetime(2026, 11, 22, 8, tzinfo=UTC),
        "responded_by_user": {"id": "7", "name": DIRECTOR},
    }
    drafted = {"period": "2026-08", "digest": august.digest}
    assert steps.refuse(settings, drafted, answer).startswith(
        f"{DIRECTOR} refused the draft of 2026-08: E2 was on leave"
    )
    steps.refuse(settings, drafted, {**answer, "params_input": {}})
    kept = draft(settings.payroll_dir, AUGUST)
    assert kept is not None and kept.status == "draft"
    assert [each["reason"] for each in kept.manifest["refusals"]] == ["E2 was on leave", "no reason was given"]
    with pytest.raises(CsperfError, match="no such draft"):
        steps.refuse(settings, {**drafted, "digest": "another"}, answer)
    with pytest.raises(UsageError, match="who refuses"):
        steps.refuse(settings, drafted, {**answer, "responded_by_user": None})
    again = closing.draft_month(settings, AUGUST, WHEN)
    assert f"Refused by {DIRECTOR} at 2026-11-22T08:00:00+00:00: E2 was on leave" in again.notes


def test_the_command_line_refuses_months_and_quarters(settings: Settings, august: closing.Draft) -> None:
    decisions = {"2026Q3": [("E1", "promote", "intermediate")]}
    Worked({"2026-07": JULY_PAY, "2026-08": AUGUST_PAY, "2026-09": {"E1": PAY}}, decisions=decisions).write(settings)
    closing.draft_quarter(settings, QUARTER, WHEN)
    land(settings, "chat_sessions", AUGUST.last_day, [])

    def csperf(*words: str) -> Any:
        return CliRunner().invoke(app, words, env={"CSPERF_HOME": str(settings.home)})

    for period in ("2026-08", "2026Q3"):
        told = csperf("refuse", period, "--by", DIRECTOR, "--why", "look at E2 again")
        assert told.exit_code == 0, told.exception
        assert f"{DIRECTOR} refused the draft of {period}: look at E2 again." in told.stdout
    (month,), (quarter,) = (getattr(look(settings), kind) for kind in ("months", "quarters"))
    assert [(each.state, each.refusals, each.by) for each in (month, quarter)] == [("draft", 1, "csperf")] * 2
    assert month.refused.startswith(f"{DIRECTOR} refused it at ") and month.refused.endswith(": look at E2 again")
    tables = [table for table in render(look(settings)) if getattr(table, "title", "") in ("Months", "Quarters")]
    assert all("refused" in [column.header for column in table.columns] for table in tables)
    for words, says in (
        (("2026-08", "--by", DIRECTOR, "--why", " "), "needs who refuses and the reason"),
        (("2026-06", "--by", DIRECTOR, "--why", "x"), "no such draft of 2026-06"),
        (("2026-6", "--by", DIRECTOR, "--why", "x"), "'2026-6' is not a month"),
    ):
        assert says in str(csperf("refuse", *words).exception)
    with pytest.raises(CsperfError, match="no such draft of 2026Q2"):
        publication.refuse(settings, Quarter(2026, 2), DIRECTOR, WHEN, "x")
