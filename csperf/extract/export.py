"""The file for the payroll system, in its own columns and order, and its own control total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from csperf.errors import CsperfError
from csperf.extract.content import CONTRIBUTION, Content, Table
from csperf.extract.form import cell_text, csv_line
from csperf.extract.layout import DATES, Column, Layout
from csperf.extract.totals import NOTHING, read_rows
from csperf.periods import Month


def write_export(path: Path, content: Content, layout: Layout, known: Iterable[str], month: Month) -> dict[str, Any]:
    """Write the file and read it back; returns its rows and the total of each pay column for the manifest.

    `known` are the components that there are. CsperfError when the layout does not fit the month, or when somebody's
    pay columns are not his gross pay.
    """
    columns = layout.filled(content.groups, known)
    tables = [content.people, *([content.leavers] if layout.leavers else [])]
    lines = [csv_line([column.name for column, _ in columns], layout.delimiter)] if layout.header else []
    gross: list[tuple[str, Decimal]] = []
    for table in tables:
        for row in table.rows:
            texts = [_text(column, takes, table, row, layout, month) for column, takes in columns]
            lines.append(csv_line(texts, layout.delimiter))
            pay = table.of(row, "gross_pay")
            assert isinstance(pay, Decimal)
            gross.append((str(row[0]), pay))
    path.write_text("".join(lines), encoding=layout.encoding, newline="")
    pay_columns = [
        place for place, (_, takes) in enumerate(columns) if takes and content.groups[takes[0]] != CONTRIBUTION
    ]
    return {
        "file": path.name,
        "employees": len(gross),
        "pay_columns": _proven(path, layout, [columns[place][0].name for place in pay_columns], pay_columns, gross),
        "gross_pay": str(sum((pay for _, pay in gross), NOTHING)),
    }


def _proven(
    path: Path, layout: Layout, names: Sequence[str], places: Sequence[int], gross: Sequence[tuple[str, Decimal]]
) -> Mapping[str, str]:
    """The total of each pay column, once each row of the file is proven to add up to the employee's gross pay."""
    rows = read_rows(path, layout.delimiter, layout.encoding, layout.header)
    sums = dict.fromkeys(names, NOTHING)
    wrong = [] if len(rows) == len(gross) else ["the number of rows"]
    for row, (who, pay) in zip(rows, gross, strict=False):
        amounts = [Decimal(row[place].replace(layout.decimal_point, ".") or 0) for place in places]
        for name, amount in zip(names, amounts, strict=True):
            sums[name] += amount
        if sum(amounts, NOTHING) != pay:
            wrong.append(who)
    if wrong:
        raise CsperfError(
            f"{path.name} does not add up: the pay columns of {', '.join(wrong[:5])} are not the gross pay; nothing "
            "was published. Look at the layout's columns (CSPERF_EXTRACT_LAYOUT) and close the month again."
        )
    return {name: str(total) for name, total in sums.items()}


def _text(
    column: Column, takes: Sequence[str], table: Table, row: Sequence[object], layout: Layout, month: Month
) -> str:
    """A cell; what comes of the records is made harmless, what comes of the layout stands as it is."""
    if column.text is not None:
        return column.text
    if column.asked:
        amounts = [cell for cell in (table.of(row, name) for name in takes) if isinstance(cell, Decimal)]
        found: object = sum(amounts, NOTHING) if amounts else None
        if found is None and column.default is not None:
            found = NOTHING
    elif column.column in DATES and column.format is not None:
        day = month.first_day if column.column == "pay_month" else table.of(row, str(column.column))
        found = day.strftime(column.format) if isinstance(day, date) else None
    else:
        found = str(month) if column.column == "pay_month" else table.of(row, str(column.column))
    if found is None and column.default is not None:
        return column.default
    return cell_text(found, layout.decimal_point)
