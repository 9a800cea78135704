"""Pay stays where payroll staff alone can read it: nothing of it in what others see, no file that others can open.

One employee's pay and base salary are amounts that nothing else has; whatever a run and a closing leave behind is
looked through for them. All people and amounts are made up.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from csperf.cli import app
from csperf.demo import write_demo
from csperf.figures import open_figures
from csperf.replay import replay
from csperf.serving import open_warehouse
from csperf.settings import Settings
from csperf.storage import home_lock

PLAN = """
plan: planted
labels: {zh: 示例, en: planted}
source: demo
versions:
  - effective_from: 1900-01-01
    figures:
      whole: {value: 154246.90, provenance: assumption, labels: {zh: 数, en: whole}}
    components:
      planted_pay: {labels: {zh: 示例, en: planted}, formula: whole * 0.5}
"""
AMOUNT = ("77123.45", "77,123.45", "7712345")
"""The pay of one employee, which no plan and no delivery holds."""
SALARY = ("88234.56", "88,234.56", "8823456")
"""His base salary, which is delivered."""
QUARANTINED = ("-66345.67", "66345.67", "66,345.67", "6634567")
"""Another's, which is refused."""
FIRST, LAST = date(2026, 6, 29), date(2026, 6, 30)

pytestmark = pytest.mark.xdist_group("confidential")  # one closed company serves all of them


@dataclass(frozen=True)
class Left:
    """What was left behind: the home, and what the commands said."""

    home: Path
    said: dict[str, str]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    """Two days of a small company, its month closed by the commands; the last of them fail."""
    root = tmp_path_factory.mktemp("confidential")
    source = write_demo(root / "source", 8, FIRST, LAST, seed=7).out
    for path in sorted((source / "employees").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        rows[0] |= {"plan": "planted", "base_salary": SALARY[0], "leave_date": ""}
        rows[1] |= {"base_salary": QUARANTINED[0]}
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    who = rows[0]["employee_id"]
    (root / "plans").mkdir()
    (root / "plans" / "planted.yaml").write_text(PLAN, encoding="utf-8")
    said = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CSPERF_HOME", str(root / "home"))
        patch.setenv("CSPERF_POLICY_DIR", str(root / "plans"))
        patch.setenv("CSPERF_SOURCE", str(source))
        dates = ["--from", str(FIRST), "--to", str(LAST)]
        for arguments in (
            ["run", *dates],
            ["close-month", "2026-06"],
            ["close-month", "2026-06", "--approved-by", "Demo Director"],
            ["status"],
            ["policy", "show", "planted"],
            ["explain", who, "2026-06", "--as", "Demo Clerk"],
            ["payroll", "lookups"],
            ["close-month", "2026-07"],
            ["explain", "nobody", "2026-06"],
        ):
            done = CliRunner().invoke(app, arguments)
            said[" ".join(arguments)] = f"{done.output}\n{done.exception or ''}"
    yield Left(root / "home", said)


def test_the_amounts_are_there_at_all(left: Left) -> None:
    """Else nothing below could fail."""
    folder = left.home / "payroll" / "2026-06" / "rev-001"
    assert AMOUNT[0] in (folder / "payroll_2026-06.csv").read_text(encoding="utf-8-sig")
    assert AMOUNT[0] in next(text for command, text in left.said.items() if command.startswith("explain"))
    with duckdb.connect(str(Settings(home=left.home).warehouse_path), read_only=True) as con:
        told = str(con.execute("select row_json from quality.quarantine where dataset = 'employees'").fetchall())
    assert QUARANTINED[0] in told
    landed = left.home / "landing" / "employees"
    assert SALARY[0] in str(duckdb.sql(f"from read_parquet('{landed}/*/*/accepted.parquet')").fetchall())


def test_no_command_but_explain_says_them(left: Left) -> None:
    for command, text in left.said.items():
        if not command.startswith("explain E"):
            assert not [each for each in (*AMOUNT, *SALARY, *QUARANTINED) if each in text], command


def test_nothing_outside_of_payroll_and_warehouse_holds_them(left: Left) -> None:
    looked_through = []
    for path in sorted(each for each in left.home.rglob("*") if each.is_file()):
        place = path.relative_to(left.home).parts[0]
        if place in ("payroll", "warehouse"):
            continue
        # What was delivered lies in the landing zone as it came, base salaries included.
        hidden = AMOUNT if place == "landing" else (*AMOUNT, *SALARY, *QUARANTINED)
        text = everything(path)
        assert not [each for each in hidden if each in text], path
        looked_through.append(place)
    assert {"serving", "reports", "quality", "dbt", "samples", "landing", "policies"} <= set(looked_through)


def test_the_log_of_lookups_holds_none(left: Left) -> None:
    text = (left.home / "payroll" / "lookups.jsonl").read_text()
    assert text.count("\n") == 1 and "Demo Clerk" in text
    assert not [each for each in AMOUNT if each in text]


def everything(path: Path) -> str:
    """All that a file says, compressed or not."""
    if path.suffix == ".parquet":
        return str(duckdb.sql(f"from read_parquet('{path}', hive_partitioning = false)").fetchall())
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as con:
            names = con.execute("select table_schema, table_name from information_schema.tables").fetchall()
            assert "payroll" not in {schema for schema, _ in names}
            tables = [str(con.execute(f'select columns(*)::varchar from "{s}"."{t}"').fetchall()) for s, t in names]
        return path.read_bytes().decode("latin-1") + "".join(tables)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    return path.read_bytes().decode("latin-1")


def open_to_others(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): oct(path.stat().st_mode & 0o777)
        for path in home.rglob("*")
        if path.stat().st_mode & 0o777 != (0o700 if path.is_dir() else 0o600)
    }


def test_files_and_folders_are_their_owners_alone(left: Left) -> None:
    """But the BI copy, to which others may pass through the home."""
    bi = {"serving": "0o755", "serving/csperf_bi.duckdb": "0o644"}
    assert open_to_others(left.home) == bi
    assert left.home.stat().st_mode & 0o777 == 0o711
    settings = Settings(home=left.home)
    with home_lock(settings), replay(settings, from_nothing=False):  # as proofs, corrections and simulations work
        assert list(settings.work_dir.rglob("csperf.duckdb"))
        assert open_to_others(left.home) == bi


def test_what_memory_cannot_hold_stays_beside_the_warehouse(left: Left) -> None:
    settings = Settings(home=left.home)
    for opened in (open_figures, open_warehouse):
        with opened(settings) as con:
            (place,) = con.execute("select current_setting('temp_directory')").fetchall()
        assert place == (str(left.home / "warehouse" / "spill"),)
