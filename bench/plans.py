"""All plans at once: 10,000 employees spread over every plan of the library, one month, measures given.

What is measured is what a build does after the measures stand there: derived measures, pay lines, grade decisions, by
dbt in a process of its own, on a December (months, quarter and year fall due). Beside it stands the same for one
employee a plan, which is what dbt and the planning of the SQL cost whatever the number of people, and the floor: one
pass of DuckDB over the same measures, in a process of its own too. Aim: 100,000 employees a minute on 2 cores.

    python -m bench.plans [--employees N] [--runs N]
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from csperf.dbt_call import call_dbt
from csperf.periods import Month
from csperf.policy.library import load_plans
from csperf.settings import Settings, load_settings
from csperf.warehouse import connect
from tests.plan_rows import prepare, wide_row

DECEMBER = Month(2026, 12)
MODELS = (
    "derived_monthly derived_quarterly derived_yearly derived_measures computed_lines computed_conditions "
    "computed_decisions"
)
FLOOR = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True, config={"threads": int(sys.argv[2])}) as con:
    con.execute("select plan, post, grade, count(*), sum(columns(* exclude (employee_id, period_kind, period, "
        "month_start, period_start, period_end, name, plan, post, grade, team, lead_id, employment, education, city, "
        "grade_since, hire_date, leave_date))) from measures.period_wide group by plan, post, grade").fetchall()
"""


TEAM = 50  # people a team; the first of them leads it


def person(plan: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes and measures of an invented employee."""
    chance = random.Random(f"{plan}/{number}")
    who = {
        "grade": chance.choice(["junior", "intermediate", "senior"]) if number % TEAM else "lead",
        "post": chance.choice(["basic", "vip", "voice"]),
        "team": f"T{number // TEAM:03d}",
        "lead_id": f"E{number - number % TEAM:06d}" if number % TEAM else None,
        "education": chance.choice(["high_school", "college", "bachelor"]),
    }
    scores = {f"{kind}_score": chance.randint(50, 100) for kind in ("self", "peer", "manager", "teamwork", "attitude")}
    measures = scores | {
        **{"volume": chance.randint(0, 900), "volume_post_mean": 400, "csat_rate": chance.randint(70, 100) / 100},
        **{"qa_deduction": chance.randint(0, 80), "sales_completion": chance.randint(40, 160) / 100},
        **{"net_sales": chance.randint(-500, 250_000), "tickets": chance.randint(0, 60), "ratings": 40},
        **{"overtime_hours_workday": chance.randint(0, 20), "months_in_grade": chance.randint(0, 30)},
    }
    return who, measures


def fill(settings: Settings, plans: list[str], employees: int) -> None:
    """A warehouse with the measures of so many employees, dealt to the plans in turn."""
    rows = []
    for number in range(employees):
        plan = plans[(number + number // TEAM) % len(plans)]  # leads are on every plan
        who, measures = person(plan, number)
        for kind in ("month", "quarter", "year"):
            rows.append(wide_row(plan, f"E{number:06d}", kind, DECEMBER, who, measures))
    with connect(settings) as con:
        prepare(con, settings, rows)


def build(settings: Settings) -> float:
    """Seconds of one evaluation of all plans by dbt."""
    bounds = ["--event-time-start", str(DECEMBER.first_day), "--event-time-end", str(DECEMBER.plus(1).first_day)]
    started = time.perf_counter()
    call_dbt(settings, ["run", "--select", MODELS, *bounds])
    return time.perf_counter() - started


def floor(settings: Settings) -> float:
    """Seconds of one pass over the same measures."""
    started = time.perf_counter()
    command = [sys.executable, "-c", FLOOR, str(settings.warehouse_path), str(settings.threads)]
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--employees", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the medians count")
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="csperf-bench-"))
    try:
        plans = list(load_plans(load_settings()))
        few, many = load_settings(home=work / "few"), load_settings(home=work / "many")
        fill(few, plans, len(plans))
        fill(many, plans, arguments.employees)
        build(few)  # what dbt reads of the project is known from here on, as it is each night
        build(many)
        found: dict[str, list[float]] = {"floor": [], "few": [], "many": []}
        for _ in range(arguments.runs):
            found["floor"].append(floor(many))
            found["few"].append(build(few))
            found["many"].append(build(many))
        lines = _lines(many)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    median = {name: statistics.median(seconds) for name, seconds in found.items()}
    print(f"{'':44}{'median s':>9}{'min':>8}{'max':>8}")
    for label, name in (
        ("floor: one pass over the measures", "floor"),
        (f"{len(plans)} employees on {len(plans)} plans", "few"),
        (f"{arguments.employees:,} employees on {len(plans)} plans", "many"),
    ):
        print(f"{label:44}{median[name]:9.2f}{min(found[name]):8.2f}{max(found[name]):8.2f}")
    alone = median["many"] - median["few"]
    print(
        f"pay lines {lines:,}; {arguments.employees / median['many'] * 60:,.0f} employees a minute in all (aim 100,000)"
    )
    print(f"{median['many'] / median['floor']:.1f} x floor; beyond what one employee a plan costs {alone:.2f} s")


def _lines(settings: Settings) -> int:
    with connect(settings, read_only=True) as con:
        return int(con.execute("select count(*) from payroll.computed_lines").fetchall()[0][0])


if __name__ == "__main__":
    main()
