"""The nightly run of csperf in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from csperf.orchestration import alerts, runs, steps
from csperf.orchestration.common import (
    DEFAULT_ARGS,
    EXTRACTION_DELAY,
    POOL,
    SCORECARDS,
    LogProgress,
    schedule,
    start_date,
    task_settings,
)

DOC = """\
Every night at 02:00 for the day before (in the business time zone): **extract** reads the source, checks and lands
each dataset, **build** brings the warehouse up to date, then the QA sample, the daily report and the BI copy follow.

A delivery that is refused stops nothing else: the last task fails and says which, and why. Parameters `from` and `to`
run other dates in one go. A native backfill makes a run a date: `airflow backfill create --dag-id csperf_daily
--from-date 2026-09-01T00:00:00+08:00 --to-date 2026-09-30T23:59:59+08:00`. Write both times out: Airflow compares
them with 02:00 of each date, so a `--to-date` at midnight leaves its own date out.

Who is named in `CSPERF_NOTIFY` is told of refused and overdue deliveries, of a run that fails, and of one that is not
done within `CSPERF_NIGHT_HOURS`.
"""


@dag(
    schedule=schedule("0 2 * * *"),
    start_date=start_date(),
    catchup=False,
    default_args={**DEFAULT_ARGS, "pool": POOL},
    params={
        "from": Param(None, type=["null", "string"], format="date", description="First business date"),
        "to": Param(None, type=["null", "string"], format="date", description="Last business date, included"),
    },
    tags=["csperf", "nightly"],
    doc_md=DOC,
    on_failure_callback=alerts.run_failed,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=task_settings().night_hours),
        callback=SyncCallback(alerts.night_late),
    ),
)
def csperf_daily() -> None:
    @task
    def dates() -> list[str]:
        context = get_current_context()
        return [str(day) for day in runs.business_dates(context["dag_run"], context["params"], task_settings().zone)]

    @task(retries=3, retry_delay=EXTRACTION_DELAY, retry_exponential_backoff=2.0)
    def extract(on: Any) -> dict[str, Any]:
        return steps.extract(task_settings(), on, datetime.now(UTC), LogProgress())

    @task
    def build() -> int:
        from csperf.warehouse import build

        return len(build(task_settings(), LogProgress()).dates)

    @task
    def sample(on: Any) -> int:
        return steps.sample(task_settings(), on, LogProgress())

    @task
    def report(on: Any) -> int:
        return steps.report(task_settings(), on, LogProgress())

    @task(outlets=[SCORECARDS])
    def serve() -> None:
        from csperf.serving import publish

        publish(task_settings())

    @task(retries=0)
    def verdict(landed: Any) -> None:
        steps.verdict(landed)

    on = dates()
    landed = extract(on)
    landed >> build() >> [sample(on), report(on), (served := serve())]
    served >> verdict(landed)


csperf_daily()
