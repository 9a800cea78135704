"""The SQL source: a database with tables or views named as the datasets, with the contract's columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from csperf.datasets import DATASETS, Dataset
from csperf.errors import CsperfError
from csperf.settings import Settings
from csperf.sources.collect import BUSINESS_DATE, Collector, dating
from csperf.sources.convert import connect, ident
from csperf.sources.databases import ConnectionLost, Database, Parameters, QueryRefused, Session
from csperf.sources.files import chosen_dates, renamed, shown
from csperf.sources.spool import Delivery, Spool
from csperf.storage import private_dir

# A column of a full dataset's table that tells which date a row was delivered as of.
AS_OF = "as_of"

# A database that is away for a moment is asked again before the run gives up.
retrying = retry(
    retry=retry_if_exception_type(ConnectionLost),
    stop=stop_after_attempt(4),
    wait=wait_exponential(multiplier=0.5, max=8),
    reraise=True,
)


class SqlSource:
    """Deliveries from tables or views of one database."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self.name = database.name

    @retrying
    def datasets(self) -> list[str]:
        """The datasets that have a table or view; a CsperfError when there is none."""
        with self._database.session() as session:
            found = [name for name in DATASETS if session.has_table(name)]
        if not found:
            raise CsperfError(
                f"The database {self.name} has no table or view named like a dataset ({', '.join(DATASETS)}); "
                "make views of those names, or write a mapping."
            )
        return found

    def extract(self, dataset: Dataset, dates: Sequence[date], spool: Path) -> Spool:
        """The rows of those dates, by one query over the range; a full table as it is now, on the last date."""
        private_dir(spool)
        with connect(self._settings, spool) as con:
            return self._extract(con, dataset, sorted(set(dates)), spool)

    @retrying
    def _extract(self, con: duckdb.DuckDBPyConnection, dataset: Dataset, dates: list[date], spool: Path) -> Spool:
        result = Spool(dataset, spool)
        asked = dates if dataset.kind == "daily" else dates[-1:]
        try:
            with self._database.session() as session:
                if not session.has_table(dataset.name):
                    return result
                columns = self._columns(session, dataset)
                problem = missing_columns(dataset, list(columns), f"the table {dataset.name}")
                if problem:
                    for day in asked:
                        result.deliveries[day] = Delivery(day, dataset.name, list(columns), 0, {}, problem)
                elif AS_OF in columns and dataset.kind == "full":
                    self._snapshots(con, session, result, dates, columns)
                else:
                    self._range(con, session, result, asked, columns)
        except QueryRefused as error:
            for day in asked:
                result.deliveries[day] = Delivery(day, dataset.name, [], 0, {}, f"{dataset.name}: {error}")
            result.rows.clear()
        return result

    def _columns(self, session: Session, dataset: Dataset) -> dict[str, str]:
        """The table's columns and their types."""
        [empty] = session.stream(f"select * from {self._database.quote(dataset.name)} where 1 = 0", {})
        return {field.name: str(field.type) for field in empty.schema}

    def _select(self, dataset: Dataset) -> list[str]:
        """The contract's columns, as items of a select from `t`. PostgreSQL's enums and the like become texts."""
        items = []
        for column in dataset.columns:
            name = self._database.quote(column.name)
            as_text = self._database.is_postgres and column.type == "text"
            items.append(f"t.{name}::text as {name}" if as_text else f"t.{name}")
        return items

    def _range(
        self,
        con: duckdb.DuckDBPyConnection,
        session: Session,
        result: Spool,
        dates: list[date],
        columns: dict[str, str],
    ) -> None:
        dataset, table = result.dataset, self._database.quote(result.dataset.name)
        names, types = list(columns), list(columns.values())
        items, condition = self._select(dataset), "1 = 1"
        if dataset.kind == "daily":
            if dataset.date_column:
                column = f"t.{self._database.quote(dataset.date_column)}"
            else:
                column = f"s.{self._database.quote('started_at')}"
                items.append(f"{column} as {BUSINESS_DATE}")
                sessions, key = self._database.quote("chat_sessions"), self._database.quote("session_id")
                table = f"{table} t join {sessions} s on s.{key} = t.{key}"
            condition = f"{column} >= :first_time and {column} < :end_time"
        table = table if " join " in table else f"{table} t"
        collector = Collector(con, result, dates)
        for first, last in runs(dates):
            sql = f"select {', '.join(items)} from {table} where {condition}"
            collect(collector, dataset, session.stream(sql, range_parameters(first, last)), con, first)
        for day, count in collector.counts.items():
            result.deliveries[day] = Delivery(day, dataset.name, names, count, types=types)

    def _snapshots(
        self,
        con: duckdb.DuckDBPyConnection,
        session: Session,
        result: Spool,
        dates: list[date],
        columns: dict[str, str],
    ) -> None:
        """A full dataset whose table keeps every delivery, told apart by the column as_of."""
        dataset, table, as_of = result.dataset, self._database.quote(result.dataset.name), self._database.quote(AS_OF)
        names, types = list(columns), list(columns.values())
        there: list[date] = []
        for batch in session.stream(f"select distinct {as_of} as day from {table} where {as_of} is not null", {}):
            there += [value.date() if isinstance(value, datetime) else value for value in batch["day"].to_pylist()]
        if any(not isinstance(day, date) for day in there):
            raise QueryRefused(f"the column {AS_OF} of the table {dataset.name} is not a date; make it one")
        for day in chosen_dates(dataset, dates, sorted(there)):
            collector = Collector(con, result, [day])
            sql = f"select {', '.join(self._select(dataset))} from {table} t where {as_of} = :date"
            collect(collector, dataset, session.stream(sql, {"date": day}), con, day)
            result.deliveries[day] = Delivery(day, dataset.name, names, collector.counts[day], types=types)


def collect(
    collector: Collector,
    dataset: Dataset,
    batches: Iterable[pa.Table],
    con: duckdb.DuckDBPyConnection,
    undated: date,
) -> None:
    """Give Arrow batches to a collector, each row under its own business date."""
    for batch in batches:
        if not batch.num_rows:
            continue
        con.register("arrived", batch)
        natives = {row[0]: row[1] for row in con.execute("describe arrived").fetchall()}
        delivered = [(name, ident(name), native) for name, native in natives.items() if name != BUSINESS_DATE]
        date_sql, carried = dating(dataset, natives)
        collector.add("arrived", delivered, date_sql, undated, carried)
        con.unregister("arrived")


def missing_columns(dataset: Dataset, columns: Sequence[str], where: str) -> str | None:
    """A sentence naming the contract's columns that are missing in `where`; None when all are there."""
    missing = [name for name in dataset.column_names if name not in columns]
    if not missing:
        return None
    verb = "column {} is" if len(missing) == 1 else "columns {} are"
    there = shown(columns) + renamed(dataset, missing, columns)
    return f"{dataset.name}: {verb.format(', '.join(missing))} missing in {where}; it has {there}."


def range_parameters(first: date, last: date) -> Parameters:
    """What a query may ask for by name: the first and last date, and their local start and end as times."""
    return {
        "date": last,
        "first_date": first,
        "last_date": last,
        "first_time": datetime.combine(first, time()),
        "end_time": datetime.combine(last + timedelta(days=1), time()),
    }


def runs(dates: Sequence[date]) -> list[tuple[date, date]]:
    """Sorted dates as unbroken ranges: one query each."""
    ranges: list[tuple[date, date]] = []
    for day in dates:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges
