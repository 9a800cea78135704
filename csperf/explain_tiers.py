"""Why this grade? The decision on an employee's grade in a quarter, each rule tried, and what is missing (反馈)."""

from __future__ import annotations

from typing import Any

from csperf.errors import CsperfError
from csperf.evidence import Evidence, Node, plain
from csperf.periods import Quarter
from csperf.settings import Settings
from csperf.warehouse import connect


def explain_decision(settings: Settings, employee_id: str, quarter: Quarter, all_rows: bool = False) -> Node:
    """The decision with the conditions of each rule that is for the employee's grade, down to source rows.

    A published quarter is explained by its newest revision, an open one by today's computation. CsperfError when the
    employee was not active in the quarter, or its last month is not built.
    """
    with connect(settings, read_only=True) as con:
        evidence = Evidence(con, settings, employee_id, quarter.months[2], all_rows)
        published = evidence.one(
            "select * from tiers.tier_quarterly where quarter = ? and employee_id = ?", str(quarter), employee_id
        )
        decision = published or evidence.one(
            "select * from tiers.computed_decisions where quarter = ? and employee_id = ?", str(quarter), employee_id
        )
        if decision is None:
            raise CsperfError(
                f"There is no decision on employee '{employee_id}' in {quarter}: not active then, or the quarter's "
                "last month is not built; see `csperf status`."
            )
        return _decision(evidence, quarter, decision)


def _decision(evidence: Evidence, quarter: Quarter, decision: dict[str, Any]) -> Node:
    source = f"revision {decision['revision']}" if "revision" in decision else "open quarter, as computed today"
    after = decision["grade_after"]
    grade = f"grade {decision['grade_before']}" + (f" → {after}" if after != decision["grade_before"] else "")
    root = Node(
        f"{decision['employee_id']} · {quarter} · {source}: {decision['decision']}, {grade}, from "
        f"{decision['effective_from']} · plan {decision['plan']}, post {decision['post'] or 'none'}"
    )
    root.add(f"why: {decision['reason']}")
    conditions = _conditions(evidence, quarter, "revision" in decision)
    rules = evidence.all(
        "select rules.*, moves.decision as outcome, moves.grade_after from policy.versions as versions "
        "inner join policy.tier_rules as rules using (plan_version) "
        "inner join policy.tier_moves as moves using (plan_version, rule) "
        "where versions.plan = ? and effective_from <= ? and ? < effective_to and moves.grade = ? order by rules.rule",
        decision["plan"],
        quarter.months[2].last_day,
        quarter.months[2].last_day,
        decision["grade_before"],
    )
    for rule in rules:
        _rule(evidence, root, rule, conditions)
    for row in evidence.all(
        "select * from tiers.lists where quarter = ? and employee_id = ?", str(quarter), decision["employee_id"]
    ):
        root.add(f"on the list {row['list']}: {row['label_zh']}, {row['label_en']}")
    return root


def _conditions(evidence: Evidence, quarter: Quarter, published: bool) -> dict[str, dict[str, Any]]:
    table = "tiers.tier_conditions" if published else "tiers.computed_conditions"
    found = evidence.all(
        f"select * from {table} where quarter = ? and employee_id = ?", str(quarter), evidence.employee_id
    )
    return {row["condition"]: row for row in found}


def _rule(evidence: Evidence, root: Node, rule: dict[str, Any], conditions: dict[str, dict[str, Any]]) -> None:
    steps = evidence.all(
        "select * from policy.steps where plan_version = ? and rule = ? order by position",
        rule["plan_version"],
        rule["rule"],
    )
    outcome = rule["outcome"] + (f" to {rule['grade_after']}" if rule["outcome"] in ("promote", "demote") else "")
    node = root.add(f"rule {rule['rule'] + 1}, {outcome}: {rule['reason_zh']}, {rule['reason_en']}")
    if not steps:
        node.add("holds where no rule before it does")
    for step in steps:
        found = conditions.get(f"{rule['decision']}.{step['step']}")
        if found is None:
            continue
        value, threshold = (
            plain(found[part]) if found[part] is not None else "absent" for part in ("value", "threshold")
        )
        sign = "met" if found["met"] else "MISSING"
        child = node.add(f"{sign}: {step['step']} {value} {found['operator']} {threshold}")
        evidence.inputs(child, step, "quarter")
