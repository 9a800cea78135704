"""What somebody who approves a month or quarter should know besides its totals: the release gate, counts and warnings.

Only the page for the approver (`csperf.summary`) holds amounts; all else is without.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from csperf import gate, summary
from csperf.datasets import DATASETS
from csperf.extract import Extract
from csperf.periods import Month, Quarter
from csperf.settings import Settings
from csperf.storage import file_digest, write_bytes

_SHOWN = 10  # names listed in a sentence; the rest is counted


def review_month(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    month: Month,
    revision: int,
    folder: Path,
    written: Extract,
    names: bool = True,
) -> dict[str, Any]:
    """Look the prepared month over and write the approver's page beside its extract in `folder`, with names or without.

    Returns the part of the manifest that says so: `files` and `parts` with the page, `counts`, `warnings`, `gate` and
    `facts`.
    """
    paths = {part: folder / name for part, name in written.parts.items()}
    found = gate.check_month(con, settings, month, paths["extract"], paths.get("leavers"))
    facts = summary.month_facts(con, settings, month, revision)
    warnings = [*found["warnings"], *month_warnings(con, month)]
    page = summary.month_page(con, month, revision, facts, {**found, "warnings": warnings}, names)
    return {
        **_with_page(folder, page, written.files, written.parts),
        "counts": month_counts(con),
        "warnings": warnings,
        "gate": found,
        "facts": facts,
    }


def review_quarter(
    con: duckdb.DuckDBPyConnection,
    quarter: Quarter,
    revision: int,
    folder: Path,
    files: Mapping[str, Mapping[str, object]],
    parts: Mapping[str, str],
) -> dict[str, Any]:
    """Look a quarter's prepared decisions over and write the approver's page beside them; returns as `review_month`."""
    facts = summary.quarter_facts(con, quarter)
    return {
        **_with_page(folder, summary.quarter_page(con, quarter, revision, facts), files, parts),
        "counts": quarter_counts(con),
        "warnings": missing_deliveries(con, quarter.months[0], quarter.months[2]),
        "facts": facts,
    }


def _with_page(
    folder: Path, page: str, files: Mapping[str, Mapping[str, object]], parts: Mapping[str, str]
) -> dict[str, Any]:
    path = folder / summary.PAGE
    write_bytes(path, page.encode())
    facts = {"sha256": file_digest(path), "rows": len(page.splitlines())}
    return {"files": {**files, summary.PAGE: facts}, "parts": {**parts, "approval": summary.PAGE}}


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
    stuck = _ids(con, "select distinct employee_id from draft.retro where still_due <> 0 order by employee_id")
    left = _ids(con, "select employee_id from draft.people where not active order by employee_id")
    negative = _ids(
        con,
        "select employee_id from draft.lines semi join (select employee_id from draft.people where negative_pay) "
        "using (employee_id) where component_group <> 'contribution' "
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
    if negative:
        sentences.append(f"less than nothing to pay, as their plan allows: {_listed(negative)}")
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
