"""Writing the files of a revision, and reading them back before anything is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from csperf.extract.content import (
    CORRECTION_ORDER,
    LINE_ORDER,
    RETRO_ORDER,
    Content,
    figures_digest,
    read_content,
)
from csperf.extract.export import write_export
from csperf.extract.form import Form, write_csv
from csperf.extract.sheet import Book, write_sheet
from csperf.extract.totals import proven_totals
from csperf.periods import Month
from csperf.policy.library import Library
from csperf.published import column_names, quoted
from csperf.storage import PRIVATE_FILE, file_digest


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
    control_totals: Mapping[str, Any]
    figures_digest: str


def write_extract(con: duckdb.DuckDBPyConnection, folder: Path, month: Month, form: Form, plans: Library) -> Extract:
    """Write the extract of the prepared figures into `folder` in a form, and read it back.

    `plans` are those that the figures were computed by. CsperfError when what was written does not add up to the
    lines: nothing is published then.
    """
    content = read_content(con)
    shown = content if form.names else content.without_names()
    counts = {"extract": len(content.people.rows), "sheet": len(content.people.rows)}
    counts |= {"lines": _count(con, "draft.lines")}
    written = {
        "extract": folder / f"payroll_{month}.csv",
        "sheet": folder / f"payroll_{month}.xlsx",
        "lines": folder / f"pay_lines_{month}.parquet",
    }
    _copy(con, f"select * from draft.lines order by {LINE_ORDER}", written["lines"])
    lists = {"extract": written["extract"]}
    if content.leavers.rows:
        lists["leavers"] = written["leavers"] = folder / f"leavers_{month}.csv"
        counts["leavers"] = len(content.leavers.rows)
    for part, table in shown.lists().items():
        write_csv(lists[part], [form.headings(table.columns, content.labels), *table.rows])
    totals = proven_totals(con, content, shown, written["lines"], lists, month)
    control = totals.in_manifest(content.groups)
    if form.layout is not None:
        written["export"] = folder / form.layout.file.format(month=month)
        known = {name for plan in plans.values() for version in plan.versions for name in version.components}
        control["export"] = write_export(written["export"], content, form.layout, known, month)
        counts["export"] = control["export"]["employees"]
    book = Book(shown, _lines(con), totals, plans, _plans(con), form, month)
    write_sheet(written["sheet"], book)
    _write_causes(con, folder, month, form, content, written, counts)
    for path in written.values():
        path.chmod(PRIVATE_FILE)
    return Extract(
        files={path.name: {"sha256": file_digest(path), "rows": counts[part]} for part, path in written.items()},
        parts={part: path.name for part, path in written.items()},
        employees=counts["extract"],
        leavers=len(content.leavers.rows),
        row_count=counts["lines"],
        control_total=totals.gross.amount,
        control_totals=control,
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


def _write_causes(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    month: Month,
    form: Form,
    content: Content,
    written: dict[str, Path],
    counts: dict[str, int],
) -> None:
    """What each retro line consists of, and why a month differs from what was published before."""
    if retro := _count(con, "draft.retro"):
        written["retro"], counts["retro"] = folder / f"retro_details_{month}.parquet", retro
        _copy(con, f"select * from draft.retro order by {RETRO_ORDER}", written["retro"])
    if causes := _count(con, "draft.corrections"):
        query = f"select * from draft.corrections order by {CORRECTION_ORDER}"
        written["corrections"] = folder / f"corrections_{month}.parquet"
        written["corrections_list"] = folder / f"corrections_{month}.csv"
        counts["corrections"] = counts["corrections_list"] = causes
        _copy(con, query, written["corrections"])
        headings = form.headings(column_names("corrections"), content.labels)
        write_csv(written["corrections_list"], [headings, *con.execute(query).fetchall()])


def _lines(con: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    return con.execute(
        "select employee_id, component, component_group, quantity, rate, base_amount, amount, policy_version, "
        f"explanation from draft.lines order by {LINE_ORDER}"
    ).fetchall()


def _plans(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute("select distinct plan from draft.people where plan is not null order by plan").fetchall()
    return [str(row[0]) for row in rows]


def _copy(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    con.execute(f"copy ({query}) to {quoted(path)} (format parquet, compression zstd)")


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0
