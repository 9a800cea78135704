"""One revision that all causes have changed: its differences are split step by step, to the cent."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from csperf import closing, warehouse
from csperf.approval import publish_draft, put_draft
from csperf.extract import write_decisions
from csperf.figures import quarter_digest
from csperf.periods import Month, Quarter
from csperf.published import CONDITION_COLUMNS, DECISION_COLUMNS, load_published, newest
from csperf.settings import Settings
from tests.landing_files import land
from tests.small_company import START, chats, disputes, people, scheme

JUNE = Month(2026, 6)
WHEN = datetime(2026, 8, 21, 9, tzinfo=UTC)


def test_code_late_data_dispute_policy_and_decision_each_have_their_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home", policy_dir=tmp_path / "plans")
    scheme(settings, (START, {}))
    people(settings, JUNE, {"employee_id": "A"}, {"employee_id": "B"})
    chats(settings, JUNE, A=3, B=3)
    land(settings, "disputes", JUNE.last_day, [])
    closing.close_month(settings, JUNE, "Demo Director", WHEN)

    # Code that pays a yuan more a line; two late chats; two more granted; another value of a point.
    project = tmp_path / "project"
    shutil.copytree(warehouse.DBT_PROJECT, project)
    model = project / "models" / "payroll" / "computed_lines.sql"
    text = model.read_text()
    assert text.count("cast(amount as decimal(18, 2)) as amount") == 1
    model.write_text(text.replace("cast(amount as", "cast(amount + 1 as"))
    monkeypatch.setattr("csperf.dbt_call.DBT_PROJECT", project)
    monkeypatch.setattr(warehouse, "CODE", (project / "models", *warehouse.CODE[1:]))
    chats(settings, JUNE, A=5, B=3)
    ruling = {"ruled_by": "Demo Ruler", "ruled_at": datetime(2026, 7, 5, 1, tzinfo=UTC), "granted_delta": Decimal(2)}
    asked = {"dispute_id": "D1", "employee_id": "A", "month": "2026-06", "measure": "sessions", "requested_delta": 2}
    disputes(settings, date(2026, 7, 5), {**asked, **ruling, "status": "upheld"})
    scheme(settings, (START, {"value: 0.5": "value: 0.6"}))
    promote(settings, "B")
    # The gate finds what that code does: more than the plan can pay.
    closing.close_month(settings, JUNE, "Demo Director", WHEN, override="a demo of wrong code")

    with duckdb.connect() as con:
        load_published(con, settings)
        found = con.execute(
            "select employee_id, component, cause, amount::varchar from published.corrections order by all"
        ).fetchall()
        changed = dict(
            con.execute(
                "select cause, changed from published.corrections "
                "where employee_id = 'A' and component = 'performance_pay' union all "
                "select cause, changed from published.corrections where cause = 'decision'"
            ).fetchall()
        )
    # A's points: 103.6 at first, 106 with five chats, 108.4 with seven, each at 0.5; then 108.4 at 0.6. B's 103.6 at
    # 0.5 and 0.6; as intermediate 100 points and 300 more.
    assert found == [
        ("A", "base_pay", "code", "1.00"),
        ("A", "grade_allowance", "code", "1.00"),
        ("A", "performance_pay", "code", "1.00"),
        ("A", "performance_pay", "dispute", "1.20"),
        ("A", "performance_pay", "late_data", "1.20"),
        ("A", "performance_pay", "policy", "10.84"),
        ("B", "base_pay", "code", "1.00"),
        ("B", "grade_allowance", "code", "1.00"),
        ("B", "grade_allowance", "decision", "300.00"),
        ("B", "performance_pay", "code", "1.00"),
        ("B", "performance_pay", "decision", "60.00"),
        ("B", "performance_pay", "policy", "10.36"),
    ]
    assert changed["code"].startswith("of others: code ")
    assert changed["late_data"].startswith("chat_sessions 2026-06-30 (+2 −0 rows, version ")
    assert changed["dispute"] == "dispute D1 upheld: sessions +2 for 2026-06, ruled by Demo Ruler on 2026-07-05 09:00"
    assert changed["policy"] == "plan version cs_2017@1900-01-01 changed (point_value 0.5 → 0.6)"
    assert changed["decision"] == "2026Q1 decided B: as on the roster → intermediate (revision 1)"
    revision = newest(settings.payroll_dir, JUNE)
    assert revision is not None and revision.number == 2
    lines = (revision.path / "corrections_2026-06.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 1 + len(found)


def promote(settings: Settings, who: str) -> None:
    """Publish a promotion with effect from April, as the first quarter's closing does once its data are there."""
    quarter = Quarter(2026, 1)
    with duckdb.connect() as con:
        con.execute("create schema draft")
        con.execute(f"create table draft.decisions ({DECISION_COLUMNS})")
        con.execute(f"create table draft.conditions ({CONDITION_COLUMNS})")
        con.execute(
            "insert into draft.decisions values ('2026Q1', 1, ?, 'cs_2017', 'basic', 'junior', 'promote', "
            "'intermediate', date '2026-04-01', 'by hand')",
            [who],
        )
        digest = quarter_digest(con)

        def write(folder: Path) -> dict[str, object]:
            files, parts = write_decisions(con, folder)
            return {"revision": 1, "figures_digest": digest, "files": files, "parts": parts}

        put_draft(settings, settings.tiers_dir, str(quarter), WHEN, write)
        publish_draft(settings, settings.tiers_dir, str(quarter), digest, "Demo Director", WHEN, WHEN)
