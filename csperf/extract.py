"""The payroll extract of a month: csv, xlsx and Parquet with the same bytes for the same figures.

It is written from four tables that a closing prepares in schema `draft` of its own connection: `lines` (the columns
of `payroll.pay_lines`), `retro` (what each retro line consists of), `people` (employee_id, name, team, post, grade,
plan, pay_date) and `columns` (component, position, label_zh, label_en: the extract's component columns in order).
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import chinese_calendar
import duckdb
import xlsxwriter

from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.published import quoted, rows_digest
from csperf.storage import PRIVATE_FILE, file_digest

PERSON_COLUMNS = ("employee_id", "name", "team", "post", "grade", "plan")
# Labels of the columns that are no components, for the sheet that explains the codes.
_LABELS = {
    "employee_id": ("工号", "employee number"),
    "name": ("姓名", "name"),
    "team": ("小组", "team"),
    "post": ("岗位", "post"),
    "grade": ("级别", "grade"),
    "plan": ("薪资方案", "plan"),
    "gross_pay": ("应发合计", "gross pay: the sum of pay and retro lines"),
    "pay_date": ("发薪日", "pay date"),
}


@dataclass(frozen=True)
class Extract:
    """What was written: files with sha256 and rows, the part each plays, totals and the digest of all figures."""

    files: Mapping[str, Mapping[str, object]]
    parts: Mapping[str, str]
    employees: int
    row_count: int
    control_total: Decimal
    figures_digest: str


def pay_date(rule: str | None, month: Month) -> date:
    """When a month is paid by a plan's rule: the 25th of the next or the same month, or the month's last working day.

    Working days are those of the Chinese calendar with its make-up days; for years whose calendar is not published
    yet, Monday to Friday.
    """
    if rule == "same_month_25":
        return month.first_day.replace(day=25)
    if rule == "last_working_day":
        day = month.last_day
        while not _is_working_day(day):
            day -= timedelta(days=1)
        return day
    return month.plus(1).first_day.replace(day=25)


def _is_working_day(day: date) -> bool:
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return calendar.weekday(day.year, day.month, day.day) < 5


def figures_digest(con: duckdb.DuckDBPyConnection) -> str:
    """Digest of everything an extract of the prepared figures says, its revision number left out."""
    header, rows = _table(con)
    lines = con.execute("select * exclude (revision) from draft.lines order by employee_id, component").fetchall()
    retro = con.execute(
        "select * exclude (revision) from draft.retro order by employee_id, component, for_month"
    ).fetchall()
    return rows_digest([["extract"], header, *rows, ["lines"], *lines, ["retro"], *retro])


def write_extract(con: duckdb.DuckDBPyConnection, folder: Path, month: Month) -> Extract:
    """Write the extract of the prepared figures into `folder` and read it back.

    CsperfError when what was written does not add up to the lines: nothing is published then.
    """
    header, rows = _table(con)
    csv_path = folder / f"payroll_{month}.csv"
    xlsx_path = folder / f"payroll_{month}.xlsx"
    lines_path = folder / f"pay_lines_{month}.parquet"
    retro_path = folder / f"retro_details_{month}.parquet"
    table: list[Sequence[object]] = [header, *rows]
    csv_path.write_text("".join(map(_csv_line, table)), encoding="utf-8-sig", newline="")
    _write_xlsx(con, xlsx_path, header, rows, month)
    _copy(con, "select * from draft.lines order by employee_id, component", lines_path)
    parts = {"extract": csv_path.name, "sheet": xlsx_path.name, "lines": lines_path.name}
    counts = {csv_path: len(rows), xlsx_path: len(rows), lines_path: _count(con, "draft.lines")}
    if _count(con, "draft.retro"):
        _copy(con, "select * from draft.retro order by employee_id, component, for_month", retro_path)
        parts["retro"] = retro_path.name
        counts[retro_path] = _count(con, "draft.retro")
    total = _reconciled_total(con, csv_path, lines_path, month)
    for path in counts:
        path.chmod(PRIVATE_FILE)
    return Extract(
        files={path.name: {"sha256": file_digest(path), "rows": count} for path, count in counts.items()},
        parts=parts,
        employees=len(rows),
        row_count=counts[lines_path],
        control_total=total,
        figures_digest=figures_digest(con),
    )


def write_decisions(
    con: duckdb.DuckDBPyConnection, folder: Path
) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
    """Write a quarter's prepared decisions and conditions; returns the files' facts and the part each plays."""
    files: dict[str, dict[str, object]] = {}
    for part, order in (("decisions", "employee_id"), ("conditions", "employee_id, condition")):
        path = folder / f"{part}.parquet"
        _copy(con, f"select * from draft.{part} order by {order}", path)
        path.chmod(PRIVATE_FILE)
        files[path.name] = {"sha256": file_digest(path), "rows": _count(con, f"draft.{part}")}
    return files, {"decisions": "decisions.parquet", "conditions": "conditions.parquet"}


def _table(con: duckdb.DuckDBPyConnection) -> tuple[list[str], list[list[object]]]:
    """Header and rows of the extract: one row per employee by number, one column per component."""
    components = [
        str(row[0])
        for row in con.execute("select component from draft.columns order by position, component").fetchall()
    ]
    amounts: dict[tuple[str, str], Decimal] = {}
    gross: dict[str, Decimal] = {}
    for employee, component, group, amount in con.execute(
        "select employee_id, component, component_group, amount from draft.lines"
    ).fetchall():
        amounts[employee, component] = amount
        if group != "contribution":
            gross[employee] = gross.get(employee, Decimal(0)) + amount
    people = con.execute(
        f"select {', '.join(PERSON_COLUMNS)}, pay_date from draft.people order by employee_id"
    ).fetchall()
    rows: list[list[object]] = [
        [
            *person[:-1],
            *(amounts.get((person[0], component)) for component in components),
            gross.get(person[0], Decimal("0.00")),
            person[-1],
        ]
        for person in people
    ]
    return [*PERSON_COLUMNS, *components, "gross_pay", "pay_date"], rows


def _csv_line(row: Sequence[object]) -> str:
    return ",".join(_csv_cell(cell) for cell in row) + "\r\n"


def _csv_cell(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in '",\r\n') else text


def _write_xlsx(
    con: duckdb.DuckDBPyConnection, path: Path, header: list[str], rows: list[list[object]], month: Month
) -> None:
    labels = {
        str(component): (zh, en)
        for component, zh, en in con.execute("select component, label_zh, label_en from draft.columns").fetchall()
    }
    with xlsxwriter.Workbook(path) as book:
        # A fixed date instead of the clock: equal figures give equal bytes.
        book.set_properties(
            {"title": f"Payroll {month}", "created": datetime.combine(month.last_day, datetime.min.time())}
        )
        bold = book.add_format({"bold": True, "bottom": 1})
        money = book.add_format({"num_format": "#,##0.00"})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet(f"payroll {month}")
        sheet.freeze_panes(1, 2)
        sheet.autofilter(0, 0, max(len(rows), 1), len(header) - 1)
        for column, name in enumerate(header):
            sheet.write_string(0, column, name, bold)
            sheet.set_column(column, column, max(len(name) + 2, 12))
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                if isinstance(cell, Decimal):
                    # A sheet has no decimals; a double holds an amount to the cent exactly as far as 15 digits go.
                    sheet.write_number(number, column, float(cell), money)
                elif isinstance(cell, date):
                    sheet.write_datetime(number, column, datetime.combine(cell, datetime.min.time()), day)
                elif cell is not None:
                    sheet.write_string(number, column, str(cell))
        legend = book.add_worksheet("columns")
        legend.set_column(0, 2, 28)
        for number, row_ in enumerate(
            [("column", "中文", "English")] + [(n, *labels.get(n, _LABELS.get(n, ("", "")))) for n in header]
        ):
            for column, text in enumerate(row_):
                legend.write_string(number, column, str(text), bold if number == 0 else None)


def _copy(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    con.execute(f"copy ({query}) to {quoted(path)} (format parquet, compression zstd)")


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


def _reconciled_total(con: duckdb.DuckDBPyConnection, csv_path: Path, lines_path: Path, month: Month) -> Decimal:
    """The month's total, the same in the csv's last column, its component columns and the lines file."""
    (lines,) = _row(
        con,
        "select coalesce(sum(amount) filter (where component_group <> 'contribution'), 0)::decimal(38,2) "
        "from read_parquet(?)",
        [str(lines_path)],
    )
    gross, people, distinct = _row(
        con,
        "select coalesce(sum(gross_pay::decimal(18,2)), 0)::decimal(38,2), count(*), count(distinct employee_id) "
        "from read_csv(?, header=true, all_varchar=true)",
        [str(csv_path)],
    )
    if lines != gross or people != distinct:
        raise CsperfError(
            f"The extract of {month} does not add up: pay lines {lines}, extract {gross}, {people} rows for "
            f"{distinct} employees; nothing was published."
        )
    return Decimal(lines)


def _row(con: duckdb.DuckDBPyConnection, query: str, parameters: list[str]) -> tuple[Decimal, ...]:
    row = con.execute(query, parameters).fetchone()
    assert row is not None  # an aggregate always has one row
    return row
