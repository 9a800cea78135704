"""What a figure rests on: measures, figures of plans, months before and landed rows, as a tree of statements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb
from rich.text import Text
from rich.tree import Tree

from csperf.datasets import DATASETS
from csperf.periods import Month
from csperf.policy.library import base_measures
from csperf.policy.models import ATTRIBUTES, NUMBERS, OTHER
from csperf.settings import Settings

SHOWN_ROWS = 10
"""Source rows listed below a measure unless all are asked for."""
SHOWN_MONTHS = 12
"""Months listed where a formula looks back over months."""
NO_CASE = "no case of its formula holds"
"""Why there is no line though nothing that the formula reads is absent."""


@dataclass
class Node:
    """A statement and what it rests on."""

    text: str
    children: list[Node] = field(default_factory=list)

    def add(self, text: str) -> Node:
        child = Node(text)
        self.children.append(child)
        return child

    def lines(self, depth: int = 0) -> Iterable[str]:
        """The statements as indented lines of text."""
        yield "  " * depth + self.text
        for child in self.children:
            yield from child.lines(depth + 1)

    def tree(self) -> Tree:
        """The statements as a tree for the terminal."""
        tree = Tree(Text(self.text))
        for child in self.children:
            tree.add(child.tree())
        return tree


class Evidence:
    """The evidence on an employee and the periods that end with a month; writes each measure out once.

    `rows` holds the employee's row of `measures.period_wide` by period kind; empty when he was not active.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, settings: Settings, employee_id: str, month: Month, all_rows: bool
    ) -> None:
        self.con = con
        self.settings = settings
        self.employee_id = employee_id
        self.month = month
        self.limit = None if all_rows else SHOWN_ROWS
        self.done: set[tuple[str, str]] = set()
        whose = (employee_id, month.first_day)
        found = self.all("select * from measures.period_wide where employee_id = ? and month_start = ?", *whose)
        self.rows = {row["period_kind"]: row for row in found}
        found = self.all("select * from measures.derived_measures where employee_id = ? and month_start = ?", *whose)
        self.derived = {(row["period_kind"], row["measure"]): row for row in found}
        plan = next((row["plan"] for row in self.rows.values()), None)
        found = self.all(
            "select * from policy.steps where (plan = ? or everyone) and effective_from <= ? and ? < effective_to "
            "order by position",
            plan,
            month.last_day,
            month.last_day,
        )
        self.steps = {(row["stage"], row["period"], row["step"]): row for row in found if row["rule"] is None}

    def inputs(self, node: Node, step: dict[str, Any], kind: str) -> None:
        """Everything that a step read, below a node; plain names are those of the step's own period kind."""
        for name in _names(step["inputs"]):
            prefix, _, bare = name.rpartition(".")
            if prefix == "months":
                self._months(node, bare)
            elif prefix == "reports":
                self._reports(node, bare)
            elif self.known(bare, prefix or kind):
                self.measure(node, bare, prefix or kind, told=prefix)
            elif bare in NUMBERS:
                node.add(self._number(bare))
            else:
                for text in self.figures(bare, step["plan"]):
                    node.add(text)

    def missing(self, step: dict[str, Any], kind: str, values: bool = True) -> list[str]:
        """What a step's formula read and did not find: absent measures, figures without an entry for the employee.

        Without `values` nothing is said of what it did find: it may be pay.
        """
        reasons = []
        for name in _names(step["inputs"]):
            prefix, _, bare = name.rpartition(".")
            if prefix in ("months", "reports"):
                continue
            if self.known(bare, prefix or kind):
                if self.value(bare, prefix or kind) is None:
                    reasons.append(f"{name} is absent")
            elif self._figure_rows(bare, step["plan"]) and not self.figures(bare, step["plan"]):
                reasons.append(f"figure {bare} has no entry for this employee")
        return reasons or [NO_CASE + (f" ({self._read(step, kind)})" if values else "")]

    def _number(self, name: str) -> str:
        """What is known of a number of the employee that is no measure."""
        value = next(iter(self.rows.values()), {}).get(name)
        return f"{name} {plain(value) if value is not None else 'none'}"

    def _read(self, step: dict[str, Any], kind: str) -> str:
        """The step's inputs with their values, in a row."""
        told = []
        for name in _names(step["inputs"]):
            if name in NUMBERS:
                told.append(self._number(name))
            elif self.known(name, kind):
                told.append(f"{name} {plain(self.value(name, kind))}")
            else:
                told += [text.partition(" (")[0] for text in self.figures(name, step["plan"])]
        return ", ".join(told)

    # ---- measures ---------------------------------------------------------------------------------------------

    def known(self, name: str, kind: str) -> bool:
        """Whether the name is a measure in periods of that kind."""
        return name in base_measures() or ("measure", kind, name) in self.steps

    def value(self, name: str, kind: str) -> Any:
        """The measure's value in the period of that kind; None when absent."""
        if ("measure", kind, name) in self.steps:
            found = self.derived.get((kind, name))
            return found["value"] if found else None
        return self.rows.get(kind, {}).get(name)

    def measure(self, node: Node, name: str, kind: str, told: str = "") -> None:
        """A measure with its value and what it is made of, below a node; `told` is the period kind said before it."""
        value = self.value(name, kind)
        text = f"{told + '.' if told else ''}{name} {plain(value) if value is not None else 'absent'}"
        if (kind, name) in self.done:
            node.add(f"{text} (see above)")
            return
        self.done.add((kind, name))
        step = self.steps.get(("measure", kind, name))
        if step is not None:
            found = self.derived.get((kind, name))
            self.inputs(node.add(f"{text} = {found['explanation']}" if found else text), step, kind)
            return
        entry = base_measures()[name]
        child = node.add(f"{text} ({entry['zh']}, {entry['en']})")
        row = self.rows.get(kind)
        if row is None:
            return
        for other in entry.get("built_on", ()):
            self.measure(child, other, kind, told)
        if "mean_of" in entry:
            self._colleagues(child, entry["mean_of"], row)
        for source in entry.get("rows", ()):
            self._source_rows(child, source, row)
        self._disputes(child, name, row)

    def _disputes(self, node: Node, measure: str, row: dict[str, Any]) -> None:
        """The period's disputes on a measure: how each was ruled, by whom and when, or that it is open."""
        for found in self.all(
            "select dispute_id, month, status, requested_delta, granted_delta, "
            "coalesce(ruled_by, 'nobody named') as ruled_by, "
            "coalesce(strftime(timezone(?, ruled_at), '%Y-%m-%d %H:%M'), 'no day named') as ruled_at "
            "from staging.stg_disputes where employee_id = ? and measure = ? "
            "and month between strftime(?, '%Y-%m') and strftime(?, '%Y-%m') order by dispute_id",
            self.settings.timezone,
            self.employee_id,
            measure,
            row["period_start"],
            row["period_end"],
        ):
            ruled = f"ruled by {found['ruled_by']} on {found['ruled_at']}"
            if found["status"] == "open":
                told = f"open, {plain(found['requested_delta'])} asked for"
            elif found["status"] == "upheld":
                told = f"upheld, {plain(found['granted_delta'] or 0)} granted and counted in it, {ruled}"
            else:
                told = f"{found['status']}, {ruled}"
            node.add(f"dispute {found['dispute_id']} of {found['month']}: {told}")

    def _months(self, node: Node, name: str) -> None:
        """The measure in the months up to this one, for a formula that looks back."""
        if ("months", name) in self.done:
            return
        self.done.add(("months", name))
        if ("measure", "month", name) in self.steps:
            column = "value from measures.derived_measures where period_kind = 'month' and measure = ?"
            values: tuple[Any, ...] = (name,)
        else:
            column, values = f"{name} as value from measures.period_wide where period_kind = 'month'", ()
        found = self.all(
            f"select period, {column} and employee_id = ? and month_start <= ? order by period desc limit ?",
            *values,
            self.employee_id,
            self.month.first_day,
            SHOWN_MONTHS,
        )
        each = ", ".join(
            f"{row['period']} {plain(row['value'])}" for row in reversed(found) if row["value"] is not None
        )
        node.add(f"{name} by month: {each or 'absent in all'}")

    def _reports(self, node: Node, name: str) -> None:
        """The measure of each who reports to the employee in the month, directly or through others."""
        own = ("measure", "month", name) in self.steps and not self.steps[("measure", "month", name)]["everyone"]
        value = f"month.{name}" if ("measure", "month", name) not in self.steps else "derived.value"
        found = self.all(
            f"""
            with recursive reports as (
                select employee_id from measures.roster_monthly where month_start = $month and lead_id = $lead
                union
                select below.employee_id from measures.roster_monthly as below
                inner join reports on below.lead_id = reports.employee_id where below.month_start = $month
            )
            select month.employee_id, {value} as value
            from reports
            inner join measures.period_wide as month on reports.employee_id = month.employee_id
            left join measures.derived_measures as derived
                on month.employee_id = derived.employee_id and month.month_start = derived.month_start
                and derived.period_kind = 'month' and derived.measure = $measure
            where month.month_start = $month and month.period_kind = 'month' and month.employee_id <> $lead
                and (not $own or month.plan = $plan)
            order by month.employee_id
            """,
            **{"month": self.month.first_day, "lead": self.employee_id, "measure": name, "own": own},
            plan=self.rows["month"]["plan"],
        )
        counted = [f"{row['employee_id']} {plain(row['value'])}" for row in found if row["value"] is not None]
        child = node.add(f"{name} of {len(counted)} who report to {self.employee_id} and have it")
        for text in counted if self.limit is None else counted[: self.limit]:
            child.add(text)
        if self.limit is not None and len(counted) > self.limit:
            child.add(f"… and {len(counted) - self.limit} more (--all-rows lists them)")

    def _colleagues(self, node: Node, measure: str, row: dict[str, Any]) -> None:
        """Over whom the mean of a post was taken."""
        found = self.all(
            f"select count(*) as people, sum({measure}) as total from measures.period_wide where period_kind = ? "
            "and period = ? and post = ? and scheduled_days > 0",
            row["period_kind"],
            row["period"],
            row["post"],
        )
        for each in found:
            node.add(f"{measure} {plain(each['total'])} of {each['people']} active employees of post {row['post']}")

    # ---- source rows ------------------------------------------------------------------------------------------

    def _source_rows(self, node: Node, source: dict[str, Any], row: dict[str, Any]) -> None:
        """The landed rows of a period that a base measure counts, as its `rows` in the catalogue say."""
        dataset = source["dataset"]
        conditions = [f"{source['by']} = ?", *([f"({source['where']})"] if source.get("where") else [])]
        values: list[Any] = [self.employee_id]
        if DATASETS[dataset].kind == "full":
            found = self.all("select path from control.newest where dataset = ?", dataset)
            if "month" in DATASETS[dataset].column_names:
                conditions.append("month between strftime(?, '%Y-%m') and strftime(?, '%Y-%m')")
                values += [row["period_start"], row["period_end"]]
            else:
                conditions.append("quarter = ?")
                values.append(row["period"])
        else:
            reach = int(source.get("months", 0))
            found = self.all(
                "select path from control.partitions where dataset = ? and path is not null "
                "and business_date between ? and ? order by business_date",
                dataset,
                self.month.plus(1 - reach).first_day if reach else row["period_start"],
                row["period_end"],
            )
        paths = [each["path"] for each in found]
        if not paths:
            node.add(f"{dataset}: nothing was delivered for {row['period']}")
            return
        columns = ", ".join(source["columns"])
        query = f"from read_parquet(?, union_by_name = true) where {' and '.join(conditions)}"
        total = int(self.all(f"select count(*) as n {query}", paths, *values)[0]["n"])
        child = node.add(f"{total} row{'' if total == 1 else 's'} of {dataset}")
        limit = "" if self.limit is None else f" limit {self.limit}"
        for each in self.all(f"select {columns} {query} order by {columns}{limit}", paths, *values):
            child.add(" · ".join(f"{key} {self._shown(value)}" for key, value in each.items() if value is not None))
        if self.limit is not None and total > self.limit:
            child.add(f"… and {total - self.limit} more (--all-rows lists them)")

    def _shown(self, value: Any) -> str:
        if hasattr(value, "astimezone"):
            return str(value.astimezone(self.settings.zone).strftime("%Y-%m-%d %H:%M:%S"))
        return plain(value)

    # ---- figures ----------------------------------------------------------------------------------------------

    def figures(self, name: str, plan: str) -> list[str]:
        """The figure's entries for this employee, a line each with where it comes from; bands stand side by side."""
        row = next(iter(self.rows.values()), {})
        own = {str(row[attribute]) for attribute in ATTRIBUTES if attribute in row} | {OTHER}
        entries: dict[tuple[str, str], list[str]] = {}
        for found in self._figure_rows(name, plan):
            keys = found["keys"]
            if keys is not None and not set(keys.split("/")) <= own:
                continue
            notes = "; ".join(part for part in (found["provenance"], found["unit"], found["note"]) if part)
            value = f"{found['band']} → {plain(found['value'])}" if found["band"] else plain(found["value"])
            entries.setdefault((keys or "", notes), []).append(value)
        return [
            f"figure {name}{f' for {keys}' if keys else ''}: {', '.join(values)} ({notes})"
            for (keys, notes), values in entries.items()
        ]

    def _figure_rows(self, name: str, plan: str) -> list[dict[str, Any]]:
        return self.all(
            "select * from policy.figures where plan = ? and figure = ? and effective_from <= ? and ? < effective_to",
            plan,
            name,
            self.month.last_day,
            self.month.last_day,
        )

    # ---- queries ----------------------------------------------------------------------------------------------

    def all(self, query: str, *values: Any, **named: Any) -> list[dict[str, Any]]:
        """The rows of a query, each as a dictionary by column."""
        cursor = self.con.execute(query, named or list(values))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, query: str, *values: Any) -> dict[str, Any] | None:
        """The first row of a query, None without any."""
        rows = self.all(query, *values)
        return rows[0] if rows else None


def _names(inputs: str | None) -> list[str]:
    return [name for name in (inputs or "").split(",") if name]


def plain(value: Any) -> str:
    """A number without trailing zeros; anything else as it is."""
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)
