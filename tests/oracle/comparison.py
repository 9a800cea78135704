"""What the pipeline says beside what was calculated, value by value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tests.oracle.calculation import Result

CARD = ("name", "team", "lead_id", "post", "grade", "plan")
OUTCOME = ("qa_coefficient", "total_points", "score", "rating", "rank_in_post", "meets_base_indicator")
AGENT_DAY = (
    *("sessions", "calls_answered", "first_response_seconds", "response_seconds", "csat_rate", "qa_deduction"),
    "tickets",
)
REVIEW = ("base_before", "raise_share", "base_after", "leave_days", "proposed_from")
DECISION = ("plan", "post", "grade_before", "decision", "grade_after", "effective_from")


@dataclass(frozen=True)
class Compared:
    """A table of both sides: how many values were compared, and each that differs."""

    table: str
    values: int
    different: tuple[str, ...]


class Warehouse:
    """Reads a warehouse that nobody writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self._path), read_only=True) as con:
            return con.execute(sql).fetchall()

    def table(self, sql: str, keys: int) -> dict[Any, Any]:
        """Rows by their first columns; one value, or a tuple of them."""
        found = {}
        for row in self.rows(sql):
            rest = row[keys:]
            found[row[:keys]] = rest[0] if len(rest) == 1 else rest
        return found


def compare(path: Path, calculated: Result) -> list[Compared]:
    """Every table that both sides have."""
    warehouse = Warehouse(path)
    known = {measure for _, _, _, measure in calculated.measures}
    monthly = {measure for _, kind, _, measure in calculated.measures if kind == "month"}
    longer = {measure for _, kind, _, measure in calculated.measures if kind != "month"}
    measures = warehouse.table("select employee_id, period_kind, period, measure, value from scorecards.measures", 4)
    measures = {
        key: value
        for key, value in measures.items()
        if value is not None and key[3] in known and key[3] in (monthly if key[1] == "month" else longer)
    }
    days = warehouse.table(f"select agent_id, business_date, {', '.join(AGENT_DAY)} from scorecards.agent_daily", 2)
    people = warehouse.table(f"select employee_id, month, {', '.join(CARD)} from scorecards.scorecard_monthly", 2)
    outcomes = warehouse.table(f"select employee_id, month, {', '.join(OUTCOME)} from scorecards.scorecard_monthly", 2)
    lines = warehouse.table("select employee_id, pay_month, component, amount from payroll.computed_lines", 3)
    decisions = warehouse.table(f"select employee_id, quarter, {', '.join(DECISION)} from tiers.computed_decisions", 2)
    listed = warehouse.table("select employee_id, quarter, list, true from tiers.lists", 3)
    reviews = warehouse.table(f"select employee_id, period, kind, {', '.join(REVIEW)} from payroll.salary_reviews", 3)
    calculated_days = {key: tuple(day[name] for name in AGENT_DAY) for key, day in calculated.agent_daily.items()}
    persons = {key: tuple(getattr(card.person, name) for name in CARD) for key, card in calculated.cards.items()}
    return [
        side_by_side("measures", measures, calculated.measures),
        side_by_side("agent_daily", days, calculated_days),
        side_by_side("scorecards, persons", people, persons),
        side_by_side("scorecards, outcomes", outcomes, calculated.outcomes),
        side_by_side("pay lines", lines, calculated.pay),
        side_by_side("decisions", decisions, decided(calculated, calculated.decisions)),
        side_by_side("lists", listed, calculated.lists),
        side_by_side("salary reviews", reviews, calculated.reviews),
    ]


def decided(calculated: Result, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Decisions as the columns of DECISION."""
    return {key: tuple(getattr(calculated.decisions[key], name) for name in DECISION) for key in keys}


def side_by_side(table: str, pipeline: Mapping[Any, Any], calculated: Mapping[Any, Any]) -> Compared:
    """Rows by key, of both sides; a row that one side lacks differs."""
    keys = pipeline.keys() | calculated.keys()
    wide = next((len(value) for value in calculated.values() if isinstance(value, tuple)), 1)
    missing = "no row"
    different = tuple(
        f"{table} {key}: {pipeline.get(key, missing)}, calculated {calculated.get(key, missing)}"
        for key in sorted(keys, key=str)
        if pipeline.get(key, missing) != calculated.get(key, missing)
    )
    return Compared(table, len(calculated) * wide, different)
