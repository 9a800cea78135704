"""What a closing publishes: the figures of a month or quarter, taken from the warehouse and set beside the record.

The warehouse is attached read-only as `csperf` (the name that its own views use) to a connection of the closing's
own; schema `published` is filled there from the record, schema `draft` holds what would be published.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from csperf.datasets import DATASETS
from csperf.errors import CsperfError
from csperf.periods import Month, Quarter
from csperf.published import (
    CONDITION_COLUMNS,
    CORRECTION_COLUMNS,
    DECISION_COLUMNS,
    LINE_COLUMNS,
    RETRO_COLUMNS,
    RETRO_PREFIX,
    load_published,
    quoted,
    rows_digest,
)
from csperf.retro import add_retro
from csperf.settings import Settings
from csperf.workdays import pay_date


@contextmanager
def open_figures(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the warehouse as `csperf`, the record as schema `published` and an empty schema `draft`.

    CsperfError when there is no warehouse yet or another program writes to it.
    """
    if not settings.warehouse_path.is_file():
        raise CsperfError(f"There is no warehouse at {settings.warehouse_path}; land data with csperf run first.")
    # One thread: files that are written in order have the same bytes every time.
    con = duckdb.connect(
        ":memory:",
        config={"memory_limit": settings.memory_limit, "threads": 1, "temp_directory": str(settings.spill_dir)},
    )
    try:
        con.execute("set timezone = 'UTC'")
        try:
            con.execute(f"attach {quoted(settings.warehouse_path)} as csperf (read_only)")
        except duckdb.IOException:
            raise CsperfError(
                f"{settings.warehouse_path} is being written by another program; close that and try again."
            ) from None
        load_published(con, settings)
        con.execute("create schema draft")
        yield con
    finally:
        con.close()


def prepare_month(con: duckdb.DuckDBPyConnection, month: Month, revision: int) -> None:
    """Fill `draft.lines`, `draft.retro`, `draft.people` and `draft.columns` with what a month's revision would say.

    `draft.corrections` holds why its retro lines are paid; why a later revision differs, `corrections` adds.

    CsperfError when the month's lines cannot be paid as they are (one twice, of somebody not employed then).
    """
    con.execute(f"create or replace table draft.lines ({LINE_COLUMNS})")
    con.execute(f"create or replace table draft.retro ({RETRO_COLUMNS})")
    con.execute(f"create or replace table draft.corrections ({CORRECTION_COLUMNS})")
    con.execute(
        "insert into draft.lines by name select pay_month, $revision::integer as revision, employee_id, component, "
        "component_group, quantity, rate, base_amount, amount, policy_version, explanation "
        "from csperf.payroll.computed_lines where pay_month = $month",
        {"month": str(month), "revision": revision},
    )
    _check_lines(con, month)
    add_retro(con, month, revision)
    _people(con, month)
    _columns(con, month)


def prepare_quarter(con: duckdb.DuckDBPyConnection, quarter: Quarter, revision: int) -> None:
    """Fill `draft.decisions` and `draft.conditions` with what a quarter's revision would say."""
    for table, source, columns in (
        ("decisions", "computed_decisions", DECISION_COLUMNS),
        ("conditions", "computed_conditions", CONDITION_COLUMNS),
    ):
        names = [column.split()[0] for column in columns.split(", ")]
        taken = ", ".join("$revision::integer as revision" if name == "revision" else name for name in names)
        con.execute(f"create or replace table draft.{table} ({columns})")
        con.execute(
            f"insert into draft.{table} by name select {taken} from csperf.tiers.{source} where quarter = $quarter",
            {"quarter": str(quarter), "revision": revision},
        )


def listed(con: duckdb.DuckDBPyConnection, period: Month | Quarter) -> list[str]:
    """Numbers and names of everyone who is paid in the prepared month, or decided on in the prepared quarter."""
    query = "select employee_id, name from draft.people"
    if isinstance(period, Quarter):
        query = (
            "select employee_id, name from draft.decisions left join csperf.measures.roster_monthly as roster "
            f"using (employee_id) where roster.month_start = date '{period.months[2].first_day}'"
        )
    return [str(text) for row in con.execute(query).fetchall() for text in row if text is not None]


def quarter_digest(con: duckdb.DuckDBPyConnection) -> str:
    """Digest of the prepared decisions and conditions, the revision number left out."""
    decisions = con.execute("select * exclude (revision) from draft.decisions order by employee_id").fetchall()
    conditions = con.execute(
        "select * exclude (revision) from draft.conditions order by employee_id, condition"
    ).fetchall()
    return rows_digest([["decisions"], *decisions, ["conditions"], *conditions])


def input_digest(con: duckdb.DuckDBPyConnection, month: Month) -> str:
    """Digest of all that the figures of a month were computed from, as the build has noted it."""
    row = con.execute("select digest from csperf.control.months where month = ?", [str(month)]).fetchone()
    if row is None:
        raise CsperfError(f"{month} has no data in the warehouse; land it with csperf run first.")
    return str(row[0])


