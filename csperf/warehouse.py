"""The warehouse: a cache of landing, policies and published revisions, brought up to date by dbt.

What is stale is found by comparing digests, never by remembering what a run did: a build that is killed at any
point leaves nothing that the next one would not do again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from csperf import landing
from csperf.datasets import DATASETS, SQL_TYPES
from csperf.dbt_call import DBT_PROJECT, call_dbt
from csperf.errors import CsperfError
from csperf.kept_policies import by_policies, keep_policies, kept_files
from csperf.landing import Partition
from csperf.periods import Month
from csperf.policy.library import plans_digest, reads_gross_before
from csperf.policy.store import load_policies
from csperf.progress import Progress, silent
from csperf.published import load_published
from csperf.quality import load_quality, load_release_checks
from csperf.settings import PROJECT_ROOT, Settings
from csperf.stale import (
    MonthPlan,
    months_of,
    newest_full,
    paid_before,
    plan_months,
    replace_table,
    stale_chunks,
    write_months,
)
from csperf.storage import PRIVATE_FILE, home_lock, private_dir
from csperf.workdays import numbered_days

__all__ = ["BuildReport", "build", "call_dbt", "code_digest", "connect"]

# What computes the tables: when it changes, they are computed anew.
CODE = (
    DBT_PROJECT / "models",
    DBT_PROJECT / "macros",
    DBT_PROJECT / "dbt_project.yml",
    PROJECT_ROOT / "csperf" / "policy",
)
CODE_FILES = tuple(PROJECT_ROOT / "csperf" / name for name in ("warehouse.py", "stale.py", "datasets.py", "quality.py"))


@dataclass(frozen=True)
class BuildReport:
    """What a build did: rebuilt business dates and months (none: everything was up to date already)."""

    dates: tuple[date, ...]
    months: tuple[Month, ...]
    from_nothing: bool


@contextmanager
def connect(settings: Settings, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse with the limits of the settings, in UTC; the file is private to its owner.

    CsperfError when there is no warehouse yet (read-only), or when another process is writing it.
    """
    path = settings.warehouse_path
    if read_only and not path.exists():
        raise CsperfError(f"There is no warehouse at {path} yet; run `csperf run` first.")
    private_dir(path.parent)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "threads": settings.threads,
    }
    try:
        con = duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.IOException as error:
        if "lock" not in str(error).lower():
            raise
        raise CsperfError(f"The warehouse {path} is open in another program; try again when it is closed.") from None
    try:
        path.chmod(PRIVATE_FILE)
        con.execute("set TimeZone = 'UTC'")
        yield con
    finally:
        con.close()


def build(
    settings: Settings, progress: Progress | None = None, landed: Sequence[Partition] | None = None
) -> BuildReport:
    """Bring all tables up to date with landing, policies and published revisions.

    `landed` are the partitions to build from (default: those in force). The policies are kept as a record first.
    Without any landed day there is no warehouse. CsperfError when dbt fails, with dbt's own words and the model; the
    tables are then those of the last good build or on the way to the next, and the next build ends right.
    """
    told = progress or silent
    with home_lock(settings):
        told("plan the build", 0, 0)
        partitions = landing.partitions(settings) if landed is None else landed
        accepted = [part for part in partitions if part.path is not None]
        if not any(DATASETS[part.dataset].kind == "daily" for part in accepted):
            _discard(settings)
            return BuildReport((), (), False)
        policies, plans_now = keep_policies(settings)
        policy_digest = plans_digest(plans_now)
        from_nothing = _discard_outdated(settings, months_of(accepted))
        with connect(settings) as con:
            published_digest = load_published(con, settings)
            paid = paid_before(con) if reads_gross_before(plans_now) else {}
            state = _state(partitions, policy_digest, f"{published_digest}/{sorted(paid.items())}")
            loaded = kept_files(settings, _info(con, "policies") or "none")
            if loaded and _info(con, "state") == state:
                return BuildReport((), (), from_nothing)
            if not loaded or _info(con, "policy") != policy_digest:
                load_policies(con, by_policies(settings, policies))
                _set_info(con, "policy", policy_digest)
                _set_info(con, "policies", policies)
            _write_control(con, accepted)
            plans = plan_months(con, accepted, policy_digest, paid)
            stale = write_months(con, plans)
            chunks = stale_chunks(con)
            _withdraw_marks(con)
            load_quality(con, settings, partitions)
            load_release_checks(con)
        for number, chunk in enumerate(chunks[:-1], start=1):
            _choose_dates(settings, chunk)
            told(f"days {chunk[0]} to {chunk[-1]}", number, len(chunks))
            call_dbt(settings, ["build", "--select", "path:models/staging", "tag:day"], told)
            _mark_dates(settings)
        if stale:
            _choose_dates(settings, chunks[-1] if chunks else [])
            window = ["--event-time-start", str(stale[0].first_day)]
            window += ["--event-time-end", str(stale[-1].plus(1).first_day)]
            call_dbt(settings, ["build", "--exclude-resource-type", "unit_test", *window], told)
        with connect(settings) as con:
            _mark_built(con, plans, state)
        return BuildReport(tuple(day for chunk in chunks for day in chunk), tuple(stale), from_nothing)


# ---- what has to be done ------------------------------------------------------------------------------------------


