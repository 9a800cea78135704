"""Employees' periods as rows of `measures.period_wide`, for tests that start where measures are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import pandas

from csperf.periods import Month
from csperf.policy.library import base_measures
from csperf.policy.store import load_policies
from csperf.published import load_published
from csperf.settings import Settings
from csperf.workdays import numbered_days

NOTICES = (date(2026, 1, 1), date(2026, 12, 31))
ATTRIBUTES = {
    "post": "basic",
    "grade": "junior",
    "team": "T1",
    "lead_id": None,
    "employment": "full_time",
    "education": "college",
    "city": "Shanghai",
    "base_salary": None,
}
FULL_MONTH = {
    "active_days": 30,
    "calendar_days": 30,
    "scheduled_days": 22,
    "worked_days": 22,
    "paid_days": 22,
    "active_all_months": 1,
    "active_last_day": 1,
}
DATES = {"month_start", "period_start", "period_end", "grade_since", "hire_date", "leave_date"}
TEXTS = {"employee_id", "period_kind", "period", "name", "plan", *ATTRIBUTES} - {"base_salary"}


def wide_row(
    plan: str, employee_id: str, kind: str, month: Month, employee: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """A row of period_wide for the period of a kind that ends with a month: the attributes and measures given, and for
    the rest a full month of nothing."""
    measures: dict[str, Any] = {}
    for code, entry in base_measures().items():
        measures[code] = None if entry["kind"] in ("mean", "newest") else 0
    full = FULL_MONTH | ({"active_days": 91, "calendar_days": 91} if kind == "quarter" else {})
    measures |= full | {"full_attendance": 0, "volume": 0, "tenure_months": 6, "months_in_grade": 6} | given
    months = {"month": 1, "quarter": 3, "year": 12}[kind]
    period = {"month": str(month), "quarter": str(month.quarter), "year": str(month.year)}[kind]
    first = month.plus(1 - months).first_day
    return {
        **{"employee_id": employee_id, "period_kind": kind, "period": period, "month_start": month.first_day},
        **{"period_start": first, "period_end": month.last_day, "name": "example", "plan": plan},
        **{"grade_since": date(2020, 1, 1), "hire_date": date(2020, 1, 1), "leave_date": None},
        **ATTRIBUTES,
        "grade_decided": 0,
        **employee,
        **measures,
    }


def insert_rows(con: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put these rows in place of what period_wide and the roster hold."""
    columns = ", ".join(
        f"{name} {'date' if name in DATES else 'varchar' if name in TEXTS else 'decimal(18,6)'}" for name in rows[0]
    )
    con.execute(f"create or replace table measures.period_wide ({columns})")
    given = pandas.DataFrame([{name: None if row[name] is None else str(row[name]) for name in row} for row in rows])
    con.register("given", given.astype("string"))
    con.execute("insert into measures.period_wide by name select * from given")
    con.unregister("given")
    con.execute(
        "create or replace table measures.roster_monthly as select month_start, employee_id, lead_id "
        "from measures.period_wide where period_kind = 'month'"
    )


def prepare(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    rows: Sequence[Mapping[str, Any]],
    announcements: Iterable[tuple[str, date, date]] = (),
) -> None:
    """A warehouse that dbt can go on from: policies, these rows, the cases announced (who, quarter's month, day)."""
    load_policies(con, settings)
    load_published(con, settings)
    con.execute("create schema measures; create schema scorecards; create schema control")
    insert_rows(con, rows)
    con.execute(
        "create schema staging; create table staging.stg_disputes (dispute_id varchar, employee_id varchar, "
        "month varchar, measure varchar, requested_delta decimal(18,6), status varchar, granted_delta decimal(18,6), "
        "ruled_by varchar, ruled_at timestamptz)"
    )
    con.execute("create table control.working_days (day date, number integer)")
    con.execute("create table control.partitions (dataset varchar, business_date date, path varchar)")
    con.execute("create table control.newest (dataset varchar, path varchar, business_date date)")
    con.executemany("insert into control.working_days values (?, ?)", numbered_days(*NOTICES))
    con.execute("create table measures.quarter_cases (month_start date, employee_id varchar, announced_number integer)")
    for employee_id, month_start, announced_on in announcements:
        con.execute(
            "insert into measures.quarter_cases select ?, ?, number from control.working_days where day = ?",
            [month_start, employee_id, announced_on],
        )
    con.execute(
        "create table scorecards.agent_daily (agent_id varchar, business_date date, sessions bigint, "
        "calls_answered bigint, qa_reviews bigint)"
    )
