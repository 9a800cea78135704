"""What somebody who approves a month or quarter should know besides its totals: counts and warnings, no amounts."""

from __future__ import annotations

import duckdb

from csperf.datasets import DATASETS
from csperf.periods import Month, Quarter

_SHOWN = 10  # names listed in a sentence; the rest is counted


def month_counts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many lines and people of each kind the prepared month has."""
    rows = con.execute("select component_group || '_lines', count(*) from draft.lines group by 1 order by 1").fetchall()
    counts = {str(name): int(count) for name, count in rows}
    (counts["corrected_employees"],) = _one(con, "select count(distinct employee_id) from draft.retro")
    (counts["leavers"],) = _one(con, "select count(*) from draft.people where not active")
    return counts


def month_warnings(con: duckdb.DuckDBPyConnection, month: Month) -> list[str]:
    """Sentences on what is odd about the prepared month; none of them keeps it from being approved."""
    text = str(month)
    silent = _ids(
        con, "select employee_id from draft.people anti join draft.lines using (employee_id) order by employee_id"
    )
    unpaid = _ids(
        con,
        "select distinct concat(employee_id, ' (', component, ')') from csperf.payroll.unpaid where month = ? "
        "order by 1",
        [text],
    )
    stuck = _ids(con, "select distinct employee_id from draft.retro where still_due <> 0 order by employee_id")
    left = _ids(con, "select employee_id from draft.people where not active order by employee_id")
    negative = _ids(
        con,
        "select employee_id from draft.lines where component_group <> 'contribution' "
        "group by employee_id having sum(amount) < 0 order by employee_id",
    )
    director = _ids(
        con,
        "select employee_id from csperf.scorecards.scorecard_monthly where month = ? and for_director "
        "order by employee_id",
        [text],
    )
    stale = _ids(con, _CLOSED_OTHERWISE, [text])
    before = Quarter(month.year, month.quarter.number - 1) if month.quarter.number > 1 else Quarter(month.year - 1, 4)
    undecided = con.execute(
        "select count(*) from csperf.tiers.computed_decisions where quarter = $1 and decision in ('promote', 'demote') "
        "and $1 not in (select quarter from published.tier_runs where status = 'published')",
        [str(before)],
    ).fetchall()[0][0]
    sentences = missing_deliveries(con, month, month)
    if silent:
        sentences.append(f"active but without any pay line: {_listed(silent)}")
    if unpaid:
        sentences.append(f"not paid until roster or plan is mended, `csperf explain` says why: {_listed(unpaid)}")
    if negative:
        sentences.append(f"less than nothing to pay: {_listed(negative)}")
    if stuck:
        sentences.append(f"pay does not go below zero, corrections stay due from: {_listed(stuck)}")
    if left:
        sentences.append(f"gone and on the list of corrections for those who have left: {_listed(left)}")
    if director:
        sentences.append(f"for the director to rule on: {_listed(director)}")
    if undecided:
        sentences.append(f"{before} has {undecided} changes of grade that are not approved; this month is without them")
    if stale:
        sentences.append(f"closed with other figures than today's, close again for a correction: {_listed(stale)}")
    return sentences


def missing_deliveries(con: duckdb.DuckDBPyConnection, first: Month, last: Month) -> list[str]:
    """A sentence for each daily dataset that came in the period but not on each of its days."""
    daily = [name for name, dataset in DATASETS.items() if dataset.kind == "daily"]
    rows = con.execute(
        """
        with delivered as (
            select distinct dataset, business_date from csperf.control.partitions
            where list_contains($daily, dataset) and business_date between $first and $last
        ), expected as (
            select dataset, day::date as business_date
            from (select distinct dataset from delivered), generate_series($first, $last, interval 1 day) as days(day)
        )
        select dataset, count(*), min(business_date), max(business_date)
        from expected anti join delivered using (dataset, business_date) group by dataset order by dataset
        """,
        {"daily": daily, "first": first.first_day, "last": last.last_day},
    ).fetchall()
    return [f"{name}: no accepted delivery on {count} days between {low} and {high}" for name, count, low, high in rows]


def quarter_counts(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many employees of the prepared quarter got which decision."""
    rows = con.execute("select decision, count(*) from draft.decisions group by decision order by decision").fetchall()
    return {str(decision): int(count) for decision, count in rows}


# Closed months whose own lines would come out differently today.
_CLOSED_OTHERWISE = """
    with newest as (
        select pay_month, max(revision) as revision
        from published.payroll_runs where status = 'published' and pay_month < $1 group by pay_month
    ), paid as (
        select pay_month, employee_id, component, amount from published.pay_lines
        join newest using (pay_month, revision) where not starts_with(component, 'retro_')
    ), today as (
        select pay_month, employee_id, component, amount from csperf.payroll.computed_lines
        where pay_month in (select pay_month from newest)
    )
    select distinct pay_month from (
        (select * from paid except select * from today) union all (select * from today except select * from paid)
    )
    where pay_month in (select pay_month from csperf.payroll.computed_lines) order by pay_month
"""


def _one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = con.execute(query).fetchone()
    assert row is not None  # an aggregate always has one row
    return row


def _ids(con: duckdb.DuckDBPyConnection, query: str, parameters: list[str] | None = None) -> list[str]:
    return [str(row[0]) for row in con.execute(query, parameters or []).fetchall()]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
