"""The warehouse: a cache of landing, policies and published revisions, brought up to date by one dbt call.

What is stale is found by comparing digests, never by remembering what a run did: a build that is killed at any
point leaves nothing that the next one would not do again.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from csperf import landing
from csperf.datasets import DATASETS, SQL_TYPES
from csperf.errors import CsperfError
from csperf.landing import Partition
from csperf.periods import Month
from csperf.policy.store import load_policies
from csperf.progress import Progress, silent
from csperf.published import load_published
from csperf.settings import PROJECT_ROOT, Settings
from csperf.storage import PRIVATE_DIR, PRIVATE_FILE, home_lock

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
CODE = (DBT_PROJECT / "models", DBT_PROJECT / "macros", PROJECT_ROOT / "csperf" / "policy", Path(__file__))
"""What computes the tables: when it changes, they are computed anew."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did: rebuilt business dates and months (none: everything was up to date already)."""

    dates: tuple[date, ...]
    months: tuple[Month, ...]
    from_nothing: bool


@dataclass(frozen=True)
class MonthPlan:
    """A month that exists: the roster in force in it, and the digest of all that it is computed from."""

    month: Month
    roster_path: str | None
    digest: str


@contextmanager
def connect(settings: Settings, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse with the limits of the settings, in UTC; the file is private to its owner.

    CsperfError when there is no warehouse yet (read-only), or when another process is writing it.
    """
    path = settings.warehouse_path
    if read_only and not path.exists():
        raise CsperfError(f"There is no warehouse at {path} yet; run `csperf run` first.")
    path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR)
    config = {"memory_limit": settings.memory_limit, "threads": settings.threads}
    try:
        con = duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.IOException as error:
        if "lock" not in str(error).lower():
            raise
        raise CsperfError(f"The warehouse {path} is being written by another run; try again when it is done.") from None
    try:
        path.chmod(PRIVATE_FILE)
        con.execute("set TimeZone = 'UTC'")
        yield con
    finally:
        con.close()


def build(settings: Settings, progress: Progress | None = None) -> BuildReport:
    """Bring all tables up to date with landing, policies and published revisions.

    CsperfError when dbt fails, with dbt's own words and the model; the tables then stay as the last good build or
    half way to the next, and the next build ends right.
    """
    told = progress or silent
    with home_lock(settings):
        told("plan the build", 0, 0)
        partitions = landing.partitions(settings)
        from_nothing = _discard_outdated(settings)
        with connect(settings) as con:
            _write_control(con, partitions)
            policy_digest = load_policies(con, settings)
            published_digest = load_published(con, settings)
            plans = _plan_months(con, partitions, policy_digest)
            dates, months = _write_stale(con, plans)
            landing.load_quality(con, settings, partitions)
            published_before = _info(con, "published")
        if dates or months or published_before != published_digest:
            _run_dbt(settings, months, told)
        with connect(settings) as con:
            _mark_built(con, plans, published_digest)
        return BuildReport(tuple(dates), tuple(months), from_nothing)


# ---- what has to be done ------------------------------------------------------------------------------------------


def code_digest() -> str:
    """A digest of the code that computes the tables."""
    digest = hashlib.sha256()
    for root in CODE:
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.suffix in (".sql", ".py", ".yml") or path.name == "measures.yaml":
                digest.update(path.name.encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _discard_outdated(settings: Settings) -> bool:
    """Remove a warehouse that other code computed; True when there is none (any more)."""
    if settings.warehouse_path.exists():
        with connect(settings) as con:
            con.execute("create schema if not exists control")
            con.execute("create table if not exists control.info (name varchar primary key, value varchar)")
            if _info(con, "code") == code_digest():
                return False
        settings.warehouse_path.unlink()
        settings.warehouse_path.with_name(settings.warehouse_path.name + ".wal").unlink(missing_ok=True)
    with connect(settings) as con:
        con.execute("create schema control")
        con.execute("create table control.info (name varchar primary key, value varchar)")
        _set_info(con, "code", code_digest())
    return True


def _info(con: duckdb.DuckDBPyConnection, name: str) -> str | None:
    found = con.execute("select value from control.info where name = ?", [name]).fetchone()
    return str(found[0]) if found else None


def _set_info(con: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    con.execute("insert or replace into control.info values (?, ?)", [name, value])


def _replace(con: duckdb.DuckDBPyConnection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    names = [part.split()[0] for part in columns.split(", ")]
    frame = pd.DataFrame.from_records(list(rows), columns=names).astype(object)
    con.execute(f"create or replace table {table} ({columns})")
    if len(frame):
        con.register("new_rows", frame)
        con.execute(f"insert into {table} select * from new_rows")
        con.unregister("new_rows")


def _write_control(con: duckdb.DuckDBPyConnection, partitions: Sequence[Partition]) -> None:
    con.execute("create table if not exists control.built (dataset varchar, business_date date, digest varchar)")
    con.execute("create table if not exists control.built_months (month_start date, digest varchar)")
    _replace(
        con,
        "control.columns",
        "dataset varchar, column_name varchar, sql_type varchar, position integer",
        [
            (dataset.name, column.name, SQL_TYPES[column.type], position)
            for dataset in DATASETS.values()
            for position, column in enumerate(dataset.columns)
        ],
    )
    _replace(
        con,
        "control.partitions",
        "dataset varchar, business_date date, digest varchar, path varchar, row_count bigint, quarantined bigint",
        [
            (p.dataset, p.business_date, p.digest, str(p.path), p.rows, p.quarantined)
            for p in partitions
            if p.path is not None
        ],
    )


def _plan_months(
    con: duckdb.DuckDBPyConnection, partitions: Sequence[Partition], policy_digest: str
) -> list[MonthPlan]:
    """The months from the first landed daily date's to the last one's, each with its digest.

    A digest holds the previous month's, for a step may read what an earlier month stored.
    """
    accepted = [p for p in partitions if p.path is not None]
    daily = [p for p in accepted if DATASETS[p.dataset].kind == "daily"]
    rosters = sorted((p for p in accepted if p.dataset == "employees"), key=lambda p: p.business_date)
    if not daily:
        return []
    decisions = con.execute(
        "select effective_from, quarter, revision, employee_id, decision, grade_after from published.tier_decisions "
        "where decision in ('promote', 'demote') order by all"
    ).fetchall()
    first, last = min(p.business_date for p in daily), max(p.business_date for p in daily)
    by_month: dict[Month, list[str]] = {}
    for p in daily:
        by_month.setdefault(Month.of(p.business_date), []).append(f"{p.dataset}/{p.business_date}/{p.digest}")
    plans: list[MonthPlan] = []
    before = policy_digest
    for month in Month.of(first).until(Month.of(last)):
        roster = roster_in_force(rosters, month.last_day)
        parts = [
            before,
            *sorted(by_month.get(month, [])),
            f"roster/{roster.digest}" if roster else "no roster",
            *(repr(row) for row in decisions if row[0] <= month.last_day),
        ]
        before = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        plans.append(MonthPlan(month, str(roster.path) if roster else None, before))
    return plans


def roster_in_force(rosters: Sequence[Partition], day: date) -> Partition | None:
    """The newest roster delivered at or before a day, the oldest if none was; None without any roster."""
    earlier = [roster for roster in rosters if roster.business_date <= day]
    return earlier[-1] if earlier else (rosters[0] if rosters else None)


def _write_stale(con: duckdb.DuckDBPyConnection, plans: Sequence[MonthPlan]) -> tuple[list[date], list[Month]]:
    con.execute(
        "create or replace table control.stale_dates as "
        "select coalesce(p.dataset, b.dataset) as dataset, coalesce(p.business_date, b.business_date) as business_date "
        "from control.partitions as p full outer join control.built as b "
        "on p.dataset = b.dataset and p.business_date = b.business_date where p.digest is distinct from b.digest"
    )
    built = dict(con.execute("select month_start, digest from control.built_months").fetchall())
    stale = [plan for plan in plans if built.get(plan.month.first_day) != plan.digest]
    _replace(
        con,
        "control.months",
        "month_start date, month varchar, roster_path varchar, digest varchar, stale boolean",
        [(plan.month.first_day, str(plan.month), plan.roster_path, plan.digest, plan in stale) for plan in plans],
    )
    dates = con.execute(
        "select distinct business_date from control.stale_dates where dataset <> 'employees' order by 1"
    ).fetchall()
    return [row[0] for row in dates], [plan.month for plan in stale]


def _mark_built(con: duckdb.DuckDBPyConnection, plans: Sequence[MonthPlan], published_digest: str) -> None:
    con.execute("begin")
    con.execute(
        "create or replace table control.built as select dataset, business_date, digest from control.partitions"
    )
    _replace(
        con,
        "control.built_months",
        "month_start date, digest varchar",
        [(plan.month.first_day, plan.digest) for plan in plans],
    )
    con.execute("update control.months set stale = false")
    con.execute("create or replace table control.stale_dates (dataset varchar, business_date date)")
    _set_info(con, "published", published_digest)
    con.execute("commit")
    con.execute("checkpoint")


# ---- dbt ----------------------------------------------------------------------------------------------------------


def _run_dbt(settings: Settings, months: Sequence[Month], told: Progress) -> None:
    if months:
        window = ["--event-time-start", str(months[0].first_day)]
        window += ["--event-time-end", str(months[-1].plus(1).first_day)]
    else:
        # Nothing of a month has changed: only what copies the published record is rebuilt.
        window = ["--exclude", "config.incremental_strategy:microbatch"]
    call_dbt(settings, ["build", "--exclude-resource-type", "unit_test", *window], told)


def call_dbt(settings: Settings, arguments: Sequence[str], told: Progress = silent) -> None:
    """One dbt call in a process of its own (it leaves no lock and no memory behind), its progress told along.

    CsperfError with the failing models and dbt's messages.
    """
    home = settings.home / "dbt"
    home.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR)
    environment = os.environ | {
        "CSPERF_WAREHOUSE": str(settings.warehouse_path),
        "CSPERF_MEMORY_LIMIT": settings.memory_limit,
        "CSPERF_THREADS": str(settings.threads),
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "dbt.cli.main", "--log-format", "json", "--log-level-file", "none", *arguments]
    command += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=home
    )
    problems: list[str] = []
    tail: list[str] = []
    assert process.stdout is not None
    try:
        for line in process.stdout:
            tail = [*tail[-20:], line.rstrip()]
            _read_event(line, told, problems)
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code != 0:
        raise CsperfError(f"The build failed: {' '.join(problems[:3]) or ' '.join(tail[-5:])}")


def _read_event(line: str, told: Progress, problems: list[str]) -> None:
    try:
        event = json.loads(line)
    except ValueError:
        return
    info, data = event.get("info", {}), event.get("data", {})
    if info.get("name") in ("LogModelResult", "LogTestResult") and "total" in data:
        told(f"build {data.get('node_info', {}).get('node_name', '')}", int(data["index"]), int(data["total"]))
    if info.get("level") == "error" and info.get("msg", "").strip():
        problems.append(" ".join(str(info["msg"]).partition("Traceback")[0].split()))
