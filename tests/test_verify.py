"""Published revisions are computed again from the records as they were; whatever is not as it was is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from csperf import basis, closing, landing, warehouse
from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.periods import Month, Quarter
from csperf.policy.library import plan_files
from csperf.published import newest
from csperf.settings import Settings
from csperf.verify import verify
from tests.landing_files import attendance, employee, land, session

JUNE, JULY = Month(2026, 6), Month(2026, 7)
WHEN = datetime(2026, 8, 21, 9, tzinfo=UTC)

pytestmark = pytest.mark.xdist_group("verify")  # one closed company serves all of them


def chats(settings: Settings, month: Month, count: int) -> None:
    day = month.last_day
    rows = [session(f"{month}-{number}", "A", f"{day}T{9 + number:02d}:00:00+08:00") for number in range(count)]
    land(settings, "chat_sessions", day, rows)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """June and July closed with a quarter's decisions between them; June twice, by another plan of the company's own
    the second time. Two people, one of them gone by July."""
    root = tmp_path_factory.mktemp("verify")
    settings = Settings(home=root / "home", policy_dir=root / "plans")
    own = root / "plans" / "cs_2017.yaml"
    own.parent.mkdir()
    shipped = next(path for path in plan_files(Settings()) if path.name == own.name).read_text(encoding="utf-8")
    own.write_text(shipped, encoding="utf-8")
    people = [employee("A"), employee("B", leave_date=date(2026, 6, 30))]
    for month in (JUNE, JULY):
        day = month.last_day
        land(settings, "employees", day, people)
        land(settings, "attendance", day, [attendance(who["employee_id"], day) for who in people])
        chats(settings, month, 3)
    closing.close_month(settings, JUNE, "Demo Director", WHEN)
    closing.close_quarter(settings, Quarter(2026, 2), "Demo Director", WHEN)
    own.write_text(shipped.replace("value: 3000", "value: 3100"), encoding="utf-8")
    chats(settings, JUNE, 5)
    closing.close_month(settings, JUNE, "Demo Director", WHEN)
    layout = root / "layout.yaml"
    layout.write_text("columns: [{column: employee_id, name: 工号}]\nrest: 应发\n", encoding="utf-8")
    # July in another form, which neither the settings nor the file say any more when it is proven.
    form = {"extract_language": "zh", "extract_names": False, "extract_layout": layout}
    closing.close_month(settings.model_copy(update=form), JULY, "Demo Director", WHEN)
    layout.unlink()
    return settings


@pytest.fixture
def copied(closed: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(closed.home, tmp_path / "home", symlinks=True)
    return closed.model_copy(update={"home": tmp_path / "home"})


def flip(path: Path) -> None:
    """Change one byte in the midst of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def test_every_revision_is_proven_though_plan_data_and_form_have_changed(closed: Settings) -> None:
    assert (closed.payroll_dir / "2026-07/rev-001/export_2026-07.csv").read_text("utf-8-sig").startswith("工号,应发")
    before = {path: path.read_bytes() for path in closed.payroll_dir.rglob("*") if path.is_file()}
    shutil.copytree(closed.warehouse_path.parent, closed.home.parent / "kept")
    closed.warehouse_path.unlink()  # nothing is taken from the warehouse
    done = verify(closed)
    assert [(each.month, each.revision, each.equal, each.code_changed) for each in done] == [
        ("2026-06", 1, True, False),
        ("2026-06", 2, True, False),
        ("2026-07", 1, True, False),
    ], done
    shutil.copytree(closed.home.parent / "kept", closed.warehouse_path.parent, dirs_exist_ok=True)
    assert {path: path.read_bytes() for path in closed.payroll_dir.rglob("*") if path.is_file()} == before


def landed_chats(settings: Settings) -> Path:
    part = landing.partition(settings, "chat_sessions", JUNE.last_day)
    assert part is not None and part.path is not None
    return part.path


def used_plan(settings: Settings) -> Path:
    revision = newest(settings.payroll_dir, JULY)
    assert revision is not None
    return settings.policies_dir / basis.basis_of(revision).policies / "cs_2017.yaml"


@pytest.mark.parametrize(
    ("find", "says"),
    [
        (landed_chats, r"accepted\.parquet \(chat_sessions of 2026-06-30\) is not what was landed"),
        (used_plan, r"cs_2017\.yaml differs from the policy that was used"),
        (lambda settings: settings.payroll_dir / "2026-07/rev-001/payroll_2026-07.xlsx", r"2026-07\.xlsx differs"),
        (lambda settings: settings.payroll_dir / "2026-07/rev-001/manifest.json", r"manifest\.json"),
        (lambda settings: settings.payroll_dir / "2026-06/rev-001/pay_lines_2026-06.parquet", "pay_lines_2026-06"),
        (lambda settings: settings.tiers_dir / "2026Q2/rev-001/decisions.parquet", r"decisions\.parquet differs"),
    ],
)
def test_a_changed_byte_is_named(copied: Settings, find: Callable[[Settings], Path], says: str) -> None:
    flip(find(copied))
    try:
        (done,) = verify(copied, JULY)
    except CsperfError as error:  # a manifest that is no JSON any more
        told = [str(error)]
    else:
        told = list(done.damages)
        assert not done.equal
    assert len(told) == 1
    assert re.search(says, told[0]), told


def test_a_lost_landed_version_is_named(copied: Settings) -> None:
    first = newest(copied.payroll_dir, JUNE)
    assert first is not None
    used = basis.basis_of(first).inputs["attendance"]["2026-06-30"].version
    shutil.rmtree(landing.partition_dir(copied, "attendance", JUNE.last_day) / used)
    done = verify(copied, JUNE)
    assert [len(each.damages) for each in done] == [1, 1]
    assert "(attendance of 2026-06-30) is gone" in done[0].damages[0]


def test_other_code_is_told_and_what_it_changes_line_by_line(
    copied: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(warehouse.DBT_PROJECT, project)
    model = project / "models" / "payroll" / "computed_lines.sql"
    text = model.read_text()
    assert text.count("cast(amount as decimal(18, 2)) as amount") == 1
    model.write_text(text.replace("cast(amount as", "cast(amount + 1 as"))
    monkeypatch.setattr("csperf.dbt_call.DBT_PROJECT", project)
    monkeypatch.setattr(warehouse, "CODE", (project / "models", *warehouse.CODE[1:]))
    (done,) = verify(copied, JULY, 1, amounts=True)
    assert done.code_changed and not done.equal and not done.damages
    assert done.differences[0] == ("2026-07 A base_pay: amount was published as 3100.00 and comes out as 3101.00.")
    assert any("payroll_2026-07.csv came out with other bytes" in each for each in done.differences)


def test_the_command_ends_with_1_and_names_what_is_damaged(copied: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(landed_chats(copied))
    monkeypatch.setenv("CSPERF_HOME", str(copied.home))
    result = CliRunner().invoke(app, ["payroll", "verify", "2026-07", "1"])
    assert isinstance(result.exception, CsperfError)
    assert "2026-07 revision 1 rests on a damaged record" in str(result.exception)
    with pytest.raises(UsageError, match="There is no published revision 4 of 2026-07"):
        verify(copied, JULY, 4)
