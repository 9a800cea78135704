"""Control totals of an extract, and the proof that each list adds up to them: the files are read back and compared
with the pay lines file cell by cell."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from csperf.errors import CsperfError
from csperf.extract.content import CONTRIBUTION, Content, Table
from csperf.extract.form import cell_text, unharmed
from csperf.periods import Month

_SHOWN = 5
NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Total:
    """A sum and how many employees it is of."""

    amount: Decimal
    employees: int


@dataclass(frozen=True)
class Totals:
    """Sums of a month, those who have left included: of each component, of gross pay, and of gross pay by plan and
    team ('' where somebody has none)."""

    components: Mapping[str, Total]
    gross: Total
    plans: Mapping[str, Total]
    teams: Mapping[str, Total]

    def in_manifest(self, groups: Mapping[str, str]) -> dict[str, Any]:
        return {
            "components": {
                name: {"group": groups[name], **_told("amount", total)} for name, total in self.components.items()
            },
            "gross_pay": _told("amount", self.gross),
            "plans": {name: _told("gross_pay", total) for name, total in self.plans.items()},
            "teams": {name: _told("gross_pay", total) for name, total in self.teams.items()},
        }


def _told(name: str, total: Total) -> dict[str, object]:
    return {name: str(total.amount), "employees": total.employees}


def proven_totals(
    con: duckdb.DuckDBPyConnection,
    content: Content,
    shown: Content,
    lines_file: Path,
    lists: Mapping[str, Path],
    month: Month,
) -> Totals:
    """The totals of the lines file, once each list is proven to say the same.

    `shown` is the content as the files have it, without names where the form leaves them out. CsperfError names what
    differs, not by how much: the sentence may reach a log.
    """
    lines = _lines(con, lines_file)
    wrong: dict[str, set[str]] = defaultdict(set)
    open_lines = dict(lines)
    for part, path in lists.items():
        for who, column in _differences(shown.lists()[part], read_rows(path), lines, content.groups, open_lines):
            wrong[column].add(who)
    for who, component in open_lines:
        wrong[component].add(who)
    if wrong:
        columns = ", ".join(sorted(wrong))
        people = sorted(set().union(*wrong.values()))
        more = f" and {len(people) - _SHOWN} more" if len(people) > _SHOWN else ""
        raise CsperfError(
            f"The extract of {month} does not add up: {columns} of {', '.join(people[:_SHOWN])}{more} is not what the "
            "pay lines say; nothing was published. Compare payroll.computed_lines of that month with "
            "measures.period_wide in the warehouse, mend the delivery and close the month again."
        )
    return _totals(content, lines)


def read_rows(path: Path, delimiter: str = ",", encoding: str = "utf-8-sig", header: bool = True) -> list[list[str]]:
    """The rows of a csv as they stand in the file, without its headings."""
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))[1 if header else 0 :]


def read_gross(path: Path, part: str) -> list[tuple[str, Decimal]]:
    """Employee and gross pay of each row of a list as it was written, whatever its headings."""
    place = {"extract": -2, "leavers": -3}[part]  # what stands after it: pay date; still due and pay date
    return [(unharmed(row[0]), Decimal(row[place])) for row in read_rows(path)]


def _lines(con: duckdb.DuckDBPyConnection, path: Path) -> dict[tuple[str, str], Decimal]:
    query = "select employee_id, component, amount from read_parquet(?, hive_partitioning = false)"
    return {(who, component): amount for who, component, amount in con.execute(query, [str(path)]).fetchall()}


def _differences(
    table: Table,
    rows: Sequence[Sequence[str]],
    lines: Mapping[tuple[str, str], Decimal],
    groups: Mapping[str, str],
    open_lines: dict[tuple[str, str], Decimal],
) -> Iterable[tuple[str, str]]:
    """Employee and column of each cell of a list that is not what the lines say; what it pays leaves `open_lines`."""
    if len(rows) != len(table.rows):
        yield "everybody", "the number of rows"
        return
    components = [name for name in table.columns if name in groups]
    for row, meant in zip(rows, table.rows, strict=True):
        who = str(meant[0])
        if row[0] != cell_text(who):
            yield who, "employee_id"
        written = dict(zip(table.columns, row, strict=True))
        gross = NOTHING
        for name in components:
            amount = lines.get((who, name))
            if written[name] != cell_text(amount):
                yield who, name
            open_lines.pop((who, name), None)
            gross += NOTHING if amount is None or groups[name] == CONTRIBUTION else amount
        if written["gross_pay"] != cell_text(gross):
            yield who, "gross_pay"


def _totals(content: Content, lines: Mapping[tuple[str, str], Decimal]) -> Totals:
    components: dict[str, list[Decimal]] = {name: [] for name in content.groups}
    gross: dict[str, Decimal] = defaultdict(Decimal)
    for (who, component), amount in lines.items():
        components[component].append(amount)
        if content.groups[component] != CONTRIBUTION:
            gross[who] += amount
    by: dict[str, dict[str, list[Decimal]]] = {"plan": defaultdict(list), "team": defaultdict(list)}
    people: list[Decimal] = []
    for table in content.lists().values():
        for row in table.rows:
            pay = gross.get(str(row[0]), NOTHING)
            people.append(pay)
            for column, found in by.items():
                found[str(table.of(row, column) or "")].append(pay)
    return Totals(
        {name: _total(amounts) for name, amounts in components.items()},
        _total(people),
        {name: _total(amounts) for name, amounts in sorted(by["plan"].items())},
        {name: _total(amounts) for name, amounts in sorted(by["team"].items())},
    )


def _total(amounts: Sequence[Decimal]) -> Total:
    return Total(sum(amounts, NOTHING), len(amounts))
