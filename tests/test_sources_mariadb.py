"""The SQL source against a real MariaDB.

MariaDB has no package on PyPI, so this module runs only where its server is installed (Debian: mariadb-server, which
`.ci/run` installs); without the program `mariadbd` it is skipped as a whole.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy

from csperf.datasets import DATASETS
from csperf.errors import CsperfError
from csperf.settings import Settings
from csperf.sources import Spool, databases, open_source

SERVER = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
INSTALL = shutil.which("mariadb-install-db")
pytestmark = pytest.mark.skipif(
    not (SERVER and INSTALL), reason="needs a MariaDB server: apt-get install mariadb-server (CI does)"
)

DAYS = [date(2026, 9, 1), date(2026, 9, 2)]
TABLES = """
create table chat_sessions (session_id bigint, agent_id varchar(9), customer_id char(3), channel enum('web', 'app'),
  started_at timestamp null, ended_at datetime(3), resolved bit(1), csat tinyint);
insert into chat_sessions values
  (1, 'a1', '客户', 'web', '2026-09-01 00:00:00', '2026-09-01 00:10:00.5', b'1', 5),
  (2, 'a1', 'c2', 'app', '2026-09-01 23:59:59', null, b'0', null),
  (3, 'a2', 'c3', 'app', '2026-09-02 10:00:00', null, b'0', 9),
  (4, 'a2', 'c3', 'app', '2026-09-03 00:00:00', null, b'0', 4);
create table chat_messages (session_id bigint, message_no int, sender text, sent_at datetime, `text` longtext);
insert into chat_messages select session_id, 1, 'agent', started_at, 'a' from chat_sessions;
create view points as select seq as point_id, 'a1' as employee_id, date '2026-09-01' as date, 'extra' as kind,
  cast(0.1 as decimal(9, 2)) as points, 'b' as approved_by, null as note from seq_1_to_120000;
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A MariaDB server of our own, on a socket, with the tables above; its clock's zone is UTC."""
    assert SERVER and INSTALL
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        user = getpass.getuser()
        common = ["--no-defaults", f"--datadir={folder}/data", f"--user={user}"]
        install = [INSTALL, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True)
        socket = f"{folder}/s"
        options = ["--skip-networking", f"--socket={socket}", "--default-time-zone=+00:00", f"--pid-file={folder}/pid"]
        with Path(folder, "log").open("wb") as log:
            server = subprocess.Popen([SERVER, *common, *options], stdout=log, stderr=log)
        try:
            yield ready(f"mysql+pymysql://root@localhost/records?unix_socket={socket}", server)
        finally:
            server.terminate()
            server.wait(60)


def ready(url: str, server: subprocess.Popen[bytes]) -> str:
    """The URL, once the server answers and the tables are there."""
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(database="mysql"), poolclass=sqlalchemy.NullPool)
    for _ in range(300):
        assert server.poll() is None, "the MariaDB server ended"
        try:
            engine.connect().close()
            break
        except sqlalchemy.exc.OperationalError:
            time.sleep(0.1)
    with engine.begin() as connection:
        for statement in ["set time_zone = '+08:00'", "create database records character set utf8mb4", "use records"]:
            connection.exec_driver_sql(statement)
        for statement in TABLES.split(";\n")[:-1]:
            connection.exec_driver_sql(statement)
    return url


def extract(url: str, folder: Path, dataset: str) -> Spool:
    return open_source(Settings(home=folder / "var"), url).extract(DATASETS[dataset], DAYS, folder / dataset)


def rows(spool: Spool, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        relation = spool.relation(con)
        assert relation is not None
        return con.sql(f"select {columns} from relation order by _business_date, _row").fetchall()


def test_rows_come_by_local_business_date(url: str, tmp_path: Path) -> None:
    spool = extract(url, tmp_path, "chat_sessions")
    assert rows(
        spool,
        "_business_date::varchar, _row, session_id, customer_id, channel, started_at::varchar, ended_at::varchar, "
        "resolved, csat, _bad",
    ) == [
        ("2026-09-01", 1, "1", "客户", "web", "2026-09-01 00:00:00+08", "2026-09-01 00:10:00.5+08", True, 5, None),
        ("2026-09-01", 2, "2", "c2", "app", "2026-09-01 23:59:59+08", None, False, None, None),
        ("2026-09-02", 1, "3", "c3", "app", "2026-09-02 10:00:00+08", None, False, 9, None),
    ]


def test_messages_follow_their_sessions(url: str, tmp_path: Path) -> None:
    spool = extract(url, tmp_path, "chat_messages")
    assert rows(spool, "session_id, sent_at::varchar, text") == [
        ("1", "2026-09-01 00:00:00+08", "a"),
        ("2", "2026-09-01 23:59:59+08", "a"),
        ("3", "2026-09-02 10:00:00+08", "a"),
    ]


def test_many_rows_stream_in_batches_and_number_on(url: str, tmp_path: Path) -> None:
    spool = extract(url, tmp_path, "points")
    with duckdb.connect() as con:
        relation = spool.relation(con)
        assert relation is not None
        [counted] = con.sql(
            "select count(*), count(distinct _row), max(_row), sum(points)::varchar from relation"
        ).fetchall()
    assert counted == (120_000, 120_000, 120_000, "12000.000000")
    assert len(spool.rows) > 1
    assert spool.deliveries[DAYS[0]].rows == 120_000
    assert spool.deliveries[DAYS[1]].rows == 0


def test_a_missing_column_is_named(url: str, tmp_path: Path) -> None:
    with sqlalchemy.create_engine(url).begin() as connection:
        connection.exec_driver_sql("create table if not exists calls (call_id int)")
    problem = extract(url, tmp_path, "calls").deliveries[DAYS[0]].problem
    assert problem is not None
    assert problem.endswith("are missing in the table calls; it has call_id.")


def test_the_session_cannot_write(url: str, tmp_path: Path) -> None:
    database = databases.Database(Settings(home=tmp_path), sqlalchemy.make_url(url))
    with pytest.raises(CsperfError, match="READ ONLY transaction"), database.session() as session:
        list(session.stream("insert into chat_messages values (9, 1, 'agent', now(), 'x')", {}))
