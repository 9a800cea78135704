"""Collecting rows of many dates, batch by batch, into a spool with its own numbering for each date."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import duckdb

from csperf.datasets import Dataset
from csperf.sources.convert import copy_parquet, date_of, ident, quote, typed_select
from csperf.sources.spool import BAD, DATE, RAW, ROW, Spool


class Collector:
    """Writes batches of delivered rows into a spool's Parquet files; rows of dates not asked for are left out.

    A row whose own date cannot be read is taken under the date `undated`, so that it is seen.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, spool: Spool, dates: Collection[date]) -> None:
        self._con = con
        self._spool = spool
        self.counts: dict[date, int] = dict.fromkeys(sorted(dates), 0)

    def add(
        self,
        relation: str,
        columns: Sequence[tuple[str, str, str]],
        business_date: str,
        undated: date,
        carried: Mapping[str, str] | None = None,
        reason: str | None = None,
        raw: str | None = None,
    ) -> None:
        """Add a relation's rows; the arguments are those of `typed_select`."""
        dated = f"coalesce({business_date}, date {quote(str(undated))})"
        select = typed_select(self._spool.dataset, relation, columns, dated, carried, reason=reason, raw=raw)
        asked = ", ".join(f"(date {quote(str(day))}, {count})" for day, count in self.counts.items())
        self._con.execute(f"create or replace temp table batch as {select}")
        names = ", ".join(ident(name) for name in self._spool.dataset.column_names)
        target = self._spool.folder / f"{len(self._spool.rows):06d}.parquet"
        copy_parquet(
            self._con,
            f"select {DATE}, seen + row_number() over (partition by {DATE} order by {ROW}) as {ROW}, {names}, "
            f"{BAD}, {RAW} from batch join (values {asked}) as asked(day, seen) on day = {DATE} order by {DATE}, {ROW}",
            str(target),
        )
        self._spool.rows.append(target)
        for day, count in self._con.execute(f"select {DATE}, count(*) from batch group by all").fetchall():
            if day in self.counts:
                self.counts[day] += count
        self._con.execute("drop table batch")


# A column beside the contract's that gives a row's business date, as messages need, which have none of their own.
BUSINESS_DATE = "business_date"


def dating(dataset: Dataset, natives: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Where a delivered row's business date comes from: the expression for it, and what it needs carried along.

    `natives` are the delivered columns and their DuckDB types. A column business_date goes before the dataset's own.
    """
    if BUSINESS_DATE in natives:
        return "given_date", {"given_date": date_of(ident(BUSINESS_DATE), natives[BUSINESS_DATE])}
    if dataset.kind == "daily" and dataset.date_column:
        return f"cast({ident(dataset.date_column)} as date)", {}
    return "cast(null as date)", {}
