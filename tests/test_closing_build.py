"""Closing on a real build: the record outlives the warehouse, and changed inputs become revisions."""

from __future__ import annotations

import csv
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from csperf import backup, closing, landing, warehouse
from csperf.basis import basis_of
from csperf.periods import Month, Quarter
from csperf.published import newest
from csperf.rebuild import rebuild
from csperf.settings import Settings
from csperf.storage import file_digest

JUNE, SECOND_QUARTER = Month(2026, 6), Quarter(2026, 2)
WHEN = datetime(2026, 7, 21, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def closed(company, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shared company, copied, with its first month and quarter closed."""
    home = tmp_path_factory.mktemp("closed") / "home"
    shutil.copytree(company.settings.home, home)
    shutil.copytree(company.demo.out, home.parent / "source")
    settings = Settings(home=home, source=str(home.parent / "source"))
    assert closing.close_quarter(settings, SECOND_QUARTER, "Demo Director", WHEN).outcome == "published"
    assert closing.close_month(settings, JUNE, "Demo Director", WHEN).outcome == "published"
    return settings


def query(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as con:
        return con.execute(sql).fetchall()


def record(settings: Settings) -> dict[str, bytes]:
    folders = (settings.payroll_dir, settings.tiers_dir)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(settings.home)): path.read_bytes() for path in files}


def outward_tables(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    names = query(
        settings,
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_schema in ('scorecards', 'tiers', 'payroll')",
    )
    return {str(name): sorted(query(settings, f"from {name}"), key=repr) for (name,) in names}


def test_published_tables_say_what_was_computed(closed: Settings) -> None:
    same = "select employee_id, component, amount, explanation from payroll.{} where pay_month = '2026-06' order by all"
    assert query(closed, same.format("pay_lines")) == query(closed, same.format("computed_lines"))
    assert query(closed, "select count(*) from tiers.tier_quarterly where quarter = '2026Q2'")[0][0] > 0
    totals = query(closed, "select sum(gross_pay) from payroll.payroll_monthly")
    assert totals == query(closed, "select control_total from payroll.payroll_runs where status = 'published'")
    assert totals[0][0] > 0


def test_a_revision_says_what_it_was_computed_from(closed: Settings) -> None:
    revision = newest(closed.payroll_dir, JUNE)
    assert revision is not None
    basis = basis_of(revision)
    landed = {
        (part.dataset, str(part.business_date)): (part.version, file_digest(part.path))
        for part in landing.partitions(closed)
        if part.path is not None and (part.business_date <= JUNE.last_day or part.dataset == "targets")
    }
    told = {
        (name, day): (each.version, each.sha256) for name, days in basis.inputs.items() for day, each in days.items()
    }
    assert told == landed
    assert basis.tiers["2026Q2"].revision == 1 and basis.payroll == {}
    plan = closed.policies_dir / basis.policies / "cs_2017.yaml"
    assert plan.is_file()
    assert revision.manifest["policies"]["files"]["cs_2017.yaml"] == file_digest(plan)


def test_bi_reads_the_decisions_at_once(closed: Settings) -> None:
    with duckdb.connect(str(closed.serving_path), read_only=True) as con:
        assert con.execute("select distinct quarter, revision from tiers.tier_quarterly").fetchall() == [("2026Q2", 1)]
        schemas = con.execute("select distinct table_schema from information_schema.tables").fetchall()
        assert ("payroll",) not in schemas
        columns = con.execute("select distinct column_name from information_schema.columns").fetchall()
        assert not {"amount", "base_salary", "gross_pay", "base_amount"} & {name for (name,) in columns}


def test_restored_from_a_backup_and_rebuilt_everything_is_equal_and_closing_again_changes_no_byte(
    closed: Settings,
) -> None:
    warehouse.build(closed)  # some contributions of the open month stand on what was just published
    backup.take(closed, closed.home.parent / "store", WHEN)
    restored = Settings(home=closed.home.parent / "restored")
    backup.restore(restored, closed.home.parent / "store")
    done = rebuild(restored)
    assert done.build.from_nothing and done.pages == 5
    assert outward_tables(restored) == outward_tables(closed)
    assert restored.serving_path.exists()
    assert closing.close_month(restored, JUNE, "Demo Director", WHEN).outcome == "unchanged"
    assert closing.close_quarter(restored, SECOND_QUARTER, "Demo Director", WHEN).outcome == "unchanged"
    assert record(restored) == record(closed)
    pages = [{page.name: page.read_bytes() for page in each.reports_dir.iterdir()} for each in (restored, closed)]
    assert pages[0] == pages[1]


def test_a_backfill_with_other_data_revises_the_closed_month(closed: Settings) -> None:
    source = Path(str(closed.source))
    assert _take_a_day_back(source / "attendance" / "2026-06-29.csv")
    done = closing.backfill(closed, JUNE, JUNE, approved_by="Demo Director", approved_at=WHEN)
    assert [(each.draft.period, each.outcome, each.draft.revision) for each in done.months] == [
        ("2026-06", "published", 2)
    ]
    revisions = query(closed, "select revision, status from payroll.payroll_runs order by revision")
    assert revisions == [(1, "published"), (2, "published")]
    assert query(closed, "select count(*) from payroll.pay_lines where component_group = 'retro'") == [(0,)]


def test_everything_is_its_owners_alone_but_the_way_to_the_bi_copy(closed: Settings) -> None:
    """After a run, two closings with their extracts, a rebuild and a backfill, under an ordinary umask."""
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [closed.home, *closed.home.rglob("*")]}
    assert modes.pop(closed.home) == 0o711
    assert modes.pop(closed.serving_path.parent) == 0o755
    assert modes.pop(closed.serving_path) == 0o644
    others = {str(path.relative_to(closed.home)): oct(mode) for path, mode in modes.items() if mode & 0o077}
    assert others == {}
    kept = {path.relative_to(closed.home).parts[0] for path in modes}
    assert kept >= {"landing", "warehouse", "dbt", "quality", "samples", "reports", "payroll", "tiers", ".lock"}


def _take_a_day_back(path: Path) -> bool:
    """Turn a present day into unpaid leave, as a late correction would; False if there is none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["status"] == "present" and row["scheduled_hours"] not in ("", "0"):
            row |= {"status": "unpaid_leave", "worked_hours": "0"}
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
                writer.writerows(rows)
            return True
    return False
