"""The release gate: what the draft of a month must satisfy before it may be published, by Great Expectations.

The suites lie in `expectations/payroll/`. The draft is copied into a scratch DuckDB file in these tables:

- `people`: everyone active by the roster in force, and whoever else stands on the extract as it was written or on the
  list of those who have left: employee_id, active, on_extract, on_leavers (how often), gross_pay, plan, negative_pay,
  state, why. `state` of the active is paid (has a pay line), missing (has paid days and no pay line), unpayable (the
  same, and `payroll.unpaid` says what of roster or plan is to be mended), idle (neither),
  unknown (the plan is in no file or not in force), elsewhere (the plan has no pay components) or not_due (none that is
  paid in this month);
- `lines`: the month's own lines with the least and the most that the plan can pay for them (`csperf.policy.bounds`),
  and what a plan provides in this month and that has no line (amount null, and why): employee_id, plan, state,
  component, amount, least, most, why;
- `totals`, one row: the month beside the newest revision of the month before.

Sentences name employees, components and percentages, never an amount: they go into logs and into Airflow.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from csperf.errors import CsperfError, UsageError
from csperf.evidence import NO_CASE, Evidence
from csperf.extract.totals import read_gross
from csperf.periods import Month
from csperf.published import RETRO_PREFIX, quoted
from csperf.quality import insert_rows
from csperf.settings import Settings
from csperf.storage import scratch_dir
from csperf.suites import PAYROLL_SUITES_DIR, Rule, Suite, load_suite

if TYPE_CHECKING:
    from csperf.expectations import Expectations, Finding

TABLES = ("people", "lines", "totals")
"""The tables that have a suite."""
EXPLAINED = 300
"""People whose missing lines are traced to their cause, those without any line first; of the others `csperf explain`
tells it."""


def check_month(
    con: duckdb.DuckDBPyConnection, settings: Settings, month: Month, extract: Path, leavers: Path | None
) -> dict[str, Any]:
    """Run the suites on the prepared month (see `figures.prepare_month`), whose extract was written to a file.

    Returns what a manifest keeps of it: `suites` (digest by table), `results` (a dictionary a rule: check, severity,
    reason, rows, failed), `blocked` (check, structural, sentence), `warnings` and `notes` (sentences), and
    `without_lines` (reason, employees).
    """
    found: dict[str, Any] = {"suites": {}, "results": [], "blocked": [], "warnings": [], "notes": []}
    with scratch_dir(settings, "gate") as folder:
        database = folder / "gate.duckdb"
        con.execute(f"attach {quoted(database)} as gate")
        try:
            _fill(con, settings, month, extract, leavers)
            found["without_lines"] = _without_lines(con)
            found["notes"] = _notes(con)
        finally:
            con.execute("detach gate")
        _run(settings, database, found)
    return found


def refused(gate: Mapping[str, Any], override: str | None) -> list[str]:
    """The sentences of what keeps a draft from being published, by what its manifest keeps of the gate.

    An `override` (a reason) leaves only what nobody may override. UsageError when it says nothing.
    """
    if override is not None and not override.strip():
        raise UsageError("An override needs its reason; say it with --override.")
    return [str(each["sentence"]) for each in gate.get("blocked", ()) if override is None or each["structural"]]


@cache
def _expectations() -> Expectations:
    from csperf.expectations import Expectations

    return Expectations(None)


def _run(settings: Settings, database: Path, found: dict[str, Any]) -> None:
    suites = [load_suite(table, PAYROLL_SUITES_DIR) for table in TABLES]
    config: dict[str, Any] = {
        "memory_limit": settings.memory_limit,
        "threads": settings.threads,
        "autoinstall_known_extensions": False,
    }
    findings = _expectations().find(database, config, suites)
    with duckdb.connect(str(database), config=config) as con:
        for suite, of_suite in zip(suites, findings, strict=True):
            found["suites"][suite.dataset] = suite.digest
            (rows,) = one(con, f"select count(*) from {suite.dataset}")
            for finding in of_suite:
                _take(con, suite, finding, rows, found)


def _take(con: duckdb.DuckDBPyConnection, suite: Suite, finding: Finding, rows: int, found: dict[str, Any]) -> None:
    """Add what a rule found, with a sentence for whoever it is about."""
    rule = finding.rule
    facts = {"check": rule.check, "severity": rule.severity, "reason": rule.reason}
    found["results"].append({**facts, "rows": rows, "failed": finding.failed})
    if not finding.failed:
        return
    cursor = con.execute(finding.query)
    names = [column[0] for column in cursor.description or ()]
    bad = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if len(bad) != finding.failed:
        raise CsperfError(
            f"Rule {rule.check} found {finding.failed} rows and its query gives {len(bad)}; correct {suite.path}."
        )
    told = sentences(rule, bad)
    if rule.severity == "block":
        found["blocked"] += [
            {"check": rule.check, "structural": rule.structural, "sentence": sentence} for sentence in told
        ]
    else:
        found["warnings"] += told


def sentences(rule: Rule, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A rule's message with what its rows hold; rows that differ by the employee alone share a sentence."""
    names = [name for name in dict.fromkeys(re.findall(r"\{(\w+)\}", rule.message)) if name != "employee_id"]
    grouped: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in rows:
        grouped[tuple(str(row[name]) for name in names)].append(str(row.get("employee_id")))
    return sorted(
        rule.message.format(employee_id=", ".join(sorted(people)), **dict(zip(names, values, strict=True)))
        for values, people in grouped.items()
    )


