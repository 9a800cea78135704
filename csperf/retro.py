"""Corrections of closed months, paid later: what newer revisions owe beside what has been paid so far.

A closed month is paid by its first revision. Each later revision holds the month as it should have been, with the
cause of each difference to the revision before it (`csperf.corrections`); what has not been paid of that is paid in
the next month that closes, together with what is still due from any other closed month. What was paid for a month is
its first revision and every correction paid for it since, so that a second correction never forgets the first.

A correction that is owed by the employee is taken back as far as the month's gross pay goes, unless his plan lets pay
go below zero; the rest stays due and is taken from the months after. Of somebody who has left nothing can be taken:
it stands on the list of those who have left each month until it is settled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb

from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.published import RETRO_PREFIX, column_names

# What closed months come to by their newest revision, beside what was paid for them.
_DUE = """
    with closed as (
        select pay_month, max(revision) as newest
        from published.payroll_runs where status = 'published' group by pay_month
    ), own as (
        select * from published.pay_lines where not starts_with(component, $prefix)
    ), due as (
        select own.pay_month as for_month, own.employee_id, own.component, own.component_group, own.amount,
            own.policy_version
        from own join closed on own.pay_month = closed.pay_month and own.revision = closed.newest
        where own.pay_month < $month
    ), first_paid as (
        select pay_month as for_month, employee_id, component, component_group, amount, policy_version
        from own where revision = 1 and pay_month < $month
    ), corrected as (
        select details.for_month, details.employee_id, substr(details.component, length($prefix) + 1) as component,
            sum(details.amount) as amount
        from published.retro_details as details
        join closed on details.pay_month = closed.pay_month and details.revision = closed.newest
        where details.for_month < $month
        group by all
    ), everything as (
        select for_month, employee_id, component from due
        union select for_month, employee_id, component from first_paid
        union select for_month, employee_id, component from corrected
    )
    select
        everything.for_month, closed.newest, everything.employee_id, everything.component,
        coalesce(due.component_group, first_paid.component_group, 'pay'),
        coalesce(due.policy_version, first_paid.policy_version),
        coalesce(due.amount, 0)::decimal(18,2) as due_amount,
        (coalesce(first_paid.amount, 0) + coalesce(corrected.amount, 0))::decimal(18,2) as paid_amount
    from everything
    join closed on everything.for_month = closed.pay_month
    left join due using (for_month, employee_id, component)
    left join first_paid using (for_month, employee_id, component)
    left join corrected using (for_month, employee_id, component)
    where due_amount <> paid_amount
    order by everything.employee_id, everything.for_month, everything.component
"""

# The causes of what is due, as far as they have not been paid: those of each revision of a month beside those that
# the newest revision of each paying month says it has paid.
_PARTS = """
    with closed as (
        select pay_month, max(revision) as newest
        from published.payroll_runs where status = 'published' group by pay_month
    ), found as (
        select for_month, employee_id, component, for_revision, cause, amount, changed
        from published.corrections where not starts_with(component, $prefix) and for_month < $month
        union all
        select for_month, employee_id, substr(component, length($prefix) + 1), for_revision, cause, -amount, changed
        from published.corrections join closed using (pay_month)
        where revision = newest and starts_with(component, $prefix) and for_month < $month
    )
    select for_month, employee_id, component, for_revision, cause, changed, sum(amount)::decimal(18,2) as amount
    from found group by all having sum(amount) <> 0
    order by for_month, employee_id, component, for_revision, cause, changed
"""

# What the month itself pays everybody, and whether his plan lets it go below zero.
_EARNED = """
    with known as (
        select employee_id, plan from csperf.measures.roster_monthly where month_start <= $first
        qualify row_number() over (partition by employee_id order by month_start desc) = 1
    ), earned as (
        select employee_id, sum(amount) as amount from draft.lines where component_group <> 'contribution' group by all
    )
    select employee_id, coalesce(earned.amount, 0)::decimal(18,2), coalesce(plans.negative_pay, false)
    from known left join earned using (employee_id) left join csperf.policy.plans as plans using (plan)
