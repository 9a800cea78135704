"""Why this amount? Every pay line of an employee and month, down to measure, band, figure and source rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb
from rich.tree import Tree

from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.policy.library import base_measures
from csperf.policy.models import ATTRIBUTES
from csperf.published import RETRO_PREFIX
from csperf.settings import Settings
from csperf.warehouse import connect

SHOWN_ROWS = 10
"""Source rows listed below a measure unless all are asked for."""


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
        from rich.text import Text

        tree = Tree(Text(self.text))
        for child in self.children:
            tree.add(child.tree())
        return tree


def explain(settings: Settings, employee_id: str, month: Month, all_rows: bool = False) -> Node:
    """Every line of the month and every component without one, down to source rows.

    A closed month is explained by its newest published revision, an open one by today's computation. `all_rows`
    lists all source rows instead of the first few. CsperfError when the employee has nothing in that month.
    """
    with connect(settings, read_only=True) as con:
        return _Explainer(con, settings, employee_id, month, all_rows).run()


class _Explainer:
    """One explanation: keeps what has been explained, so that a measure read twice is written out once."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, settings: Settings, employee_id: str, month: Month, all_rows: bool
    ) -> None:
        self.con = con
        self.settings = settings
        self.employee_id = employee_id
        self.month = month
        self.limit = None if all_rows else SHOWN_ROWS
        self.done: set[str] = set()
        self.row = self._one(
            "select * from measures.period_wide where period_kind = 'month' and employee_id = ? and period = ?",
            employee_id,
            str(month),
        )
        if self.row is None and not self._lines()[1]:
            raise CsperfError(
                f"There is nothing on employee '{employee_id}' in {month}: not active then, or the month is not built; "
                "see `csperf status`."
            )
        self.derived = {
            found["measure"]: found
            for found in self._all(
                "select * from measures.derived_measures where employee_id = ? and month_start = ? order by measure",
                employee_id,
                month.first_day,
            )
            if found["period_kind"] == "month"
        }
        self.steps = {
            (found["stage"], found["step"]): found
            for found in self._all(
                "select * from policy.steps where (plan = ? or everyone) and effective_from <= ? and ? < effective_to "
                "order by position",
                (self.row or {}).get("plan"),
                month.last_day,
                month.last_day,
            )
        }

    def run(self) -> Node:
        row = self.row or {}
        revision, lines = self._lines()
        source = f"revision {revision}" if revision else "open month, as computed today"
        total = sum((line["amount"] for line in lines if line["component_group"] != "contribution"), Decimal(0))
        post = f"plan {row['plan']}, post {row['post'] or 'none'}, grade {row['grade']}" if row else "not employed then"
        who = f"{self.employee_id} {row['name']}" if row else self.employee_id
        root = Node(f"{who} · {self.month} · {source}: gross {total} CNY · {post}")
        paid = {line["component"]: line for line in lines}
        components = [name for stage, name in self.steps if stage == "component"]
        for name in [*components, *(name for name in paid if name not in components)]:
            if name in paid:
                self._line(root, paid[name])
            else:
                self._why_not(root, self.steps["component", name])
        if row and not components:
            root.add(f"no line: plan '{row['plan']}' is unknown or not in force in {self.month}; mend the roster")
        return root

    def _lines(self) -> tuple[int | None, list[dict[str, Any]]]:
        run = self._one(
            "select max(revision) as revision from payroll.payroll_runs where pay_month = ? and status = 'published'",
            str(self.month),
        )
        revision = run["revision"] if run else None
        if revision is not None:
            found = self._all(
                "select * from payroll.pay_lines where pay_month = ? and employee_id = ? and revision = ? "
                "order by component",
                str(self.month),
                self.employee_id,
                revision,
            )
            return int(revision), found
        return None, self._all(
            "select * from payroll.computed_lines where pay_month = ? and employee_id = ? order by component",
            str(self.month),
            self.employee_id,
        )

    def _line(self, root: Node, line: dict[str, Any]) -> None:
        node = root.add(f"{line['component']} {line['amount']} = {line['explanation']}")
        shown = [
            f"{part.replace('_amount', '')} {_plain(line[part])}"
            for part in ("base_amount", "rate", "quantity")
            if line[part] is not None
        ]
        node.add(" · ".join([f"policy {line['policy_version']}", *shown]))
        if line["amount"] == 0:
            node.add(f"why zero: {line['explanation']}")
        self._causes(node, line["component"])
        step = self.steps.get(("component", line["component"]))
        if step is not None:
            self._inputs(node, step)

    def _causes(self, node: Node, component: str) -> None:
        """What a correction consists of and why; of another line, why a later revision differs from the first."""
        for found in self._all(
            "select for_month, for_revision, cause, amount, changed from payroll.corrections as causes "
            "where pay_month = ? and employee_id = ? and component = ? and (not starts_with(component, ?) "
            "or revision = (select max(revision) from payroll.corrections where pay_month = causes.pay_month)) "
            "order by for_month, for_revision, cause",
            str(self.month),
            self.employee_id,
            component,
            RETRO_PREFIX,
        ):
            of = f"{found['for_month']} revision {found['for_revision']}"
            node.add(f"{of} · {found['cause'].replace('_', ' ')} {found['amount']}: {found['changed']}")

    def _why_not(self, root: Node, step: dict[str, Any]) -> None:
        if not self._due(step["frequency"]):
            root.add(f"{step['step']}: no line, it is paid once a {step['frequency']}")
            return
        absent = [name for name in _names(step["inputs"]) if self._value(name) is None and self._known(name)]
        missing = [name for name in _names(step["inputs"]) if self._is_figure(name) and not self._figures(name)]
        reasons = [
            *(f"{name} is absent" for name in absent),
            *(f"figure {name} has no entry for this employee" for name in missing),
        ]
        node = root.add(f"{step['step']}: no line, because {' and '.join(reasons) or 'its formula gives no value'}")
        node.add(f"formula: {step['formula']}")
        self._inputs(node, step)

    def _due(self, frequency: str) -> bool:
        months = {"month": 1, "quarter": 3, "year": 12}[frequency]
        return self.month.number % months == 0

    def _inputs(self, node: Node, step: dict[str, Any]) -> None:
        for name in _names(step["inputs"]):
            if self._is_figure(name):
                for figure in self._figures(name):
                    node.add(figure)
            elif self._known(name):
                self._measure(node, name)

    def _measure(self, node: Node, name: str) -> None:
        value = self._value(name)
        text = f"{name} {_plain(value) if value is not None else 'absent'}"
        if name in self.done:
            node.add(f"{text} (see above)")
            return
        self.done.add(name)
        if name in self.derived or ("measure", name) in self.steps:
            found = self.derived.get(name)
            child = node.add(f"{text} = {found['explanation']}" if found else f"{text}")
            self._inputs(child, self.steps["measure", name])
            return
        entry = base_measures()[name]
        child = node.add(f"{text} ({entry['zh']}, {entry['en']})")
        self._disputes(child, name)
        self._source_rows(child, name, entry)

    def _disputes(self, node: Node, measure: str) -> None:
        """The month's disputes on a measure: how each was ruled, by whom and when, or that it is open."""
        for found in self._all(
            "select dispute_id, status, requested_delta, granted_delta, "
            "coalesce(ruled_by, 'nobody named') as ruled_by, "
            "coalesce(strftime(timezone(?, ruled_at), '%Y-%m-%d %H:%M'), 'no day named') as ruled_at "
            "from staging.stg_disputes where employee_id = ? and month = ? and measure = ? order by dispute_id",
            self.settings.timezone,
            self.employee_id,
            str(self.month),
            measure,
        ):
            ruled = f"ruled by {found['ruled_by']} on {found['ruled_at']}"
            if found["status"] == "open":
                told = f"open, {_plain(found['requested_delta'])} asked for"
            elif found["status"] == "upheld":
                told = f"upheld, {_plain(found['granted_delta'] or 0)} granted and counted in it, {ruled}"
            else:
                told = f"{found['status']}, {ruled}"
            node.add(f"dispute {found['dispute_id']}: {told}")

    # ---- source rows ------------------------------------------------------------------------------------------

    def _source_rows(self, node: Node, name: str, entry: dict[str, Any]) -> None:
        """The landed rows that a base measure counts, as its `rows` in the catalogue say; else what it is built on."""
        for other in entry.get("built_on", ()):
            self._measure(node, other)
        for source in entry.get("rows", ()):
            self._dataset_rows(node, source)

    def _dataset_rows(self, node: Node, source: dict[str, Any]) -> None:
        dataset = source["dataset"]
        paths = [
            found["path"]
            for found in self._all(
                "select path from control.partitions where dataset = ? and path is not null "
                "and business_date between ? and ? order by business_date",
                dataset,
                self.month.first_day,
                self.month.last_day,
            )
        ]
        if not paths:
            node.add(f"{dataset}: nothing was delivered for {self.month}")
            return
        columns = ", ".join(source["columns"])
        relation = "read_parquet(?, union_by_name = true)"
        where = f"{source['by']} = ?" + (f" and ({source['where']})" if source.get("where") else "")
        count = self._one(f"select count(*) as n from {relation} where {where}", paths, self.employee_id)
        total = int(count["n"]) if count else 0
        child = node.add(f"{total} row{'' if total == 1 else 's'} of {dataset}")
        limit = "" if self.limit is None else f" limit {self.limit}"
        for row in self._all(
            f"select {columns} from {relation} where {where} order by {columns}{limit}", paths, self.employee_id
        ):
            child.add(" · ".join(f"{key} {self._shown(value)}" for key, value in row.items() if value is not None))
        if self.limit is not None and total > self.limit:
            child.add(f"… and {total - self.limit} more (--rows lists all)")

    def _shown(self, value: Any) -> str:
        if hasattr(value, "astimezone"):
            return str(value.astimezone(self.settings.zone).strftime("%Y-%m-%d %H:%M:%S"))
        return _plain(value)

    # ---- names ------------------------------------------------------------------------------------------------

    def _known(self, name: str) -> bool:
        return name in base_measures() or ("measure", name) in self.steps

    def _value(self, name: str) -> Any:
        if ("measure", name) in self.steps:
            found = self.derived.get(name)
            return found["value"] if found else None
        return (self.row or {}).get(name)

    def _is_figure(self, name: str) -> bool:
        return not self._known(name) and bool(self._figure_rows(name))

    def _figure_rows(self, name: str) -> list[dict[str, Any]]:
        return self._all(
            "select figures.* from policy.figures inner join policy.versions using (plan_version) "
            "where figures.plan = ? and figure = ? and effective_from <= ? and ? < effective_to",
            (self.row or {})["plan"],
            name,
            self.month.last_day,
            self.month.last_day,
        )

    def _figures(self, name: str) -> list[str]:
        """The figure's entries for this employee, a line each with where it comes from; bands stand side by side."""
        row = self.row or {}
        own = {str(row[attribute]) for attribute in ATTRIBUTES}
        entries: dict[tuple[str, str], list[str]] = {}
        for found in self._figure_rows(name):
            keys = found["keys"]
            if keys is not None and not set(keys.split("/")) <= own:
                continue
            notes = "; ".join(part for part in (found["provenance"], found["unit"], found["note"]) if part)
            value = f"{found['band']} → {_plain(found['value'])}" if found["band"] else _plain(found["value"])
            entries.setdefault((keys or "", notes), []).append(value)
        return [
            f"figure {name}{f' for {keys}' if keys else ''}: {', '.join(values)} ({notes})"
            for (keys, notes), values in entries.items()
        ]

    # ---- queries ----------------------------------------------------------------------------------------------

    def _all(self, query: str, *values: Any) -> list[dict[str, Any]]:
        cursor = self.con.execute(query, list(values))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _one(self, query: str, *values: Any) -> dict[str, Any] | None:
        rows = self._all(query, *values)
        return rows[0] if rows else None


def _names(inputs: str | None) -> list[str]:
    return [name for name in (inputs or "").split(",") if name and "." not in name]


def _plain(value: Any) -> str:
    """A number without trailing zeros; anything else as it is."""
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)