def policy_digest(con: duckdb.DuckDBPyConnection, month: Month) -> str:
    """Digest of the plan versions in force at a month's end: their figures and the formula of each step."""
    parameters = [month.last_day]
    steps = con.execute(
        "select plan_version, stage, step, period, formula, value_sql, frequency, rule, operator, threshold_sql "
        "from csperf.policy.steps where effective_from <= $1 and $1 < effective_to order by all",
        parameters,
    ).fetchall()
    figures = con.execute(
        "select plan_version, figure, keys, band, value from csperf.policy.figures "
        "semi join (select plan_version from csperf.policy.versions where effective_from <= $1 and $1 < effective_to) "
        "using (plan_version) order by all",
        parameters,
    ).fetchall()
    return rows_digest([["steps"], *steps, ["figures"], *figures])


def check_complete(con: duckdb.DuckDBPyConnection, last: Month, what: str) -> None:
    """Refuse to close a period whose last day has not been delivered."""
    daily = [name for name, dataset in DATASETS.items() if dataset.kind == "daily"]
    row = con.execute(
        "select max(business_date) from csperf.control.partitions where list_contains(?, dataset)", [daily]
    ).fetchone()
    newest = row[0] if row else None
    if newest is None or newest < last.last_day:
        raise CsperfError(
            f"{what} is not complete: the newest landed business date is {newest or 'none'}, its last day is "
            f"{last.last_day}; land the missing days with csperf run and close it then."
        )


def _check_lines(con: duckdb.DuckDBPyConnection, month: Month) -> None:
    double = con.execute(
        "select employee_id, component from draft.lines group by all having count(*) > 1 order by all limit 1"
    ).fetchone()
    if double:
        raise CsperfError(f"{month}: employee {double[0]} has {double[1]} twice; payroll cannot be closed like this.")
    clash = con.execute(
        "select component from draft.lines where starts_with(component, ?) limit 1", [RETRO_PREFIX]
    ).fetchone()
    if clash:
        raise CsperfError(f"Component {clash[0]} has a name kept for corrections ({RETRO_PREFIX}…); rename it.")
    stranger = con.execute(
        "select min(employee_id) from draft.lines anti join (select employee_id from csperf.measures.period_wide "
        "where period_kind = 'month' and period = ?) using (employee_id)",
        [str(month)],
    ).fetchone()
    if stranger and stranger[0] is not None:
        raise CsperfError(f"{month}: employee {stranger[0]} has pay lines but was not employed in that month.")


def _people(con: duckdb.DuckDBPyConnection, month: Month) -> None:
    """Everyone active in the month, and whoever else has a line: a correction for one who has left."""
    con.execute(
        """
        create or replace table draft.people as
        with active as (
            select employee_id, name, team, post, grade, plan, true as active, null::date as leave_date
            from csperf.measures.period_wide where period_kind = 'month' and period = $month
        ), others as (
            select employee_id, name, team, post, grade, plan, false as active, leave_date
            from csperf.measures.roster_monthly
            where month_start <= $first
                and employee_id in (select employee_id from draft.lines)
                and employee_id not in (select employee_id from active)
            qualify row_number() over (partition by employee_id order by month_start desc) = 1
        ), known as (
            select * from active union all select * from others
        )
        select employee_id, name, team, post, grade, known.plan, active, leave_date, plans.pay_date_rule,
            coalesce(plans.negative_pay, false) as negative_pay, null::date as pay_date
        from known left join csperf.policy.plans as plans on known.plan = plans.plan
        union all by name
        select distinct employee_id, false as active, false as negative_pay
        from draft.lines anti join known using (employee_id)
        """,
        {"month": str(month), "first": month.first_day},
    )
    for (rule,) in con.execute("select distinct pay_date_rule from draft.people").fetchall():
        con.execute(
            "update draft.people set pay_date = ? where pay_date_rule is not distinct from ?",
            [pay_date(rule, month), rule],
        )


def _columns(con: duckdb.DuckDBPyConnection, month: Month) -> None:
    """The component columns: all that the plans of the month's people know, then the corrections there are.

    Those who have left have only corrections; `active` says whether anybody else has something in a column.
    """
    con.execute(
        """
        create or replace table draft.columns as
        with of_plans as (
            select distinct step as component from csperf.policy.steps
            where stage = 'component' and effective_from <= $last and $last < effective_to
                and plan in (select plan from draft.people where active)
        ), found as (
            select component, false as correction, true as active from of_plans
            union all
            select component, starts_with(component, $prefix), active
            from draft.lines join draft.people using (employee_id)
        ), wanted as (
            select component, correction, bool_or(active) as active from found group by component, correction
        )
        select
            wanted.component, wanted.active,
            row_number() over (order by correction, position nulls last, wanted.component) as position,
            coalesce(if(correction, '补发 ', '') || label_zh, '') as label_zh,
            coalesce(if(correction, 'correction: ', '') || label_en, '') as label_en
        from wanted
        left join csperf.policy.components as known
            on known.component = if(correction, substr(wanted.component, length($prefix) + 1), wanted.component)
        """,
        {"last": month.last_day, "prefix": RETRO_PREFIX},
    )