# ---- the tables -------------------------------------------------------------------------------------------------


def _fill(
    con: duckdb.DuckDBPyConnection, settings: Settings, month: Month, extract: Path, leavers: Path | None
) -> None:
    of_month = {"month": str(month), "last": month.last_day}
    columns = "employee_id varchar, gross_pay decimal(18,2), left_already boolean"
    con.execute(f"create or replace temp table written ({columns})")
    for path, part in ((extract, "extract"), (leavers, "leavers")):
        if path is not None:
            rows = [(who, gross, part == "leavers") for who, gross in read_gross(path, part)]
            insert_rows(con, "written", columns, rows)
    frequencies = [name for name, months in (("month", 1), ("quarter", 3), ("year", 12)) if month.number % months == 0]
    con.execute(_DUE, {"last": month.last_day, "frequencies": frequencies})
    con.execute(_PEOPLE, {**of_month, "first": month.first_day})
    con.execute(_LINES, {**of_month, "prefix": RETRO_PREFIX})
    _say_why(con, settings, month)
    _totals(con, settings, month)


# The components that each plan in force pays in this month.
_DUE = """
    create or replace temp table due as
    select plan, step as component, component_group, position
    from csperf.policy.steps
    where stage = 'component' and effective_from <= $last and $last < effective_to
        and list_contains($frequencies, frequency)
"""

# `active` is reckoned from the roster again, not taken from the rows that the extract was made of.
_PEOPLE = """
    create table gate.people as
    with roster as (
        select employee_id, plan from csperf.measures.roster_monthly
        where month_start = $first and hire_date <= $last and (leave_date is null or leave_date >= $first)
    ), lists as (
        select employee_id, count(*) filter (where not left_already) as on_extract,
            count(*) filter (where left_already) as on_leavers,
            sum(gross_pay) filter (where not left_already) as gross_pay
        from written group by employee_id
    ), days as (
        select employee_id, paid_days from csperf.measures.period_wide where period_kind = 'month' and period = $month
    ), paying as (
        select distinct plan from csperf.policy.steps
        where stage = 'component' and effective_from <= $last and $last < effective_to
    ), in_force as (
        select plan from csperf.policy.versions where effective_from <= $last and $last < effective_to
    ), paid as (
        select distinct employee_id from draft.lines where component_group = 'pay'
    ), unpayable as (
        select distinct employee_id from csperf.payroll.unpaid where month = $month
    )
    select
        employee_id, roster.employee_id is not null as active, coalesce(on_extract, 0) as on_extract,
        coalesce(on_leavers, 0) as on_leavers, gross_pay, roster.plan,
        coalesce(plans.negative_pay, false) as negative_pay,
        case
            when roster.employee_id is null then null
            when roster.employee_id in (from paid) then 'paid'
            when roster.plan not in (from in_force) then 'unknown'
            when roster.plan not in (from paying) then 'elsewhere'
            when roster.plan not in (select plan from due where component_group = 'pay') then 'not_due'
            when days.paid_days > 0 and employee_id in (from unpayable) then 'unpayable'
            when days.paid_days > 0 then 'missing'
            else 'idle'
        end as state,
        null::varchar as why
    from roster
    full join lists using (employee_id)
    left join days using (employee_id)
    left join csperf.policy.plans as plans on roster.plan = plans.plan
"""