def code_digest() -> str:
    """A digest of the code that computes the tables."""
    digest = hashlib.sha256(duckdb.__version__.encode())
    files = [path for root in CODE for path in ([root] if root.is_file() else sorted(root.rglob("*")))]
    for path in [*files, *CODE_FILES]:
        if path.suffix in (".sql", ".py", ".yml") or path.name == "measures.yaml":
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _discard(settings: Settings) -> None:
    for name in (settings.warehouse_path, Path(f"{settings.warehouse_path}.wal")):
        name.unlink(missing_ok=True)


def _discard_outdated(settings: Settings, months: Sequence[Month]) -> bool:
    """Start anew when other code computed the warehouse, or it has months that are no more; True when it is empty."""
    code = code_digest()
    if settings.warehouse_path.exists():
        try:
            with connect(settings) as con:
                built = con.execute("select month_start from control.built_months").fetchall()
                if _info(con, "code") == code and {row[0] for row in built} <= {month.first_day for month in months}:
                    return False
        except duckdb.CatalogException:
            pass  # killed before it had its control tables
    _discard(settings)
    with connect(settings) as con:
        con.execute("begin")
        con.execute("create schema control")
        con.execute("create table control.info (name varchar primary key, value varchar)")
        con.execute("create table control.built (dataset varchar, business_date date, digest varchar)")
        con.execute("create table control.built_months (month_start date, digest varchar)")
        _set_info(con, "code", code)
        con.execute("commit")
    return True


def _info(con: duckdb.DuckDBPyConnection, name: str) -> str | None:
    found = con.execute("select value from control.info where name = ?", [name]).fetchone()
    return str(found[0]) if found else None


def _set_info(con: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    con.execute("insert or replace into control.info values (?, ?)", [name, value])


def _state(partitions: Sequence[Partition], *digests: str) -> str:
    """A digest of everything that a build looks at: equal, nothing has to be done and nothing is written."""
    digest = hashlib.sha256("\n".join(digests).encode())
    for part in partitions:
        refused = part.current.refused.version if part.current.refused else None
        digest.update(f"{part.path} {part.digest} {refused}\n".encode())
    return digest.hexdigest()


def _write_control(con: duckdb.DuckDBPyConnection, accepted: Sequence[Partition]) -> None:
    replace_table(
        con,
        "control.columns",
        "dataset varchar, column_name varchar, sql_type varchar, position integer",
        [
            (dataset.name, column.name, SQL_TYPES[column.type], position)
            for dataset in DATASETS.values()
            for position, column in enumerate(dataset.columns)
        ],
    )
    replace_table(
        con,
        "control.partitions",
        "dataset varchar, business_date date, digest varchar, path varchar, row_count bigint, quarantined bigint, "
        "version varchar, sha256 varchar",
        [
            (p.dataset, p.business_date, p.digest, str(p.path), p.rows, p.quarantined, p.version, p.sha256)
            for p in accepted
        ],
    )
    replace_table(con, "control.newest", "dataset varchar, path varchar, business_date date", newest_full(accepted))
    months = months_of(accepted)
    around = timedelta(days=400)  # promotion cases may be announced before the first record, and end after the last
    days = numbered_days(months[0].first_day - around, months[-1].last_day + around)
    replace_table(con, "control.working_days", "day date, number integer", days)


def _choose_dates(settings: Settings, dates: Sequence[date]) -> None:
    """Tell dbt which of the stale dates the next call rebuilds."""
    with connect(settings) as con:
        con.execute(
            "create or replace table control.stale_dates as select * from control.all_stale_dates "
            "where business_date in (select unnest(cast(? as date[])))",
            [list(dates)],
        )


# ---- what is done -------------------------------------------------------------------------------------------------


def _withdraw_marks(con: duckdb.DuckDBPyConnection) -> None:
    """What is about to be rebuilt counts as not built: killed on the way, it is again even if its input goes back."""
    con.execute("begin")
    con.execute("delete from control.info where name = 'state'")
    con.execute(
        "delete from control.built using control.all_stale_dates as stale "
        "where built.dataset = stale.dataset and built.business_date = stale.business_date"
    )
    con.execute(
        "delete from control.built_months where month_start in (select month_start from control.months where stale)"
    )
    con.execute("commit")


def _mark_dates(settings: Settings) -> None:
    with connect(settings) as con:
        _built_dates(con)


def _built_dates(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("begin")
    con.execute(
        "delete from control.built using control.stale_dates as stale "
        "where built.dataset = stale.dataset and built.business_date = stale.business_date"
    )
    con.execute(
        "insert into control.built select dataset, business_date, digest from control.partitions "
        "semi join control.stale_dates using (dataset, business_date)"
    )
    con.execute("commit")


def _mark_built(con: duckdb.DuckDBPyConnection, plans: Sequence[MonthPlan], state: str) -> None:
    _built_dates(con)
    con.execute("begin")
    replace_table(
        con,
        "control.built_months",
        "month_start date, digest varchar",
        [(plan.month.first_day, plan.digest) for plan in plans],
    )
    con.execute("update control.months set stale = false")
    con.execute("delete from control.stale_dates")
    con.execute("delete from control.all_stale_dates")
    _set_info(con, "state", state)
    con.execute("commit")
    con.execute("checkpoint")
