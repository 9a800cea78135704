"""The payroll extract of a month: csv, xlsx and Parquet with the same bytes for the same figures.

It is written from the tables that a closing prepares in schema `draft` of its own connection: `lines` (the columns
of `payroll.pay_lines`), `retro` (what each retro line consists of), `corrections` (the causes of what is corrected),
`people` (employee_id, name, team, post, grade, plan, active, leave_date, pay_date) and `columns` (component, active,
position, label_zh, label_en: the component columns in order).

Those who have left and get a correction stand on a list of their own, not among the month's people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import xlsxwriter

from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.published import column_names, quoted, rows_digest
from csperf.storage import PRIVATE_FILE, file_digest
from csperf.workdays import is_working_day

LINE_ORDER = "employee_id, component"
RETRO_ORDER = "employee_id, component, for_month"
CORRECTION_ORDER = "employee_id, component, for_month, for_revision, cause, changed"
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
    "leave_date": ("离职日", "last day of employment"),
    "still_due": ("未结清", "corrections that could not be taken back yet (below zero)"),
}


@dataclass(frozen=True)
class Extract:
    """What was written: files with sha256 and rows, the part each plays, totals and the digest of all figures.

    `employees` are those of the month, `leavers` those on the list of who has left.
    """

    files: Mapping[str, Mapping[str, object]]
    parts: Mapping[str, str]
    employees: int
    leavers: int
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
        while not is_working_day(day):
            day -= timedelta(days=1)
        return day
    return month.plus(1).first_day.replace(day=25)


def figures_digest(con: duckdb.DuckDBPyConnection) -> str:
    """Digest of everything an extract of the prepared figures says, its revision number left out."""
    lines = con.execute(f"select * exclude (revision) from draft.lines order by {LINE_ORDER}").fetchall()
    retro = con.execute(f"select * exclude (revision) from draft.retro order by {RETRO_ORDER}").fetchall()
    tables = [["extract"], *_table(con), ["leavers"], *_leavers(con)]
    return rows_digest([*tables, ["lines"], *lines, ["retro"], *retro])


def write_extract(con: duckdb.DuckDBPyConnection, folder: Path, month: Month) -> Extract:
    """Write the extract of the prepared figures into `folder` and read it back.

    CsperfError when what was written does not add up to the lines: nothing is published then.
    """
    table, leavers = _table(con), _leavers(con)
    written = {
        "extract": folder / f"payroll_{month}.csv",
        "sheet": folder / f"payroll_{month}.xlsx",
        "lines": folder / f"pay_lines_{month}.parquet",
    }
    _write_csv(written["extract"], table)
    _write_xlsx(con, written["sheet"], table, leavers, month)
    _copy(con, f"select * from draft.lines order by {LINE_ORDER}", written["lines"])
    counts = {"extract": len(table) - 1, "sheet": len(table) - 1, "lines": _count(con, "draft.lines")}
    if len(leavers) > 1:
        written["leavers"], counts["leavers"] = folder / f"leavers_{month}.csv", len(leavers) - 1
        _write_csv(written["leavers"], leavers)
    if _count(con, "draft.retro"):
        written["retro"], counts["retro"] = folder / f"retro_details_{month}.parquet", _count(con, "draft.retro")
        _copy(con, f"select * from draft.retro order by {RETRO_ORDER}", written["retro"])
    if _count(con, "draft.corrections"):
        causes = f"select * from draft.corrections order by {CORRECTION_ORDER}"
        written["corrections"] = folder / f"corrections_{month}.parquet"
        written["corrections_list"] = folder / f"corrections_{month}.csv"
        counts["corrections"] = counts["corrections_list"] = _count(con, "draft.corrections")
        _copy(con, causes, written["corrections"])
        _write_csv(written["corrections_list"], [column_names("corrections"), *con.execute(causes).fetchall()])
    total = _reconciled_total(con, written, month)
    for path in written.values():
        path.chmod(PRIVATE_FILE)
    return Extract(
        files={path.name: {"sha256": file_digest(path), "rows": counts[part]} for part, path in written.items()},
        parts={part: path.name for part, path in written.items()},
        employees=len(table) - 1,
        leavers=len(leavers) - 1,
        row_count=counts["lines"],
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


def _table(con: duckdb.DuckDBPyConnection) -> list[Sequence[object]]:
    """The extract: a header, then one row per employee of the month by number, one column per component."""
    components = _components(con, "active")
    amounts, gross = _amounts(con)
    people = con.execute(
        f"select {', '.join(PERSON_COLUMNS)}, pay_date from draft.people where active order by employee_id"
    ).fetchall()
    return [
        [*PERSON_COLUMNS, *components, "gross_pay", "pay_date"],
        *(
            [*who, *(amounts.get((who[0], name)) for name in components), gross.get(who[0], Decimal("0.00")), pay_date]
            for *who, pay_date in people
        ),
    ]


def _leavers(con: duckdb.DuckDBPyConnection) -> list[Sequence[object]]:
    """The list of who has left and has a correction, with what he still owes; a header alone when there is nobody."""
    components = _components(con, "component in (select component from draft.lines join people using (employee_id))")
    amounts, gross = _amounts(con)
    people = con.execute(
        f"select {', '.join(PERSON_COLUMNS)}, leave_date, coalesce(sum(still_due), 0)::decimal(18,2), pay_date "
        "from draft.people left join draft.retro using (employee_id) where not active group by all order by employee_id"
    ).fetchall()
    return [
        [*PERSON_COLUMNS, "leave_date", *components, "gross_pay", "still_due", "pay_date"],
        *(
            [
                *(*who, left, *(amounts.get((who[0], name)) for name in components)),
                *(gross.get(who[0], Decimal("0.00")), still_due, pay_date),
            ]
            for *who, left, still_due, pay_date in people
        ),
    ]


def _components(con: duckdb.DuckDBPyConnection, which: str) -> list[str]:
    rows = con.execute(
        "with people as (select employee_id from draft.people where not active) "
        f"select component from draft.columns where {which} order by position, component"
    ).fetchall()
    return [str(row[0]) for row in rows]


def _amounts(con: duckdb.DuckDBPyConnection) -> tuple[dict[tuple[str, str], Decimal], dict[str, Decimal]]:
    """Each line's amount by employee and component, and the gross pay by employee."""
    amounts: dict[tuple[str, str], Decimal] = {}
    gross: dict[str, Decimal] = {}
    for employee, component, group, amount in con.execute(
        "select employee_id, component, component_group, amount from draft.lines"
    ).fetchall():
        amounts[employee, component] = amount
        if group != "contribution":
            gross[employee] = gross.get(employee, Decimal(0)) + amount
    return amounts, gross


