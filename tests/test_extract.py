"""The payroll extract, cell by cell."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl
import pytest

from csperf import closing
from csperf.errors import CsperfError
from csperf.extract import Form, write_extract
from csperf.extract.content import read_content
from csperf.extract.totals import proven_totals
from csperf.figures import open_figures, prepare_month
from csperf.periods import Month
from csperf.policy.library import load_plans
from csperf.settings import Settings
from csperf.workdays import pay_date
from tests.worked_warehouse import Worked

JULY = Month(2026, 7)
WHEN = datetime(2026, 8, 21, 9, tzinfo=UTC)
HEADER = "employee_id,name,team,post,grade,plan,base_pay,performance_pay,grade_allowance,gross_pay,pay_date"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The draft of a month in which one has all components, one a single line and one none."""
    settings = Settings(home=tmp_path / "home")
    pay = {
        "E2": {"base_pay": "3000.00", "performance_pay": "-0.01", "grade_allowance": "600.00"},
        "E1": {"base_pay": "0.00"},
    }
    Worked({"2026-07": pay}, names={"E1": 'Demo "An"'}).write(settings)
    return closing.draft_month(settings, JULY, WHEN).path


def test_the_csv_has_a_row_per_employee_and_a_column_per_component(written: Path) -> None:
    content = (written / "payroll_2026-07.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").split("\r\n") == [
        HEADER,
        'E1,"Demo ""An""",North,basic,junior,cs_2017,0.00,,,0.00,2026-08-25',
        'E2,"Demo, Bo",North,vip,senior,cs_2017,3000.00,-0.01,600.00,3599.99,2026-08-25',
        "E3,示例三,South,voice,trial,cs_2017,,,,0.00,2026-08-25",
        "",
    ]


def test_the_sheet_says_the_same(written: Path) -> None:
    book = openpyxl.load_workbook(written / "payroll_2026-07.xlsx")
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    assert rows[0] == tuple(HEADER.split(","))
    assert rows[2] == (
        "E2", "Demo, Bo", "North", "vip", "senior", "cs_2017", 3000, -0.01, 600, 3599.99, datetime(2026, 8, 25)
    )  # fmt: skip
    assert rows[3][6:10] == (None, None, None, 0)
    assert book.properties.created == datetime(2026, 7, 31)
    labels = {row[0]: row[1] for row in book["columns"].iter_rows(values_only=True)}
    assert all(labels[name] for name in HEADER.split(","))


def test_the_lines_file_holds_decimals(written: Path) -> None:
    rows = duckdb.sql(
        f"select employee_id, component, amount, typeof(amount) from '{written}/pay_lines_2026-07.parquet'"
    ).fetchall()
    assert rows[0] == ("E1", "base_pay", Decimal("0.00"), "DECIMAL(18,2)")
    assert len(rows) == 4


@pytest.mark.parametrize(
    "name", ["=1+1", "+86", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://example.com","x")', "＝1+1"]
)
def test_a_name_that_looks_like_a_formula_is_a_text_and_an_amount_stays_a_number(tmp_path: Path, name: str) -> None:
    settings = Settings(home=tmp_path / "home")
    Worked({"2026-07": {"E1": {"base_pay": "-1.00"}}}, names={"E1": name}).write(settings)
    path = closing.draft_month(settings, JULY, WHEN).path
    with (path / "payroll_2026-07.csv").open(encoding="utf-8-sig", newline="") as file:
        row = list(csv.reader(file))[1]
    assert row[1] == f"'{name}"
    assert row[6] == "-1.00"
    book = openpyxl.load_workbook(path / "payroll_2026-07.xlsx")
    for cell in (book.worksheets[0]["B2"], book["lines"]["B2"]):
        assert (cell.value, cell.data_type, cell.hyperlink) == (name.replace("\r", "_x000D_"), "s", None)
    assert (book.worksheets[0]["G2"].value, book.worksheets[0]["G2"].data_type) == (-1, "n")


def test_an_extract_that_does_not_add_up_is_not_written(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    Worked({"2026-07": {"E1": {"base_pay": "1.00"}}}).write(settings)
    with open_figures(settings) as con:
        prepare_month(con, JULY, 1)
        con.execute("delete from draft.people where employee_id = 'E1'")
        with pytest.raises(CsperfError, match=r"2026-07 does not add up: base_pay of E1 is not what") as refused:
            write_extract(con, tmp_path, JULY, Form(), load_plans(settings))
        assert "1.00" not in str(refused.value)  # it may reach a log


@pytest.mark.parametrize(
    ("was", "altered", "says"),
    [
        ("3000.00", "3000.01", "base_pay of E2 is not what"),
        ("3000.00", "", "base_pay of E2 is not what"),
        ("3599.99", "3600.00", "gross_pay of E2 is not what"),
        (",-0.01,600.00,", ",600.00,-0.01,", "grade_allowance, performance_pay of E2 is not what"),
        ("E2,", "E9,", "employee_id of E2 is not what"),
        ("E2,", "E1,", "employee_id of E2 is not what"),
    ],
)
def test_a_cell_that_is_not_what_the_lines_say_is_found(
    written: Path, tmp_path: Path, was: str, altered: str, says: str
) -> None:
    settings = Settings(home=tmp_path / "home")
    path = tmp_path / "altered.csv"
    text = (written / "payroll_2026-07.csv").read_text(encoding="utf-8-sig")
    row = next(line for line in text.splitlines() if line.startswith("E2"))
    assert was in row
    path.write_text(text.replace(row, row.replace(was, altered, 1)), encoding="utf-8-sig")
    with open_figures(settings) as con:
        prepare_month(con, JULY, 1)
        content = read_content(con)
        with pytest.raises(CsperfError, match=says):
            proven_totals(con, content, content, written / "pay_lines_2026-07.parquet", {"extract": path}, JULY)


@pytest.mark.parametrize(
    ("rule", "month", "expected"),
    [
        ("next_month_25", Month(2026, 7), date(2026, 8, 25)),
        ("next_month_25", Month(2026, 12), date(2027, 1, 25)),
        (None, Month(2026, 7), date(2026, 8, 25)),
        ("same_month_25", Month(2026, 7), date(2026, 7, 25)),
        ("last_working_day", Month(2026, 7), date(2026, 7, 31)),
        ("last_working_day", Month(2026, 5), date(2026, 5, 29)),  # the 30th and 31st are a weekend
        ("last_working_day", Month(2024, 2), date(2024, 2, 29)),
        ("last_working_day", Month(2024, 9), date(2024, 9, 30)),
        ("last_working_day", Month(2025, 1), date(2025, 1, 27)),  # Spring Festival from the 28th on
        ("last_working_day", Month(2026, 2), date(2026, 2, 28)),  # a Saturday that is worked for it
        ("last_working_day", Month(2023, 4), date(2023, 4, 28)),  # Labour Day takes the last two days
        ("last_working_day", Month(2040, 6), date(2040, 6, 29)),  # no calendar yet: Monday to Friday
    ],
)
def test_pay_dates(rule: str | None, month: Month, expected: date) -> None:
    assert pay_date(rule, month) == expected
