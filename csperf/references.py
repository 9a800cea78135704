"""What a dataset's rows are looked up in when they are checked: tables of a batch's scratch database.

| table | holds | for |
| --- | --- | --- |
| `known_employees` | everyone in any accepted roster | all |
| `active_people` | by date, who is employed on it by the roster in force | all but the roster |
| `usual_rows` | by date, the mean rows of that weekday in four weeks; of a full dataset, the last delivery's | all |
| `delivered_columns`, `earlier_columns` | by date, the columns of the delivery and of the one before it | all |
| `accepted_dates`, `accepted_sessions` | dates and ids of the sessions that were accepted | messages |
| `interactions`, `interaction_dates` | accepted sessions and calls, and the dates that have all of them | reviews |
| `handled` | by date and agent, the interactions that he handled | reviews |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

import duckdb

from csperf.datasets import Dataset
from csperf.landing import Partition, dated_sql, load_roster_ids, partition, partitions, read_manifest
from csperf.settings import Settings
from csperf.sources.spool import Spool

# Datasets whose accepted rows others are checked against: when these change, those are checked again.
REFERENCES = {"chat_messages": ("chat_sessions",), "qa_reviews": ("chat_sessions", "calls")}
WEEKS = 4


def references(settings: Settings, dataset: Dataset, day: date) -> dict[str, str | None]:
    """The digests of what a date's rows are checked against, beside the roster, which only ever grows."""
    found = {name: partition(settings, name, day) for name in REFERENCES.get(dataset.name, ())}
    return {name: part.digest if part else None for name, part in found.items()}


def reference_loader(settings: Settings, spool: Spool) -> Callable[[duckdb.DuckDBPyConnection], None]:
    """What puts the tables into a batch's database that the dataset's suite looks things up in."""
    dataset, dates = spool.dataset, sorted(spool.deliveries)

    def landed(name: str) -> list[Partition]:
        found = (partition(settings, name, day) for day in dates)
        return [part for part in found if part is not None and part.path is not None]

    def load(con: duckdb.DuckDBPyConnection) -> None:
        load_roster_ids(con, settings)
        if dataset.name != "employees":
            _load_active(con, settings, dates)
        own = [part for part in partitions(settings, [dataset.name]) if part.path is not None]
        _load_usual(con, spool, own)
        _load_columns(con, spool, own)
        if dataset.name == "chat_messages":
            sessions = landed("chat_sessions")
            con.execute("create table accepted_dates (business_date date)")
            for part in sessions:
                con.execute("insert into accepted_dates values (?)", [part.business_date])
            # A view: looked into once, it costs less than a copy.
            nothing = "select null::date as business_date, null::varchar as session_id, null::timestamptz as started_at"
            accepted = dated_sql("session_id, started_at", sessions)
            con.execute(f"create view accepted_sessions as {' union all '.join([f'{nothing} where false', *accepted])}")
        if dataset.name == "qa_reviews":
            _load_interactions(con, settings, landed("chat_sessions"), landed("calls"), dates)

    return load


def _load_active(con: duckdb.DuckDBPyConnection, settings: Settings, dates: Sequence[date]) -> None:
    con.execute("create table active_people (business_date date, employee_id varchar)")
    rosters = [part for part in partitions(settings, ["employees"]) if part.path is not None]
    by_roster: dict[str, list[date]] = {}
    for day in dates:
        roster = next(
            (part for part in reversed(rosters) if part.business_date <= day), rosters[0] if rosters else None
        )
        if roster is not None:
            by_roster.setdefault(str(roster.path), []).append(day)
    for path, days in by_roster.items():
        con.execute(
            "insert into active_people select day, employee_id from (select unnest(cast(? as date[])) as day), "
            "read_parquet(?) where hire_date <= day and (leave_date is null or leave_date >= day)",
            [days, path],
        )


def _load_usual(con: duckdb.DuckDBPyConnection, spool: Spool, landed: Sequence[Partition]) -> None:
    con.execute("create table usual_rows (business_date date, rows bigint, usual double)")
    rows = {part.business_date: part.rows + part.quarantined + part.discarded for part in landed}
    lines = dict.fromkeys(spool.deliveries, 0)
    for line in spool.unparsed:
        lines[line.business_date] += 1
    now = {day: each.rows + lines[day] for day, each in spool.deliveries.items() if each.problem is None}
    rows |= now
    for day, delivered in now.items():
        if spool.dataset.kind == "daily":
            before = [rows.get(day - timedelta(weeks=weeks)) for weeks in range(1, WEEKS + 1)]
            known = [number for number in before if number is not None]
        else:
            earlier = [each for each in rows if each < day]
            known = [rows[max(earlier)]] if earlier else []
        # One week says nothing of what is usual.
        if len(known) > 1 or (known and spool.dataset.kind == "full"):
            con.execute("insert into usual_rows values (?, ?, ?)", [day, delivered, sum(known) / len(known)])


def _load_columns(con: duckdb.DuckDBPyConnection, spool: Spool, landed: Sequence[Partition]) -> None:
    columns = "(business_date date, position integer, name varchar, type varchar)"
    con.execute(f"create table delivered_columns {columns}")
    con.execute(f"create table earlier_columns {columns}")
    days = sorted(day for day, delivery in spool.deliveries.items() if delivery.problem is None)
    for day in days:
        delivery = spool.deliveries[day]
        _insert_columns(con, "delivered_columns", day, delivery.columns, delivery.types)
        in_batch = max((each for each in days if each < day), default=None)
        at_rest = max((part.business_date for part in landed if part.business_date < day), default=None)
        if in_batch is not None and (at_rest is None or in_batch >= at_rest):
            _insert_columns(
                con, "earlier_columns", day, spool.deliveries[in_batch].columns, spool.deliveries[in_batch].types
            )
        elif at_rest is not None:
            part = next(each for each in landed if each.business_date == at_rest)
            manifest = read_manifest(part.manifest_path)
            _insert_columns(con, "earlier_columns", day, manifest.get("columns", []), manifest.get("types", []))


def _insert_columns(
    con: duckdb.DuckDBPyConnection, table: str, day: date, names: Iterable[str], types: Sequence[str]
) -> None:
    rows = [
        [day, position, name, types[position - 1] if position <= len(types) else None]
        for position, name in enumerate(names, start=1)
    ]
    if rows:
        con.executemany(f"insert into {table} values (?, ?, ?, ?)", rows)


def _load_interactions(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    sessions: Sequence[Partition],
    calls: Sequence[Partition],
    dates: Sequence[date],
) -> None:
    con.execute("create table interactions (business_date date, interaction_id varchar, agent_id varchar)")
    con.execute("create table handled_rows (business_date date, interaction_id varchar, agent_id varchar)")
    for table, where in (("interactions", "true"), ("handled_rows", "answered_at is not null")):
        for query in [
            *dated_sql("session_id, agent_id", sessions),
            *dated_sql("call_id, agent_id", calls, where),
        ]:
            con.execute(f"insert into {table} {query}")
    con.execute(
        "create table handled as select business_date, agent_id, count(*) as interactions from handled_rows "
        "group by all"
    )
    # A date without its calls cannot say that a review's call does not exist, unless there are never any calls.
    con.execute("create table interaction_dates (business_date date)")
    delivered = {
        name: {part.business_date for part in found}
        for name, found in (("chat_sessions", sessions), ("calls", calls))
        if any(part.path is not None for part in partitions(settings, [name]))
    }
    for day in dates:
        if delivered and all(day in days for days in delivered.values()):
            con.execute("insert into interaction_dates values (?)", [day])