# A ruling may lift a share above 1 or below 0: of whom one was upheld, only what the plan itself states counts.
_LINES = """
    create table gate.lines as
    with ruled as (
        select distinct employee_id from csperf.staging.stg_disputes
        where status = 'upheld' and left(month, 4) = left($month, 4)
    ), bounds as (
        select plan, component, least, most, least_stated, most_stated
        from csperf.policy.bounds
        semi join (
            select plan_version from csperf.policy.versions where effective_from <= $last and $last < effective_to
        ) using (plan_version)
    ), own as (
        select employee_id, component, amount from draft.lines where not starts_with(component, $prefix)
    ), known as (
        select own.employee_id, people.plan, people.state, own.component, own.amount, null::bigint as position
        from own left join gate.people as people using (employee_id)
        union all
        select people.employee_id, people.plan, people.state, due.component, null, due.position
        from gate.people as people join due using (plan)
        anti join own on people.employee_id = own.employee_id and due.component = own.component
        where people.state in ('paid', 'missing', 'unpayable')
    )
    select
        known.employee_id, known.plan, state, known.component, amount,
        if(least_stated or known.employee_id not in (from ruled), least, null) as least,
        if(most_stated or known.employee_id not in (from ruled), most, null) as most,
        null::varchar as why
    from known left join bounds on known.plan = bounds.plan and known.component = bounds.component
    order by known.employee_id, position, known.component
"""


def _say_why(con: duckdb.DuckDBPyConnection, settings: Settings, month: Month) -> None:
    """Why each missing line is missing, as `csperf explain` has it but without the values that it read."""
    rows = con.execute(
        "select employee_id, component from gate.lines where amount is null order by state = 'paid', employee_id"
    ).fetchall()
    wanted: dict[str, list[str]] = defaultdict(list)
    for who, component in rows:
        wanted[who].append(component)
    mend = con.execute(
        "select employee_id, reason from csperf.payroll.unpaid where month = ? and component = 'base'", [str(month)]
    ).fetchall()
    bases = {str(who): str(reason) for who, reason in mend}
    whys: list[tuple[str, str, str]] = []
    warehouse = con.cursor()
    warehouse.execute("use csperf")
    for who in list(wanted)[:EXPLAINED]:
        evidence = Evidence(warehouse, settings, who, month, all_rows=False)
        steps = {name: step for (stage, _, name), step in evidence.steps.items() if stage == "component"}
        for component in wanted[who]:
            found = " and ".join(evidence.missing(steps[component], "month", values=False))
            if found == NO_CASE and who in bases:
                found += f": {bases[who]}"
            whys.append((found, who, component))
    warehouse.close()
    columns = "why varchar, employee_id varchar, component varchar"
    con.execute(f"create or replace temp table whys ({columns})")
    insert_rows(con, "whys", columns, whys)
    con.execute(
        "update gate.lines set why = whys.why from whys "
        "where lines.employee_id = whys.employee_id and lines.component = whys.component and amount is null"
    )
    con.execute("update gate.lines set why = 'something it reads is absent' where amount is null and why is null")
    con.execute(
        "update gate.people set why = found.why from (select employee_id, string_agg(component || ': ' || why, '; ') "
        "as why from gate.lines where amount is null group by employee_id) as found "
        "where people.employee_id = found.employee_id and state in ('missing', 'unpayable')"
    )


