"""A warehouse with worked figures, for tests of what happens after the computation (demo data, invented people)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import duckdb

from csperf import closing
from csperf.kept_policies import by_policies, keep_policies
from csperf.periods import Month, Quarter
from csperf.policy.store import load_policies
from csperf.published import load_published
from csperf.quality import _RESULTS
from csperf.settings import Settings

PEOPLE = {
    "E1": ("Demo An", "North", "basic", "junior", "cs_2017"),
    "E2": ("Demo, Bo", "North", "vip", "senior", "cs_2017"),
    "E3": ("示例三", "South", "voice", "trial", "cs_2017"),
}
GROUPS = {"pension_employee": "contribution"}

WHEN = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)

Lines = Mapping[str, Mapping[str, str]]
"""Amounts by employee and component."""


@dataclass
class Worked:
    """What the warehouse says: pay by month, who has left by when, decisions by quarter, last landed day."""

    pay: dict[str, Lines]
    left: dict[str, str] = field(default_factory=dict)
    decisions: dict[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)
    landed_until: str = "2026-12-31"
    gaps: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: PEOPLE)
    plans: Mapping[str, str] = field(default_factory=dict)
    days: Mapping[str, int] = field(default_factory=dict)
    """Paid days by employee: 20 of whoever has pay in the month, else 0."""
    disputes: Sequence[tuple[str, str, str, str, str]] = ()
    """Number, employee, month, measure, status."""
    bounds: bool = False
    """Whether a line is held against what its plan can pay: amounts here are mostly made up."""

    def write(self, settings: Settings) -> None:
        """Put the figures in place of what the warehouse holds."""
        settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
        policies, _ = keep_policies(settings)
        if not settings.warehouse_path.exists():
            settings.warehouse_path.write_bytes(_with_policies(settings, policies))
        with duckdb.connect(str(settings.warehouse_path)) as con:
            load_published(con, settings)
            for schema in ("control", "measures", "payroll", "tiers", "scorecards", "staging", "quality"):
                con.execute(f"create schema if not exists {schema}")
            con.execute("create or replace table control.info as select 'policies' as name, ? as value", [policies])
            _control(con, self)
            _people(con, self)
            _pay(con, self)
            _tiers(con, self)
            con.execute(
                "create or replace table payroll.unpaid "
                "(month varchar, employee_id varchar, component varchar, reason varchar)"
            )
            _disputes(con, self)
            if not self.bounds:
                con.execute("delete from policy.bounds")
            con.execute(f"create or replace table quality.results ({_RESULTS})")
            con.execute(
                "insert into quality.results values ('calls', '2026-07-01', 'worked', true, 'late', 'warn', 'a demo', "
                "9, 3, null)"
            )
            con.execute(
                "create or replace table quality.quarantine as select 'employees' as dataset, date '2026-07-01' as "
                "business_date, 1 as row, 'salary' as \"check\", 'base_salary 9999 is odd' as reason, "
                "'{\"base_salary\": 9999}' as row_json"
            )


def close(settings: Settings, month: Month, approved_by: str = "Demo Director") -> closing.Closed:
    """Draft and publish from the warehouse as it is, as `close_month` does after its build."""
    return closing._close_month(settings, month, approved_by, WHEN)


def lines(settings: Settings, month: Month, revision: int) -> dict[tuple[str, str], Decimal]:
    con = duckdb.connect()
    load_published(con, settings)
    rows = con.execute(
        "select employee_id, component, amount from published.pay_lines where pay_month = ? and revision = ?",
        [str(month), revision],
    ).fetchall()
    return {(who, component): amount for who, component, amount in rows}


def files_of(settings: Settings) -> dict[str, tuple[bytes, int]]:
    found = [path for path in settings.payroll_dir.rglob("*") if path.is_file()]
    return {str(path.relative_to(settings.home)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def rows(done: closing.Closed, name: str) -> list[str]:
    """The lines of a published list."""
    assert done.revision is not None
    path = done.revision.path / f"{name}_{done.draft.period}.csv"
    return path.read_text(encoding="utf-8-sig").splitlines()


_FILES: dict[str, bytes] = {}


def _with_policies(settings: Settings, policies: str) -> bytes:
    """A warehouse that holds a kept set of policies, made once for all tests of a process."""
    if policies not in _FILES:
        path = settings.warehouse_path.with_name("policies.duckdb")
        with duckdb.connect(str(path)) as con:
            load_policies(con, by_policies(settings, policies))
        _FILES[policies] = path.read_bytes()
        path.unlink()
    return _FILES[policies]


def _control(con: duckdb.DuckDBPyConnection, worked: Worked) -> None:
    con.execute("create or replace table control.months (month_start date, month varchar, digest varchar)")
    for text, lines in worked.pay.items():
        digest = f"inputs of {text}: {sorted((who, sorted(pay.items())) for who, pay in lines.items())}"
        con.execute("insert into control.months values (?, ?, ?)", [Month.parse(text).first_day, text, digest])
    con.execute(
        "create or replace table control.partitions as select 'attendance' as dataset, day::date as business_date, "
        "'worked' as version, 'worked' as sha256, 'nowhere' as path "
        "from generate_series(date '2026-01-01', ?::date, interval 1 day) as days(day) where day::date::varchar not in "
        "(select unnest(?::varchar[]))",
        [worked.landed_until, list(worked.gaps)],
    )


def _people(con: duckdb.DuckDBPyConnection, worked: Worked) -> None:
    columns = "employee_id varchar, name varchar, team varchar, post varchar, grade varchar, plan varchar"
    con.execute(
        "create or replace table measures.roster_monthly "
        f"(month_start date, {columns}, hire_date date, leave_date date)"
    )
    con.execute(
        "create or replace table measures.period_wide "
        f"(period_kind varchar, period varchar, month_start date, {columns}, paid_days integer)"
    )
    con.execute(
        "create or replace table measures.derived_measures "
        "(employee_id varchar, month_start date, period_kind varchar, measure varchar, value decimal(18,6))"
    )
    con.execute(
        "create or replace table scorecards.scorecard_monthly "
        "(month varchar, employee_id varchar, total_points decimal(18,6), for_director boolean)"
    )
    for text in worked.pay:
        for who, (name, *rest, plan) in worked.people.items():
            row = [who, worked.names.get(who, name), *rest, worked.plans.get(who, plan)]
            leave = Month.parse(worked.left[who]).plus(-1).last_day if who in worked.left else None
            con.execute(
                "insert into measures.roster_monthly values (?, ?, ?, ?, ?, ?, ?, '2020-01-01', ?)",
                [f"{text}-01", *row, leave],
            )
            if worked.left.get(who, "9999") > text:
                days = worked.days.get(who, 20 if worked.pay[text].get(who) else 0)
                con.execute(
                    "insert into measures.period_wide values ('month', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [text, f"{text}-01", *row, days],
                )
                con.execute("insert into scorecards.scorecard_monthly values (?, ?, 100, ?)", [text, who, who == "E3"])


def _disputes(con: duckdb.DuckDBPyConnection, worked: Worked) -> None:
    con.execute(
        "create or replace table staging.stg_disputes "
        "(dispute_id varchar, employee_id varchar, month varchar, measure varchar, status varchar)"
    )
    for each in worked.disputes:
        con.execute("insert into staging.stg_disputes values (?, ?, ?, ?, ?)", list(each))


def _pay(con: duckdb.DuckDBPyConnection, worked: Worked) -> None:
    con.execute(
        "create or replace table payroll.computed_lines (month_start date, pay_month varchar, employee_id varchar, "
        "component varchar, component_group varchar, quantity decimal(18,6), rate decimal(18,6), "
        "base_amount decimal(18,6), amount decimal(18,2), policy_version varchar, explanation varchar)"
    )
    for text, lines in worked.pay.items():
        for who, pay in lines.items():
            for component, amount in pay.items():
                con.execute(
                    "insert into payroll.computed_lines values (?, ?, ?, ?, ?, null, null, null, ?, 'cs_2017@1', ?)",
                    [
                        *(Month.parse(text).first_day, text, who, component, GROUPS.get(component, "pay")),
                        *(Decimal(amount), f"worked by hand: {amount}"),
                    ],
                )


def _tiers(con: duckdb.DuckDBPyConnection, worked: Worked) -> None:
    con.execute(
        "create or replace table tiers.computed_decisions (quarter varchar, employee_id varchar, plan varchar, "
        "post varchar, grade_before varchar, decision varchar, grade_after varchar, "
        "effective_from date, reason varchar)"
    )
    con.execute(
        "create or replace table tiers.computed_conditions (quarter varchar, employee_id varchar, condition varchar, "
        "measure varchar, value decimal(18,6), operator varchar, threshold decimal(18,6), met boolean)"
    )
    for text, rows in worked.decisions.items():
        start = Quarter.parse(text).months[2].plus(1).first_day
        for who, decision, after in rows:
            _, _, post, grade, plan = PEOPLE[who]
            con.execute(
                "insert into tiers.computed_decisions values (?, ?, ?, ?, ?, ?, ?, ?, 'worked by hand')",
                [text, who, plan, post, grade, decision, after, start],
            )
            con.execute(
                "insert into tiers.computed_conditions "
                "values (?, ?, 'promote.csat', 'csat_rate', 0.9, '>=', 0.85, true)",
                [text, who],
            )