def _write_csv(path: Path, table: Sequence[Sequence[object]]) -> None:
    path.write_text("".join(map(_csv_line, table)), encoding="utf-8-sig", newline="")


def _csv_line(row: Sequence[object]) -> str:
    return ",".join(_csv_cell(cell) for cell in row) + "\r\n"


def _csv_cell(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in '",\r\n') else text


def _write_xlsx(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    table: Sequence[Sequence[object]],
    leavers: Sequence[Sequence[object]],
    month: Month,
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
        shown = {f"payroll {month}": table, **({f"left {month}": leavers} if len(leavers) > 1 else {})}
        for title, (header, *rows) in shown.items():
            sheet = book.add_worksheet(title)
            sheet.freeze_panes(1, 2)
            sheet.autofilter(0, 0, max(len(rows), 1), len(header) - 1)
            for column, name in enumerate(map(str, header)):
                sheet.write_string(0, column, name, bold)
                sheet.set_column(column, column, max(len(name) + 2, 12))
            for number, row in enumerate(rows, start=1):
                for column, cell in enumerate(row):
                    if isinstance(cell, Decimal):
                        # A sheet has no decimals; a double holds an amount to the cent as far as 15 digits go.
                        sheet.write_number(number, column, float(cell), money)
                    elif isinstance(cell, date):
                        sheet.write_datetime(number, column, datetime.combine(cell, datetime.min.time()), day)
                    elif cell is not None:
                        sheet.write_string(number, column, str(cell))
        names = dict.fromkeys(str(name) for header, *_ in shown.values() for name in header)
        legend = book.add_worksheet("columns")
        legend.set_column(0, 2, 28)
        for number, row_ in enumerate(
            [("column", "中文", "English")] + [(n, *labels.get(n, _LABELS.get(n, ("", "")))) for n in names]
        ):
            for column, text in enumerate(row_):
                legend.write_string(number, column, str(text), bold if number == 0 else None)


def _copy(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    con.execute(f"copy ({query}) to {quoted(path)} (format parquet, compression zstd)")


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


def _reconciled_total(con: duckdb.DuckDBPyConnection, written: Mapping[str, Path], month: Month) -> Decimal:
    """The month's total, the same in the lists of the month's people and of who has left and in the lines file."""
    (lines,) = _row(
        con,
        "select coalesce(sum(amount) filter (where component_group <> 'contribution'), 0)::decimal(38,2) "
        "from read_parquet(?)",
        [str(written["lines"])],
    )
    lists = [str(written[part]) for part in ("extract", "leavers") if part in written]
    gross, people, distinct = _row(
        con,
        "select coalesce(sum(gross_pay::decimal(18,2)), 0)::decimal(38,2), count(*), count(distinct employee_id) "
        "from read_csv(?, header=true, all_varchar=true, union_by_name=true)",
        [lists],
    )
    if lines != gross or people != distinct:
        raise CsperfError(
            f"The extract of {month} does not add up: pay lines {lines}, extract {gross}, {people} rows for "
            f"{distinct} employees; nothing was published."
        )
    return Decimal(lines)


def _row(con: duckdb.DuckDBPyConnection, query: str, parameters: list[Any]) -> tuple[Decimal, ...]:
    row = con.execute(query, parameters).fetchone()
    assert row is not None  # an aggregate always has one row
    return row
