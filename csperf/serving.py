"""What BI reads: a copy of the warehouse's outward tables that is never half written and never holds pay.

The copy is a DuckDB file that is built beside and renamed into place, so that any number of readers go on reading
while the next night runs; and, when a PostgreSQL URL is set, the same tables there (see `serving_postgres`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from csperf.errors import CsperfError
from csperf.published import quoted
from csperf.settings import Settings
from csperf.storage import fsync_dir, fsync_file, home_lock, scratch_dir

# Raise when the copy gets other tables or columns from the same warehouse, so that existing copies are made anew.
LAYOUT = "1"
# Columns that a part of a table is known by, in the order of preference: only changed parts are sent to a server.
_PARTS = ("business_date", "month_start", "period", "month", "quarter", "pay_month")
_PAY_SCHEMA = "payroll"
# Of rejected rows only how many: a row's own text, and the reason that quotes it, may hold a salary.
_QUARANTINE = 'select dataset, business_date, "check", count(*) as rejected_rows from {table} group by all'


@dataclass(frozen=True)
class ServedTable:
    """A table to serve: its name there, the query over the warehouse, its columns (name, DuckDB type)."""

    schema: str
    name: str
    query: str
    columns: tuple[tuple[str, str], ...]

    @property
    def part_column(self) -> str | None:
        names = {name for name, _ in self.columns}
        return next((name for name in _PARTS if name in names), None)


@dataclass(frozen=True)
class Served:
    """What was served: the copy's path, whether it was made anew, the rows sent to PostgreSQL (None: no server)."""

    path: Path
    written: bool
    rows_sent: int | None


def publish(settings: Settings) -> Served:
    """Bring the BI copy, and the serving database if one is set, up to the warehouse.

    Nothing is written while the warehouse has not changed. CsperfError when there is no warehouse, or the serving
    database cannot be reached; the copy is in place then all the same.
    """
    with home_lock(settings):
        stamp = _stamp(settings)
        written = _read_stamp(settings.serving_path) != stamp
        if written:
            _write_copy(settings, stamp)
        sent = None
        if settings.serving_url:
            from csperf.serving_postgres import send

            with open_warehouse(settings) as con:
                sent = send(settings.serving_url, con, tables(con, payroll=True))
    return Served(settings.serving_path, written, sent)


@contextmanager
def open_warehouse(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the warehouse attached read-only as `csperf`."""
    limits = {"memory_limit": settings.memory_limit, "threads": str(settings.threads)}
    con = duckdb.connect(":memory:", config={**limits, "temp_directory": str(settings.spill_dir)})
    try:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach {quoted(settings.warehouse_path)} as csperf (read_only)")
        yield con
    finally:
        con.close()


def tables(con: duckdb.DuckDBPyConnection, payroll: bool) -> list[ServedTable]:
    """The tables and views that outsiders read, `payroll` ones only on demand.

    Tables named `computed_…` are what a closing may publish some day; they stay inside.
    """
    schemas = ["scorecards", "tiers", "quality"] + ([_PAY_SCHEMA] if payroll else [])
    found = con.execute(
        "select table_schema, table_name from information_schema.tables where table_catalog = 'csperf' "
        "and list_contains(?, table_schema) and not starts_with(table_name, 'computed_') "
        "and (table_schema <> 'quality' or table_name in ('results', 'quarantine')) order by all",
        [schemas],
    ).fetchall()
    result = []
    for schema, name in found:
        table = f'csperf."{schema}"."{name}"'
        query = f"select * from {table}"
        if (schema, name) == ("quality", "quarantine"):
            query = _QUARANTINE.format(table=table)
        columns = tuple((str(row[0]), str(row[1])) for row in con.execute(f"describe {query}").fetchall())
        result.append(ServedTable(schema, name, query, columns))
    return result


def _stamp(settings: Settings) -> str:
    """Changes whenever the warehouse file is written to."""
    if not settings.warehouse_path.is_file():
        raise CsperfError(f"There is no warehouse at {settings.warehouse_path}; land data with csperf run first.")
    log = settings.warehouse_path.with_name(settings.warehouse_path.name + ".wal")
    facts = [path.stat() for path in (settings.warehouse_path, log) if path.exists()]
    return " ".join([LAYOUT, *(f"{each.st_mtime_ns}/{each.st_size}" for each in facts)])


def _read_stamp(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        with duckdb.connect(str(path), read_only=True) as con:
            row = con.execute("select stamp from main.source").fetchone()
    except duckdb.Error:
        return None  # no copy of ours, or of a format that is no longer readable: made anew
    return str(row[0]) if row else None


def _write_copy(settings: Settings, stamp: str) -> None:
    with scratch_dir(settings, "serving") as scratch:
        fresh = scratch / settings.serving_path.name
        with open_warehouse(settings) as con:
            con.execute(f"attach {quoted(fresh)} as bi")
            for table in tables(con, payroll=False):
                con.execute(f'create schema if not exists bi."{table.schema}"')
                con.execute(f'create table bi."{table.schema}"."{table.name}" as {table.query}')
            con.execute("create table bi.main.source as select ?::varchar as stamp", [stamp])
            con.execute("detach bi")
        fsync_file(fresh)
        settings.serving_path.parent.mkdir(parents=True, exist_ok=True)
        # BI runs as another user: folder and file are readable, unlike all else below CSPERF_HOME, which itself only
        # its owner passes through until he lets others (chmod o+x).
        settings.serving_path.parent.chmod(0o755)
        fresh.chmod(0o644)
        fresh.replace(settings.serving_path)
        fsync_dir(settings.serving_path.parent)
