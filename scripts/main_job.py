"""`make run`: a made-up company of 60 people, one quarter of it run by Airflow, closed and published.

Everything goes through Airflow as on a server: its scheduler runs the DAGs, a demo clerk starts them and a demo
director approves what they drafted.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from csperf.demo import write_demo
from csperf.errors import CsperfError, UsageError
from csperf.periods import Quarter
from csperf.settings import Settings, load_settings
from csperf.storage import make_home
from csperf.warehouse import connect
from scripts.stack import Stack, local_stack

QUARTER = Quarter(2026, 3)
AGENTS, SEED = 60, 1
CLERK, DIRECTOR = "clerk", "director"
# Other settings of the caller's (a serving database, say) are not for a made-up company.
KEPT = {"CSPERF_HOME", "CSPERF_THREADS", "CSPERF_MEMORY_LIMIT"}

FIGURES = """
with newest_pay as (
    select control_total from payroll.payroll_runs where status = 'published'
    qualify row_number() over (partition by pay_month order by revision desc) = 1
)
select
    (select count(distinct employee_id) from scorecards.scorecard_monthly) as people,
    (select sum(sessions) from scorecards.agent_daily) as chat_sessions,
    (select sum(calls_answered) from scorecards.agent_daily) as answered_calls,
    (select count(*) from quality.quarantine) as quarantined_rows,
    (select count(*) from scorecards.scorecard_monthly) as monthly_scorecards,
    (select count(distinct plan) from scorecards.scorecard_monthly) as plans,
    (select count(*) from tiers.tier_quarterly where decision = 'promote') as promotions,
    (select count(*) from tiers.tier_quarterly where decision = 'demote') as demotions,
    (select sum(control_total) from newest_pay) as total_pay_cny
"""


def main() -> None:
    started = time.monotonic()
    console = Console(highlight=False)

    def tell(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.0f} s[/dim]  {text}", soft_wrap=True)

    for name in [name for name in os.environ if name.startswith("CSPERF_") and name not in KEPT]:
        del os.environ[name]
    settings = load_settings()
    source = settings.home / "demo" / "source"
    if settings.landing_dir.exists() and not source.exists():
        raise UsageError(
            f"{settings.home} holds other records; name an empty folder: make run CSPERF_HOME=/some/folder."
        )

    make_home(settings)
    os.umask(0o077)  # for the demo's deliveries and all that Airflow's processes write
    environment = {"CSPERF_HOME": str(settings.home), "CSPERF_SOURCE": str(source)}
    tell(f"A made-up company of {AGENTS} people, {QUARTER.first_day} to {QUARTER.last_day}, and Airflow starts")
    with ThreadPoolExecutor(1) as pool:
        demo = pool.submit(write_demo, source, AGENTS, QUARTER.first_day, QUARTER.last_day, SEED)
        with local_stack(settings.home / "demo" / "airflow", environment, (CLERK, DIRECTOR)) as stack:
            demo.result()
            first, *_, last = QUARTER.months
            tell(f"csperf_backfill: {first} to {last} from {source}")
            drive(stack, {"csperf_backfill": {"from": str(first), "to": str(last)}})
            for month in QUARTER.months:
                runs: dict[str, dict[str, Any]] = {"csperf_monthly": {"month": str(month)}}
                if month == first:
                    runs["csperf_quarterly"] = {"quarter": str(QUARTER)}
                tell(
                    f"{' and '.join(runs)}: {month}{f' and {QUARTER}' if len(runs) > 1 else ''}, approved by {DIRECTOR}"
                )
                drive(stack, runs)
    tell("done")
    show(console, settings, source)


def drive(stack: Stack, runs: dict[str, dict[str, Any]]) -> None:
    """Start the DAGs together as the clerk, approve as the director what waits for it, until all have succeeded."""
    watches = {}
    for dag, conf in runs.items():
        run = stack.trigger(dag, CLERK, conf)
        watches[dag] = (run, stack.watch(dag, run, CLERK, timeout=900))
    answered = set()
    while watches:
        for dag, (run, watch) in list(watches.items()):
            state, tasks = next(watch)
            if tasks.get("approve") == "awaiting_input" and dag not in answered:
                answered.add(dag)
                stack.answer(dag, run, DIRECTOR)
            if state == "success":
                del watches[dag]
            elif state == "failed":
                failed = [task for task, task_state in tasks.items() if task_state == "failed"]
                log = stack.task_log(dag, run, failed[0], CLERK) if failed else ""
                raise CsperfError(f"{dag} failed in {', '.join(failed)}; the end of its log:\n{log[-3000:]}")


def show(console: Console, settings: Settings, source: Path) -> None:
    """The short table of figures, and where everything lies."""
    with connect(settings, read_only=True) as con:
        cursor = con.execute(FIGURES)
        names, row = [column[0] for column in cursor.description], cursor.fetchone()
    assert row is not None  # it is one row of sub-selects
    figures = Table(title=f"Demo company, {QUARTER} (all people and figures are invented)", title_justify="left")
    figures.add_column("figure")
    figures.add_column("value", justify="right")
    for name, value in zip(names, row, strict=True):
        figures.add_row(name.replace("_", " ").replace("cny", "CNY"), f"{value:,}")
    console.print(figures)
    last = QUARTER.months[2]
    places = Table(box=None, show_header=False, pad_edge=False)
    for what, place in (
        ("what was delivered", source),
        ("landing zone", settings.landing_dir),
        ("warehouse, pay included", settings.warehouse_path),
        ("BI copy, no pay", settings.serving_path),
        ("payroll extracts", settings.payroll_dir),
        ("grade decisions", settings.tiers_dir),
        ("QA samples", settings.samples_dir),
        ("daily reports", settings.reports_dir),
        ("checks (Data Docs)", settings.quality_dir / "data_docs"),
        ("Airflow's logs", settings.home / "demo" / "airflow" / "logs"),
    ):
        places.add_row(what, str(place))
    console.print(places, soft_wrap=True)
    hint = f"Look further: .venv/bin/csperf status, .venv/bin/csperf explain EMPLOYEE {last}, make airflow"
    console.print(hint, soft_wrap=True)


if __name__ == "__main__":
    try:
        main()
    except (CsperfError, RuntimeError) as error:
        Console(stderr=True).print(str(error), style="red", markup=False)
        raise SystemExit(getattr(error, "exit_code", 1)) from None
