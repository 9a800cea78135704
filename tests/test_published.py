"""The published record and its copy in the warehouse."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from csperf import closing, published
from csperf.approval import refuse_draft
from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.settings import Settings
from tests.worked_warehouse import Worked

JULY = Month(2026, 7)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with July closed twice, made once for all tests of this file."""
    settings = Settings(home=tmp_path_factory.mktemp("published") / "home")
    for amount in ("3000.00", "3100.00"):
        Worked({"2026-07": {"E1": {"base_pay": amount}}}).write(settings)
        closing._close_month(settings, JULY, "Demo Director", datetime(2026, 8, 21, tzinfo=UTC))
    return settings.home


@pytest.fixture
def settings(once: Path, tmp_path: Path) -> Settings:
    shutil.copytree(once, tmp_path / "home")
    return Settings(home=tmp_path / "home")


def load(settings: Settings) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    published.load_published(con, settings)
    return con


def test_empty_record_gives_typed_empty_tables(tmp_path: Path) -> None:
    con = load(Settings(home=tmp_path))
    for table, columns in published.TABLES.items():
        described = con.execute(f"describe published.{table}").fetchall()
        assert [row[0] for row in described] == published.column_names(table)
        assert len(described) == len(columns.split(", "))
        assert con.execute(f"select count(*) from published.{table}").fetchall() == [(0,)]


def test_all_revisions_are_loaded_into_a_new_warehouse(settings: Settings) -> None:
    con = load(settings)
    assert con.execute("select revision, amount::varchar from published.pay_lines order by all").fetchall() == [
        (1, "3000.00"),
        (2, "3100.00"),
    ]
    runs = con.execute(
        "select revision, status, approved_by, approved_at = timestamptz '2026-08-21 00:00:00+00' "
        "from published.payroll_runs order by revision"
    ).fetchall()
    assert runs == [(1, "published", "Demo Director", True), (2, "published", "Demo Director", True)]


def test_an_unchanged_record_is_not_read_again_and_a_changed_one_is(settings: Settings) -> None:
    con = load(settings)
    con.execute("delete from published.pay_lines")  # shows whether it is filled again
    published.load_published(con, settings)
    assert con.execute("select count(*) from published.pay_lines").fetchall() == [(0,)]
    shutil.rmtree(settings.payroll_dir / "2026-07" / "rev-002")
    published.load_published(con, settings)
    assert con.execute("select revision from published.pay_lines").fetchall() == [(1,)]


def test_pay_leaves_the_digest_of_decided_grades_alone(settings: Settings, tmp_path: Path) -> None:
    with duckdb.connect() as con:
        nothing = published.load_published(con, Settings(home=tmp_path / "nothing"))
    with duckdb.connect() as con:
        assert published.load_published(con, settings) == nothing


def test_a_changed_file_is_refused_by_name(settings: Settings) -> None:
    path = settings.payroll_dir / "2026-07" / "rev-001" / "payroll_2026-07.csv"
    path.write_bytes(path.read_bytes().replace(b"3000.00", b"9000.00"))
    with pytest.raises(CsperfError, match=r"rev-001/payroll_2026-07\.csv differs from what was approved"):
        load(settings)


def test_a_missing_file_is_refused_by_name(settings: Settings) -> None:
    (settings.payroll_dir / "2026-07" / "rev-002" / "pay_lines_2026-07.parquet").unlink()
    with pytest.raises(CsperfError, match=r"pay_lines_2026-07\.parquet is missing from the published record"):
        load(settings)


def test_a_missing_revision_is_refused_by_name(settings: Settings) -> None:
    shutil.rmtree(settings.payroll_dir / "2026-07" / "rev-001")
    with pytest.raises(CsperfError, match="has no rev-001 though there is a later one"):
        load(settings)


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"revision": 1})])
def test_a_broken_manifest_is_refused_by_name(settings: Settings, content: str) -> None:
    (settings.payroll_dir / "2026-07" / "rev-001" / "manifest.json").write_text(content)
    with pytest.raises(CsperfError, match=r"rev-001/manifest\.json"):
        load(settings)


def test_rows_digest_tells_empty_from_text() -> None:
    assert published.rows_digest([[None]]) != published.rows_digest([["None"]])
    assert published.rows_digest([["a", "b"]]) != published.rows_digest([["a"], ["b"]])


def test_one_changed_byte_of_a_manifest_is_noticed(settings: Settings) -> None:
    path = settings.payroll_dir / "2026-07" / "rev-001" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"Demo Director", b"Demo Dictator"))
    with pytest.raises(CsperfError, match=r"rev-001/manifest\.json differs from what was written"):
        load(settings)


def test_how_far_a_draft_is_and_who_refused_it_are_told(settings: Settings) -> None:
    Worked({"2026-07": {"E1": {"base_pay": "3200.00"}}}).write(settings)
    at = datetime(2026, 9, 1, 8, tzinfo=UTC)
    drafted = closing.draft_month(settings, JULY, at)
    columns = "revision, status, prepared_by, epoch(prepared_at)::bigint, approved_by, refused_by, refused_because"
    query = f"select {columns} from published.payroll_runs order by revision desc limit 1"
    assert load(settings).execute(query).fetchone() == (3, "draft", "csperf", int(at.timestamp()), None, None, None)

    with pytest.raises(CsperfError, match="needs who refuses and the reason"):
        refuse_draft(settings.payroll_dir, "2026-07", drafted.digest, "Demo Director", at, " ")
    with pytest.raises(CsperfError, match="no such draft"):
        refuse_draft(settings.payroll_dir, "2026-07", "another", "Demo Director", at, "E1 was on leave")
    refuse_draft(settings.payroll_dir, "2026-07", drafted.digest, "Demo Director", at, "E1 was on leave")
    told = ("draft", "csperf", "Demo Director", "E1 was on leave")
    query = "select status, prepared_by, refused_by, refused_because from published.payroll_runs where revision = 3"
    assert load(settings).execute(query).fetchone() == told
    Worked({"2026-07": {"E1": {"base_pay": "3100.50"}}}).write(settings)
    closing.draft_month(settings, JULY, at)  # drafted again, the reason stays
    assert load(settings).execute(query).fetchone() == told

    (place,) = (settings.payroll_dir / "2026-07").glob("draft")
    published.write_manifest(place, {**json.loads((place / "manifest.json").read_text()), "status": "approved"})
    assert load(settings).execute(query).fetchone() == ("approved", *told[1:])
    done = closing._close_month(settings, JULY, "Demo Director", at).revision
    assert done is not None and [each["reason"] for each in done.manifest["refusals"]] == ["E1 was on leave"]