def _totals(con: duckdb.DuckDBPyConnection, settings: Settings, month: Month) -> None:
    before = month.plus(-1)
    last = newest_paid(con, before)
    (people,) = one(con, "select count(*) from written where not left_already")
    changes = {
        "head": change(Decimal(people), Decimal(last.employees) if last else None),
        "total": change(
            _paid_monthly(con, "draft.lines"),
            _paid_monthly(con, _PUBLISHED, [str(before), last.revision]) if last else None,
        ),
    }
    limits = {"head": Decimal(str(settings.head_count_limit)), "total": Decimal(str(settings.total_limit))}
    con.execute(
        "create table gate.totals (month varchar, before_month varchar, employees bigint, employees_before bigint, "
        "head_change decimal(18, 6), head_told varchar, head_limit decimal(18, 6), head_limit_told varchar, "
        "total_change decimal(18, 6), total_told varchar, total_limit decimal(18, 6), total_limit_told varchar)"
    )
    told: list[object] = [str(month), str(before), people, last.employees if last else None]
    for name in ("head", "total"):
        told += [changes[name], percent(changes[name]), limits[name], f"{limits[name]:.0%}"]
    con.execute(f"insert into gate.totals values ({', '.join('?' * len(told))})", told)


_PUBLISHED = "(select * from published.pay_lines where pay_month = ? and revision = ?)"


def _paid_monthly(con: duckdb.DuckDBPyConnection, lines: str, values: list[object] | None = None) -> Decimal:
    """What lines come to, without corrections and without what is paid once a quarter or year: those months would be
    stopped each time."""
    (total,) = one(
        con,
        "select coalesce(sum(amount), 0)::decimal(38, 2) "
        f"from {lines} as lines semi join csperf.policy.steps as steps on steps.stage = 'component' "
        "and steps.frequency = 'month' and steps.plan = split_part(lines.policy_version, '@', 1) "
        "and steps.step = lines.component where lines.component_group = 'pay'",
        values,
    )
    return Decimal(total)


@dataclass(frozen=True)
class Paid:
    """A published month: its newest revision, head count and total gross."""

    revision: int
    employees: int
    total: Decimal


def newest_paid(con: duckdb.DuckDBPyConnection, month: Month) -> Paid | None:
    """The newest published revision of a month, None when there is none."""
    row = con.execute(
        "select revision, employees, control_total from published.payroll_runs "
        "where pay_month = ? and status = 'published' order by revision desc limit 1",
        [str(month)],
    ).fetchone()
    return Paid(*row) if row else None


def total_gross(con: duckdb.DuckDBPyConnection) -> Decimal:
    """What the prepared month comes to, contributions left out."""
    (total,) = one(
        con, "select coalesce(sum(amount), 0)::decimal(38, 2) from draft.lines where component_group <> 'contribution'"
    )
    return Decimal(total)


def change(now: Decimal, before: Decimal | None) -> Decimal | None:
    """By what share a number has changed, to 6 places; None where there was none, or 0."""
    return round((now - before) / abs(before), 6) if before else None


def percent(share: Decimal | None) -> str:
    """A change as people read it: +41.3%."""
    return "not to be compared" if share is None else f"{share:+.1%}"


def _notes(con: duckdb.DuckDBPyConnection) -> list[str]:
    before, total, people = one(con, "select before_month, total_change, employees_before from gate.totals")
    if total is not None:
        return []
    why = "nothing is published for it" if people is None else "nothing was paid then"
    return [f"Total and head count are not compared with {before}: {why}."]


def _without_lines(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Everyone active without a pay line, by the reason."""
    rows = con.execute(
        """
        select
            case state
                when 'elsewhere' then 'plan ' || plan || ' has no pay components'
                when 'not_due' then 'plan ' || plan || ' pays nothing in this month'
                when 'idle' then 'no paid day in the month'
                when 'unknown' then 'plan ' || plan || ' is in no plan file or not in force'
                else why
            end as reason,
            list(employee_id order by employee_id)
        from gate.people where state <> 'paid' group by reason order by reason
        """
    ).fetchall()
    return [{"reason": reason, "employees": people} for reason, people in rows]


def one(con: duckdb.DuckDBPyConnection, query: str, values: list[object] | None = None) -> tuple[Any, ...]:
    """The one row of an aggregate."""
    row = con.execute(query, values or []).fetchone()
    assert row is not None
    return row
