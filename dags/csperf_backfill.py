"""Past months again, in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from csperf.orchestration import alerts, steps
from csperf.orchestration.common import (
    DEFAULT_ARGS,
    EXTRACTION_DELAY,
    POOL,
    SCORECARDS,
    LogProgress,
    start_date,
    task_settings,
)

DOC = """\
By hand, with the months `from` and `to`: extracts, checks and lands all their dates again and builds them in one go.
What is equal to before changes nothing. Closed months and quarters whose figures differ become new revisions, approved
by `CSPERF_APPROVER`; where that is not set they stay drafts, to be approved by `csperf_quarterly` and `csperf_monthly`
with that quarter or month as parameter. Open months stay open.
"""


@dag(
    schedule=None,
    start_date=start_date(),
    max_active_runs=1,
    default_args={**DEFAULT_ARGS, "pool": POOL},
    params={
        "from": Param(type="string", pattern=r"^\d{4}-\d{2}$", description="First month, 2026-07"),
        "to": Param(type="string", pattern=r"^\d{4}-\d{2}$", description="Last month, included"),
    },
    tags=["csperf", "backfill"],
    doc_md=DOC,
    on_failure_callback=alerts.run_failed,
)
def csperf_backfill() -> None:
    @task(retries=3, retry_delay=EXTRACTION_DELAY, retry_exponential_backoff=2.0, outlets=[SCORECARDS])
    def backfill() -> dict[str, Any]:
        context = get_current_context()
        started_by = context["dag_run"].triggering_user_name
        return steps.backfill(task_settings(), context["params"], started_by, datetime.now(UTC), LogProgress())

    @task(retries=0)
    def verdict(done: Any) -> None:
        steps.verdict(done)

    verdict(backfill())


csperf_backfill()
