"""Why this amount? Every pay line of an employee and month, down to measure, band, figure and source rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from csperf.errors import CsperfError
from csperf.evidence import Evidence, Node, plain
from csperf.periods import Month
from csperf.published import RETRO_PREFIX
from csperf.settings import Settings
from csperf.warehouse import connect

__all__ = ["Node", "explain"]


def explain(settings: Settings, employee_id: str, month: Month, all_rows: bool = False) -> Node:
    """Every line of the month and every component without one, down to source rows.

    A closed month is explained by its newest published revision, an open one by today's computation. `all_rows`
    lists all source rows instead of the first few. CsperfError when the employee has nothing in that month.
    """
    with connect(settings, read_only=True) as con:
        evidence = Evidence(con, settings, employee_id, month, all_rows)
        explainer = _Explainer(evidence)
        if "month" not in evidence.rows and not explainer.lines:
            raise CsperfError(
                f"There is nothing on employee '{employee_id}' in {month}: not active then, or the month is not built; "
                "see `csperf status`."
            )
        return explainer.run()


class _Explainer:
    """The pay lines of one employee and month on the evidence for them."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.month = evidence.month
        self.steps = {
            name: step for (stage, _, name), step in evidence.steps.items() if stage == "component"
        }  # in the order of the plan
        self.revision, self.lines = self._lines()

    def run(self) -> Node:
        row, revision, lines = self.evidence.rows.get("month"), self.revision, self.lines
        source = f"revision {revision}" if revision else "open month, as computed today"
        total = sum((line["amount"] for line in lines if line["component_group"] != "contribution"), Decimal(0))
        post = f"plan {row['plan']}, post {row['post'] or 'none'}, grade {row['grade']}" if row else "not employed then"
        who = f"{self.evidence.employee_id} {row['name']}" if row else self.evidence.employee_id
        root = Node(f"{who} · {self.month} · {source}: gross {total} CNY · {post}")
        paid = {line["component"]: line for line in lines}
        for name in [*self.steps, *(name for name in paid if name not in self.steps)]:
            if name in paid:
                self._line(root, paid[name])
            else:
                self._why_not(root, self.steps[name])
        if row and not self.steps:
            root.add(self._no_components())
        return root

    def _no_components(self) -> str:
        plan = self.evidence.rows["month"]["plan"]
        if self.evidence.one("select plan from policy.plans where plan = ?", plan):
            return f"no line: plan '{plan}' has no pay components in {self.month}"
        return f"no line: plan '{plan}' is unknown or not in force in {self.month}; mend the roster"

    def _lines(self) -> tuple[int | None, list[dict[str, Any]]]:
        month, who = str(self.month), self.evidence.employee_id
        run = self.evidence.one(
            "select max(revision) as revision from payroll.payroll_runs where pay_month = ? and status = 'published'",
            month,
        )
        revision = run["revision"] if run else None
        if revision is not None:
            found = self.evidence.all(
                "select * from payroll.pay_lines where pay_month = ? and employee_id = ? and revision = ? "
                "order by component",
                month,
                who,
                revision,
            )
            return int(revision), found
        return None, self.evidence.all(
            "select * from payroll.computed_lines where pay_month = ? and employee_id = ? order by component",
            month,
            who,
        )

    def _line(self, root: Node, line: dict[str, Any]) -> None:
        node = root.add(f"{line['component']} {line['amount']} = {line['explanation']}")
        shown = [
            f"{part.replace('_amount', '')} {plain(line[part])}"
            for part in ("base_amount", "rate", "quantity")
            if line[part] is not None
        ]
        node.add(" · ".join([f"policy {line['policy_version']}", *shown]))
        if line["amount"] == 0:
            node.add(f"why zero: {line['explanation']}")
        self._causes(node, line["component"])
        step = self.steps.get(line["component"])
        if step is not None:
            self.evidence.inputs(node, step, "month")

    def _causes(self, node: Node, component: str) -> None:
        """What a correction consists of and why; of another line, why a later revision differs from the first."""
        for found in self.evidence.all(
            "select for_month, for_revision, cause, amount, changed from payroll.corrections as causes "
            "where pay_month = ? and employee_id = ? and component = ? and (not starts_with(component, ?) "
            "or revision = (select max(revision) from payroll.corrections where pay_month = causes.pay_month)) "
            "order by for_month, for_revision, cause",
            str(self.month),
            self.evidence.employee_id,
            component,
            RETRO_PREFIX,
        ):
            of = f"{found['for_month']} revision {found['for_revision']}"
            node.add(f"{of} · {found['cause'].replace('_', ' ')} {found['amount']}: {found['changed']}")

    def _why_not(self, root: Node, step: dict[str, Any]) -> None:
        if not self._due(step["frequency"]):
            root.add(f"{step['step']}: no line, it is paid once a {step['frequency']}")
            return
        reasons = self.evidence.missing(step, "month")
        node = root.add(f"{step['step']}: no line, because {' and '.join(reasons)}")
        node.add(f"formula: {step['formula']}")
        self.evidence.inputs(node, step, "month")

    def _due(self, frequency: str) -> bool:
        months = {"month": 1, "quarter": 3, "year": 12}[frequency]
        return self.month.number % months == 0
