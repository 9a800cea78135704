"""All plans evaluated on given measures by the SQL that dbt compiled, without a dbt process for each evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from csperf.periods import Month
from csperf.policy.library import load_plans
from csperf.settings import Settings
from csperf.warehouse import call_dbt, connect
from tests.plan_rows import insert_rows, prepare, wide_row

MODELS = ("derived_monthly", "derived_quarterly", "derived_yearly", "computed_lines")
DECEMBER = Month(2026, 12)
"""A December: what is paid monthly, quarterly and yearly falls due."""

Lines = dict[tuple[str, str], Decimal]
"""Amounts by employee and component."""


class Evaluator:
    """The plans of a policy folder on one month. `con` holds the warehouse after each evaluation."""

    def __init__(self, settings: Settings) -> None:
        self.plans = list(load_plans(settings))
        everyone = [
            wide_row(plan, plan, kind, DECEMBER, {}, {}) for plan in self.plans for kind in ("month", "quarter", "year")
        ]
        with connect(settings) as con:
            prepare(con, settings, everyone)
        bounds = ["--event-time-start", str(DECEMBER.first_day), "--event-time-end", str(DECEMBER.plus(1).first_day)]
        call_dbt(settings, ["run", "--select", " ".join((*MODELS, "derived_measures")), *bounds])
        compiled = settings.home / "dbt" / "target" / "compiled" / "csperf" / "models"
        self.queries = {name: _batch(compiled, name) for name in MODELS}
        self.con = duckdb.connect(str(settings.warehouse_path))
        self.con.execute("set TimeZone = 'UTC'")

    def evaluate(self, rows: Sequence[Mapping[str, Any]]) -> Lines:
        """The pay lines of December for these rows of period_wide; derived measures stand in the warehouse."""
        insert_rows(self.con, rows)
        for name, query in self.queries.items():
            schema = "payroll" if name == "computed_lines" else "measures"
            if name != "computed_lines":
                self.con.execute(f"delete from {schema}.{name}")
                self.con.execute(f"insert into {schema}.{name} by name {query}")
            else:
                self.con.execute(f"create or replace table {schema}.{name} as {query}")
        found = self.con.execute("select employee_id, component, amount from payroll.computed_lines").fetchall()
        return {(employee_id, component): amount for employee_id, component, amount in found}

    def close(self) -> None:
        self.con.close()


def _batch(compiled: Path, model: str) -> str:
    """The select that dbt compiled for the batch of December."""
    found = sorted(compiled.rglob(f"{model}/*.sql"))
    assert len(found) == 1, found
    return found[0].read_text(encoding="utf-8")