"""


@dataclass
class _Part:
    """Why something is due, and how much of it."""

    for_revision: int
    cause: str
    changed: str
    amount: Decimal


@dataclass
class _Due:
    """What a closed month owes somebody for a component, beside what was paid (below zero: what he owes)."""

    for_month: str
    newest: int
    employee_id: str
    component: str
    group: str
    policy_version: str
    due: Decimal
    paid: Decimal
    parts: list[_Part] = field(default_factory=list)
    taken: Decimal = Decimal("0.00")

    @property
    def open(self) -> Decimal:
        return self.due - self.paid

    @property
    def still_due(self) -> Decimal:
        return self.open - self.taken

    def taken_parts(self) -> Iterable[_Part]:
        """The parts of what is taken now: what goes the other way whole, the rest in its order as far as it goes."""
        left = self.taken - sum((part.amount for part in self.parts if part.amount * self.open < 0), Decimal(0))
        for part in self.parts:
            amount = part.amount
            if amount * self.open > 0:
                amount = min(amount, left) if self.open > 0 else max(amount, left)
                left -= amount
            if amount:
                yield _Part(part.for_revision, part.cause, part.changed, amount)


def add_retro(con: duckdb.DuckDBPyConnection, month: Month, revision: int) -> None:
    """Add a month's retro lines to `draft.lines`, what they consist of to `draft.retro`, why to `draft.corrections`.

    Reads schema `published`. A first revision takes over all that closed months before it still owe (or are owed); a
    later one repeats what its month has paid already, unchanged. CsperfError when the causes on record do not add up
    to what is due.
    """
    if revision > 1:
        _repeat(con, month, revision)
        return
    values = {"month": str(month), "prefix": RETRO_PREFIX}
    dues = [_Due(*row) for row in con.execute(_DUE, values).fetchall()]
    _add_parts(dues, con.execute(_PARTS, values).fetchall())
    earned = {row[0]: (row[1], row[2]) for row in con.execute(_EARNED, {"first": month.first_day}).fetchall()}
    by_employee: dict[str, list[_Due]] = defaultdict(list)
    for due in dues:
        by_employee[due.employee_id].append(due)
    for employee, owed in by_employee.items():
        _take(owed, *earned.get(employee, (Decimal(0), False)))
    _write(con, month, dues)


def _take(owed: list[_Due], earned: Decimal, below_zero: bool) -> None:
    """Settle how much of each is paid or taken now; contributions stand outside gross pay and are taken whole."""
    for due in owed:
        if due.open > 0 or below_zero or due.group == "contribution":
            due.taken = due.open
    left = max(Decimal(0), earned + sum((due.taken for due in owed if due.group != "contribution"), Decimal(0)))
    for due in owed:
        if not due.taken:
            due.taken = -min(-due.open, left)
            left += due.taken


def _add_parts(dues: list[_Due], rows: list[tuple[Any, ...]]) -> None:
    known = {(due.for_month, due.employee_id, due.component): due for due in dues}
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for for_month, employee, component, for_revision, cause, changed, amount in rows:
        key = (for_month, employee, component)
        sums[key] += amount
        if key in known:
            known[key].parts.append(_Part(for_revision, cause, changed, amount))
    wrong = [key for key in {*known, *sums} if sums[key] != (known[key].open if key in known else 0)]
    if wrong:
        for_month, employee, component = min(wrong)
        raise CsperfError(
            f"The causes on record for {employee} {component} of {for_month} do not add up to what is due; prove the "
            f"record with csperf payroll verify {for_month}."
        )


def _write(con: duckdb.DuckDBPyConnection, month: Month, dues: list[_Due]) -> None:
    lines: dict[tuple[str, str], list[_Due]] = defaultdict(list)
    for due in dues:
        lines[due.employee_id, RETRO_PREFIX + due.component].append(due)
    rows: dict[str, list[list[object]]] = {"lines": [], "retro": [], "corrections": []}
    start = [str(month), 1]
    for (employee, component), parts in lines.items():
        group = "contribution" if any(due.group == "contribution" for due in parts) else "retro"
        amount = sum((due.taken for due in parts), Decimal("0.00"))
        told = "; ".join(map(_explained, parts))
        rows["lines"].append(
            [*start, employee, component, group, None, None, None, amount, parts[-1].policy_version, told]
        )
        for due in parts:
            key = [*start, employee, component, due.for_month]
            rows["retro"].append([*key, due.newest, due.due, due.paid, due.taken, due.still_due])
            for part in due.taken_parts():
                rows["corrections"].append([*key, part.for_revision, part.cause, part.amount, part.changed])
    for table, found in rows.items():
        if found:
            con.executemany(f"insert into draft.{table} values ({', '.join('?' * len(found[0]))})", found)


def _explained(due: _Due) -> str:
    told = f"{due.for_month}: {due.due} due by revision {due.newest}, {due.paid} paid so far"
    causes: dict[str, Decimal] = defaultdict(Decimal)
    for part in due.taken_parts():
        causes[part.cause] += part.amount
    if causes:
        told += " (" + ", ".join(f"{cause.replace('_', ' ')} {amount}" for cause, amount in causes.items()) + ")"
    if due.still_due:
        told += f", {due.still_due} stay due because pay does not go below zero"
    return told


def _repeat(con: duckdb.DuckDBPyConnection, month: Month, revision: int) -> None:
    for table, target in (("pay_lines", "lines"), ("retro_details", "retro"), ("corrections", "corrections")):
        names = ", ".join(column_names(table)).replace("revision,", "$revision::integer as revision,", 1)
        con.execute(
            f"insert into draft.{target} by name select {names} from published.{table} "
            "where pay_month = $month and revision = $revision - 1 and starts_with(component, $prefix)",
            {"month": str(month), "revision": revision, "prefix": RETRO_PREFIX},
        )
