"""What the extract says: who is paid what in which column. Those who have left and get a correction stand on a list
of their own, not among the month's people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from csperf.published import rows_digest

LINE_ORDER = "employee_id, component"
RETRO_ORDER = "employee_id, component, for_month"
CORRECTION_ORDER = "employee_id, component, for_month, for_revision, cause, changed"
PERSON_COLUMNS = ("employee_id", "name", "team", "post", "grade", "plan")
CONTRIBUTION = "contribution"
"""The group of components that lie outside gross pay."""


@dataclass(frozen=True)
class Table:
    """A list with the codes of its columns; the employee's number comes first in each row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def of(self, row: Sequence[object], column: str) -> object:
        """A row's cell by its column; None where the list has no such column."""
        return row[self.columns.index(column)] if column in self.columns else None

    def without(self, column: str) -> Table:
        if column not in self.columns:
            return self
        place = self.columns.index(column)
        rows = [[*row[:place], *row[place + 1 :]] for row in self.rows]
        return Table([name for name in self.columns if name != column], rows)


@dataclass(frozen=True)
class Content:
    """The lists of an extract, and of each component its group and its labels (Chinese, English)."""

    people: Table
    leavers: Table
    groups: Mapping[str, str]
    labels: Mapping[str, tuple[str, str]]

    def lists(self) -> dict[str, Table]:
        """The lists that have somebody on them, and the month's in any case, by the part that each plays."""
        return {"extract": self.people, **({"leavers": self.leavers} if self.leavers.rows else {})}

    def without_names(self) -> Content:
        return Content(self.people.without("name"), self.leavers.without("name"), self.groups, self.labels)


def read_content(con: duckdb.DuckDBPyConnection) -> Content:
    """The content of the prepared figures."""
    found = con.execute("select component, label_zh, label_en from draft.columns").fetchall()
    labels = {str(component): (str(zh), str(en)) for component, zh, en in found}
    # Of one component all lines are of one group; a column without a line is one of its plans' components.
    grouped = con.execute(
        "select component, coalesce(lines.component_group, known.component_group, 'pay') from draft.columns "
        "left join (select component, any_value(component_group) as component_group from draft.lines group by all) "
        "as lines using (component) left join csperf.policy.components as known using (component)"
    ).fetchall()
    return Content(_people(con), _leavers(con), {str(name): str(group) for name, group in grouped}, labels)


def figures_digest(con: duckdb.DuckDBPyConnection) -> str:
    """Digest of everything an extract of the prepared figures says; its revision number and its form are left out."""
    lines = con.execute(f"select * exclude (revision) from draft.lines order by {LINE_ORDER}").fetchall()
    retro = con.execute(f"select * exclude (revision) from draft.retro order by {RETRO_ORDER}").fetchall()
    people, leavers = _people(con), _leavers(con)
    tables = [["extract"], people.columns, *people.rows, ["leavers"], leavers.columns, *leavers.rows]
    return rows_digest([*tables, ["lines"], *lines, ["retro"], *retro])


def _people(con: duckdb.DuckDBPyConnection) -> Table:
    """One row per employee of the month by number, one column per component."""
    components = _components(con, "active")
    amounts, gross = _amounts(con)
    people = con.execute(
        f"select {', '.join(PERSON_COLUMNS)}, pay_date from draft.people where active order by employee_id"
    ).fetchall()
    return Table(
        [*PERSON_COLUMNS, *components, "gross_pay", "pay_date"],
        [
            [*who, *(amounts.get((who[0], name)) for name in components), gross.get(who[0], Decimal("0.00")), pay_date]
            for *who, pay_date in people
        ],
    )


def _leavers(con: duckdb.DuckDBPyConnection) -> Table:
    """Who has left and has a correction, with what he still owes."""
    components = _components(con, "component in (select component from draft.lines join people using (employee_id))")
    amounts, gross = _amounts(con)
    people = con.execute(
        f"select {', '.join(PERSON_COLUMNS)}, leave_date, coalesce(sum(still_due), 0)::decimal(18,2), pay_date "
        "from draft.people left join draft.retro using (employee_id) where not active group by all order by employee_id"
    ).fetchall()
    return Table(
        [*PERSON_COLUMNS, "leave_date", *components, "gross_pay", "still_due", "pay_date"],
        [
            [
                *(*who, left, *(amounts.get((who[0], name)) for name in components)),
                *(gross.get(who[0], Decimal("0.00")), still_due, pay_date),
            ]
            for *who, left, still_due, pay_date in people
        ],
    )


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
        if group != CONTRIBUTION:
            gross[employee] = gross.get(employee, Decimal(0)) + amount
    return amounts, gross
