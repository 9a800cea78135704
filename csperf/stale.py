"""Which months and dates are stale: what each is computed from, as a digest, beside the digest it was built from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from csperf.datasets import DATASETS
from csperf.landing import Partition
from csperf.periods import Month
from csperf.quality import insert_rows

# Landed rows that one dbt call reads: a long history is built in several, so that memory and scratch space stay small.
ROWS_AT_ONCE = 15_000_000
# Working days of public notice are counted up to so many, so that old cases come to rest.
NOTICE_DAYS_COUNTED = 20
# A session's figures need its messages, so a date of one is read again with that of the other.
READ_TOGETHER = (("chat_sessions", "chat_messages"),)


@dataclass(frozen=True)
class MonthPlan:
    """A month that exists: the roster in force in it, and the digest of all that it is computed from."""

    month: Month
    roster_path: str | None
    digest: str


def replace_table(con: duckdb.DuckDBPyConnection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    con.execute(f"create or replace table {table} ({columns})")
    insert_rows(con, table, columns, rows)


def months_of(accepted: Sequence[Partition]) -> list[Month]:
    """The months from that of the first landed day to that of the last one."""
    days = [part.business_date for part in accepted if DATASETS[part.dataset].kind == "daily"]
    return list(Month.of(min(days)).until(Month.of(max(days))))


def paid_before(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """By pay month what was published for the month before it: some plans reckon contributions on it."""
    runs = con.execute(
        "select pay_month, max_by(concat(revision, '/', figures_digest), revision) from published.payroll_runs "
        "where status = 'published' group by pay_month"
    ).fetchall()
    return {str(Month.parse(month).plus(1)): run for month, run in runs}


def plan_months(
    con: duckdb.DuckDBPyConnection, accepted: Sequence[Partition], policy_digest: str, paid: Mapping[str, str]
) -> list[MonthPlan]:
    """The months that exist, each with its digest.

    A digest holds the previous month's, for a step may read what an earlier month stored.
    """
    rosters = sorted((p for p in accepted if p.dataset == "employees"), key=lambda part: part.business_date)
    decisions = con.execute(
        "select effective_from, quarter, employee_id, grade_after from published.tier_decisions "
        "inner join (select quarter, max(revision) as revision from published.tier_runs where status = 'published' "
        "group by quarter) using (quarter, revision) where decision in ('promote', 'demote') order by all"
    ).fetchall()
    by_month: dict[Month, list[str]] = {}
    for part in accepted:
        if DATASETS[part.dataset].kind == "daily":
            landed = f"{part.dataset}/{part.business_date}/{part.digest}"
            by_month.setdefault(Month.of(part.business_date), []).append(landed)
    full = _full_rows(con, accepted)
    plans: list[MonthPlan] = []
    before = policy_digest
    for month in months_of(accepted):
        roster = roster_in_force(rosters, month.last_day)
        parts = [
            before,
            *sorted(by_month.get(month, [])),
            f"roster/{roster.digest}" if roster else "no roster",
            *("/".join(map(str, row)) for row in decisions if row[0] <= month.last_day),
            *full.get(str(month), []),
            paid.get(str(month), "nothing paid before"),
        ]
        before = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        plans.append(MonthPlan(month, str(roster.path) if roster else None, before))
    return plans


def _full_rows(con: duckdb.DuckDBPyConnection, accepted: Sequence[Partition]) -> dict[str, list[str]]:
    """A digest of each month's rows in the newest delivery of the other full datasets.

    A quarter's rows count with its last month, where the quarter is reckoned.
    """
    found: dict[str, list[str]] = {}
    for name, path, delivered in newest_full(accepted):
        columns = DATASETS[name].column_names
        month = (
            "month"
            if "month" in columns
            else ("left(quarter, 4) || '-' || lpad(cast(3 * cast(right(quarter, 1) as integer) as varchar), 2, '0')")
        )
        texts = ", ".join(f"coalesce(cast({column} as varchar), '')" for column in columns)
        if "announced_on" in columns:
            texts += f", cast({_notice_days(delivered)} as varchar)"
        for row in con.execute(
            f"select {month}, count(*), cast(sum(md5_number_lower(concat_ws(chr(31), {texts}))) as varchar) "
            "from read_parquet(?) group by 1",
            [path],
        ).fetchall():
            found.setdefault(row[0], []).append(f"{name}/{row[1]}/{row[2]}")
    return found


def _notice_days(delivered: date) -> str:
    """SQL of how far a case's public notice had come at a delivery: what else the days' passing changes."""
    number = "select number from control.working_days where day ="
    return f"coalesce(least(({number} date '{delivered}') - ({number} announced_on), {NOTICE_DAYS_COUNTED}), 0)"


def newest_full(accepted: Sequence[Partition]) -> list[tuple[str, str, date]]:
    """The newest deliveries of the full datasets but the roster: dataset, file, date."""
    full = [part for part in accepted if DATASETS[part.dataset].kind == "full" and part.dataset != "employees"]
    newest = {part.dataset: part for part in sorted(full, key=lambda part: part.business_date)}
    return [(name, str(part.path), part.business_date) for name, part in sorted(newest.items())]


def roster_in_force(rosters: Sequence[Partition], day: date) -> Partition | None:
    """The newest roster delivered at or before a day, the oldest if none was; None without any roster.

    `rosters` are in the order of their dates.
    """
    earlier = [roster for roster in rosters if roster.business_date <= day]
    return earlier[-1] if earlier else (rosters[0] if rosters else None)


def write_months(con: duckdb.DuckDBPyConnection, plans: Sequence[MonthPlan]) -> list[Month]:
    """The table of months; returns those to be rebuilt. Months follow each other, so from the first stale one on."""
    built = dict(con.execute("select month_start, digest from control.built_months").fetchall())
    stale = [plan.month for plan in plans if built.get(plan.month.first_day) != plan.digest]
    replace_table(
        con,
        "control.months",
        "month_start date, month varchar, roster_path varchar, digest varchar, stale boolean",
        [(plan.month.first_day, str(plan.month), plan.roster_path, plan.digest, plan.month in stale) for plan in plans],
    )
    return stale


_STALE = """
    select coalesce(landed.dataset, built.dataset) as dataset,
        coalesce(landed.business_date, built.business_date) as business_date, coalesce(row_count, 0) as row_count
    from (select * from control.partitions where dataset in (select unnest(?))) as landed
    full outer join control.built
        on landed.dataset = built.dataset and landed.business_date = built.business_date
    where landed.digest is distinct from built.digest
"""


def stale_chunks(con: duckdb.DuckDBPyConnection) -> list[list[date]]:
    """The dates to be rebuilt, in their order, in lists that are not too long for one call."""
    daily = [name for name, dataset in DATASETS.items() if dataset.kind == "daily"]
    rows = con.execute(f"select dataset, business_date, row_count from ({_STALE}) order by 2, 1", [daily]).fetchall()
    con.execute("create or replace table control.all_stale_dates (dataset varchar, business_date date)")
    stale = {(dataset, day) for dataset, day, _ in rows}
    for pair in READ_TOGETHER:
        stale |= {(name, day) for dataset, day in stale if dataset in pair for name in pair}
    insert_rows(con, "control.all_stale_dates", "dataset varchar, business_date date", sorted(stale))
    chunks: list[list[date]] = []
    size = 0
    for _, day, count in rows:
        if not chunks or (size + count > ROWS_AT_ONCE and day != chunks[-1][-1]):
            chunks.append([day])
            size = 0
        elif day != chunks[-1][-1]:
            chunks[-1].append(day)
        size += count
    return chunks
